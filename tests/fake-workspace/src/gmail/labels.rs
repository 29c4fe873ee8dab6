//! `users.labels`; only `get` counts messages, as at Google. Labels on messages are changed in `write.rs`.
//!
//! See <https://developers.google.com/workspace/gmail/api/guides/labels>.

use crate::call::Reply;
use crate::error::ApiError;
use crate::routes::Context;
use crate::store::{LabelId, Mailbox, SYSTEM_LABELS, UserLabel};
use crate::wire;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Most labels of one mailbox.
const MAX_LABELS: usize = 10_000;
/// Longest name, in characters.
const MAX_NAME: usize = 225;
/// Names that Gmail keeps for itself, beside those of the system labels.
const RESERVED: [&str; 12] = [
    "all mail",
    "chats",
    "draft",
    "drafts",
    "forums",
    "important",
    "muted",
    "promotions",
    "scheduled",
    "sent mail",
    "snoozed",
    "updates",
];
/// Values of `messageListVisibility`.
const MESSAGE_LIST: [&str; 2] = ["show", "hide"];
/// Values of `labelListVisibility`.
const LABEL_LIST: [&str; 3] = ["labelShow", "labelShowIfUnread", "labelHide"];
/// The colours that a label may have, text and background alike, without the hash.
const PALETTE: &str = "\
    000000 434343 666666 999999 cccccc efefef f3f3f3 ffffff fb4c2f ffad47 fad165 16a766 \
    43d692 4a86e8 a479e2 f691b3 f6c5be ffe6c7 fef1d1 b9e4d0 c6f3de c9daf8 e4d7f5 fcdee8 \
    efa093 ffd6a2 fce8b3 89d3b2 a0eac9 a4c2f4 d0bcf1 fbc8d9 e66550 ffbc6b fcda83 44b984 \
    68dfa9 6d9eeb b694e8 f7a7c0 cc3a21 eaa041 f2c960 149e60 3dc789 3c78d8 8e63ce e07798 \
    ac2b16 cf8933 d5ae49 0b804b 2a9c68 285bac 653e9b b65775 822111 a46a21 aa8831 076239 \
    1a764d 1c4587 41236d 83334c 464646 e7e7e7 0d3472 b6cff5 0d3b44 98d7e4 3d188e e3d7ff \
    711a36 fbd3e0 8a1c0a f2b2a8 7a2e0b ffc8af 7a4706 ffdeb5 594c05 fbe983 684e07 fdedc1 \
    0b4f30 b3efd3 04502e a2dcc1 c2c2c2 4986e7 2da2bb b99aff 994a64 f691b2 ff7537 ffad46 \
    662e37 ebdbde cca6ac 094228 42d692 16a765 757575 1e53b8 007286 7858c3 c2185b d93025 \
    54240e 633e04 521d28 202124 083018";

/// `users.labels.list`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
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
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
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

/// `users.labels.create`.
pub(super) fn create(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let body = wire::object(&context.call.body)?;
    let mut mailbox = context.workspace.mailbox(user);
    if mailbox.user_labels().len() >= MAX_LABELS {
        return Err(ApiError::failed_precondition("Too many labels"));
    }
    let label = changed(UserLabel::new(""), &body)?;
    check_name(&mailbox, &label.name, None)?;
    let id = mailbox.create_label(label);
    answer(&mailbox, &id)
}

/// `users.labels.update`: what the body leaves out falls back to its default.
pub(super) fn update(context: &Context<'_>) -> Result<Reply, ApiError> {
    replace(context, |_| UserLabel::new(""))
}

/// `users.labels.patch`: what the body leaves out stays.
pub(super) fn patch(context: &Context<'_>) -> Result<Reply, ApiError> {
    replace(context, UserLabel::clone)
}

/// `users.labels.delete`: takes the label off all messages as well.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let id = own_label(context, "Invalid delete request")?;
    context
        .workspace
        .mailbox(user)
        .delete_label(&id)
        .map(|()| Reply::no_content())
        .ok_or_else(ApiError::not_found)
}

