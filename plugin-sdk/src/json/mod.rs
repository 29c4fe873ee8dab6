//! The JSON form of a record: one object without line breaks, fit for a JSON Lines file, an
//! index document or a request body. Written straight into a string, since this is where a
//! sink that makes documents spends its time.
//!
//! The rules, the same for everything that nuncio writes as JSON (the daemon's own writer is
//! compared with this one byte for byte in a test):
//!
//! - Members are the contract's names in snake_case, in the contract's order, without blobs
//!   (`raw` of a mail, `content` of an attachment): a handle is good for one call only. A sink
//!   that keeps the bytes says itself where they are.
//! - `kind` names the payload (`email`, `event`, `file`, `labels`, `deleted`, `other`), and
//!   the payload follows as the member of that name, last in the record.
//! - An absent option is left out. An empty list is `[]`.
//! - Enums are their names in snake_case (`out_of_scope`); flags are the list of the names
//!   that are set, in the contract's order.
//! - Variants: a case without a value is its name, one with a value an object with the name
//!   as its only member: `"who":"user"`, `"who":{"alias_of":"ana@example.com"}`,
//!   `"start":{"at":{"time":0,"offset":60,"time_zone":"Europe/Vienna"}}`.
//! - Times are numbers of milliseconds since 1970-01-01T00:00:00Z. All integers are numbers;
//!   those that can grow large (`revision`, `lane`) stay below 2^53.
//! - Pairs (`extra`, `headers`, `properties`) are arrays of two texts, since names repeat
//!   and order counts.
//! - Of characters, only `"`, `\` and those below U+0020 are escaped.

mod email;
mod escape;
mod event;
mod file;
mod names;
#[cfg(test)]
mod tests;
mod write;

pub use escape::push_text;
pub use names::{MAIL_FLAGS, name_of_category};

use crate::{DeleteCause, Deleted, LabelChange, OtherPayload, Participant, Payload, Record, Who};
use names::{flag_names, name_of_change, name_of_delete_cause, name_of_origin, name_of_source};
use write::{Object, list, pairs, texts};

/// The JSON form of a record. See the module for the rules.
pub fn record(record: &Record) -> String {
    let mut out = String::with_capacity(size_hint(record));
    push_record(&mut out, record);
    out
}

/// Appends the JSON form of a record, for a caller that builds a larger text.
pub fn push_record(out: &mut String, record: &Record) {
    let mut object = Object::open(out);
    object.text("key", &record.key);
    object.unsigned("revision", record.revision);
    object.unsigned("source_version", record.source_version);
    object.name("change", name_of_change(record.change));
    object.name("source", name_of_source(record.source));
    object.name("origin", name_of_origin(record.origin));
    object.unsigned("lane", record.lane);
    object.text("user", &record.user);
    object.text("account", &record.account);
    object.text("collection", &record.collection);
    object.signed("observed_at", record.observed_at);
    object.optional("notes", record.notes.as_ref(), |out, notes| {
        texts(out, notes)
    });
    object.optional("extra", record.extra.as_ref(), |out, extra| {
        pairs(out, extra)
    });
    match &record.payload {
        Payload::Email(email) => object.payload("email", |out| email::push(out, email)),
        Payload::Event(event) => object.payload("event", |out| event::push(out, event)),
        Payload::File(file) => object.payload("file", |out| file::push(out, file)),
        Payload::Labels(labels) => object.payload("labels", |out| push_labels(out, labels)),
        Payload::Deleted(deleted) => object.payload("deleted", |out| push_deleted(out, deleted)),
        Payload::Other(other) => object.payload("other", |out| push_other(out, other)),
    }
    object.close();
}

/// Roughly how long the JSON form gets, so that it seldom moves while it grows.
fn size_hint(record: &Record) -> usize {
    let bodies = match &record.payload {
        Payload::Email(email) => {
            let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            length(&email.text) + length(&email.html)
        }
        Payload::Event(event) => event.description.as_ref().map_or(0, String::len),
        Payload::Other(other) => other.json.len(),
        Payload::File(_) | Payload::Labels(_) | Payload::Deleted(_) => 0,
    };
    2048 + bodies + bodies / 16
}

fn push_labels(out: &mut String, labels: &LabelChange) {
    let mut object = Object::open(out);
    object.text("thread_id", &labels.thread_id);
    object.member("flags", |out| flag_names::mail(out, labels.flags));
    object.name("category", name_of_category(labels.category));
    object.member("labels", |out| texts(out, &labels.labels));
    object.close();
}

fn push_deleted(out: &mut String, deleted: &Deleted) {
    let cause: DeleteCause = deleted.cause;
    let mut object = Object::open(out);
    object.name("cause", name_of_delete_cause(cause));
    object.optional_text("thread_id", deleted.thread_id.as_deref());
    object.optional_text("ical_uid", deleted.ical_uid.as_deref());
    object.optional_text("name", deleted.name.as_deref());
    object.close();
}

fn push_other(out: &mut String, other: &OtherPayload) {
    let mut object = Object::open(out);
    object.text("kind", &other.kind);
    object.text("json", &other.json);
    object.close();
}

fn push_participant(out: &mut String, participant: &Participant) {
    let mut object = Object::open(out);
    object.optional_text("name", participant.name.as_deref());
    object.text("address", &participant.address);
    match &participant.who {
        Who::External => object.name("who", "external"),
        Who::Internal => object.name("who", "internal"),
        Who::User => object.name("who", "user"),
        Who::AliasOf(primary) => object.member("who", |out| {
            let mut object = Object::open(out);
            object.text("alias_of", primary);
            object.close();
        }),
    }
    object.close();
}

fn participants(out: &mut String, people: &[Participant]) {
    list(out, people, push_participant);
}
