//! `users.settings.sendAs`, read only: which addresses a user may write from. The admin port adds some.
//!
//! See <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.settings.sendAs>.

use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::store::SendAs;
use crate::workspace::{User, UserIndex, Workspace};
use serde_json::{Value, json};

/// `users.settings.sendAs.list`: the primary address first.
pub(super) fn list_send_as(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let own = context.workspace.user(user);
    let mut list = vec![primary(&own)];
    list.extend(others(context.workspace, user).iter().map(to_json));
    Ok(Reply::json(json!({ "sendAs": list })))
}

/// `users.settings.sendAs.get`.
pub(super) fn get_send_as(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let wanted = context.path("sendAsEmail");
    let own = context.workspace.user(user);
    if own.primary.eq_ignore_ascii_case(wanted) {
        return Ok(Reply::json(primary(&own)));
    }
    others(context.workspace, user)
        .iter()
        .find(|other| other.address.eq_ignore_ascii_case(wanted))
        .map(|other| Reply::json(to_json(other)))
        .ok_or_else(ApiError::not_found)
}

/// Whether a mail may go out with this address in its `From`.
pub(super) fn may_send_as(workspace: &Workspace, user: UserIndex, address: &str) -> bool {
    workspace.user(user).primary.eq_ignore_ascii_case(address)
        || others(workspace, user)
            .iter()
            .any(|other| other.accepted && other.address.eq_ignore_ascii_case(address))
}

/// The aliases that the administrator gave, which need no consent, and what the admin port added.
fn others(workspace: &Workspace, user: UserIndex) -> Vec<SendAs> {
    let own = workspace.user(user);
    let name = full_name(&own);
    let mut list: Vec<SendAs> = own
        .aliases
        .into_iter()
        .map(|address| SendAs {
            address,
            name: name.clone(),
            accepted: true,
        })
        .collect();
    list.extend(workspace.mailbox(user).send_as.iter().cloned());
    list
}

pub(super) fn full_name(user: &User) -> String {
    format!("{} {}", user.given_name, user.family_name)
}

/// The primary address has no state of verification.
fn primary(user: &User) -> Value {
    json!({
        "sendAsEmail": user.primary,
        "displayName": full_name(user),
        "replyToAddress": "",
        "signature": "",
        "isPrimary": true,
        "isDefault": true,
    })
}

fn to_json(other: &SendAs) -> Value {
    json!({
        "sendAsEmail": other.address,
        "displayName": other.name,
        "replyToAddress": "",
        "signature": "",
        "treatAsAlias": true,
        "verificationStatus": if other.accepted { "accepted" } else { "pending" },
    })
}
