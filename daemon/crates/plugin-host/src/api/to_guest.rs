//! From our records to the contract's, borrowed, and cut to the content that the sink may see.
//! Strings are lent; lists live in an arena that goes with the call.

mod calendar;
mod drive;

use bumpalo::Bump;
use nuncio_model::{
    Attachment, BlobRef, Change, Content, DeleteCause, Deleted, Direction, Email, LabelChange,
    MailCategory, MailFlags, Origin, Participant, Payload, Record, Source, Who,
};
use wasmtime::component::Resource;

use super::v0::nuncio::sink::records as wit;
use crate::host::{Blob, State};

/// Lends blobs to the guest for the call.
pub(crate) struct Lender<'s> {
    pub(crate) state: &'s mut State,
    pub(crate) content: Content,
}

impl Lender<'_> {
    fn blob(
        &mut self,
        from: Content,
        blob: Option<&BlobRef>,
    ) -> wasmtime::Result<Option<Resource<Blob>>> {
        match blob {
            Some(blob) if self.content >= from => self.state.lend(blob).map(Some),
            _ => Ok(None),
        }
    }

    fn text<'a>(&self, from: Content, text: Option<&'a String>) -> Option<&'a str> {
        text.filter(|_| self.content >= from).map(String::as_str)
    }
}

/// One record for the guest.
pub(crate) fn record<'a>(
    arena: &'a Bump,
    record: &'a Record,
    lender: &mut Lender<'_>,
) -> wasmtime::Result<wit::Record<'a>> {
    Ok(wit::Record {
        key: record.key.as_str(),
        revision: record.revision.0,
        source_version: record.source_version,
        change: match record.change {
            Change::Created => wit::Change::Created,
            Change::Updated => wit::Change::Updated,
            Change::Labels => wit::Change::Labels,
            Change::Deleted => wit::Change::Deleted,
        },
        source: match record.source {
            Source::Gmail => wit::Source::Gmail,
            Source::Calendar => wit::Source::Calendar,
            Source::Drive => wit::Source::Drive,
        },
        origin: match record.origin {
            Origin::Backfill => wit::Origin::Backfill,
            Origin::Live => wit::Origin::Live,
            Origin::Resync => wit::Origin::Resync,
            Origin::Replay => wit::Origin::Replay,
        },
        lane: record.lane.0,
        user: &record.user,
        account: &record.account,
        collection: &record.collection,
        observed_at: record.observed_at,
        notes: (!record.notes.is_empty()).then(|| strings(arena, &record.notes)),
        extra: (!record.extra.is_empty()).then(|| pairs(arena, &record.extra)),
        payload: match &record.payload {
            Payload::Email(mail) => wit::Payload::Email(email(arena, mail, lender)?),
            Payload::Event(event) => {
                wit::Payload::Event(calendar::event(arena, event, lender.content))
            }
            Payload::File(file) => wit::Payload::File(drive::file(arena, file)),
            Payload::Labels(change) => wit::Payload::Labels(labels(arena, change)),
            Payload::Deleted(known) => wit::Payload::Deleted(deleted(known)),
        },
    })
}

fn email<'a>(
    arena: &'a Bump,
    mail: &'a Email,
    lender: &mut Lender<'_>,
) -> wasmtime::Result<wit::Email<'a>> {
    let attachments = arena.alloc_slice_try_fill_with(mail.attachments.len(), |n| {
        attachment(&mail.attachments[n], lender)
    })?;
    let headers = mail
        .headers
        .as_ref()
        .filter(|_| lender.content >= Content::Full);
    Ok(wit::Email {
        id: &mail.id,
        thread_id: &mail.thread_id,
        draft_id: mail.draft_id.as_deref(),
        message_id: &mail.message_id,
        message_key: &mail.message_key,
        flags: flags(mail.flags),
        category: category(mail.category),
        labels: strings(arena, &mail.labels),
        direction: match mail.direction {
            Direction::Inbound => wit::Direction::Inbound,
            Direction::Outbound => wit::Direction::Outbound,
            Direction::ToSelf => wit::Direction::ToSelf,
        },
        internal: mail.internal,
        from: mail.from.as_ref().map(participant),
        sender: mail.sender.as_ref().map(participant),
        reply_to: participants(arena, &mail.reply_to),
        to: participants(arena, &mail.to),
        cc: participants(arena, &mail.cc),
        bcc: participants(arena, &mail.bcc),
        subject: &mail.subject,
        snippet: &mail.snippet,
        date: mail.date,
        date_offset: mail.date_offset,
        internal_date: mail.internal_date,
        in_reply_to: mail.in_reply_to.as_deref(),
        references: strings(arena, &mail.references),
        list_id: mail.list_id.as_deref(),
        auto_submitted: mail.auto_submitted.as_deref(),
        has_invite: mail.has_invite,
        text: lender.text(Content::Text, mail.text.as_ref()),
        html: lender.text(Content::Html, mail.html.as_ref()),
        truncated: mail.truncated,
        attachments,
        size: mail.size,
        headers: headers.map(|headers| pairs(arena, headers)),
        raw: lender.blob(Content::Raw, mail.raw.as_ref())?,
    })
}

