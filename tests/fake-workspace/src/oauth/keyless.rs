//! Delegation without a key file: the metadata server gives the workload a token, and with it `signJwt` signs.
//!
//! See <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt>
//! and <https://cloud.google.com/compute/docs/metadata/overview>.

use super::tokens::GrantedBy;
use super::{TOKEN_LIFE_SECS, info};
use crate::call::{Body, Call, Reply};
use crate::error::ApiError;
use crate::routes::Context;
use crate::server::PROJECT;
use crate::workspace::Workspace;
use serde_json::{Value, json};

/// The scope of everything in the Cloud.
pub(super) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
/// What opens `signJwt`.
pub(super) const SCOPES: &[&str] = &[CLOUD_PLATFORM, "https://www.googleapis.com/auth/iam"];
/// Longest life of what is signed; the token endpoint takes an hour only.
const MAX_LIFE_SECS: i64 = 12 * 3600;

/// `POST /v1/projects/-/serviceAccounts/{email}:signJwt`.
pub(super) fn sign_jwt(context: &Context<'_>) -> Result<Reply, ApiError> {
    let workspace = context.workspace;
    let name = context.path("name");
    let body: Value = serde_json::from_slice(&context.call.body)
        .map_err(|_| ApiError::invalid_argument("Invalid JSON payload received."))?;
    if context.path("project") != "-" {
        return Err(ApiError::invalid_argument(
            "Invalid form of account ID. Should be [Gaia ID |Email |Unique ID |] of the account.",
        ));
    }
    let known = {
        let account = workspace.account();
        name == account.email || name == account.client_id
    };
    if !known || !workspace.client().may_sign {
        return Err(ApiError::forbidden(
            "Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist).",
        ));
    }
    let payload = body["payload"]
        .as_str()
        .ok_or_else(|| ApiError::invalid_argument("Payload is missing."))?;
    let claims: Value = serde_json::from_str(payload)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ApiError::invalid_argument("Payload is not a valid JSON object."))?;
    check_expiry(workspace, &claims)?;
    let (key_id, signed) = info::sign(payload)
        .ok_or_else(|| ApiError::new(500, "backendError", "Internal error encountered."))?;
    Ok(Reply::json(json!({ "keyId": key_id, "signedJwt": signed })))
}

fn check_expiry(workspace: &Workspace, claims: &Value) -> Result<(), ApiError> {
    let now = workspace.now_ms() / 1000;
    match &claims["exp"] {
        Value::Null => Ok(()),
        value => value
            .as_i64()
            .filter(|end| *end > now && *end <= now + MAX_LIFE_SECS)
            .map(|_| ())
            .ok_or_else(|| {
                ApiError::invalid_argument(
                    "exp must be a future time stamp that is at most 12 hours ahead.",
                )
            }),
    }
}

/// `GET /`: how clients find out that there is a metadata server.
pub(super) fn ping(_workspace: &Workspace, call: &Call) -> Reply {
    let mut reply = flavoured(call, text("computeMetadata/\n".to_owned()));
    if reply.status == 403 {
        reply = ApiError::new(404, "notFound", "Not Found").to_reply();
    }
    reply
}

/// `GET .../service-accounts/default/token`.
pub(super) fn token(workspace: &Workspace, call: &Call) -> Reply {
    let scopes = match call.query.first("scopes") {
        None | Some("") => vec![CLOUD_PLATFORM.to_owned()],
        Some(list) => list
            .split(',')
            .map(|scope| scope.trim().to_owned())
            .collect(),
    };
    let reply = flavoured(call, Reply::no_content());
    if reply.status == 403 || !knows(call) {
        return unknown(reply);
    }
    let now = workspace.now_ms();
    let token = workspace
        .tokens()
        .issue(None, scopes, GrantedBy::Workload, now);
    flavoured(
        call,
        Reply::json(json!({
            "access_token": token,
            "expires_in": TOKEN_LIFE_SECS,
            "token_type": "Bearer",
        })),
    )
}

/// `GET .../service-accounts/default/email`.
pub(super) fn email(_workspace: &Workspace, call: &Call) -> Reply {
    let reply = flavoured(call, text(workload()));
    if knows(call) { reply } else { unknown(reply) }
}

/// `GET .../service-accounts/default/?recursive=true`.
pub(super) fn account(_workspace: &Workspace, call: &Call) -> Reply {
    let answer = if call.query.flag("recursive") {
        Reply::json(json!({
            "aliases": ["default"],
            "email": workload(),
            "scopes": [CLOUD_PLATFORM],
        }))
    } else {
        text("aliases\nemail\nidentity\nscopes\ntoken\n".to_owned())
    };
    let reply = flavoured(call, answer);
    if knows(call) { reply } else { unknown(reply) }
}

/// `GET .../project/project-id`.
pub(super) fn project(_workspace: &Workspace, call: &Call) -> Reply {
    flavoured(call, text(PROJECT.to_owned()))
}

/// `GET .../universe/universe-domain`: Google's own cloud.
pub(super) fn universe(_workspace: &Workspace, call: &Call) -> Reply {
    flavoured(call, text("googleapis.com".to_owned()))
}

/// The account that the workload itself runs as; it is not the delegated one.
fn workload() -> String {
    format!("618394720156-compute@{PROJECT}.iam.gserviceaccount.com")
}

/// Whether the path names the account of the workload.
fn knows(call: &Call) -> bool {
    call.segments
        .get(4)
        .is_some_and(|name| name == "default" || *name == workload())
}

fn unknown(reply: Reply) -> Reply {
    if reply.status == 403 {
        return reply;
    }
    let mut reply = text("service account not found\n".to_owned());
    reply.status = 404;
    reply
}

/// The header keeps web pages from reading the server; it is asked for and sent back.
fn flavoured(call: &Call, mut reply: Reply) -> Reply {
    if call.header("metadata-flavor") != Some("Google") {
        reply = text("Missing Metadata-Flavor:Google header.\n".to_owned());
        reply.status = 403;
    }
    reply.headers.push(("metadata-flavor", "Google".to_owned()));
    reply
}

fn text(text: String) -> Reply {
    let mut reply = Reply::html("");
    reply.content_type = "application/text";
    reply.body = Body::Bytes(text.into());
    reply
}
