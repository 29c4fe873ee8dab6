//! Methods that change a mailbox: insert, import, modify, trash, untrash, delete and their batch forms.

use super::message::describe;
use super::{message_id, upload};
use crate::call::Reply;
use crate::error::ApiError;
use crate::oauth::BASE64URL;
use crate::routes::Context;
use crate::store::{
    Content, LabelId, Mailbox, MessageId, NewMessage, ThreadChoice, ThreadId, summarize,
};
use crate::wire;
use crate::workspace::now_ms;
use base64::Engine;
use bytes::Bytes;
use serde_json::{Value, json};

/// Largest number of ids in batchModify and batchDelete.
const MAX_BATCH: usize = 1000;
/// Largest mail that insert, import and send take, in bytes.
const MAX_MAIL: usize = 36_700_160;
/// Labels that only Gmail itself sets.
const FIXED_LABELS: [&str; 3] = ["SENT", "DRAFT", "CHAT"];

/// Which clock gives `internalDate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateSource {
    Received,
    Header,
}

/// `users.messages.insert`.
pub(super) fn insert(context: &Context<'_>) -> Result<Reply, ApiError> {
    store(context, DateSource::Received)
}

/// `users.messages.import`: as insert, with the date of the header by default; nothing is scanned.
pub(super) fn import(context: &Context<'_>) -> Result<Reply, ApiError> {
    store(context, DateSource::Header)
}

fn store(context: &Context<'_>, default: DateSource) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let source = match context.call.query.first("internalDateSource") {
        None => default,
        Some("receivedTime") => DateSource::Received,
        Some("dateHeader") => DateSource::Header,
        Some(other) => {
            return Err(ApiError::invalid_argument(format!(
                "Invalid value at 'internal_date_source', \"{}\"",
                other.escape_default()
            )));
        }
    };
    let (metadata, raw) = mail_of(context, |body| body)?;
    let raw = raw.ok_or_else(no_mail)?;
    let labels = label_list(&metadata["labelIds"])?;
    let thread = thread_id(&metadata)?;
    let mut mailbox = context.workspace.mailbox(user);
    check_labels(&mailbox, &labels)?;
    let id = store_raw(
        &mut mailbox,
        raw,
        labels,
        match source {
            DateSource::Received => Some(now_ms()),
            DateSource::Header => None,
        },
        thread,
    )?;
    let message = mailbox.message(id).ok_or_else(ApiError::not_found)?;
    Ok(Reply::json(brief(&describe(message))))
}

/// The JSON of a call and the mail in it, if there is one: as `raw` in what `resource` picks, or uploaded.
pub(super) fn mail_of(
    context: &Context<'_>,
    resource: impl Fn(&Value) -> &Value,
) -> Result<(Value, Option<Bytes>), ApiError> {
    let is_upload = context
        .call
        .segments
        .first()
        .is_some_and(|first| first == "upload");
    let (body, raw) = if let Some(uploaded) = context.uploaded {
        (uploaded.metadata.clone(), Some(uploaded.content.clone()))
    } else if is_upload {
        upload::parse(context.call)?
    } else {
        let body = wire::object(&context.call.body)?;
        let raw = match resource(&body)["raw"].as_str() {
            None => None,
            Some(text) => Some(Bytes::from(BASE64URL.decode(text).map_err(|_| {
                ApiError::invalid_argument(
                    "Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed",
                )
            })?)),
        };
        (body, raw)
    };
    if raw.as_ref().is_some_and(|raw| raw.len() > MAX_MAIL) {
        return Err(ApiError::new(
            413,
            "uploadTooLarge",
            "Request entity too large: Message size exceeded",
        ));
    }
    Ok((body, raw.filter(|raw| !raw.is_empty())))
}

/// 400 for a write without a mail.
pub(super) fn no_mail() -> ApiError {
    ApiError::invalid_argument(
        "'raw' RFC822 payload message string or uploading message via /upload/* URL required",
    )
}

/// The `threadId` of a message resource.
pub(super) fn thread_id(resource: &Value) -> Result<Option<ThreadId>, ApiError> {
    match resource["threadId"].as_str() {
        None | Some("") => Ok(None),
        Some(text) => Ok(Some(ThreadId(message_id(text)?.0))),
    }
}

/// Puts raw bytes into a mailbox; without a date the `Date` header counts, and now if that is unreadable.
pub(crate) fn store_raw(
    mailbox: &mut Mailbox,
    raw: Bytes,
    labels: Vec<LabelId>,
    internal_date: Option<i64>,
    thread: Option<ThreadId>,
) -> Result<MessageId, ApiError> {
    let thread = match thread {
        None => ThreadChoice::ByReferences,
        Some(thread) if mailbox.has_thread(thread) => ThreadChoice::Given(thread),
        Some(_) => return Err(ApiError::not_found()),
    };
    let internal_date = internal_date
        .or_else(|| header_date(&raw))
        .unwrap_or_else(now_ms);
    Ok(mailbox.insert(NewMessage {
        summary: summarize(&raw).into(),
        content: Content::Stored(raw),
        labels,
        internal_date,
        thread,
    }))
}

