//! There is one JSON form of a record and there are two writers of it: the daemon's, with serde,
//! and the SDK's, by hand, for guests. Here they are compared byte for byte.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod event;
mod file;
mod guest;
mod records;

use nuncio_model::{Payload, Record};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

/// What the daemon shows of a record.
fn daemons(record: &Record) -> String {
    serde_json::to_string(&record.clone().without_blobs()).unwrap()
}

/// What a guest writes of it.
fn guests(record: &Record) -> String {
    nuncio_sdk::json::record(&guest::record(record))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn daemon_and_guest_write_the_same(record in records::record()) {
        prop_assert_eq!(daemons(&record), guests(&record));
    }

    /// What is stored keeps its blobs; and taking them off changes nothing else.
    #[test]
    fn what_is_stored_is_read_back_and_is_the_same_but_for_blobs(record in records::record()) {
        let stored = serde_json::to_string(&record).unwrap();
        let read: Record = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(daemons(&read), daemons(&record));
        let mut stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
        if let Some(email) = stored.get_mut("email").and_then(|email| email.as_object_mut()) {
            email.remove("raw");
            for attachment in email["attachments"].as_array_mut().unwrap() {
                attachment.as_object_mut().unwrap().remove("content");
            }
        }
        prop_assert_eq!(stored, serde_json::from_str::<serde_json::Value>(&daemons(&record)).unwrap());
    }
}

/// The property would be worth little if the generator left a member out: every member of every
/// kind is seen both with and without each option, and every name of every enum.
#[test]
fn the_generated_records_have_every_member_and_every_name() {
    let mut runner = TestRunner::deterministic();
    let strategy = records::record();
    let mut seen = BTreeSet::new();
    for _ in 0..4_000 {
        let record = strategy.new_tree(&mut runner).unwrap().current();
        let kind = record.payload.kind();
        let value: serde_json::Value = serde_json::from_str(&daemons(&record)).unwrap();
        let optional = match &record.payload {
            Payload::Email(_) => OPTIONAL_OF_EMAIL,
            Payload::Event(_) => event::OPTIONAL,
            Payload::File(_) => file::OPTIONAL,
            Payload::Labels(_) => &[],
            Payload::Deleted(_) => OPTIONAL_OF_DELETED,
        };
        for member in optional {
            seen.insert(format!(
                "{kind}.{member}: {}",
                value[kind].get(member).is_some()
            ));
        }
        for member in ["notes", "extra"] {
            seen.insert(format!("{member}: {}", value.get(member).is_some()));
        }
        for name in ["change", "source", "origin", "kind"] {
            seen.insert(format!("{name} {}", value[name]));
        }
        if let Some(guest) = value[kind]["attendees"].get(0) {
            seen.insert(format!("response {}", guest["response"]));
        }
        for name in ["category", "direction", "cause", "status", "visibility"] {
            if let Some(value) = value[kind].get(name) {
                seen.insert(format!("{name} {value}"));
            }
        }
    }
    let n_options = OPTIONAL_OF_EMAIL.len()
        + event::OPTIONAL.len()
        + file::OPTIONAL.len()
        + OPTIONAL_OF_DELETED.len()
        + 2;
    let n_names = [4, 3, 4, 5, 7, 3, 5, 3, 4, 4].iter().sum::<usize>();
    assert_eq!(seen.len(), 2 * n_options + n_names, "{seen:#?}");
}

const OPTIONAL_OF_EMAIL: &[&str] = &[
    "draft_id",
    "from",
    "sender",
    "date",
    "in_reply_to",
    "list_id",
    "auto_submitted",
    "text",
    "html",
    "headers",
];
const OPTIONAL_OF_DELETED: &[&str] = &["thread_id", "ical_uid", "name"];
