//! An answer with an error status: Google's two envelopes, HTML and nothing at all, and what
//! each means for the caller. <https://developers.google.com/workspace/gmail/api/guides/handle-errors>

use crate::client::Answer;
use crate::codes;
use crate::quota::Spent;
use crate::retry;
use http::StatusCode;
use jiff::Timestamp;
use nuncio_model::{Next, untrusted};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// What a project owner's daily cap and abuse limits deserve: they last hours.
const LONG_LIMIT_WAIT: Duration = Duration::from_secs(60 * 60);

/// An error status of an API call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The method, such as `gmail.users.messages.get`.
    pub method: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Google's word for it, such as `notFound`; escaped, empty if there is none.
    pub reason: String,
    /// Google's sentence; escaped and cut, empty if there is none.
    pub message: String,
    /// How long Google asks us to wait, clamped to a day.
    pub retry_after: Option<Duration>,
    /// What it means.
    pub fault: Fault,
    /// Which limit it is about, if it is about one.
    pub(crate) spent: Option<Spent>,
}

/// What an error status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Too many calls in a short time.
    RateLimit,
    /// A limit that lasts hours: a day's cap, an abuse limit.
    LongLimit,
    /// Google's own failure.
    Server,
    /// The token is not accepted.
    Unauthorized,
    /// The token lacks the scope.
    MissingScope,
    /// The API is not switched on in the service account's project.
    ApiDisabled,
    /// The domain's administrator switched the service off.
    DomainPolicy,
    /// The user has no such service: Gmail is off, unlicensed or not set up.
    NoService,
    /// Any other refusal to this user.
    Forbidden,
    /// No such thing.
    NotFound,
    /// The position in a change log is too old or not Google's.
    PositionLost,
    /// Any other status; the same request will fail again.
    Refused,
}

impl Status {
    /// Reads an answer that is no success. `secret` is the token that was sent: a server that
    /// echoes it must not get it into our logs.
    pub(crate) fn read(
        method: &'static str,
        answer: &Answer,
        now: Timestamp,
        secret: &str,
    ) -> Self {
        let envelope = Envelope::parse(&answer.body);
        let retry_after = retry::hint(&answer.headers, &envelope.message, now);
        let fault = fault(method, answer.status, &envelope);
        Self {
            method,
            status: answer.status.as_u16(),
            fault,
            spent: spent(fault, &envelope),
            reason: clean(&envelope.reason, secret),
            message: clean(&envelope.message, secret),
            retry_after,
        }
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        let wait = |otherwise: Next| self.retry_after.map_or(otherwise, Next::RetryAfter);
        match self.fault {
            Fault::RateLimit | Fault::Server => wait(Next::Backoff),
            Fault::LongLimit => wait(Next::RetryAfter(LONG_LIMIT_WAIT)),
            Fault::Unauthorized
            | Fault::MissingScope
            | Fault::ApiDisabled
            | Fault::DomainPolicy
            | Fault::NoService
            | Fault::Forbidden => Next::Reauthorize,
            Fault::PositionLost => Next::Resync,
            Fault::NotFound | Fault::Refused => Next::Reject,
        }
    }

    /// The stable code for operators.
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::RateLimit => "GGL001",
            Fault::LongLimit => "GGL002",
            Fault::Server => "GGL003",
            Fault::Unauthorized => "GGL004",
            Fault::MissingScope => "GGL005",
            Fault::ApiDisabled => "GGL006",
            Fault::DomainPolicy => "GGL007",
            Fault::NoService => "GGL008",
            Fault::Forbidden => "GGL009",
            Fault::NotFound => "GGL010",
            Fault::PositionLost => "GGL011",
            Fault::Refused => "GGL012",
        }
    }

    /// What an operator can do.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers {}", self.method, self.status)?;
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Status {}

/// Escapes text from outside and takes our own secret out of it.
pub(crate) fn clean(text: &str, secret: &str) -> String {
    let without = if secret.is_empty() {
        text.into()
    } else {
        text.replace(secret, "(secret)")
    };
    untrusted(&without).to_string()
}

/// What an error body says; empty texts where it does not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) reason: String,
    pub(crate) message: String,
    /// The code in the body, which may differ from the HTTP status.
    pub(crate) code: Option<u64>,
}

impl Envelope {
    /// Reads any body. The reason is taken from `errors[0].reason`, else from `details[].reason`,
    /// else from `status`; `{"error": "word"}` of OAuth is understood as well.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let value = value.get(0).unwrap_or(&value);
        let error = &value["error"];
        if let Some(word) = error.as_str() {
            let message = value["error_description"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            return Self {
                reason: word.to_owned(),
                message,
                code: None,
            };
        }
        let in_details = || {
            error["details"]
                .as_array()?
                .iter()
                .find_map(|d| d["reason"].as_str())
        };
        let reason = error["errors"][0]["reason"]
            .as_str()
            .or_else(in_details)
            .or_else(|| error["status"].as_str());
        let message = error["message"]
            .as_str()
            .or_else(|| error["errors"][0]["message"].as_str());
        Self {
            reason: reason.unwrap_or_default().to_owned(),
            message: message.unwrap_or_default().to_owned(),
            code: error["code"].as_u64(),
        }
    }
}

