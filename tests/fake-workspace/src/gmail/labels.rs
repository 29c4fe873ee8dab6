//! `users.labels.list` and `users.labels.get`; only the latter counts messages, as at Google.

use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::store::{LabelId, Mailbox, SYSTEM_LABELS};
use serde_json::{Value, json};
use std::collections::HashSet;

/// `users.labels.list`.
pub(crate) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let mailbox = context.workspace.mailbox(user);
    let labels: Vec<Value> = SYSTEM_LABELS
        .iter()
        .copied()
        .chain(mailbox.user_labels().keys().map(LabelId::as_str))
        .filter_map(|id| describe(&mailbox, id))
        .collect();
    Ok(Reply::json(json!({ "labels": labels })))
}

/// `users.labels.get`.
pub(crate) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let mailbox = context.workspace.mailbox(user);
    let id = context.path("id");
    let mut label = describe(&mailbox, id).ok_or_else(ApiError::not_found)?;
    let (mut n_messages, mut n_unread) = (0, 0);
    let (mut threads, mut unread_threads) = (HashSet::new(), HashSet::new());
    for message in mailbox.newest_first(None).filter(|message| message.has(id)) {
        n_messages += 1;
        threads.insert(message.thread);
        if message.has("UNREAD") {
            n_unread += 1;
            unread_threads.insert(message.thread);
        }
    }
    label["messagesTotal"] = json!(n_messages);
    label["messagesUnread"] = json!(n_unread);
    label["threadsTotal"] = json!(threads.len());
    label["threadsUnread"] = json!(unread_threads.len());
    Ok(Reply::json(label))
}

fn describe(mailbox: &Mailbox, id: &str) -> Option<Value> {
    if SYSTEM_LABELS.contains(&id) {
        let mut label = json!({ "id": id, "name": id, "type": "system" });
        if !["INBOX", "SENT"].contains(&id) {
            label["messageListVisibility"] = json!("hide");
            label["labelListVisibility"] = json!("labelHide");
        }
        return Some(label);
    }
    let name = mailbox.user_labels().get(&LabelId::new(id))?;
    Some(json!({
        "id": id,
        "name": name,
        "type": "user",
        "messageListVisibility": "show",
        "labelListVisibility": "labelShow",
    }))
}
