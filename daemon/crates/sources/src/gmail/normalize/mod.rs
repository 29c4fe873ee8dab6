//! From a message's bytes (`format=raw`) to the `email` record. Whatever the bytes are, there is a
//! record; what was cut or could not be decoded stands in its notes. From Gmail's parts
//! (`format=full`) to the same record, or to none where they leave a doubt. Which messages are
//! read, and what becomes of the record, is not here.
//!
//! The way: `tree` splits the message into parts, or `full` takes Gmail's; `header` and `content` read their headers
//! with mail-parser, `transfer` and `charset` turn parts into text, `bodies` decides what is
//! text and what is attached, `participants` and `identity` say who and which.

mod bodies;
mod charset;
mod content;
mod entities;
mod full;
mod header;
mod html;
mod identity;
mod labels;
mod limits;
pub(crate) mod notes;
mod participants;
mod tags;
mod transfer;
mod tree;
mod words;

#[cfg(test)]
mod tests;

pub use labels::{draft_hash, label_change, label_hash};

use bodies::Bodies;
use notes::Notes;
use nuncio_google::MessagePart;
use nuncio_model::{
    AccountKey, Address, Blob, Content, Direction, Email, LabelNames, LabelSet, People,
};
use participants::Participants;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tree::Tree;

/// A message as Gmail gives it
/// (<https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages>).
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// Gmail's message id.
    pub id: &'a str,
    /// Gmail's thread id.
    pub thread_id: &'a str,
    /// The preview, with HTML entities.
    pub snippet: &'a str,
    /// When Google took the message in, in milliseconds since 1970.
    pub internal_date: i64,
    /// Ids of its labels.
    pub labels: &'a LabelSet,
    /// The message (RFC 5322), after base64url.
    pub bytes: &'a [u8],
}

/// A message as Gmail takes it apart, for a context of less than [`Content::Full`].
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Gmail's message id.
    pub id: &'a str,
    /// Gmail's thread id.
    pub thread_id: &'a str,
    /// The preview, with HTML entities.
    pub snippet: &'a str,
    /// When Google took the message in, in milliseconds since 1970.
    pub internal_date: i64,
    /// Ids of its labels.
    pub labels: &'a LabelSet,
    /// Bytes that the message has by Gmail's estimate.
    pub size: u64,
    /// The message.
    pub payload: &'a MessagePart,
}

/// What Gmail says of a message beside its content.
#[derive(Debug, Clone, Copy)]
struct Envelope<'a> {
    id: &'a str,
    thread_id: &'a str,
    snippet: &'a str,
    internal_date: i64,
    labels: &'a LabelSet,
    size: u64,
}

impl<'a> From<&Raw<'a>> for Envelope<'a> {
    fn from(raw: &Raw<'a>) -> Self {
        Self {
            id: raw.id,
            thread_id: raw.thread_id,
            snippet: raw.snippet,
            internal_date: raw.internal_date,
            labels: raw.labels,
            size: raw.bytes.len() as u64,
        }
    }
}

impl<'a> From<&Parts<'a>> for Envelope<'a> {
    fn from(parts: &Parts<'a>) -> Self {
        Self {
            id: parts.id,
            thread_id: parts.thread_id,
            snippet: parts.snippet,
            internal_date: parts.internal_date,
            labels: parts.labels,
            size: parts.size,
        }
    }
}

/// What a message is seen from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Users and their aliases.
    pub people: &'a People,
    /// The primary address of the account's user.
    pub user: &'a Address,
    /// The account's frozen key.
    pub account: &'a AccountKey,
    /// Names of the mailbox's labels.
    pub label_names: &'a LabelNames,
    /// The most that any sink wants; what is above it is not made.
    pub content: Content,
}

/// A record's content, and what comes with it.
#[derive(Debug)]
pub struct Normalized {
    /// The message.
    pub email: Email,
    /// What was cut or could not be decoded; no content.
    pub notes: Vec<String>,
    /// Named values that have no field: `email.from.more`.
    pub extra: Vec<(String, String)>,
    /// The bytes that the record refers to; each once.
    pub blobs: Vec<Blob>,
}

/// Makes the record. It never fails and never panics: a message that breaks the parser gives a
/// record of what Gmail says of it, with a note.
///
/// Time and memory are linear in the size of the message; the bounds are those of the design.
pub fn email(raw: &Raw<'_>, context: &Context<'_>) -> Normalized {
    catch_unwind(AssertUnwindSafe(|| parsed(raw, context)))
        .unwrap_or_else(|_| unparsed(raw, context))
}

/// Makes the record that [`email`] would make of the message's bytes, but for the size, which is
/// Gmail's estimate. None where the parts leave a doubt of that: then the bytes are to be read.
/// It never panics.
pub fn email_of_parts(parts: &Parts<'_>, context: &Context<'_>) -> Option<Normalized> {
    catch_unwind(AssertUnwindSafe(|| {
        // Above this, bytes are wanted that are not here.
        if context.content >= Content::Full {
            return None;
        }
        let mut notes = Notes::default();
        let tree = full::tree(parts.payload, &mut notes)?;
        let record = record(&parts.into(), &tree, None, context, notes);
        full::is_sure(&record).then_some(record)
    }))
    .unwrap_or(None)
}