fn fault(method: &'static str, status: StatusCode, envelope: &Envelope) -> Fault {
    let reason = envelope.reason.as_str();
    match status.as_u16() {
        408 | 429 if is_long(reason) => Fault::LongLimit,
        408 | 429 => Fault::RateLimit,
        500.. => Fault::Server,
        401 => Fault::Unauthorized,
        403 => forbidden(reason, &envelope.message),
        410 => Fault::PositionLost,
        404 if is_change_log(method) => Fault::PositionLost,
        400 if is_change_log(method) && envelope.message.contains("startHistoryId") => {
            Fault::PositionLost
        }
        404 => Fault::NotFound,
        400 if matches!(reason, "failedPrecondition" | "FAILED_PRECONDITION") => Fault::NoService,
        _ => Fault::Refused,
    }
}

/// Google tells rate limits from refusals by `reason` alone: both are 403, and `accessNotConfigured`
/// comes in the domain `usageLimits` too.
fn forbidden(reason: &str, message: &str) -> Fault {
    match reason {
        _ if is_long(reason) => Fault::LongLimit,
        "userRateLimitExceeded"
        | "rateLimitExceeded"
        | "sharingRateLimitExceeded"
        | "RATE_LIMIT_EXCEEDED"
        | "RESOURCE_EXHAUSTED" => Fault::RateLimit,
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Fault::MissingScope,
        "accessNotConfigured" | "SERVICE_DISABLED" => Fault::ApiDisabled,
        "domainPolicy" => Fault::DomainPolicy,
        _ if message.starts_with("Quota exceeded for quota metric") => Fault::RateLimit,
        _ if message.contains("insufficient authentication scopes") => Fault::MissingScope,
        _ => Fault::Forbidden,
    }
}

/// Which limit is spent. `reason` does not tell: the user's minute is refused as
/// `rateLimitExceeded` too, so the limit's name in the message decides. In doubt it is the
/// user's, for a user's pause harms nobody else.
/// <https://github.com/GAM-team/got-your-back/issues/309>
fn spent(fault: Fault, envelope: &Envelope) -> Option<Spent> {
    match fault {
        // The project owner's cap is everybody's; an abuse limit is one user's or calendar's.
        Fault::LongLimit if envelope.reason == "dailyLimitExceeded" => return Some(Spent::Day),
        Fault::LongLimit => return Some(Spent::Failing),
        Fault::RateLimit => {}
        _ => return None,
    }
    let message = envelope.message.to_ascii_lowercase();
    Some(if message.contains("concurrent requests") {
        Spent::InFlight
    } else if message.contains("user-rate limit") {
        // The mailbox was shut for a while; that says nothing of whose budget is charged.
        Spent::Failing
    } else if message.contains("per user") {
        Spent::User
    } else if message.contains("per minute'")
        || message.contains("per day'")
        || (envelope.reason == "rateLimitExceeded" && message == "rate limit exceeded")
    {
        Spent::Project
    } else {
        Spent::User
    })
}

fn is_long(reason: &str) -> bool {
    matches!(reason, "quotaExceeded" | "dailyLimitExceeded")
}