fn attachment<'a>(
    part: &'a Attachment,
    lender: &mut Lender<'_>,
) -> wasmtime::Result<wit::Attachment<'a>> {
    Ok(wit::Attachment {
        part_id: &part.part_id,
        filename: &part.filename,
        mime_type: &part.mime_type,
        size: part.size,
        content_id: part.content_id.as_deref(),
        inline: part.inline,
        content: lender.blob(Content::Full, part.content.as_ref())?,
    })
}

fn labels<'a>(arena: &'a Bump, change: &'a LabelChange) -> wit::LabelChange<'a> {
    wit::LabelChange {
        thread_id: &change.thread_id,
        flags: flags(change.flags),
        category: category(change.category),
        labels: strings(arena, &change.labels),
    }
}

fn deleted(known: &Deleted) -> wit::Deleted<'_> {
    wit::Deleted {
        cause: match known.cause {
            DeleteCause::Removed => wit::DeleteCause::Removed,
            DeleteCause::Cancelled => wit::DeleteCause::Cancelled,
            DeleteCause::OutOfScope => wit::DeleteCause::OutOfScope,
            DeleteCause::Forgotten => wit::DeleteCause::Forgotten,
            DeleteCause::Unknown => wit::DeleteCause::Unknown,
        },
        thread_id: known.thread_id.as_deref(),
        ical_uid: known.ical_uid.as_deref(),
        name: known.name.as_deref(),
    }
}

fn participants<'a>(arena: &'a Bump, people: &'a [Participant]) -> &'a [wit::Participant<'a>] {
    arena.alloc_slice_fill_iter(people.iter().map(participant))
}

fn participant(person: &Participant) -> wit::Participant<'_> {
    wit::Participant {
        name: person.name.as_deref(),
        address: &person.address,
        who: match &person.who {
            Who::External => wit::Who::External,
            Who::Internal => wit::Who::Internal,
            Who::User => wit::Who::User,
            Who::AliasOf(primary) => wit::Who::AliasOf(primary),
        },
    }
}

fn strings<'a>(arena: &'a Bump, texts: &'a [String]) -> &'a [&'a str] {
    arena.alloc_slice_fill_iter(texts.iter().map(String::as_str))
}

fn pairs<'a>(arena: &'a Bump, pairs: &'a [(String, String)]) -> &'a [(&'a str, &'a str)] {
    arena.alloc_slice_fill_iter(
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    )
}

fn flags(flags: MailFlags) -> wit::MailFlags {
    let known = [
        (MailFlags::UNREAD, wit::MailFlags::UNREAD),
        (MailFlags::STARRED, wit::MailFlags::STARRED),
        (MailFlags::IMPORTANT, wit::MailFlags::IMPORTANT),
        (MailFlags::INBOX, wit::MailFlags::INBOX),
        (MailFlags::SENT, wit::MailFlags::SENT),
        (MailFlags::DRAFT, wit::MailFlags::DRAFT),
        (MailFlags::SPAM, wit::MailFlags::SPAM),
        (MailFlags::TRASH, wit::MailFlags::TRASH),
    ];
    known
        .into_iter()
        .filter(|(ours, _)| flags.contains(*ours))
        .fold(wit::MailFlags::empty(), |set, (_, theirs)| set | theirs)
}

fn category(category: MailCategory) -> wit::MailCategory {
    match category {
        MailCategory::None => wit::MailCategory::None,
        MailCategory::Personal => wit::MailCategory::Personal,
        MailCategory::Social => wit::MailCategory::Social,
        MailCategory::Promotions => wit::MailCategory::Promotions,
        MailCategory::Updates => wit::MailCategory::Updates,
        MailCategory::Forums => wit::MailCategory::Forums,
        MailCategory::Other => wit::MailCategory::Other,
    }
}