/// Milliseconds since 1970 in the `Date` header.
fn header_date(raw: &[u8]) -> Option<i64> {
    let parsed = mail_parser::MessageParser::new().parse_headers(raw)?;
    let seconds = parsed.date()?.to_timestamp();
    (seconds > 0).then(|| seconds.saturating_mul(1000))
}

/// `users.messages.modify`.
pub(super) fn modify(context: &Context<'_>) -> Result<Reply, ApiError> {
    let body = wire::object(&context.call.body)?;
    let (add, remove) = label_changes(&body)?;
    change(context, |mailbox, id| {
        check_changes(mailbox, &add, &remove)?;
        Ok(mailbox.relabel(id, &add, &remove))
    })
}

/// `users.messages.trash`.
pub(super) fn trash(context: &Context<'_>) -> Result<Reply, ApiError> {
    change(context, |mailbox, id| Ok(mailbox.trash(id)))
}

/// `users.messages.untrash`.
pub(super) fn untrash(context: &Context<'_>) -> Result<Reply, ApiError> {
    change(context, |mailbox, id| Ok(mailbox.untrash(id)))
}

/// `users.messages.delete`: for good, without a stop in the trash.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let id = message_id(context.path("id"))?;
    context
        .workspace
        .mailbox(user)
        .delete(id)
        .map(|()| Reply::no_content())
        .ok_or_else(ApiError::not_found)
}

/// `users.messages.batchModify`; ids that are not there are passed over.
pub(super) fn batch_modify(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let body = wire::object(&context.call.body)?;
    let (add, remove) = label_changes(&body)?;
    let ids = batch_ids(&body)?;
    let mut mailbox = context.workspace.mailbox(user);
    check_changes(&mailbox, &add, &remove)?;
    for id in ids {
        mailbox.relabel(id, &add, &remove);
    }
    Ok(Reply::no_content())
}

/// `users.messages.batchDelete`; ids that are not there are passed over.
pub(super) fn batch_delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let ids = batch_ids(&wire::object(&context.call.body)?)?;
    let mut mailbox = context.workspace.mailbox(user);
    for id in ids {
        mailbox.delete(id);
    }
    Ok(Reply::no_content())
}

fn change(
    context: &Context<'_>,
    act: impl FnOnce(&mut Mailbox, MessageId) -> Result<Option<()>, ApiError>,
) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    let id = message_id(context.path("id"))?;
    let mut mailbox = context.workspace.mailbox(user);
    act(&mut mailbox, id)?.ok_or_else(ApiError::not_found)?;
    let message = mailbox.message(id).ok_or_else(ApiError::not_found)?;
    Ok(Reply::json(brief(&describe(message))))
}

/// Writes answer with ids and labels only.
pub(super) fn brief(message: &Value) -> Value {
    let mut value = json!({ "id": message["id"], "threadId": message["threadId"] });
    if let Some(labels) = message.get("labelIds") {
        value["labelIds"] = labels.clone();
    }
    value
}

pub(super) fn label_list(value: &Value) -> Result<Vec<LabelId>, ApiError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(LabelId::new))
            .collect::<Option<_>>()
            .ok_or_else(|| ApiError::invalid_argument("Invalid label list")),
        _ => Err(ApiError::invalid_argument("Invalid label list")),
    }
}

pub(super) fn label_changes(body: &Value) -> Result<(Vec<LabelId>, Vec<LabelId>), ApiError> {
    let (add, remove) = (
        label_list(&body["addLabelIds"])?,
        label_list(&body["removeLabelIds"])?,
    );
    if add.is_empty() && remove.is_empty() {
        return Err(ApiError::invalid_argument(
            "No label add or removes specified",
        ));
    }
    Ok((add, remove))
}

pub(super) fn check_labels(mailbox: &Mailbox, labels: &[LabelId]) -> Result<(), ApiError> {
    match labels
        .iter()
        .find(|label| !mailbox.knows_label(label.as_str()))
    {
        None => Ok(()),
        Some(label) => Err(ApiError::invalid_argument(format!(
            "Invalid label: {}",
            label.as_str()
        ))),
    }
}

pub(super) fn check_changes(
    mailbox: &Mailbox,
    add: &[LabelId],
    remove: &[LabelId],
) -> Result<(), ApiError> {
    for list in [add, remove] {
        check_labels(mailbox, list)?;
        if let Some(label) = list
            .iter()
            .find(|label| FIXED_LABELS.contains(&label.as_str()))
        {
            return Err(ApiError::invalid_argument(format!(
                "Invalid label: {}",
                label.as_str()
            )));
        }
    }
    if add.iter().any(|label| remove.contains(label)) {
        return Err(ApiError::invalid_argument(
            "Cannot both add and remove the same label",
        ));
    }
    Ok(())
}

fn batch_ids(body: &Value) -> Result<Vec<MessageId>, ApiError> {
    let ids = body["ids"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if ids.is_empty() {
        return Err(ApiError::invalid_argument("No message ids specified"));
    }
    if ids.len() > MAX_BATCH {
        return Err(ApiError::invalid_argument(format!(
            "Number of ids cannot exceed {MAX_BATCH}"
        )));
    }
    ids.iter()
        .map(|id| message_id(id.as_str().unwrap_or_default()))
        .collect()
}
