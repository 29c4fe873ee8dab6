//! The control port's side of OAuth: delegation, keys, the clock, the installed client and its consent page.

use super::client::{ClientState, ConsentMode};
use super::delegation::{Deed, Spread};
use crate::admin::{Error, failed, text, user};
use crate::workspace::Workspace;
use serde_json::{Value, json};

/// Does one operation; `None` if the name is not one of these.
pub(crate) fn run(
    workspace: &Workspace,
    operation: &str,
    input: &Value,
) -> Option<Result<Value, Error>> {
    Some(match operation {
        "delegation.grant" => delegate(workspace, Deed::Grant, input),
        "delegation.revoke" => delegate(workspace, Deed::Revoke, input),
        "tokens.expire" => expire(workspace, input),
        "clock.skew" => skew(workspace, input),
        "key.rotate" => rotate(workspace, input),
        "key.delete" => delete_key(workspace, input),
        "key.list" => Ok(keys(workspace)),
        "oauth.client" => client(workspace, input),
        "oauth.consent" => consent(workspace, input),
        "oauth.policy" => policy(workspace, input),
        "iam.grant" | "iam.revoke" => {
            let may_sign = operation == "iam.grant";
            workspace.client().may_sign = may_sign;
            Ok(json!({ "signJwt": may_sign }))
        }
        _ => return None,
    })
}

/// With `scope` one scope, with `user` the reach to one user, with neither all of it.
fn delegate(workspace: &Workspace, deed: Deed, input: &Value) -> Result<Value, Error> {
    let member = match &input["user"] {
        Value::Null => None,
        _ => {
            let index = user(workspace, input)?;
            Some(workspace.primary(index).to_ascii_lowercase())
        }
    };
    let spread = Spread {
        start_ms: workspace.now_ms(),
        length_ms: milliseconds(&input["within_seconds"], "within_seconds")?.unwrap_or(0),
    };
    let mut delegation = workspace.delegation();
    match (input["scope"].as_str(), &member) {
        (Some(_), Some(_)) => return Err(failed("give `scope` or `user`, not both")),
        (Some(scope), None) => delegation.change(scope, deed, spread),
        (None, Some(member)) => delegation.set_reach(member, deed),
        (None, None) => delegation.change_all(deed, spread),
    }
    Ok(json!({ "scopes": delegation.scopes().collect::<Vec<_>>() }))
}

fn expire(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let index = match &input["user"] {
        Value::Null => None,
        _ => Some(user(workspace, input)?),
    };
    let n_expired = workspace.tokens().expire(index);
    Ok(json!({ "expired": n_expired }))
}

/// How far the server's clock runs ahead (negative: behind) from now on.
fn skew(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let seconds = input["seconds"]
        .as_f64()
        .filter(|seconds| seconds.abs() < 1e10)
        .ok_or_else(|| failed("`seconds` is missing or no number"))?;
    workspace.set_skew_ms((seconds * 1000.0) as i64);
    Ok(json!({ "seconds": seconds, "now": workspace.now_ms().to_string() }))
}

/// A new key in a new file; the old ones are good for `grace_seconds` more.
fn rotate(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let grace = milliseconds(&input["grace_seconds"], "grace_seconds")?.unwrap_or(0);
    let ends = workspace.now_ms().saturating_add(grace);
    let (key_id, path) = workspace
        .account()
        .rotate(&workspace.dir, &workspace.base, ends)
        .map_err(|error| failed(error.to_string()))?;
    Ok(json!({ "key": path, "key_id": key_id }))
}

/// Deletes the key `key_id`, or the newest one.
fn delete_key(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let mut account = workspace.account();
    let id = match &input["key_id"] {
        Value::Null => account.newest_key().unwrap_or_default().to_owned(),
        _ => text(input, "key_id")?.to_owned(),
    };
    if account.delete_key(&id) {
        Ok(json!({ "deleted": id }))
    } else {
        Err(failed(format!("no such key: {id}")))
    }
}

fn keys(workspace: &Workspace) -> Value {
    let now = workspace.now_ms();
    let account = workspace.account();
    json!({ "keys": account.key_ids(now).collect::<Vec<_>>() })
}

/// What became of the installed client, or with `client: "service_account"` of that one's.
fn client(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let mut client = workspace.client();
    if let Some(testing) = input["testing"].as_bool() {
        client.testing = testing;
    }
    if !input["state"].is_null() {
        let state = ClientState::parse(text(input, "state")?)
            .ok_or_else(|| failed("`state` is ok, disabled, deleted or org_internal"))?;
        match input["client"].as_str() {
            None | Some("installed") => client.state = state,
            Some("service_account") => client.service_account = state,
            Some(_) => return Err(failed("`client` is installed or service_account")),
        }
    }
    Ok(json!({ "client_id": client.id, "testing": client.testing }))
}

fn consent(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let mode = match text(input, "mode")? {
        "page" => ConsentMode::Page,
        "deny" => ConsentMode::Deny,
        "auto" => ConsentMode::Auto(match &input["user"] {
            Value::Null => None,
            _ => Some(workspace.primary(user(workspace, input)?)),
        }),
        _ => return Err(failed("`mode` is page, auto or deny")),
    };
    workspace.client().consent = mode;
    Ok(json!({ "mode": input["mode"] }))
}

/// The scopes that the app-access policy of the domain blocks from now on.
fn policy(workspace: &Workspace, input: &Value) -> Result<Value, Error> {
    let blocked = input["blocked"]
        .as_array()
        .and_then(|scopes| {
            scopes
                .iter()
                .map(|scope| scope.as_str().map(str::to_owned))
                .collect()
        })
        .ok_or_else(|| failed("`blocked` is a list of scopes"))?;
    workspace.client().blocked = blocked;
    Ok(json!({ "blocked": input["blocked"] }))
}

/// A time span in seconds as the control port takes it, from 0 up.
fn milliseconds(value: &Value, name: &str) -> Result<Option<i64>, Error> {
    match value {
        Value::Null => Ok(None),
        number => number
            .as_f64()
            .filter(|seconds| (0.0..1e10).contains(seconds))
            .map(|seconds| Some((seconds * 1000.0) as i64))
            .ok_or_else(|| failed(format!("`{name}` is a number from 0 up"))),
    }
}
