//! Messages as Gmail takes them apart (`format=full`): alone and as the messages of a thread,
//! which come in no other form. Own types for the same reasons as in `message.rs`. What the
//! parts mean is not known here.

use super::decode::{self, BadItem};
use crate::Error;
use nuncio_model::{ItemId, ThreadId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What is asked for of a message with its parts. `payload` alone names all that is in it.
pub(super) const FIELDS_FULL: &str =
    "id,threadId,labelIds,historyId,internalDate,sizeEstimate,snippet,payload";
/// The same of each message of a thread.
pub(super) const FIELDS_THREAD: &str =
    "messages(id,threadId,labelIds,historyId,internalDate,sizeEstimate,snippet,payload)";

/// A message in parts. Debug shows none of its content.
#[derive(Clone, PartialEq, Eq)]
pub struct FullMessage {
    /// The message, unique within its mailbox.
    pub id: ItemId,
    /// Its thread; the message itself if Gmail does not say.
    pub thread_id: ThreadId,
    /// Ids of its labels.
    pub label_ids: Vec<String>,
    /// When it was last changed, in the mailbox's own order; 0 if Gmail does not say.
    pub history_id: u64,
    /// When Google accepted it, in milliseconds since 1970; 0 if Gmail does not say.
    pub internal_date: i64,
    /// The first words, HTML-escaped by Gmail.
    pub snippet: String,
    /// About how many bytes it has.
    pub size_estimate: u64,
    /// The message itself, in parts.
    pub payload: MessagePart,
}

/// A part of a message: one with parts of its own, a body, or an attachment. As Gmail gives it,
/// header values are decoded (RFC 2047) and text is in UTF-8, whatever the part's charset says.
/// <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages#Message.MessagePart>
#[derive(Clone, PartialEq, Eq, Default)]
pub struct MessagePart {
    /// Its media type, without parameters.
    pub mime_type: String,
    /// Its file name; empty if it has none.
    pub filename: String,
    /// Names and values of its header fields, in order.
    pub headers: Vec<(String, String)>,
    /// Bytes of its content, after the transfer encoding.
    pub size: u64,
    /// Its content, where Gmail sends it along.
    pub data: Option<Vec<u8>>,
    /// Whether its content must be asked for by itself.
    pub is_apart: bool,
    /// Its parts; also those of a message inside.
    pub parts: Vec<MessagePart>,
}

/// The messages of a thread, all of them: in the trash or not, of any age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Those that can be read.
    pub messages: Vec<FullMessage>,
    /// Those that cannot.
    pub bad: Vec<BadItem>,
}

