//! One message as Gmail gives it. Own types, since google-gmail1's `Message` refuses base64
//! without padding and costs 1.4 times the CPU. What is in the MIME bytes is not read here.

use super::decode;
use crate::Error;
use nuncio_model::{ItemId, ThreadId};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;

/// What is asked for of a message without its content.
pub(super) const FIELDS_MINIMAL: &str = "id,threadId,labelIds,historyId,internalDate,sizeEstimate";
/// What is asked for of a message with its content.
pub(super) const FIELDS_RAW: &str =
    "id,threadId,labelIds,historyId,internalDate,sizeEstimate,snippet,raw";

/// A message's state without its content.
/// <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message, unique within its mailbox.
    pub id: ItemId,
    /// Its thread; the message itself if Gmail does not say, as in a thread's first message.
    pub thread_id: ThreadId,
    /// Ids of its labels.
    pub label_ids: Vec<String>,
    /// When it was last changed, in the mailbox's own order; 0 if Gmail does not say.
    pub history_id: u64,
    /// When Google accepted it, in milliseconds since 1970; 0 if Gmail does not say.
    pub internal_date: i64,
    /// About how many bytes it has.
    pub size_estimate: u64,
}

/// A message with its bytes. Debug shows none of its content.
#[derive(Clone, PartialEq, Eq)]
pub struct RawMessage {
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
    /// The message in the form of RFC 5322, as it was received.
    pub raw: Vec<u8>,
}

impl fmt::Debug for RawMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMessage")
            .field("id", &self.id)
            .field("history_id", &self.history_id)
            .field("n_raw_bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// The members of both forms. Megabytes of `raw` are borrowed until they are decoded.
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
    #[serde(borrow, default)]
    raw: Cow<'a, str>,
}

/// Reads a message without its content.
pub(super) fn read_minimal(method: &'static str, body: &[u8]) -> Result<Message, Error> {
    let text = decode::text(body);
    let wire: Wire<'_> = decode::whole(method, &text)?;
    let id = wire.id.ok_or_else(|| no(method, "id"))?;
    Ok(Message {
        thread_id: ThreadId::new(wire.thread_id.unwrap_or_else(|| id.clone())),
        id: ItemId::new(id),
        label_ids: wire.label_ids.unwrap_or_default(),
        history_id: wire.history_id.unwrap_or(0),
        internal_date: wire.internal_date.unwrap_or(0),
        size_estimate: wire.size_estimate.unwrap_or(0),
    })
}

/// Reads a message with its bytes.
pub(super) fn read_raw(method: &'static str, body: &[u8]) -> Result<RawMessage, Error> {
    let text = decode::text(body);
    let wire: Wire<'_> = decode::whole(method, &text)?;
    let id = wire.id.ok_or_else(|| no(method, "id"))?;
    if wire.raw.is_empty() {
        return Err(no(method, "raw"));
    }
    let raw = decode::base64(&wire.raw).ok_or_else(|| Error::Decode {
        method,
        what: "raw is not base64".into(),
    })?;
    Ok(RawMessage {
        thread_id: ThreadId::new(wire.thread_id.unwrap_or_else(|| id.clone())),
        id: ItemId::new(id),
        label_ids: wire.label_ids.unwrap_or_default(),
        history_id: wire.history_id.unwrap_or(0),
        internal_date: wire.internal_date.unwrap_or(0),
        snippet: wire.snippet.unwrap_or_default(),
        size_estimate: wire.size_estimate.unwrap_or(0),
        raw,
    })
}

fn no(method: &'static str, field: &str) -> Error {
    Error::Decode {
        method,
        what: format!("it has no {field}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_text_or_numbers_and_lists_may_be_absent() {
        let text = br#"{"id":"m1","historyId":"18446744073709551615","internalDate":"-5","sizeEstimate":7,"new":{}}"#;
        let message = read_minimal("m", text).unwrap();
        assert_eq!(
            message,
            Message {
                id: ItemId::new("m1"),
                thread_id: ThreadId::new("m1"),
                label_ids: vec![],
                history_id: u64::MAX,
                internal_date: -5,
                size_estimate: 7
            }
        );
        let number = read_minimal(
            "m",
            br#"{"id":"m1","threadId":"t","labelIds":["A"],"historyId":9,"sizeEstimate":null}"#,
        )
        .unwrap();
        assert_eq!(
            (number.history_id, number.thread_id, number.label_ids),
            (9, ThreadId::new("t"), vec!["A".to_owned()])
        );
    }

    #[test]
    fn errors_and_debug_show_no_content() {
        for body in [
            r#"{"id":"m","raw":"!planted"}"#,
            r#"{"id":["planted"]}"#,
            r#"{"id":"m","snippet":"planted","#,
            r#"{"snippet":"planted"}"#,
            r#"{"id":"m","historyId":"planted","raw":"eA"}"#,
            r#"{"id":"m","raw":""}"#,
        ] {
            let error = read_raw("m", body.as_bytes()).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("planted"),
                "{error:?}"
            );
        }
        let good = read_raw("m", br#"{"id":"m","snippet":"planted","raw":"cGxhbnRlZA"}"#).unwrap();
        assert_eq!(good.raw, b"planted");
        assert_eq!(
            format!("{good:?}"),
            r#"RawMessage { id: ItemId("m"), history_id: 0, n_raw_bytes: 7, .. }"#
        );
    }

    #[test]
    fn escapes_in_raw_and_bytes_that_are_no_utf8_are_survived() {
        let message = read_raw(
            "m",
            b"{\"id\":\"m\",\"snippet\":\"\xff\",\"raw\":\"cGxh\\nbnRlZA\\u003d=\"}",
        )
        .unwrap();
        assert_eq!(
            (message.raw.as_slice(), message.snippet.as_str()),
            (&b"planted"[..], "\u{fffd}")
        );
    }
}
