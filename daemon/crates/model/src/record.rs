//! The record: one normalized change of one item, and its JSON form: the contract's names in
//! snake_case, in its order, `kind` plus the payload as a member named after its kind, last;
//! absent options left out. The rules in full stand in the SDK's module `json`, which writes the
//! same for guests; a test compares the two byte for byte.
//!
//! The JSON form has no blobs: a guest gets a handle that is good for one call, and a reference
//! into the spool means nothing outside of it. [`Record::without_blobs`] takes them off. What
//! the spool stores is the JSON form with the references (`raw` of a mail, `content` of an
//! attachment) as further members, and the only form that is read back; so fields may be added
//! with a default, never renamed.

use crate::{AccountKey, Email, Event, FeedId, File, MailCategory, MailFlags, RecordKey, Revision};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

/// One normalized change of one item.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Record {
    /// Names the item for ever.
    pub key: RecordKey,
    /// Given by the spool's writer; 0 until then.
    pub revision: Revision,
    /// Google's own order: Gmail's `historyId`, an event's `updated` in milliseconds since 1970,
    /// Drive's `version`; 0 where there is none.
    pub source_version: u64,
    /// What happened.
    pub change: Change,
    /// Where the item lives.
    pub source: Source,
    /// Why the record comes now.
    pub origin: Origin,
    /// The feed that it belongs to.
    pub lane: FeedId,
    /// The user in the config whose account it is; empty in domain feeds.
    pub user: String,
    /// Primary address of the account that was read; empty in domain feeds.
    pub account: String,
    /// Empty for a mailbox; `primary` or a calendar's id; `my-drive` or a shared drive's id.
    pub collection: String,
    /// When nuncio saw the change, in milliseconds since 1970.
    pub observed_at: i64,
    /// What could not be decoded or was cut, in words.
    pub notes: Vec<String>,
    /// Named values that are too rare for a field.
    pub extra: Vec<(String, String)>,
    /// The item's content as of this revision.
    pub payload: Payload,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// First seen.
    Created,
    /// Seen before, something differs.
    Updated,
    /// Only labels of a mail differ.
    Labels,
    /// Gone, or no longer in view.
    Deleted,
}

/// Where an item lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A mailbox.
    Gmail,
    /// A calendar.
    Calendar,
    /// My Drive or a shared drive.
    Drive,
}

impl Source {
    /// The name in config, keys and contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Gmail => "gmail",
            Source::Calendar => "calendar",
            Source::Drive => "drive",
        }
    }
}

/// Why a record comes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A feed's first walk.
    Backfill,
    /// A change that just happened.
    Live,
    /// Found by comparing after a lost cursor.
    Resync,
    /// An operator asked for it to be sent again.
    Replay,
}

/// The content of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A mail message.
    Email(Box<Email>),
    /// A calendar event, recurring master or exception.
    Event(Box<Event>),
    /// A file or folder: metadata and permissions.
    File(Box<File>),
    /// New labels of a mail.
    Labels(LabelChange),
    /// A deletion.
    Deleted(Deleted),
}

impl Payload {
    /// The name in the JSON form.
    pub fn kind(&self) -> &'static str {
        match self {
            Payload::Email(_) => "email",
            Payload::Event(_) => "event",
            Payload::File(_) => "file",
            Payload::Labels(_) => "labels",
            Payload::Deleted(_) => "deleted",
        }
    }
}

/// A message's labels after a change of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelChange {
    /// Gmail's thread id.
    pub thread_id: String,
    /// System labels.
    pub flags: MailFlags,
    /// The tab in the inbox.
    pub category: MailCategory,
    /// Names of the user's own labels; all of them.
    pub labels: Vec<String>,
}

/// What is known of a deleted item; what the index does not hold is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deleted {
    /// Why it is gone.
    pub cause: DeleteCause,
    /// Gmail thread id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// iCalendar UID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ical_uid: Option<String>,
    /// File name or subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Why an item is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteCause {
    /// Deleted for good at Google.
    Removed,
    /// An event was cancelled.
    Cancelled,
    /// Still there but out of view: trash, spam.
    OutOfScope,
    /// The operator had this user forgotten.
    Forgotten,
    /// Google does not tell.
    Unknown,
}

/// A person or address in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Display name, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address as written, domain in lower case.
    pub address: String,
    /// What the address is to this installation.
    pub who: Who,
}

