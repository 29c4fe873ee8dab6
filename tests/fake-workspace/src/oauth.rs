//! The token endpoint for service accounts with domain-wide delegation, and the access tokens it gave out.
//!
//! See <https://developers.google.com/identity/protocols/oauth2/service-account>. Refresh tokens come later.

use crate::call::{Call, Query, Reply};
use crate::error::ApiError;
use crate::keys::ServiceAccount;
use crate::workspace::{NamedBy, UserIndex, Workspace, now_ms};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// Decodes base64url with or without padding: clients send both.
pub(crate) const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Longest life of an assertion that is still taken; the error text says 60 minutes.
const MAX_LIFE_SECS: i64 = 65 * 60;
/// How far the clock of a client may run ahead or behind.
const SKEW_SECS: i64 = 5 * 60;
/// What `expires_in` says.
const TOKEN_LIFE_SECS: i64 = 3599;

const DEFAULT_SCOPES: [&str; 8] = [
    "https://mail.google.com/",
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.modify",
    "https://www.googleapis.com/auth/gmail.insert",
    "https://www.googleapis.com/auth/gmail.send",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
];

/// What the administrator delegated to the service account.
#[derive(Debug)]
pub(crate) struct Delegation {
    scopes: BTreeSet<String>,
    /// Users that the delegation has not reached yet; that takes up to a day.
    unreached: BTreeSet<String>,
}

impl Default for Delegation {
    fn default() -> Self {
        Self {
            scopes: DEFAULT_SCOPES
                .iter()
                .map(|scope| (*scope).to_owned())
                .collect(),
            unreached: BTreeSet::new(),
        }
    }
}

impl Delegation {
    pub(crate) fn grant(&mut self, scope: &str) {
        self.scopes.insert(scope.to_owned());
    }

    pub(crate) fn grant_defaults(&mut self) {
        self.scopes.extend(Self::default().scopes);
    }

    pub(crate) fn revoke(&mut self, scope: &str) {
        self.scopes.remove(scope);
    }

    pub(crate) fn revoke_all(&mut self) {
        self.scopes.clear();
    }

    /// `user` is a primary address in lower case.
    pub(crate) fn reach(&mut self, user: &str) {
        self.unreached.remove(user);
    }

    /// `user` is a primary address in lower case.
    pub(crate) fn unreach(&mut self, user: &str) {
        self.unreached.insert(user.to_owned());
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }
}

/// Who a token acts for, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// Absent for a token of the service account itself.
    pub(crate) user: Option<UserIndex>,
    pub(crate) scopes: Vec<String>,
    expires_ms: i64,
}

/// The access tokens that are out.
#[derive(Debug)]
pub(crate) struct Tokens {
    grants: HashMap<String, Grant>,
    rng: fastrand::Rng,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            grants: HashMap::new(),
            rng: fastrand::Rng::with_seed(seed ^ 0x746f_6b65_6e73),
        }
    }

    fn issue(&mut self, user: Option<UserIndex>, scopes: Vec<String>) -> String {
        let token: String = std::iter::once("ya29.c.c0")
            .map(str::to_owned)
            .chain((0..100).map(|_| self.rng.alphanumeric().to_string()))
            .collect();
        let now = now_ms();
        self.grants.retain(|_, grant| grant.expires_ms > now);
        self.grants.insert(
            token.clone(),
            Grant {
                user,
                scopes,
                expires_ms: now + TOKEN_LIFE_SECS * 1000,
            },
        );
        token
    }

    /// Ends all tokens of one user, or of everybody; returns how many.
    pub(crate) fn expire(&mut self, user: Option<UserIndex>) -> usize {
        let before = self.grants.len();
        self.grants
            .retain(|_, grant| user.is_some() && grant.user != user);
        before - self.grants.len()
    }
}

/// Looks up the bearer token of a call.
pub(crate) fn authenticate(workspace: &Workspace, call: &Call) -> Result<Grant, ApiError> {
    let Some(header) = call.header("authorization") else {
        return Err(ApiError::login_required());
    };
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(ApiError::invalid_credentials()),
    };
    workspace
        .tokens()
        .grants
        .get(token)
        .filter(|grant| grant.expires_ms > now_ms())
        .cloned()
        .ok_or_else(ApiError::invalid_credentials)
}

/// The subject that an assertion claims, without any check; for counting and faults only.
pub(crate) fn claimed_subject(call: &Call) -> Option<String> {
    let form = Query::parse(&call.body);
    let payload = form.first("assertion")?.split('.').nth(1)?.to_owned();
    let claims: Value = serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()?;
    Some(claims["sub"].as_str()?.to_ascii_lowercase())
}

