//! The JWT bearer grant: a service account signs that it wants to act for a user. And what it signs for itself,
//! which stands in place of a token.
//!
//! See <https://developers.google.com/identity/protocols/oauth2/service-account>.

use super::keyless::CLOUD_PLATFORM;
use super::tokens::{Grant, GrantedBy};
use super::{BASE64URL, Issued, Refusal, client, known_scope};
use crate::call::Query;
use crate::workspace::{NamedBy, UserIndex, Workspace};
use base64::Engine;
use serde_json::Value;

const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Longest life of an assertion that is still taken; the error text says 60 minutes.
const MAX_LIFE_SECS: i64 = 65 * 60;
/// How far the clock of a client may run ahead or behind.
const SKEW_SECS: i64 = 5 * 60;

const MALFORMED: Refusal = Refusal(401, "invalid_client", "The OAuth client was invalid.");
const BAD_SIGNATURE: Refusal = Refusal(400, "invalid_grant", "Invalid JWT Signature.");
const BAD_TIME: Refusal = Refusal(
    400,
    "invalid_grant",
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. \
     Check your iat and exp values in the JWT claim.",
);
const BAD_SCOPE: Refusal = Refusal(
    400,
    "invalid_scope",
    "Invalid OAuth scope or ID token audience provided.",
);
const NOT_DELEGATED: Refusal = Refusal(
    401,
    "unauthorized_client",
    "Unauthorized client or scope in request.",
);

/// Answers the grant `urn:ietf:params:oauth:grant-type:jwt-bearer`.
pub(super) fn exchange(workspace: &Workspace, form: &Query) -> Result<Issued, Refusal> {
    let assertion = form
        .first("assertion")
        .filter(|assertion| !assertion.is_empty())
        .ok_or(Refusal(
            400,
            "invalid_request",
            "Missing required parameter: assertion",
        ))?;
    let claims = verify(workspace, assertion)?;
    workspace.client().service_account.check()?;
    check_audience(workspace, &claims)?;
    check_time(workspace.now_ms() / 1000, &claims)?;
    let scopes = requested_scopes(&claims)?;
    let email = workspace.account().email.clone();
    let user = match &claims["sub"] {
        Value::Null => None,
        Value::String(subject) if subject.eq_ignore_ascii_case(&email) => None,
        Value::String(subject) => Some(impersonate(workspace, subject, &scopes)?),
        _ => {
            return Err(Refusal(
                400,
                "invalid_request",
                "Invalid impersonation \"sub\" field: it must be a string.",
            ));
        }
    };
    let scope = scopes.join(" ");
    let now = workspace.now_ms();
    let token = workspace
        .tokens()
        .issue(user, scopes, GrantedBy::Assertion, now);
    Ok(Issued::bearer(token, scope))
}

/// APIs that take what a service account signed for itself; in the claim `aud`, their addresses stand for all of them.
const OWN_AUDIENCES: [&str; 2] = [
    "https://pubsub.googleapis.com/",
    "https://iamcredentials.googleapis.com/",
];

/// What a JWT opens that the service account signed for itself, with a scope or the address of an API in it.
///
/// See <https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>.
pub(super) fn self_signed(workspace: &Workspace, token: &str) -> Option<Grant> {
    let claims = verify(workspace, token).ok()?;
    let now = workspace.now_ms() / 1000;
    check_time(now, &claims).ok()?;
    workspace.client().service_account.check().ok()?;
    let expires = claims["exp"].as_i64().filter(|end| *end > now)?;
    let is_own = claims["sub"] == claims["iss"];
    let scopes = if claims["scope"].is_string() {
        requested_scopes(&claims).ok()?
    } else {
        let audience = claims["aud"].as_str()?;
        OWN_AUDIENCES
            .contains(&audience)
            .then(|| vec![CLOUD_PLATFORM.to_owned()])?
    };
    is_own.then(|| Grant {
        user: None,
        scopes: scopes.into(),
        by: GrantedBy::Assertion,
        expires_ms: expires * 1000,
    })
}