fn is_change_log(method: &str) -> bool {
    method == "gmail.users.history.list"
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use proptest::prelude::*;

    const LIST: &str = "gmail.users.messages.list";

    fn read(method: &'static str, status: u16, body: &str) -> Status {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec().into(),
        };
        Status::read(
            method,
            &answer,
            "2026-08-11T11:23:10Z".parse().unwrap(),
            "ya29.secret",
        )
    }

    fn classic(code: u16, domain: &str, reason: &str, message: &str) -> String {
        serde_json::json!({"error": {"code": code, "message": message,
            "errors": [{"domain": domain, "reason": reason, "message": message}]}})
        .to_string()
    }

    #[test]
    fn both_envelopes_are_read() {
        let old = read(LIST, 404, &classic(404, "global", "notFound", "Not Found"));
        assert_eq!(
            old.to_string(),
            "gmail.users.messages.list answers 404 notFound: Not Found"
        );
        let new = read(
            LIST,
            403,
            r#"{"error":{"code":403,"message":"off","status":"PERMISSION_DENIED","details":[{"x":1},{"reason":"SERVICE_DISABLED"}]}}"#,
        );
        assert_eq!(
            (new.reason.as_str(), new.fault),
            ("SERVICE_DISABLED", Fault::ApiDisabled)
        );
        let bare = read(
            LIST,
            403,
            r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#,
        );
        assert_eq!(
            (bare.reason.as_str(), bare.fault),
            ("PERMISSION_DENIED", Fault::Forbidden)
        );
        let oauth = read(
            LIST,
            400,
            r#"{"error":"invalid_request","error_description":"no"}"#,
        );
        assert_eq!(
            (oauth.reason.as_str(), oauth.message.as_str()),
            ("invalid_request", "no")
        );
        let array = read(
            LIST,
            429,
            &format!("[{}]", classic(429, "global", "rateLimitExceeded", "slow")),
        );
        assert_eq!(array.reason, "rateLimitExceeded");
        for nothing in [
            "",
            "<html>Service Unavailable</html>",
            "[]",
            "null",
            "{\"error\":7}",
            "{\"error\":{\"errors\":{}}}",
        ] {
            let status = read(LIST, 503, nothing);
            assert_eq!(
                status.to_string(),
                "gmail.users.messages.list answers 503",
                "{nothing}"
            );
            assert_eq!(status.next(), Next::Backoff);
        }
    }

    #[test]
    fn each_403_has_its_meaning() {
        let cases = [
            ("usageLimits", "userRateLimitExceeded", "", Fault::RateLimit),
            ("usageLimits", "rateLimitExceeded", "", Fault::RateLimit),
            ("global", "sharingRateLimitExceeded", "", Fault::RateLimit),
            ("usageLimits", "quotaExceeded", "", Fault::LongLimit),
            ("usageLimits", "dailyLimitExceeded", "", Fault::LongLimit),
            ("usageLimits", "accessNotConfigured", "", Fault::ApiDisabled),
            ("global", "insufficientPermissions", "", Fault::MissingScope),
            ("global", "domainPolicy", "", Fault::DomainPolicy),
            (
                "global",
                "forbidden",
                "Delegation denied for x",
                Fault::Forbidden,
            ),
            (
                "global",
                "forbidden",
                "Quota exceeded for quota metric 'Queries'",
                Fault::RateLimit,
            ),
        ];
        for (domain, reason, message, fault) in cases {
            assert_eq!(
                read(LIST, 403, &classic(403, domain, reason, message)).fault,
                fault,
                "{reason}"
            );
        }
    }

    #[test]
    fn a_lost_history_is_a_resync_and_a_lost_message_is_not() {
        let gone = classic(404, "global", "notFound", "Requested entity was not found.");
        assert_eq!(
            read("gmail.users.history.list", 404, &gone).next(),
            Next::Resync
        );
        let garbled = classic(
            400,
            "global",
            "invalidArgument",
            "Missing/invalid parameter: startHistoryId",
        );
        assert_eq!(
            read("gmail.users.history.list", 400, &garbled).next(),
            Next::Resync
        );
        assert_eq!(
            read("gmail.users.messages.get", 404, &gone).next(),
            Next::Reject
        );
        assert_eq!(read(LIST, 400, &garbled).next(), Next::Reject);
    }

    #[test]
    fn a_user_without_mailbox_is_told_apart() {
        let off = classic(
            400,
            "global",
            "failedPrecondition",
            "Mail service not enabled",
        );
        let status = read(LIST, 400, &off);
        assert_eq!(
            (status.fault, status.next()),
            (Fault::NoService, Next::Reauthorize)
        );
    }

    #[test]
    fn an_absolute_time_in_the_message_becomes_a_wait() {
        let body = classic(
            429,
            "usageLimits",
            "rateLimitExceeded",
            "User-rate limit exceeded.  Retry after 2026-08-11T11:38:10.449Z",
        );
        let wait = read(LIST, 429, &body).retry_after.unwrap();
        assert_eq!(wait.as_secs(), 900);
    }

    #[test]
    fn an_echoed_token_and_control_characters_are_taken_out() {
        let status = read(
            LIST,
            400,
            &classic(
                400,
                "g",
                "bad ya29.secret",
                "x\u{1b}[2J ya29.secret\u{202e}",
            ),
        );
        for shown in [status.to_string(), format!("{status:?}")] {
            assert!(
                !shown.contains("ya29") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
                "{shown}"
            );
        }
    }

    #[test]
    fn codes_differ() {
        let faults = [
            Fault::RateLimit,
            Fault::LongLimit,
            Fault::Server,
            Fault::Unauthorized,
            Fault::MissingScope,
            Fault::ApiDisabled,
            Fault::DomainPolicy,
            Fault::NoService,
            Fault::Forbidden,
            Fault::NotFound,
            Fault::PositionLost,
            Fault::Refused,
        ];
        let base = read(LIST, 400, "");
        let codes: std::collections::BTreeSet<_> = faults
            .iter()
            .map(|fault| {
                Status {
                    fault: *fault,
                    ..base.clone()
                }
                .code()
            })
            .collect();
        assert_eq!(codes.len(), faults.len());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            let key = prop_oneof![
                Just("error"),
                Just("errors"),
                Just("details"),
                Just("reason"),
                Just("message"),
                Just("status"),
                Just("code")
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..5).prop_map(|members| {
                    Value::Object(
                        members
                            .into_iter()
                            .map(|(k, v)| (k.to_owned(), v))
                            .collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..300)) {
            Envelope::parse(&body);
        }

        #[test]
        fn any_json_is_survived(body in any_json(), status in 300u16..600) {
            let status = read(LIST, status, &body.to_string());
            prop_assert!(status.to_string().starts_with("gmail.users.messages.list answers "));
        }
    }
}
