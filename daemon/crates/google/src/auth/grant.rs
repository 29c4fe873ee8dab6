//! One token request, whatever the grant: the form that is sent and the reading of every answer that
//! was seen in the wild. yup-oauth2 takes an error object or `{}` for a token without text and keeps it for
//! ever, so this is our own. <https://developers.google.com/identity/protocols/oauth2/service-account>

use super::error::Denied;
use super::{AuthError, Refusal};
use crate::client::Answer;
use crate::retry;
use crate::status::{Envelope, clean};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use nuncio_model::Secret;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use yup_oauth2::error::AuthErrorCode;

/// RFC 7523: a signed assertion.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Used if Google does not say how long a token lives; it always did so far.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A token and how long it may be used from now.
pub(super) struct Grant {
    pub(super) token: Secret,
    pub(super) lifetime: Duration,
    /// Comes with a user's consent.
    pub(super) refresh_token: Option<Secret>,
    /// What the token is good for, where Google says so: scopes' URLs.
    pub(super) scopes: Vec<String>,
}

/// The members of a good answer that matter.
#[derive(Deserialize)]
struct Reply {
    access_token: Option<String>,
    expires_in: Option<Value>,
    refresh_token: Option<String>,
    scope: Option<String>,
}

/// The request for a token: `form` as RFC 6749 names its fields.
pub(super) fn request(url: &Uri, form: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let mut request = Request::new(Full::new(Bytes::from(form)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(crate::http::USER_AGENT),
    );
    request
}

/// Reads the answer to [`request`]; `now` is our own clock, `proof` what was sent and must not be
/// shown: an assertion, a code or a refresh token.
pub(super) fn read(
    answer: &Answer,
    subject: Option<&str>,
    proof: &Secret,
    now: Timestamp,
) -> Result<Grant, AuthError> {
    let status = answer.status.as_u16();
    let busy = |status: u16, message: &str| AuthError::Busy {
        status,
        retry_after: retry::hint(&answer.headers, message, now),
    };
    let envelope = Envelope::parse(&answer.body);
    if is_busy(status) {
        return Err(busy(status, &envelope.message));
    }
    // The front end's own envelope, whatever the HTTP status says.
    if let Some(code) = envelope.code.and_then(|code| u16::try_from(code).ok())
        && is_busy(code)
    {
        return Err(busy(code, &envelope.message));
    }
    if !answer.status.is_success() {
        if envelope.reason.is_empty() {
            return Err(AuthError::Malformed {
                status,
                what: "no reason for the refusal",
            });
        }
        return Err(denied(status, subject, &envelope, proof));
    }
    if !envelope.reason.is_empty() {
        return Err(denied(status, subject, &envelope, proof));
    }
    let malformed = |what| AuthError::Malformed { status, what };
    let reply: Reply =
        serde_json::from_slice(&answer.body).map_err(|_| malformed("not the expected JSON"))?;
    let token = reply
        .access_token
        .map(Secret::new)
        .ok_or_else(|| malformed("no access_token"))?;
    if token.expose().is_empty() {
        return Err(malformed("an empty access_token"));
    }
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("an access_token that no header can carry"));
    }
    let lifetime = reply
        .expires_in
        .as_ref()
        .and_then(seconds)
        .unwrap_or(UNKNOWN_LIFETIME);
    let scopes = reply.scope.unwrap_or_default();
    Ok(Grant {
        token,
        lifetime,
        refresh_token: reply.refresh_token.map(Secret::new),
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
    })
}

fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

fn denied(status: u16, subject: Option<&str>, envelope: &Envelope, proof: &Secret) -> AuthError {
    let raw = AuthErrorCode::from(envelope.reason.as_str());
    AuthError::Denied(Arc::new(Denied {
        subject: subject.map(str::to_owned),
        status,
        refusal: Refusal::judge(&raw, &envelope.message),
        error: AuthErrorCode::from(clean(&envelope.reason, proof.expose())),
        description: clean(&envelope.message, proof.expose()),
    }))
}

/// Google sends a number; others were seen to send text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use nuncio_model::Next;
    use proptest::prelude::*;

    fn read_reply(status: u16, body: &[u8]) -> Result<Grant, AuthError> {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([(http::header::RETRY_AFTER, "7".parse().unwrap())]),
            body: Bytes::copy_from_slice(body),
        };
        let assertion = Secret::new("planted.jwt".into());
        read(
            &answer,
            Some("ana@example.com"),
            &assertion,
            Timestamp::UNIX_EPOCH,
        )
    }

    fn error(status: u16, body: &str) -> AuthError {
        read_reply(status, body.as_bytes())
            .map(|_| "a token")
            .unwrap_err()
    }

    #[test]
    fn a_token_is_taken_with_its_lifetime() {
        let grant = read_reply(
            200,
            br#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#,
        )
        .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            (grant.token.expose(), grant.lifetime.as_secs()),
            ("ya29.x", 3599)
        );
        let vague =
            read_reply(200, br#"{"access_token":"ya29.x"}"#).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(vague.lifetime, UNKNOWN_LIFETIME);
    }

    #[test]
    fn busy_endpoints_are_told_from_refusals() {
        let wait = Next::RetryAfter(Duration::from_secs(7));
        let object = r#"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}"#;
        for (status, body) in [
            (429, object),
            (200, object),
            (503, "<html>oops</html>"),
            (500, ""),
            (503, r#"{"error":"internal_failure"}"#),
        ] {
            let error = error(status, body);
            assert!(
                matches!(error, AuthError::Busy { .. }),
                "{status} {body}: {error}"
            );
            assert_eq!(error.next(), wait);
        }
        let denied = error(
            401,
            r#"{"error":"unauthorized_client","error_description":"Unauthorized client or scope in request."}"#,
        );
        assert_eq!(
            denied.to_string(),
            "Google refuses a token for ana@example.com: 401 unauthorized_client: Unauthorized client or scope in request."
        );
        assert_eq!(
            (denied.next(), denied.code()),
            (Next::Reauthorize, "AUTH010")
        );
    }

    #[test]
    fn answers_without_a_token_are_never_taken_for_one() {
        for body in [
            "{}",
            r#"{"access_token":null}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"a\nb"}"#,
            "<html>login</html>",
            "",
            "[]",
        ] {
            let error = error(200, body);
            assert!(
                matches!(error, AuthError::Malformed { .. }),
                "{body}: {error}"
            );
            assert_eq!(error.next(), Next::Backoff);
        }
        assert!(matches!(
            error(403, "<html>proxy</html>"),
            AuthError::Malformed { status: 403, .. }
        ));
    }

    #[test]
    fn an_echoed_assertion_is_taken_out() {
        let error = error(
            400,
            r#"{"error":"invalid_grant","error_description":"bad planted.jwt"}"#,
        );
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("planted"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(status in 200u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read_reply(status, &body));
        }
    }
}
