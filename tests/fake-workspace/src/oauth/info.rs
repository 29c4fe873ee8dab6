//! What the authorization server tells about tokens and their users: `tokeninfo`, `userinfo`, id tokens and their keys.
//!
//! See <https://developers.google.com/identity/openid-connect/openid-connect>.

use super::tokens::{Code, GrantedBy};
use super::{BASE64URL, Refusal, TOKEN_LIFE_SECS};
use crate::call::{Call, Query, Reply};
use crate::error::ApiError;
use crate::keys::managed_key;
use crate::routes::Context;
use crate::workspace::{User, Workspace};
use base64::Engine;
use serde_json::{Value, json};

const PROFILE: &str = "https://www.googleapis.com/auth/userinfo.profile";
const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";
/// Any of these opens `userinfo`.
pub(super) const SCOPES: &[&str] = &["openid", "email", "profile", PROFILE, EMAIL];

/// `GET /tokeninfo?access_token=`; the token may stand in the form or the header as well.
pub(super) fn tokeninfo(workspace: &Workspace, call: &Call) -> Reply {
    let form = Query::parse(&call.body);
    let token = call
        .query
        .first("access_token")
        .or_else(|| form.first("access_token"))
        // Google's Node client sends it so.
        .or_else(|| call.header("authorization")?.strip_prefix("Bearer "));
    let now = workspace.now_ms();
    let grant = token.and_then(|token| workspace.tokens().grant(token, now).cloned());
    let Some(grant) = grant else {
        return Refusal(400, "invalid_token", "Invalid Value").to_reply();
    };
    let client_id = match grant.by {
        GrantedBy::Consent => workspace.client().id.clone(),
        GrantedBy::Assertion | GrantedBy::Workload => workspace.account().client_id.clone(),
    };
    let mut answer = json!({
        "azp": client_id,
        "aud": client_id,
        "scope": grant.scopes.join(" "),
        "exp": (grant.expires_ms / 1000).to_string(),
        "expires_in": ((grant.expires_ms - now) / 1000).to_string(),
        "access_type": match grant.by {
            GrantedBy::Consent => "offline",
            GrantedBy::Assertion | GrantedBy::Workload => "online",
        },
    });
    if let Some(index) = grant.user {
        let user = workspace.user(index);
        if allows(&grant.scopes, &["openid"]) {
            answer["sub"] = json!(user.id);
        }
        if allows(&grant.scopes, &["email", EMAIL]) {
            answer["email"] = json!(user.primary);
            answer["email_verified"] = json!("true");
        }
    }
    Reply::json(answer)
}

/// `GET /oauth2/v2/userinfo`.
pub(super) fn profile(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (user, mut answer) = describe(context)?;
    answer["id"] = json!(user.id);
    if allows(context.scopes, &["email", EMAIL]) {
        answer["verified_email"] = json!(true);
    }
    Ok(Reply::json(answer))
}

/// `GET /v1/userinfo`, the OpenID Connect form.
pub(super) fn openid(context: &Context<'_>) -> Result<Reply, ApiError> {
    let (user, mut answer) = describe(context)?;
    answer["sub"] = json!(user.id);
    if allows(context.scopes, &["email", EMAIL]) {
        answer["email_verified"] = json!(true);
    }
    Ok(Reply::json(answer))
}

fn describe(context: &Context<'_>) -> Result<(User, Value), ApiError> {
    let index = context.caller.ok_or_else(ApiError::invalid_credentials)?;
    let user = context.workspace.user(index);
    let mut answer = json!({ "hd": context.workspace.world.domain });
    if allows(context.scopes, &["email", EMAIL]) {
        answer["email"] = json!(user.primary);
    }
    if allows(context.scopes, &["profile", PROFILE]) {
        answer["given_name"] = json!(user.given_name);
        answer["family_name"] = json!(user.family_name);
        answer["name"] = json!(format!("{} {}", user.given_name, user.family_name));
    }
    Ok((user, answer))
}

fn allows(scopes: &[String], wanted: &[&str]) -> bool {
    scopes.iter().any(|scope| wanted.contains(&scope.as_str()))
}

/// The id token that comes with a code exchange, signed as Google signs it.
pub(super) fn id_token(workspace: &Workspace, user: &User, code: &Code) -> Result<String, Refusal> {
    let now = workspace.now_ms() / 1000;
    let client_id = workspace.client().id.clone();
    let mut claims = json!({
        "iss": "https://accounts.google.com",
        "azp": client_id,
        "aud": client_id,
        "sub": user.id,
        "hd": workspace.world.domain,
        "iat": now,
        "exp": now + TOKEN_LIFE_SECS + 1,
    });
    if let Some(nonce) = &code.nonce {
        claims["nonce"] = json!(nonce);
    }
    if allows(&code.scopes, &["email", EMAIL]) {
        claims["email"] = json!(user.primary);
        claims["email_verified"] = json!(true);
    }
    sign(&claims.to_string())
        .map(|(_, token)| token)
        .ok_or(Refusal(500, "internal_failure", "Backend Error"))
}

/// A compact JWS over `payload` with the managed key, and that key's id.
pub(super) fn sign(payload: &str) -> Option<(&'static str, String)> {
    let key = managed_key().ok()?;
    let header = json!({ "alg": "RS256", "kid": key.id, "typ": "JWT" });
    let signed = format!(
        "{}.{}",
        BASE64URL.encode(header.to_string()),
        BASE64URL.encode(payload)
    );
    let signature = BASE64URL.encode(key.sign(signed.as_bytes()));
    Some((&key.id, format!("{signed}.{signature}")))
}

/// `GET /oauth2/v3/certs`: the keys of id tokens as a JSON Web Key Set.
pub(super) fn certs(_workspace: &Workspace, _call: &Call) -> Reply {
    let Ok(key) = managed_key() else {
        return ApiError::new(500, "backendError", "Backend Error").to_reply();
    };
    let (modulus, exponent) = key.numbers();
    Reply::json(json!({ "keys": [{
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "kid": key.id,
        "n": BASE64URL.encode(modulus),
        "e": BASE64URL.encode(exponent),
    }]}))
}

/// `GET /oauth2/v1/certs`: the same keys as certificates in PEM, by their ids.
pub(super) fn pem_certs(_workspace: &Workspace, _call: &Call) -> Reply {
    match managed_key().and_then(|key| Ok((&key.id, key.certificate()?))) {
        Ok((id, certificate)) => Reply::json(json!({ id.as_str(): certificate })),
        Err(_) => ApiError::new(500, "backendError", "Backend Error").to_reply(),
    }
}