fn replace(
    context: &Context<'_>,
    start: impl FnOnce(&UserLabel) -> UserLabel,
) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let id = own_label(context, "Invalid update request")?;
    let body = wire::object(&context.call.body)?;
    if body["id"]
        .as_str()
        .is_some_and(|named| named != id.as_str())
    {
        return Err(ApiError::invalid_argument("Label id mismatch"));
    }
    let mut mailbox = context.workspace.mailbox(user);
    let old = mailbox
        .user_labels()
        .get(&id)
        .ok_or_else(ApiError::not_found)?;
    let label = changed(start(old), &body)?;
    check_name(&mailbox, &label.name, Some(&id))?;
    mailbox
        .update_label(&id, label)
        .ok_or_else(ApiError::not_found)?;
    answer(&mailbox, &id)
}

/// The label in the path; `refusal` says what cannot be done to one of the system.
fn own_label(context: &Context<'_>, refusal: &str) -> Result<LabelId, ApiError> {
    let id = context.path("id");
    if SYSTEM_LABELS.contains(&id) {
        return Err(ApiError::invalid_argument(refusal));
    }
    Ok(LabelId::new(id))
}

fn answer(mailbox: &Mailbox, id: &LabelId) -> Result<Reply, ApiError> {
    describe(mailbox, id.as_str())
        .map(Reply::json)
        .ok_or_else(ApiError::not_found)
}

/// `label` with what the body says.
fn changed(mut label: UserLabel, body: &Value) -> Result<UserLabel, ApiError> {
    match &body["name"] {
        Value::Null => {}
        Value::String(name) => label.name = name.trim().to_owned(),
        _ => return Err(ApiError::invalid_argument("Invalid label name")),
    }
    if let Some(known) = one_of(body, "messageListVisibility", &MESSAGE_LIST)? {
        label.message_list = known;
    }
    if let Some(known) = one_of(body, "labelListVisibility", &LABEL_LIST)? {
        label.label_list = known;
    }
    if let Some(color) = body.get("color") {
        label.color = parse_color(color)?;
    }
    Ok(label)
}

fn one_of(
    body: &Value,
    name: &str,
    known: &[&'static str],
) -> Result<Option<&'static str>, ApiError> {
    match &body[name] {
        Value::Null => Ok(None),
        value => match known.iter().find(|own| *value == **own) {
            Some(own) => Ok(Some(own)),
            None => Err(ApiError::invalid_argument(format!(
                "Invalid value at 'label.{name}', {value}"
            ))),
        },
    }
}

/// Both colours of the palette, or none.
fn parse_color(color: &Value) -> Result<Option<(String, String)>, ApiError> {
    if color.is_null() || color.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(None);
    }
    let part = |name: &str| match color[name].as_str() {
        None => Err(ApiError::invalid_argument(
            "Both the text color and the background color of a label are required",
        )),
        Some(text) => match text.strip_prefix('#') {
            Some(digits) if PALETTE.split(' ').any(|own| own == digits) => Ok(text.to_owned()),
            _ => Err(ApiError::invalid_argument(format!(
                "Label color {} is not on the allowed color palette",
                text.escape_default()
            ))),
        },
    };
    Ok(Some((part("textColor")?, part("backgroundColor")?)))
}

/// Refuses names that are empty, too long, Gmail's own, or taken by another label without regard to case.
fn check_name(mailbox: &Mailbox, name: &str, own: Option<&LabelId>) -> Result<(), ApiError> {
    let lower = name.to_lowercase();
    let is_system = SYSTEM_LABELS
        .iter()
        .any(|label| label.eq_ignore_ascii_case(name));
    if name.is_empty()
        || name.chars().count() > MAX_NAME
        || is_system
        || RESERVED.contains(&lower.as_str())
    {
        return Err(ApiError::invalid_argument("Invalid label name"));
    }
    let taken = mailbox
        .user_labels()
        .iter()
        .any(|(id, label)| Some(id) != own && label.name.to_lowercase() == lower);
    if taken {
        return Err(ApiError::new(
            409,
            "aborted",
            "Label name exists or conflicts",
        ));
    }
    Ok(())
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
    let own = mailbox.user_labels().get(&LabelId::new(id))?;
    let mut label = json!({
        "id": id,
        "name": own.name,
        "type": "user",
        "messageListVisibility": own.message_list,
        "labelListVisibility": own.label_list,
    });
    if let Some((text, background)) = &own.color {
        label["color"] = json!({ "textColor": text, "backgroundColor": background });
    }
    Some(label)
}