impl fmt::Debug for FullMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FullMessage")
            .field("id", &self.id)
            .field("history_id", &self.history_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MessagePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagePart")
            .field("size", &self.size)
            .field("n_parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct ThreadWire<'a> {
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    id: Option<String>,
    thread_id: Option<String>,
    label_ids: Option<Vec<String>>,
    #[serde(default, deserialize_with = "decode::number")]
    history_id: Option<u64>,
    #[serde(default, deserialize_with = "decode::number")]
    internal_date: Option<i64>,
    #[serde(default, deserialize_with = "decode::number")]
    size_estimate: Option<u64>,
    snippet: Option<String>,
    #[serde(borrow)]
    payload: Option<PartWire<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartWire<'a> {
    mime_type: Option<String>,
    filename: Option<String>,
    headers: Option<Vec<HeaderWire>>,
    #[serde(borrow)]
    body: Option<BodyWire<'a>>,
    #[serde(borrow)]
    parts: Option<Vec<PartWire<'a>>>,
}

#[derive(Deserialize)]
struct HeaderWire {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodyWire<'a> {
    #[serde(default, deserialize_with = "decode::number")]
    size: Option<u64>,
    #[serde(borrow, default)]
    data: Cow<'a, str>,
    attachment_id: Option<String>,
}

/// Reads a message with its parts. JSON nests at most 128 levels deep here, so a part at most
/// about 60: a deeper message is an error, and its bytes can still be read.
pub(super) fn read_full(method: &'static str, body: &[u8]) -> Result<FullMessage, Error> {
    let text = decode::text(body);
    let wire: Wire<'_> = decode::whole(method, &text)?;
    message(wire).map_err(|what| Error::Decode {
        method,
        what: what.into(),
    })
}

/// Reads a thread's messages one by one, so that a bad one costs only itself.
pub(super) fn read_thread(method: &'static str, body: &[u8]) -> Result<Thread, Error> {
    let text = decode::text(body);
    let wire: ThreadWire<'_> = decode::whole(method, &text)?;
    let (messages, bad) = decode::items(&wire.messages.unwrap_or_default(), message);
    Ok(Thread { messages, bad })
}

fn message(wire: Wire<'_>) -> Result<FullMessage, &'static str> {
    let id = wire.id.ok_or("it has no id")?;
    let payload = wire.payload.ok_or("it has no payload")?;
    Ok(FullMessage {
        thread_id: ThreadId::new(wire.thread_id.unwrap_or_else(|| id.clone())),
        id: ItemId::new(id),
        label_ids: wire.label_ids.unwrap_or_default(),
        history_id: wire.history_id.unwrap_or(0),
        internal_date: wire.internal_date.unwrap_or(0),
        snippet: wire.snippet.unwrap_or_default(),
        size_estimate: wire.size_estimate.unwrap_or(0),
        payload: part(payload)?,
    })
}

fn part(wire: PartWire<'_>) -> Result<MessagePart, &'static str> {
    let (size, data, is_apart) = match wire.body {
        None => (0, None, false),
        Some(body) if body.data.is_empty() => {
            (body.size.unwrap_or(0), None, body.attachment_id.is_some())
        }
        Some(body) => {
            let data = decode::base64(&body.data).ok_or("the data of a part is not base64")?;
            (body.size.unwrap_or(data.len() as u64), Some(data), false)
        }
    };
    let parts = wire.parts.unwrap_or_default();
    Ok(MessagePart {
        mime_type: wire.mime_type.unwrap_or_default(),
        filename: wire.filename.unwrap_or_default(),
        headers: wire
            .headers
            .unwrap_or_default()
            .into_iter()
            .map(|header| {
                (
                    header.name.unwrap_or_default(),
                    header.value.unwrap_or_default(),
                )
            })
            .collect(),
        size,
        data,
        is_apart,
        parts: parts.into_iter().map(part).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_whatever_is_left_out() {
        let text = br#"{"id":"m1","historyId":"9","payload":{"mimeType":"multipart/mixed","headers":[{"name":"Subject","value":"x"},{"name":"Odd"}],
            "body":{"size":0},"parts":[{"mimeType":"text/plain","body":{"size":"2","data":"aGk"}},
            {"filename":"a.bin","body":{"size":7,"attachmentId":"t"}},{"new":1}]}}"#;
        let message = read_full("m", text).unwrap();
        assert_eq!(message.thread_id, ThreadId::new("m1"));
        let payload = &message.payload;
        assert_eq!(
            payload.headers,
            [
                ("Subject".into(), "x".into()),
                ("Odd".into(), String::new())
            ]
        );
        let [plain, file, empty] = payload.parts.as_slice() else {
            panic!("{payload:?}")
        };
        assert_eq!(plain.data.as_deref(), Some(&b"hi"[..]));
        assert_eq!(
            (file.size, file.is_apart, file.filename.as_str()),
            (7, true, "a.bin")
        );
        assert_eq!(*empty, MessagePart::default());
    }

    #[test]
    fn a_bad_message_of_a_thread_costs_only_itself() {
        let deep = format!("{}{}", r#"{"parts":["#.repeat(100), "]}".repeat(100));
        let text = format!(
            r#"{{"messages":[{{"id":"a","payload":{{}}}},{{"id":"b","payload":{{"body":{{"data":"!planted"}}}}}},
            {{"id":"c","payload":["planted"]}},{{"id":"d"}},{{"id":"e","payload":{deep}}},"planted",{{"id":"f","payload":{{}}}}]}}"#
        );
        let thread = read_thread("m", text.as_bytes()).unwrap();
        let good: Vec<_> = thread.messages.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(good, ["a", "f"]);
        let bad: Vec<_> = thread
            .bad
            .iter()
            .map(|bad| bad.id.as_ref().map(ItemId::as_str))
            .collect();
        // What is too deep hides even its id: whoever wanted it misses it in the thread, and reads
        // it alone.
        assert_eq!(bad, [Some("b"), Some("c"), Some("d"), None, None]);
        assert!(!format!("{thread:?}").contains("planted"));
        assert_eq!(read_thread("m", b"{}").unwrap().messages, []);
    }
}
