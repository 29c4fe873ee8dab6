//! `users.messages.get` in its four formats, and attachments. The MIME tree itself is built in `mime.rs`.
//!
//! See <https://developers.google.com/workspace/gmail/api/reference/rest/v1/Format>.

use super::{message_id, metadata_only, mime};
use crate::call::Reply;
use crate::error::ApiError;
use crate::oauth::BASE64URL;
use crate::routes::Context;
use crate::store::{Content, LabelId, Message, MessageId};
use crate::workspace::{UserIndex, now_ms};
use base64::Engine;
use serde_json::{Value, json};

/// How long an attachment id is good.
const ATTACHMENT_LIFE_MS: i64 = 10 * 60 * 1000;

/// How much of a message a get shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Minimal,
    Metadata,
    Full,
    Raw,
}

impl Format {
    /// The parameter `format`, as far as the token's scopes allow it.
    pub(super) fn of(context: &Context<'_>) -> Result<Self, ApiError> {
        let format = Self::parse(context.call.query.first("format"))?;
        if metadata_only(context) && matches!(format, Self::Full | Self::Raw) {
            return Err(ApiError::forbidden(
                "Metadata scope doesn't allow format FULL or RAW",
            ));
        }
        Ok(format)
    }

    fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text.map(str::to_ascii_lowercase).as_deref() {
            None | Some("full") => Ok(Self::Full),
            Some("minimal") => Ok(Self::Minimal),
            Some("metadata") => Ok(Self::Metadata),
            Some("raw") => Ok(Self::Raw),
            Some(other) => Err(ApiError::invalid_argument(format!(
                "Invalid value at 'format' (type.googleapis.com/Format), \"{}\"",
                other.escape_default()
            ))),
        }
    }
}

/// `users.messages.get`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    refuse_suspended(context, user)?;
    let format = Format::of(context)?;
    let id = message_id(context.path("id"))?;
    let found = {
        let mailbox = context.workspace.mailbox(user);
        Found::of(mailbox.message(id).ok_or_else(ApiError::not_found)?)
    };
    Ok(Reply::json(found.show(format, context)))
}

/// A message taken out of its mailbox, so that writing it out holds no lock.
pub(super) struct Found {
    id: MessageId,
    answer: Value,
    content: Content,
}

impl Found {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            id: message.id,
            answer: describe(message),
            content: message.content.clone(),
        }
    }

    pub(super) fn show(self, format: Format, context: &Context<'_>) -> Value {
        let Self {
            id,
            mut answer,
            content,
        } = self;
        let raw = content.raw();
        answer["sizeEstimate"] = json!(raw.len());
        let policy = &context.workspace.gmail;
        let snippet = match format {
            Format::Minimal => mime::snippet(&raw),
            Format::Raw => {
                answer["raw"] = policy.encode(&raw).into();
                mime::snippet(&raw)
            }
            Format::Metadata => {
                let wanted: Vec<&str> = context.call.query.all("metadataHeaders").collect();
                answer["payload"] = mime::metadata(&raw, &wanted);
                mime::snippet(&raw)
            }
            Format::Full => {
                let (snippet, payload) = mime::full(&raw, policy, |part| attachment_id(id, part));
                answer["payload"] = payload;
                snippet
            }
        };
        answer["snippet"] = snippet.into();
        answer
    }
}

/// `users.messages.attachments.get`.
pub(super) fn attachment(context: &Context<'_>) -> Result<Reply, ApiError> {
    let user = context.mailbox()?;
    refuse_suspended(context, user)?;
    let id = message_id(context.path("messageId"))?;
    let part = parse_attachment_id(context.path("id"), id)
        .ok_or_else(|| ApiError::invalid_argument("Invalid attachment token"))?;
    let content = {
        let mailbox = context.workspace.mailbox(user);
        let message = mailbox.message(id).ok_or_else(ApiError::not_found)?;
        message.content.clone()
    };
    let body = mime::part_body(&content.raw(), part)
        .ok_or_else(|| ApiError::invalid_argument("Invalid attachment token"))?;
    Ok(Reply::json(json!({
        "size": body.len(),
        "data": context.workspace.gmail.encode(&body),
    })))
}

/// What every format has, but for what its bytes have to be written out for: size and snippet.
pub(super) fn describe(message: &Message) -> Value {
    let mut value = json!({
        "id": message.id.to_string(),
        "threadId": message.thread.to_string(),
        "historyId": message.history_id.to_string(),
        "internalDate": message.internal_date.to_string(),
    });
    if !message.labels.is_empty() {
        value["labelIds"] = message.labels.iter().map(LabelId::as_str).collect();
    }
    value
}

/// Listing works for a suspended or archived user, but each get is refused: so it was seen in the field.
pub(super) fn refuse_suspended(context: &Context<'_>, user: UserIndex) -> Result<(), ApiError> {
    if context.workspace.users()[user.0].is_active() {
        Ok(())
    } else {
        Err(ApiError::forbidden("Forbidden"))
    }
}

/// A new id at each look, which goes stale, as Google's do.
fn attachment_id(message: MessageId, part: u32) -> String {
    let nonce = fastrand::u32(..);
    let plain = format!("{message}:{part}:{}:{nonce:08x}", now_ms());
    format!("ANGjdJ{}", BASE64URL.encode(plain))
}

fn parse_attachment_id(text: &str, message: MessageId) -> Option<u32> {
    let plain = BASE64URL.decode(text.strip_prefix("ANGjdJ")?).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let mut parts = plain.split(':');
    let of: MessageId = parts.next()?.parse().ok()?;
    let part = parts.next()?.parse().ok()?;
    let minted: i64 = parts.next()?.parse().ok()?;
    let age = now_ms().checked_sub(minted)?;
    (of == message && (0..ATTACHMENT_LIFE_MS).contains(&age)).then_some(part)
}