fn parsed(raw: &Raw<'_>, context: &Context<'_>) -> Normalized {
    let mut notes = Notes::default();
    let bytes = with_line_feeds(raw.bytes, &mut notes);
    let tree = tree::split(&bytes, &mut notes);
    record(&raw.into(), &tree, Some(raw.bytes), context, notes)
}

/// The record of a message in parts; `bytes` are the message as a whole, where they are here.
fn record(
    envelope: &Envelope<'_>,
    tree: &Tree<'_>,
    bytes: Option<&[u8]>,
    context: &Context<'_>,
    mut notes: Notes,
) -> Normalized {
    let headers = &tree.headers;
    let participants = Participants::read(headers, context, &mut notes);
    let mut bodies = Bodies::read(&tree.leaves, context.content, &mut notes);

    let date = headers.date("date");
    if date.is_none() {
        notes.add(match headers.raw("date") {
            Some(_) => "Date is not a date",
            None => "Date is missing",
        });
    }
    if participants.from.is_none() {
        notes.add("From is missing");
    }
    let subject = headers.text("subject").unwrap_or_default();
    if subject.contains('\u{fffd}') {
        notes.add("some of Subject could not be decoded");
    }
    let message_id = identity::message_id(headers);
    let from = participants
        .from
        .as_ref()
        .map_or("", |from| from.address.as_str());
    let message_key = identity::message_key(envelope, context, headers, &message_id, from);
    let extra = participants
        .more_from_text()
        .map(|more| ("email.from.more".to_owned(), more));
    let raw_blob = bytes
        .filter(|_| context.content >= Content::Raw)
        .map(|bytes| bodies.keep(Cow::Borrowed(bytes)));

    let email = Email {
        message_id,
        message_key,
        direction: participants.direction(context, envelope.labels),
        internal: participants.is_internal(),
        from: participants.from,
        sender: participants.sender,
        reply_to: participants.reply_to,
        to: participants.to,
        cc: participants.cc,
        bcc: participants.bcc,
        subject,
        date: date.as_ref().map(|date| date.to_timestamp() * 1_000),
        date_offset: date.as_ref().map_or(0, offset_minutes),
        in_reply_to: headers.ids("in-reply-to").into_iter().next(),
        references: identity::references(headers),
        list_id: identity::list_id(headers),
        auto_submitted: identity::auto_submitted(headers),
        has_invite: bodies.has_invite,
        text: bodies.text,
        html: bodies.html,
        truncated: bodies.truncated,
        attachments: bodies.attachments,
        headers: (context.content >= Content::Full).then(|| headers.decoded()),
        raw: raw_blob,
        ..bare(envelope, context)
    };
    Normalized {
        email,
        notes: notes.into_vec(),
        extra: extra.into_iter().collect(),
        blobs: bodies.blobs,
    }
}

fn unparsed(raw: &Raw<'_>, context: &Context<'_>) -> Normalized {
    let mut bodies = Bodies::default();
    let mut email = bare(&raw.into(), context);
    if context.content >= Content::Raw {
        email.raw = Some(bodies.keep(Cow::Borrowed(raw.bytes)));
    }
    let notes = vec!["the message could not be parsed at all".to_owned()];
    Normalized {
        email,
        notes,
        extra: Vec::new(),
        blobs: bodies.blobs,
    }
}

/// A record of what Gmail says without a look at the message.
fn bare(envelope: &Envelope<'_>, context: &Context<'_>) -> Email {
    let nothing = header::Headers::parse(b"", &mut Notes::default());
    let when = |rung: Content| (context.content >= rung).then(String::new);
    Email {
        id: envelope.id.to_owned(),
        thread_id: envelope.thread_id.to_owned(),
        draft_id: None,
        message_id: String::new(),
        message_key: identity::message_key(envelope, context, &nothing, "", ""),
        flags: envelope.labels.flags(),
        category: envelope.labels.category(),
        labels: envelope.labels.own_names(context.label_names),
        direction: Direction::Inbound,
        internal: false,
        from: None,
        sender: None,
        reply_to: Vec::new(),
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: String::new(),
        snippet: entities::decode(envelope.snippet),
        date: None,
        date_offset: 0,
        internal_date: envelope.internal_date,
        in_reply_to: None,
        references: Vec::new(),
        list_id: None,
        auto_submitted: None,
        has_invite: false,
        text: when(Content::Text),
        html: when(Content::Html),
        truncated: false,
        attachments: Vec::new(),
        size: envelope.size,
        headers: None,
        raw: None,
    }
}

/// A message whose lines end with a bare carriage return has no lines for anybody else.
fn with_line_feeds<'a>(bytes: &'a [u8], notes: &mut Notes) -> Cow<'a, [u8]> {
    if bytes.contains(&b'\n') || !bytes.contains(&b'\r') {
        return Cow::Borrowed(bytes);
    }
    notes.add("lines end with a bare carriage return");
    Cow::Owned(
        bytes
            .iter()
            .map(|&byte| if byte == b'\r' { b'\n' } else { byte })
            .collect(),
    )
}

/// Minutes east of UTC.
fn offset_minutes(date: &mail_parser::DateTime) -> i16 {
    let minutes = i16::from(date.tz_hour) * 60 + i16::from(date.tz_minute);
    if date.tz_before_gmt {
        -minutes
    } else {
        minutes
    }
}
