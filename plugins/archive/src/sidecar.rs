//! The sidecar of a message, `labels/MESSAGE.json`: what a file name cannot say, and the
//! revision that tells old records from new ones. Written before the mail moves, so that a
//! mail in `cur` always has one; `archive.rs` says why.

use nuncio_sdk::json::{MAIL_FLAGS, name_of_category};
use nuncio_sdk::{Email, LabelChange, MailCategory, MailFlags, Record};

use crate::maildir;

/// What is known of an archived message.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sidecar {
    /// The record's key.
    pub(crate) key: String,
    /// The newest revision that changed anything here. An older record changes no label.
    pub(crate) revision: u64,
    /// The revision that the message's bytes come from.
    pub(crate) content_revision: u64,
    /// Gmail's thread id.
    pub(crate) thread_id: String,
    /// System labels, in the contract's order.
    pub(crate) flags: Vec<String>,
    /// The tab in the inbox.
    pub(crate) category: String,
    /// The user's own labels.
    pub(crate) labels: Vec<String>,
    /// The file in `cur`. After a crash in a change of flags, the file may still have the name
    /// from before; then a listing finds it.
    pub(crate) file: String,
}

impl Sidecar {
    /// For a message that was not here yet.
    pub(crate) fn new(record: &Record, message: &str, email: &Email) -> Self {
        let mut sidecar = Self {
            key: record.key.clone(),
            revision: record.revision,
            content_revision: record.revision,
            thread_id: String::new(),
            flags: Vec::new(),
            category: String::new(),
            labels: Vec::new(),
            file: String::new(),
        };
        sidecar.set_from_email(record.revision, message, email);
        sidecar
    }

    pub(crate) fn set_from_email(&mut self, revision: u64, message: &str, email: &Email) {
        self.set(
            revision,
            message,
            email.flags,
            email.category,
            &email.thread_id,
            &email.labels,
        );
    }

    pub(crate) fn set_from_labels(&mut self, revision: u64, message: &str, change: &LabelChange) {
        self.set(
            revision,
            message,
            change.flags,
            change.category,
            &change.thread_id,
            &change.labels,
        );
    }

    fn set(
        &mut self,
        revision: u64,
        message: &str,
        flags: MailFlags,
        category: MailCategory,
        thread_id: &str,
        labels: &[String],
    ) {
        self.revision = revision;
        self.thread_id = thread_id.to_owned();
        self.flags = MAIL_FLAGS
            .iter()
            .filter(|(flag, _)| flags.contains(*flag))
            .map(|(_, name)| (*name).to_owned())
            .collect();
        self.category = name_of_category(category).to_owned();
        self.labels = labels.to_vec();
        self.file = maildir::file_name(message, flags);
    }

    /// In the place of a sidecar that cannot be read: older than every record, so that the
    /// next one sets all of it.
    pub(crate) fn unreadable(file: String) -> Self {
        Self {
            key: String::new(),
            revision: 0,
            content_revision: 0,
            thread_id: String::new(),
            flags: Vec::new(),
            category: String::new(),
            labels: Vec::new(),
            file,
        }
    }

    /// The bytes of the file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("texts and numbers are always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; none if it is not that. A file name that is not
    /// plain is refused: the file could have been changed by somebody.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let sidecar: Self = serde_json::from_slice(bytes).ok()?;
        let name = &sidecar.file;
        let is_plain =
            !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        is_plain.then_some(sidecar)
    }
}
