//! `users.history.list`: the change log with its gaps, typeless records and expiry.
//!
//! See <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list>.

use super::page_size;
use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::{Context, empty_page};
use crate::store::{Change, ChangeKind, LabelId};
use crate::wire::{from_token, to_token};
use serde_json::{Value, json};

const TYPES: [&str; 4] = [
    "messageAdded",
    "messageDeleted",
    "labelAdded",
    "labelRemoved",
];

/// `users.history.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let query = &context.call.query;
    let page = page_size(query)?;
    let start: u64 = query
        .first("startHistoryId")
        .and_then(|text| text.parse().ok())
        .filter(|start| *start > 0)
        .ok_or_else(|| ApiError::invalid_argument("Missing/invalid parameter: startHistoryId"))?;
    let types: Vec<&str> = query.all("historyTypes").collect();
    if let Some(unknown) = types.iter().find(|name| !TYPES.contains(name)) {
        return Err(ApiError::invalid_argument(format!(
            "Invalid value at 'history_types' (type.googleapis.com/HistoryType), \"{}\"",
            unknown.escape_default()
        )));
    }
    let mailbox = context.workspace.mailbox(user);
    if start < mailbox.history_floor() || start > mailbox.history_id() {
        return Err(ApiError::not_found());
    }
    let position = match query.first("pageToken") {
        Some(text) => parse_token(text)?.max(start),
        None => start,
    };
    let mut answer = json!({ "historyId": mailbox.history_id().to_string() });
    if context.empty_page {
        return Ok(empty_page(answer, &token(position)));
    }
    // The page is cut before filtering, so a filtered page can be short or empty and still have a token.
    let changes = mailbox.changes_after(position);
    let shown = &changes[..page.min(changes.len())];
    let records: Vec<Value> = shown
        .iter()
        .filter(|change| {
            query
                .first("labelId")
                .is_none_or(|label| concerns(change, label))
        })
        .filter_map(|change| record(change, &types))
        .collect();
    if !records.is_empty() {
        answer["history"] = records.into();
    }
    if let (Some(last), true) = (shown.last(), shown.len() < changes.len()) {
        answer["nextPageToken"] = json!(token(last.id));
    }
    Ok(Reply::json(answer))
}

/// Whether a change touches a message with the label, or the label itself.
pub(super) fn concerns(change: &Change, label: &str) -> bool {
    let names = |list: &[LabelId]| list.iter().any(|own| own.as_str() == label);
    names(&change.labels)
        || match &change.kind {
            ChangeKind::Relabelled { added, removed } => names(added) || names(removed),
            ChangeKind::Added | ChangeKind::Deleted | ChangeKind::Unseen => false,
        }
}

/// One record with its typed lists, or nothing if no wanted type is in it.
fn record(change: &Change, types: &[&str]) -> Option<Value> {
    let wants = |name: &str| types.is_empty() || types.contains(&name);
    let bare = json!({ "id": change.message.to_string(), "threadId": change.thread.to_string() });
    let mut message = bare.clone();
    if !change.labels.is_empty() {
        message["labelIds"] = ids(&change.labels);
    }
    let mut record = json!({ "id": change.id.to_string(), "messages": [bare] });
    let mut shown = false;
    match &change.kind {
        ChangeKind::Added if wants("messageAdded") => {
            record["messagesAdded"] = json!([{ "message": message }]);
            shown = true;
        }
        ChangeKind::Deleted if wants("messageDeleted") => {
            record["messagesDeleted"] = json!([{ "message": message }]);
            shown = true;
        }
        ChangeKind::Relabelled { added, removed } => {
            for (list, name, key) in [
                (added, "labelAdded", "labelsAdded"),
                (removed, "labelRemoved", "labelsRemoved"),
            ] {
                if !list.is_empty() && wants(name) {
                    record[key] = json!([{ "message": message, "labelIds": ids(list) }]);
                    shown = true;
                }
            }
        }
        ChangeKind::Unseen => shown = types.is_empty(),
        ChangeKind::Added | ChangeKind::Deleted => {}
    }
    shown.then_some(record)
}

fn ids(labels: &[LabelId]) -> Value {
    labels.iter().map(LabelId::as_str).collect()
}

fn token(position: u64) -> String {
    to_token(&json!(["history", position]))
}

fn parse_token(text: &str) -> Result<u64, ApiError> {
    from_token(text)
        .filter(|value| value[0] == "history")
        .and_then(|value| value[1].as_u64())
        .ok_or_else(|| ApiError::invalid_argument("Invalid pageToken"))
}