/// Takes the assertion apart and checks who signed it.
fn verify(workspace: &Workspace, assertion: &str) -> Result<Value, Refusal> {
    let mut parts = assertion.split('.');
    let (Some(head), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(MALFORMED);
    };
    let decode = |part: &str| BASE64URL.decode(part).map_err(|_| MALFORMED);
    let object = |part: &str| -> Result<Value, Refusal> {
        serde_json::from_slice::<Value>(&decode(part)?)
            .ok()
            .filter(Value::is_object)
            .ok_or(MALFORMED)
    };
    let (header, claims) = (object(head)?, object(payload)?);
    if header["alg"] != "RS256" {
        return Err(MALFORMED);
    }
    let issuer = claims["iss"].as_str().ok_or(MALFORMED)?;
    let account = workspace.account();
    if account.email != issuer {
        return Err(Refusal(
            400,
            "invalid_grant",
            "Invalid JWT: No valid verifier found for issuer",
        ));
    }
    let key_id = match &header["kid"] {
        Value::Null => None,
        Value::String(id) => Some(id.as_str()),
        _ => return Err(BAD_SIGNATURE),
    };
    let signed = &assertion[..head.len() + 1 + payload.len()];
    let signature = decode(signature)?;
    if account.verifies(key_id, signed.as_bytes(), &signature, workspace.now_ms()) {
        Ok(claims)
    } else {
        Err(BAD_SIGNATURE)
    }
}

fn check_audience(workspace: &Workspace, claims: &Value) -> Result<(), Refusal> {
    let fits = claims["aud"].as_str().is_some_and(|audience| {
        audience == AUDIENCE
            || audience
                .strip_prefix(workspace.base.as_str())
                .is_some_and(|path| path == "/token" || path == "/oauth2/v4/token")
    });
    if fits {
        Ok(())
    } else {
        Err(Refusal(
            400,
            "invalid_grant",
            "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token",
        ))
    }
}

/// `now` is in seconds since 1970.
fn check_time(now: i64, claims: &Value) -> Result<(), Refusal> {
    let seconds = |name: &str| {
        claims[name]
            .as_i64()
            .or_else(|| claims[name].as_f64().map(|number| number as i64))
            .ok_or(BAD_TIME)
    };
    let (issued, expires) = (seconds("iat")?, seconds("exp")?);
    let life = expires.saturating_sub(issued);
    let reasonable = (1..MAX_LIFE_SECS).contains(&life)
        && issued <= now.saturating_add(SKEW_SECS)
        && expires > now.saturating_sub(SKEW_SECS);
    if reasonable { Ok(()) } else { Err(BAD_TIME) }
}

/// Scopes are separated by spaces; anything that cannot be a scope of Google spoils the request.
fn requested_scopes(claims: &Value) -> Result<Vec<String>, Refusal> {
    let text = claims["scope"].as_str().ok_or(BAD_SCOPE)?;
    let scopes: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if scopes.is_empty() || !scopes.iter().all(|scope| known_scope(scope)) {
        return Err(BAD_SCOPE);
    }
    Ok(scopes)
}

/// Checks that the account may act for `subject` with all of `scopes`.
fn impersonate(
    workspace: &Workspace,
    subject: &str,
    scopes: &[String],
) -> Result<UserIndex, Refusal> {
    let found = workspace.find_user(subject);
    if found.is_none() {
        match subject.rsplit_once('@') {
            None if !subject.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(Refusal(400, "invalid_grant", "Not a valid email"));
            }
            Some((_, domain)) if !domain.eq_ignore_ascii_case(&workspace.world.domain) => {
                return Err(NOT_DELEGATED);
            }
            _ => {}
        }
    }
    client::check_policy(workspace, scopes)?;
    let user = match &found {
        Some((index, _)) => workspace.primary(*index).to_ascii_lowercase(),
        None => subject.to_ascii_lowercase(),
    };
    check_delegation(workspace, &user, scopes)?;
    match found {
        None => Err(Refusal(400, "invalid_grant", "Invalid email or User ID")),
        Some((_, NamedBy::Alias)) => Err(Refusal(
            400,
            "invalid_request",
            "Invalid impersonation prn email address.",
        )),
        Some((index, NamedBy::Primary | NamedBy::Id)) => Ok(index),
    }
}

/// `user` is an address in lower case.
fn check_delegation(workspace: &Workspace, user: &str, scopes: &[String]) -> Result<(), Refusal> {
    let now = workspace.now_ms();
    let delegation = workspace.delegation();
    let n_granted = scopes
        .iter()
        .filter(|scope| delegation.covers(scope, user, now))
        .count();
    if n_granted == 0 {
        return Err(Refusal(
            401,
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not \
             authorized for any of the scopes requested.",
        ));
    }
    if n_granted < scopes.len() {
        return Err(Refusal(
            403,
            "access_denied",
            "Requested client not authorized.",
        ));
    }
    if !delegation.reaches(user) {
        return Err(NOT_DELEGATED);
    }
    if delegation.restricts(user) {
        return Err(Refusal(403, "access_denied", "Account restricted"));
    }
    Ok(())
}
