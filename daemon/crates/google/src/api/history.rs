//! A page of Gmail's change log. Own wire types: each typed list is read item by item, and of
//! what cannot be read at least the ids are told, for a change that is dropped in silence is
//! lost for ever. <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list>

use super::decode::{self, BadItem};
use crate::Error;
use nuncio_model::{ItemId, ThreadId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What is asked for; `messages` would only repeat the typed lists.
pub(super) const FIELDS: &str = "nextPageToken,historyId,history(id,\
messagesAdded/message(id,threadId,labelIds),messagesDeleted/message(id,threadId,labelIds),\
labelsAdded(labelIds,message(id,threadId,labelIds)),\
labelsRemoved(labelIds,message(id,threadId,labelIds)))";

/// A page of changes in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The changes; may be empty although there are more pages.
    pub records: Vec<HistoryRecord>,
    /// How to ask for the next page; none on the last one.
    pub next_page: Option<String>,
    /// The mailbox's newest position; to be kept only after the last page.
    pub history_id: Option<u64>,
    /// What could not be read, per message; the page's other changes are in `records`.
    pub bad: Vec<BadItem>,
}

/// Changes of one moment. The same change may come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRecord {
    /// Its position in the change log; 0 if Gmail does not say.
    pub id: u64,
    /// New messages.
    pub added: Vec<MessageRef>,
    /// Messages that are gone for good; trash is a label.
    pub deleted: Vec<MessageRef>,
    /// Messages and the labels that they got.
    pub labels_added: Vec<(MessageRef, Vec<String>)>,
    /// Messages and the labels that they lost.
    pub labels_removed: Vec<(MessageRef, Vec<String>)>,
}

/// A message that a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef {
    /// The message.
    pub id: ItemId,
    /// Its thread; the message itself if Gmail does not say.
    pub thread_id: ThreadId,
    /// Its labels as Gmail tells them here; empty if it does not.
    pub label_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageWire<'a> {
    #[serde(borrow)]
    history: Option<Vec<&'a RawValue>>,
    next_page_token: Option<String>,
    #[serde(default, deserialize_with = "decode::number")]
    history_id: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordWire<'a> {
    #[serde(default, deserialize_with = "decode::number")]
    id: Option<u64>,
    #[serde(borrow)]
    messages_added: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    messages_deleted: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    labels_added: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    labels_removed: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeWire {
    message: MessageWire,
    label_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageWire {
    id: String,
    thread_id: Option<String>,
    label_ids: Option<Vec<String>>,
}

impl From<MessageWire> for MessageRef {
    fn from(wire: MessageWire) -> Self {
        Self {
            thread_id: ThreadId::new(wire.thread_id.unwrap_or_else(|| wire.id.clone())),
            id: ItemId::new(wire.id),
            label_ids: wire.label_ids.unwrap_or_default(),
        }
    }
}

/// Reads a page.
pub(super) fn read(method: &'static str, body: &[u8]) -> Result<HistoryPage, Error> {
    let text = decode::text(body);
    let wire: PageWire<'_> = decode::whole(method, &text)?;
    let mut bad = Vec::new();
    let raw_records = wire.history.unwrap_or_default();
    let records = raw_records
        .iter()
        .enumerate()
        .filter_map(|(position, raw)| read_record(position, raw, &mut bad))
        .collect();
    Ok(HistoryPage {
        records,
        next_page: wire.next_page_token.filter(|token| !token.is_empty()),
        history_id: wire.history_id,
        bad,
    })
}

fn read_record(position: usize, raw: &RawValue, bad: &mut Vec<BadItem>) -> Option<HistoryRecord> {
    let wire: RecordWire<'_> = match decode::object(raw.get()) {
        Ok(wire) => wire,
        Err(error) => {
            report(
                position,
                raw,
                &format!("the record {}", decode::place(&error)),
                bad,
            );
            return None;
        }
    };
    let mut changes = |items: Option<Vec<&RawValue>>| -> Vec<(MessageRef, Vec<String>)> {
        let mut changes = Vec::new();
        for item in items.unwrap_or_default() {
            match decode::object::<ChangeWire>(item.get()) {
                Ok(change) => {
                    changes.push((change.message.into(), change.label_ids.unwrap_or_default()));
                }
                Err(error) => {
                    report(
                        position,
                        item,
                        &format!("a change {}", decode::place(&error)),
                        bad,
                    );
                }
            }
        }
        changes
    };
    let only_messages = |changes: Vec<(MessageRef, Vec<String>)>| {
        changes.into_iter().map(|(message, _)| message).collect()
    };
    Some(HistoryRecord {
        id: wire.id.unwrap_or(0),
        added: only_messages(changes(wire.messages_added)),
        deleted: only_messages(changes(wire.messages_deleted)),
        labels_added: changes(wire.labels_added),
        labels_removed: changes(wire.labels_removed),
    })
}

