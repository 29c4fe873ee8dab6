//! OAuth 2.0 at Google: the token endpoint, revocation, and the table of all operations of the authorization server.
//!
//! One file per way to a token: `assertion.rs` (service account), `consent.rs` and `client.rs` (single users),
//! `keyless.rs` (signing and the metadata server). `tokens.rs` keeps what is out, `delegation.rs` what an
//! administrator allowed, `info.rs` tells about tokens, `admin.rs` is the control port's side.
//! See <https://developers.google.com/identity/protocols/oauth2>.

pub(crate) mod admin;
mod assertion;
mod client;
mod consent;
mod delegation;
mod info;
mod keyless;
mod tokens;

use crate::call::{Call, Query, Reply};
use crate::routes::{Operation, api, open};
use crate::workspace::Workspace;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
pub(crate) use client::Client;
pub(crate) use delegation::Delegation;
use serde_json::{Value, json};
pub(crate) use tokens::{Grant, GrantedBy, Tokens, authenticate};

/// Decodes base64url with or without padding: clients send both.
pub(crate) const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What `expires_in` says.
const TOKEN_LIFE_SECS: i64 = 3599;

pub(crate) const OPERATIONS: &[Operation] = &[
    open("oauth.token", "POST", "token", token),
    open("oauth.token", "POST", "oauth2/v4/token", token),
    open("oauth.token", "POST", "oauth2/v3/token", token),
    open("oauth.token", "POST", "o/oauth2/token", token),
    open("oauth.revoke", "POST", "revoke", revoke),
    open("oauth.revoke", "POST", "o/oauth2/revoke", revoke),
    open("oauth.auth", "GET", "o/oauth2/v2/auth", consent::ask),
    open("oauth.auth", "GET", "o/oauth2/auth", consent::ask),
    open("oauth.consent", "POST", "o/oauth2/v2/auth", consent::decide),
    open("oauth.consent", "POST", "o/oauth2/auth", consent::decide),
    open("oauth.tokeninfo", "GET", "tokeninfo", info::tokeninfo),
    open("oauth.tokeninfo", "POST", "tokeninfo", info::tokeninfo),
    open(
        "oauth.tokeninfo",
        "GET",
        "oauth2/v3/tokeninfo",
        info::tokeninfo,
    ),
    open("oauth.certs", "GET", "oauth2/v3/certs", info::certs),
    open("oauth.certs", "GET", "oauth2/v1/certs", info::pem_certs),
    api(
        "oauth.userinfo",
        "GET",
        "oauth2/v2/userinfo",
        info::SCOPES,
        info::profile,
    ),
    api(
        "oauth.userinfo",
        "GET",
        "oauth2/v1/userinfo",
        info::SCOPES,
        info::profile,
    ),
    api(
        "oauth.userinfo",
        "GET",
        "oauth2/v3/userinfo",
        info::SCOPES,
        info::openid,
    ),
    api(
        "oauth.userinfo",
        "GET",
        "v1/userinfo",
        info::SCOPES,
        info::openid,
    ),
    api(
        "iamcredentials.projects.serviceAccounts.signJwt",
        "POST",
        "v1/projects/{project}/serviceAccounts/{name}:signJwt",
        keyless::SCOPES,
        keyless::sign_jwt,
    ),
    open("metadata.ping", "GET", "", keyless::ping),
    open(
        "metadata.token",
        "GET",
        "computeMetadata/v1/instance/service-accounts/{account}/token",
        keyless::token,
    ),
    open(
        "metadata.email",
        "GET",
        "computeMetadata/v1/instance/service-accounts/{account}/email",
        keyless::email,
    ),
    open(
        "metadata.account",
        "GET",
        "computeMetadata/v1/instance/service-accounts/{account}/",
        keyless::account,
    ),
    open(
        "metadata.project",
        "GET",
        "computeMetadata/v1/project/project-id",
        keyless::project,
    ),
    open(
        "metadata.universe",
        "GET",
        "computeMetadata/v1/universe/universe-domain",
        keyless::universe,
    ),
];

/// The user whom a call to the token endpoint is about, without any check; for counting and faults only.
pub(crate) fn claimed_user(workspace: &Workspace, call: &Call) -> Option<String> {
    let form = Query::parse(&call.body);
    if let Some(token) = form.first("refresh_token") {
        let owner = workspace.tokens().refresh_owner(token)?;
        return Some(workspace.primary(owner));
    }
    let payload = form.first("assertion")?.split('.').nth(1)?.to_owned();
    let claims: Value = serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()?;
    Some(claims["sub"].as_str()?.to_ascii_lowercase())
}

/// `POST /token`.
fn token(workspace: &Workspace, call: &Call) -> Reply {
    let form = Query::parse(&call.body);
    let issued = match form.first("grant_type") {
        None | Some("") => Err(Refusal(
            400,
            "invalid_request",
            "Missing required parameter: grant_type",
        )),
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
            assertion::exchange(workspace, &form)
        }
        Some("authorization_code") => client::exchange_code(workspace, call, &form),
        Some("refresh_token") => client::refresh(workspace, call, &form),
        Some(_) => Err(Refusal(400, "unsupported_grant_type", "Invalid grant_type")),
    };
    issued.map_or_else(|refusal| refusal.to_reply(), Issued::into_reply)
}

/// `POST /revoke`.
fn revoke(workspace: &Workspace, call: &Call) -> Reply {
    let form = Query::parse(&call.body);
    let token = form.first("token").or_else(|| call.query.first("token"));
    match token.and_then(|token| workspace.tokens().revoke(token)) {
        Some(()) => Reply::json(json!({})),
        None => Refusal(400, "invalid_token", "Token expired or revoked").to_reply(),
    }
}

/// A good answer of the token endpoint.
#[derive(Debug)]
struct Issued(Value);

impl Issued {
    fn bearer(token: String, scope: String) -> Self {
        Self(json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE_SECS,
            "scope": scope,
        }))
    }

    fn into_reply(self) -> Reply {
        let mut reply = Reply::json(self.0);
        reply.headers.push(("cache-control", "private".to_owned()));
        reply
    }
}

/// HTTP status, `error`, `error_description`.
#[derive(Debug, Clone)]
struct Refusal(u16, &'static str, &'static str);

impl Refusal {
    fn to_reply(&self) -> Reply {
        let mut reply = Reply::json(json!({ "error": self.1, "error_description": self.2 }));
        reply.status = self.0;
        reply
    }
}

/// Whether a text can be a scope of Google; commas between scopes make one that cannot.
fn known_scope(scope: &str) -> bool {
    !scope.contains(',')
        && (scope.starts_with("https://www.googleapis.com/auth/")
            || ["https://mail.google.com/", "openid", "email", "profile"].contains(&scope))
}
