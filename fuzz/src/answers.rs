//! The body of an answer: it is refused as a whole, or each entry of its lists is there or is
//! told as bad, and what is told quotes nothing.

use crate::mailbox::Mailbox;
use nuncio_google::{BadItem, DriveChange, Error, HistoryPage, answers};
use nuncio_model::Content;
use nuncio_sources::gmail::normalize::{self, Parts};
use serde_json::Value;
use std::collections::BTreeSet;

/// What an error or a reason may say at most: there is no room for content in it.
const MAX_REASON_BYTES: usize = 200;

/// Checks a body as an answer of each call.
pub fn check(bytes: &[u8]) {
    // As the client does: bytes that are no UTF-8 cost no page. Deeper than 128 levels it is none.
    let value: Value = serde_json::from_str(&String::from_utf8_lossy(bytes)).unwrap_or_default();
    let n = |name: &str| value[name].as_array().map_or(0, Vec::len);
    let is_known = !value.is_null();
    let count = |name: &str, good: usize, bad: &[BadItem]| {
        quotes_nothing(bad);
        assert!(
            !is_known || n(name) == good + bad.len(),
            "of {name} some are missing"
        );
    };
    if let Some(page) = told(answers::message_page(bytes)) {
        count("messages", page.messages.len(), &page.bad);
    }
    if let Some(page) = told(answers::event_page(bytes)) {
        count("items", page.events.len(), &page.bad);
    }
    if let Some(page) = told(answers::file_page(bytes)) {
        count("files", page.files.len(), &page.bad);
    }
    if let Some(page) = told(answers::change_page(bytes)) {
        count("changes", page.changes.len(), &page.bad);
        for change in &page.changes {
            match change {
                DriveChange::File { id, .. } => assert!(!id.as_str().is_empty()),
                DriveChange::Drive { id, .. } => assert!(!id.is_empty()),
            }
        }
    }
    if let Some(page) = told(answers::history_page(bytes)) {
        quotes_nothing(&page.bad);
        if is_known {
            history(&page, &value);
        }
    }
    if let Some(thread) = told(answers::thread(bytes)) {
        count("messages", thread.messages.len(), &thread.bad);
        for message in &thread.messages {
            parts(message);
        }
    }
    if let Some(message) = told(answers::full_message(bytes)) {
        parts(&message);
    }
    if let Some(message) = told(answers::raw_message(bytes)) {
        assert!(!message.raw.is_empty() && message.raw.len() <= bytes.len());
    }
}

fn told<T>(answer: Result<T, Error>) -> Option<T> {
    if let Err(error) = &answer {
        assert!(error.to_string().len() <= MAX_REASON_BYTES, "{error}");
    }
    answer.ok()
}

fn quotes_nothing(bad: &[BadItem]) {
    for bad in bad {
        assert!(bad.reason.len() <= MAX_REASON_BYTES, "{}", bad.reason);
    }
}

/// Every message that a change names is in the page's changes or among what is bad.
fn history(page: &HistoryPage, value: &Value) {
    let mut found = BTreeSet::new();
    for record in &page.records {
        let changed = record.labels_added.iter().chain(&record.labels_removed);
        let messages = record.added.iter().chain(&record.deleted);
        found.extend(
            messages
                .chain(changed.map(|(message, _)| message))
                .map(|message| message.id.as_str()),
        );
    }
    found.extend(
        page.bad
            .iter()
            .filter_map(|bad| bad.id.as_ref())
            .map(|id| id.as_str()),
    );
    let lists = [
        "messagesAdded",
        "messagesDeleted",
        "labelsAdded",
        "labelsRemoved",
    ];
    for record in value["history"].as_array().into_iter().flatten() {
        for change in lists
            .iter()
            .filter_map(|list| record[list].as_array())
            .flatten()
        {
            if let Some(id) = change["message"]["id"].as_str() {
                assert!(found.contains(id), "a change of {id:?} is missing");
            }
        }
    }
}

/// Parts that no message of this world gives are survived as well.
fn parts(message: &nuncio_google::FullMessage) {
    let mailbox = Mailbox::new();
    let parts = Parts {
        id: message.id.as_str(),
        thread_id: message.thread_id.as_str(),
        snippet: &message.snippet,
        internal_date: message.internal_date,
        labels: &mailbox.labels,
        size: message.size_estimate,
        payload: &message.payload,
    };
    for content in [Content::Metadata, Content::Html] {
        drop(normalize::email_of_parts(&parts, &mailbox.context(content)));
    }
}