/// Reports every message id below `raw`, or at least that there is something bad.
fn report(position: usize, raw: &RawValue, reason: &str, bad: &mut Vec<BadItem>) {
    let mut ids = Vec::new();
    if let Ok(value) = serde_json::from_str(raw.get()) {
        message_ids(&value, &mut ids);
    }
    let item = |id| BadItem {
        position,
        reason: reason.to_owned(),
        id,
    };
    if ids.is_empty() {
        bad.push(item(None));
    }
    bad.extend(ids.into_iter().map(|id| item(Some(id))));
}

/// Collects the `id` of each `message` member. serde_json bounds the depth at 128.
fn message_ids(value: &Value, ids: &mut Vec<ItemId>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| message_ids(item, ids)),
        Value::Object(members) => {
            if let Some(id) = members
                .get("message")
                .and_then(|message| message["id"].as_str())
            {
                let id = ItemId::new(id);
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            members.values().for_each(|member| message_ids(member, ids));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(body: &str) -> HistoryPage {
        read("m", body.as_bytes()).unwrap()
    }

    #[test]
    fn the_four_lists_are_read() {
        let page = page(
            r#"{"history":[{"id":"10","messages":[{"id":"x"}],
            "messagesAdded":[{"message":{"id":"a","threadId":"t","labelIds":["INBOX"]}}],
            "messagesDeleted":[{"message":{"id":"b"}}],
            "labelsAdded":[{"message":{"id":"c","threadId":"t"},"labelIds":["TRASH"]}],
            "labelsRemoved":[{"message":{"id":"d","threadId":"t"},"labelIds":["INBOX"]}]}],
            "historyId":"12","nextPageToken":"n"}"#,
        );
        let message = |id: &str, thread: &str, labels: &[&str]| MessageRef {
            id: ItemId::new(id),
            thread_id: ThreadId::new(thread),
            label_ids: labels.iter().map(|label| (*label).to_owned()).collect(),
        };
        assert_eq!(
            page.records,
            [HistoryRecord {
                id: 10,
                added: vec![message("a", "t", &["INBOX"])],
                deleted: vec![message("b", "b", &[])],
                labels_added: vec![(message("c", "t", &[]), vec!["TRASH".into()])],
                labels_removed: vec![(message("d", "t", &[]), vec!["INBOX".into()])],
            }]
        );
        assert_eq!(
            (page.next_page.as_deref(), page.history_id, page.bad.len()),
            (Some("n"), Some(12), 0)
        );
    }

    #[test]
    fn a_page_without_history_may_have_a_next_one() {
        let page = page(r#"{"nextPageToken":"n"}"#);
        assert_eq!(
            (
                page.records.len(),
                page.next_page.as_deref(),
                page.history_id
            ),
            (0, Some("n"), None)
        );
    }

    #[test]
    fn a_bad_change_costs_only_itself_and_its_id_is_told() {
        let page = page(
            r#"{"history":[{"id":"1","messagesAdded":[{"message":{"id":"a"}},{"message":{"id":"b","threadId":["planted"]}},{"message":7}]},{"id":"2","messagesDeleted":[{"message":{"id":"c"}}]}]}"#,
        );
        assert_eq!(page.records.len(), 2);
        assert_eq!(page.records[0].added.len(), 1);
        let told: Vec<_> = page
            .bad
            .iter()
            .map(|bad| (bad.position, bad.id.as_ref().map(ItemId::as_str)))
            .collect();
        assert_eq!(told, [(0, Some("b")), (0, None)]);
        assert!(!format!("{:?}", page.bad).contains("planted"));
    }

    #[test]
    fn a_list_in_the_place_of_an_object_is_bad() {
        let page = page(
            r#"{"history":[["1",[{"message":{"id":"a"}}],null,null,null],{"id":"2","messagesAdded":[[{"id":"b"},null]]}]}"#,
        );
        assert_eq!(page.records.len(), 1);
        assert_eq!(page.records[0].added, []);
        assert_eq!(page.bad.len(), 2);
    }

    #[test]
    fn a_bad_record_tells_all_its_ids() {
        let page = page(
            r#"{"history":[{"id":"x","messagesAdded":[{"message":{"id":"a"}}],"labelsAdded":[{"message":{"id":"a"}},{"message":{"id":"b"}}]},7]}"#,
        );
        let told: Vec<_> = page
            .bad
            .iter()
            .map(|bad| (bad.position, bad.id.as_ref().map(ItemId::as_str)))
            .collect();
        assert_eq!(told, [(0, Some("a")), (0, Some("b")), (1, None)]);
        assert_eq!(page.records, []);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read("m", &body));
        }
    }
}