/// What an address is to this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Outside the domain's own addresses.
    External,
    /// One of the domain's own addresses, but no user in the config.
    Internal,
    /// A user's primary address.
    User,
    /// Another address of a user; the value is the primary address.
    AliasOf(String),
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let n_absent = usize::from(self.notes.is_empty()) + usize::from(self.extra.is_empty());
        let mut out = serializer.serialize_struct("record", 15 - n_absent)?;
        out.serialize_field("key", &self.key)?;
        out.serialize_field("revision", &self.revision)?;
        out.serialize_field("source_version", &self.source_version)?;
        out.serialize_field("change", &self.change)?;
        out.serialize_field("source", &self.source)?;
        out.serialize_field("origin", &self.origin)?;
        out.serialize_field("lane", &self.lane)?;
        out.serialize_field("user", &self.user)?;
        out.serialize_field("account", &self.account)?;
        out.serialize_field("collection", &self.collection)?;
        out.serialize_field("observed_at", &self.observed_at)?;
        if !self.notes.is_empty() {
            out.serialize_field("notes", &self.notes)?;
        }
        if !self.extra.is_empty() {
            out.serialize_field("extra", &self.extra)?;
        }
        out.serialize_field("kind", self.payload.kind())?;
        match &self.payload {
            Payload::Email(email) => out.serialize_field("email", email)?,
            Payload::Event(event) => out.serialize_field("event", event)?,
            Payload::File(file) => out.serialize_field("file", file)?,
            Payload::Labels(labels) => out.serialize_field("labels", labels)?,
            Payload::Deleted(deleted) => out.serialize_field("deleted", deleted)?,
        }
        out.end()
    }
}

/// The JSON form as it is read back.
#[derive(Deserialize)]
struct Wire {
    key: RecordKey,
    revision: Revision,
    source_version: u64,
    change: Change,
    source: Source,
    origin: Origin,
    lane: FeedId,
    user: String,
    account: String,
    collection: String,
    observed_at: i64,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    extra: Vec<(String, String)>,
    kind: String,
    email: Option<Box<Email>>,
    event: Option<Box<Event>>,
    file: Option<Box<File>>,
    labels: Option<LabelChange>,
    deleted: Option<Deleted>,
}

impl TryFrom<Wire> for Record {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let payload = match wire.kind.as_str() {
            "email" => wire.email.map(Payload::Email),
            "event" => wire.event.map(Payload::Event),
            "file" => wire.file.map(Payload::File),
            "labels" => wire.labels.map(Payload::Labels),
            "deleted" => wire.deleted.map(Payload::Deleted),
            _ => None,
        }
        .ok_or_else(|| format!("unknown or missing payload of kind {:?}", wire.kind))?;
        Ok(Self {
            key: wire.key,
            revision: wire.revision,
            source_version: wire.source_version,
            change: wire.change,
            source: wire.source,
            origin: wire.origin,
            lane: wire.lane,
            user: wire.user,
            account: wire.account,
            collection: wire.collection,
            observed_at: wire.observed_at,
            notes: wire.notes,
            extra: wire.extra,
            payload,
        })
    }
}

impl Record {
    /// Without references to bytes in the spool: serialized, this is the JSON form that anybody
    /// outside of the spool sees.
    #[must_use]
    pub fn without_blobs(mut self) -> Self {
        match &mut self.payload {
            Payload::Email(email) => {
                email.raw = None;
                for attachment in &mut email.attachments {
                    attachment.content = None;
                }
            }
            Payload::Event(_) | Payload::File(_) | Payload::Labels(_) | Payload::Deleted(_) => {}
        }
        self
    }

    /// The account key in the record's key; for tests and messages.
    pub fn account_key(&self) -> Option<AccountKey> {
        let mut parts = self.key.as_str().split('/');
        parts.next()?;
        let encoded = parts.next()?;
        percent_encoding::percent_decode_str(encoded)
            .decode_utf8()
            .ok()
            .map(AccountKey::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_json_form() {
        let record = Record {
            key: RecordKey::new("gmail/a/1"),
            revision: Revision(7),
            source_version: 9,
            change: Change::Labels,
            source: Source::Gmail,
            origin: Origin::Live,
            lane: FeedId(3),
            user: "ana@example.com".into(),
            account: "ana@example.com".into(),
            collection: String::new(),
            observed_at: 1,
            notes: vec![],
            extra: vec![],
            payload: Payload::Labels(LabelChange {
                thread_id: "1".into(),
                flags: MailFlags::UNREAD.with(MailFlags::TRASH),
                category: MailCategory::None,
                labels: vec!["A/B".into()],
            }),
        };
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            json,
            r#"{"key":"gmail/a/1","revision":7,"source_version":9,"change":"labels","source":"gmail","origin":"live","lane":3,"user":"ana@example.com","account":"ana@example.com","collection":"","observed_at":1,"kind":"labels","labels":{"thread_id":"1","flags":["unread","trash"],"category":"none","labels":["A/B"]}}"#
        );
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        assert!(
            serde_json::from_str::<Record>(
                &json.replace("\"kind\":\"labels\"", "\"kind\":\"email\"")
            )
            .is_err()
        );
    }
}