/// `POST /token`.
pub(crate) fn token(workspace: &Workspace, call: &Call) -> Reply {
    match exchange(workspace, &Query::parse(&call.body)) {
        Ok((token, scope)) => {
            let mut reply = Reply::json(json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": TOKEN_LIFE_SECS,
                "scope": scope,
            }));
            reply.headers.push(("cache-control", "private".to_owned()));
            reply
        }
        Err(refusal) => refusal.to_reply(),
    }
}

/// `POST /revoke`.
pub(crate) fn revoke(workspace: &Workspace, call: &Call) -> Reply {
    let form = Query::parse(&call.body);
    let token = form.first("token").or_else(|| call.query.first("token"));
    match token.and_then(|token| workspace.tokens().grants.remove(token)) {
        Some(_) => Reply::json(json!({})),
        None => Refusal(400, "invalid_token", "Token expired or revoked").to_reply(),
    }
}

/// HTTP status, `error`, `error_description`.
#[derive(Debug)]
struct Refusal(u16, &'static str, &'static str);

impl Refusal {
    fn to_reply(&self) -> Reply {
        let mut reply = Reply::json(json!({ "error": self.1, "error_description": self.2 }));
        reply.status = self.0;
        reply
    }
}

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

fn exchange(workspace: &Workspace, form: &Query) -> Result<(String, String), Refusal> {
    match form.first("grant_type") {
        None | Some("") => {
            return Err(Refusal(
                400,
                "invalid_request",
                "Missing required parameter: grant_type",
            ));
        }
        Some(GRANT_TYPE) => {}
        Some(_) => return Err(Refusal(400, "unsupported_grant_type", "Invalid grant_type")),
    }
    let assertion = form
        .first("assertion")
        .filter(|assertion| !assertion.is_empty())
        .ok_or(Refusal(
            400,
            "invalid_request",
            "Missing required parameter: assertion",
        ))?;
    let (account, claims) = verify(workspace, assertion)?;
    check_audience(workspace, &claims)?;
    check_time(&claims)?;
    let scopes = requested_scopes(&claims)?;
    let user = match &claims["sub"] {
        Value::Null => None,
        Value::String(subject) if subject.eq_ignore_ascii_case(&account.email) => None,
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
    Ok((workspace.tokens().issue(user, scopes), scope))
}

/// Takes the assertion apart and checks who signed it.
fn verify<'a>(
    workspace: &'a Workspace,
    assertion: &str,
) -> Result<(&'a ServiceAccount, Value), Refusal> {
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
    let account = workspace
        .accounts
        .iter()
        .find(|account| account.email == issuer)
        .ok_or(Refusal(
            400,
            "invalid_grant",
            "Invalid JWT: No valid verifier found for issuer",
        ))?;
    let key_fits = header["kid"].is_null() || header["kid"] == account.key_id.as_str();
    let signed = &assertion[..head.len() + 1 + payload.len()];
    if key_fits && account.verifies(signed.as_bytes(), &decode(signature)?) {
        Ok((account, claims))
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

fn check_time(claims: &Value) -> Result<(), Refusal> {
    let seconds = |name: &str| {
        claims[name]
            .as_i64()
            .or_else(|| claims[name].as_f64().map(|number| number as i64))
            .ok_or(BAD_TIME)
    };
    let (issued, expires) = (seconds("iat")?, seconds("exp")?);
    let now = now_ms() / 1000;
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
    let known = |scope: &String| {
        !scope.contains(',')
            && (scope.starts_with("https://www.googleapis.com/auth/")
                || scope == "https://mail.google.com/"
                || ["openid", "email", "profile"].contains(&scope.as_str()))
    };
    if scopes.is_empty() || !scopes.iter().all(known) {
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
    const NOT_DELEGATED: Refusal = Refusal(
        401,
        "unauthorized_client",
        "Unauthorized client or scope in request.",
    );
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
    let delegation = workspace.delegation();
    let n_granted = scopes
        .iter()
        .filter(|scope| delegation.scopes.contains(*scope))
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
    match found {
        None => Err(Refusal(400, "invalid_grant", "Invalid email or User ID")),
        Some((_, NamedBy::Alias)) => Err(Refusal(
            400,
            "invalid_request",
            "Invalid impersonation prn email address.",
        )),
        Some((index, NamedBy::Primary | NamedBy::Id)) => {
            let primary = workspace.users()[index.0].primary.to_ascii_lowercase();
            if delegation.unreached.contains(&primary) {
                return Err(NOT_DELEGATED);
            }
            Ok(index)
        }
    }
}
