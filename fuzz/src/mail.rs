//! The bytes of a mail give a record within its bounds, the same each time, and what a sink is
//! not shown changes nothing of the rest.

use crate::mailbox::Mailbox;
use nuncio_model::{BlobRef, Content, Email};
use nuncio_sources::gmail::normalize::{self, Normalized, Raw};

/// The bounds of a record, as in the design; a few bytes more than the product's own.
const MAX_TEXT_BYTES: usize = 1 << 20;
const MAX_HTML_BYTES: usize = 4 << 20;
const MAX_PARTS: usize = 10_000;
const MAX_REFERENCES: usize = 50;
const MAX_NOTES: usize = 33;

/// Checks one mail.
pub fn check(bytes: &[u8]) {
    let mailbox = Mailbox::new();
    let whole = record(&mailbox, bytes, Content::Raw);
    within_bounds(&whole, bytes);
    // Each rung in turn, by the length, so that all are tried.
    let lower = Content::ALL[bytes.len() % Content::ALL.len()];
    let less = record(&mailbox, bytes, lower);
    within_bounds(&less, bytes);
    assert_eq!(
        head(&whole.email),
        head(&less.email),
        "{lower:?} changes the head"
    );
    if lower >= Content::Text {
        assert_eq!(whole.email.text, less.email.text);
    }
    if lower == Content::Raw {
        assert_eq!(whole.email, less.email);
        assert_eq!(whole.notes, less.notes);
    }
}

/// The record of these bytes. A panic inside ends the run: libFuzzer's hook sees it before it is
/// caught.
pub(crate) fn record(mailbox: &Mailbox, bytes: &[u8], content: Content) -> Normalized {
    let raw = Raw {
        id: "m1",
        thread_id: "t1",
        snippet: "a &amp; b",
        internal_date: 7,
        labels: &mailbox.labels,
        bytes,
    };
    normalize::email(&raw, &mailbox.context(content))
}

/// What the header of a mail alone decides, without its size.
pub(crate) fn head(email: &Email) -> Email {
    Email {
        has_invite: false,
        text: None,
        html: None,
        truncated: false,
        attachments: Vec::new(),
        size: 0,
        headers: None,
        raw: None,
        ..email.clone()
    }
}

fn within_bounds(record: &Normalized, bytes: &[u8]) {
    let email = &record.email;
    let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    assert!(len(&email.text) <= MAX_TEXT_BYTES && len(&email.html) <= MAX_HTML_BYTES);
    // No charset makes more than three bytes of one, and the parts are joined by line ends.
    assert!(len(&email.html) <= bytes.len() * 3 + MAX_PARTS);
    assert!(email.references.len() <= MAX_REFERENCES && email.attachments.len() <= MAX_PARTS);
    assert!(record.notes.len() <= MAX_NOTES);
    assert!(email.subject.len() <= bytes.len() * 3);
    assert_eq!(email.size, bytes.len() as u64);
    let n_attached: u64 = email.attachments.iter().map(|file| file.size).sum();
    assert!(
        n_attached <= bytes.len() as u64,
        "attachments larger than the mail"
    );
    let is_kept = |blob: &BlobRef| {
        let kept = record.blobs.iter().find(|kept| kept.sha256 == blob.sha256);
        kept.is_some_and(|kept| kept.bytes.len() as u64 == blob.size)
    };
    let contents = email
        .attachments
        .iter()
        .filter_map(|file| file.content.as_ref());
    assert!(contents.chain(&email.raw).all(is_kept));
}
