//! `users.watch` and `users.stop`: who wants to hear of changes. How notifications travel is in `pubsub.rs`.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/push>.

use super::history::concerns;
use super::write::label_list;
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::server::PROJECT;
use crate::store::{LabelId, Mailbox};
use crate::wire;
use crate::workspace::now_ms;
use serde_json::{Value, json};

/// How long a watch lasts without a renewal.
const LIFE_MS: i64 = 7 * 86_400_000;

/// What one mailbox tells, and where.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) topic: String,
    labels: Vec<LabelId>,
    excludes: bool,
    pub(crate) expires_ms: i64,
    /// Changes up to here have been told.
    pub(crate) told: u64,
}

impl Watch {
    /// The newest change after `told` that is worth a notification.
    pub(crate) fn news(&self, mailbox: &Mailbox) -> Option<u64> {
        let wanted = |change: &&crate::store::Change| {
            self.labels.is_empty()
                || self
                    .labels
                    .iter()
                    .any(|label| concerns(change, label.as_str()))
                    != self.excludes
        };
        mailbox
            .changes_after(self.told)
            .iter()
            .rfind(wanted)
            .map(|change| change.id)
    }
}

/// `users.watch`; the first notification goes out at once.
pub(super) fn watch(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let body = wire::object(&context.call.body)?;
    let topic = body["topicName"].as_str().unwrap_or_default().to_owned();
    let own = topic
        .strip_prefix("projects/")
        .and_then(|rest| rest.strip_prefix(PROJECT))
        .and_then(|rest| rest.strip_prefix("/topics/"));
    if own.is_none_or(|name| name.is_empty() || name.contains('/')) {
        return Err(ApiError::invalid_argument(format!(
            "Invalid topicName does not match projects/{PROJECT}/topics/*"
        )));
    }
    let labels = label_list(&body["labelIds"])?;
    let history_id = {
        let mailbox = context.workspace.mailbox(user);
        super::write::check_labels(&mailbox, &labels)?;
        mailbox.history_id()
    };
    let watch = Watch {
        topic,
        labels,
        excludes: excludes(&body)?,
        expires_ms: now_ms() + LIFE_MS,
        told: history_id,
    };
    let expiration = watch.expires_ms.to_string();
    crate::pubsub::watch(context.workspace, user, watch)?;
    Ok(Reply::json(json!({
        "historyId": history_id.to_string(),
        "expiration": expiration,
    })))
}

/// `users.stop`.
pub(super) fn stop(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    crate::pubsub::unwatch(context.workspace, user);
    Ok(Reply::no_content())
}

/// The newer of two parameters for the same thing decides.
fn excludes(body: &Value) -> Result<bool, ApiError> {
    for name in ["labelFilterBehavior", "labelFilterAction"] {
        match body[name].as_str().map(str::to_ascii_lowercase).as_deref() {
            None => {}
            Some("include") => return Ok(false),
            Some("exclude") => return Ok(true),
            Some(other) => {
                return Err(ApiError::invalid_argument(format!(
                    "Invalid value at '{name}', \"{}\"",
                    other.escape_default()
                )));
            }
        }
    }
    Ok(false)
}
