//! The daemon's record as a guest gets it: what the plugin host lends, owned. Bytes are left out,
//! for a handle to them exists in a guest only. A new field, kind or name does not compile here
//! until it is added, and then the comparison covers it.

use nuncio_model as model;
use nuncio_sdk as guest;

/// The record on the guest's side.
pub(crate) fn record(record: &model::Record) -> guest::Record {
    let model::Record {
        key,
        revision,
        source_version,
        change,
        source,
        origin,
        lane,
        user,
        account,
        collection,
        observed_at,
        notes,
        extra,
        payload,
    } = record.clone();
    guest::Record {
        key: key.as_str().to_owned(),
        revision: revision.0,
        source_version,
        change: match change {
            model::Change::Created => guest::Change::Created,
            model::Change::Updated => guest::Change::Updated,
            model::Change::Labels => guest::Change::Labels,
            model::Change::Deleted => guest::Change::Deleted,
        },
        source: match source {
            model::Source::Gmail => guest::Source::Gmail,
            model::Source::Calendar => guest::Source::Calendar,
            model::Source::Drive => guest::Source::Drive,
        },
        origin: match origin {
            model::Origin::Backfill => guest::Origin::Backfill,
            model::Origin::Live => guest::Origin::Live,
            model::Origin::Resync => guest::Origin::Resync,
            model::Origin::Replay => guest::Origin::Replay,
        },
        lane: lane.0,
        user,
        account,
        collection,
        observed_at,
        notes: (!notes.is_empty()).then_some(notes),
        extra: (!extra.is_empty()).then_some(extra),
        payload: match payload {
            model::Payload::Email(mail) => guest::Payload::Email(email(*mail)),
            model::Payload::Event(event) => guest::Payload::Event(super::event::guests(*event)),
            model::Payload::File(file) => guest::Payload::File(super::file::guests(*file)),
            model::Payload::Labels(change) => guest::Payload::Labels(labels(change)),
            model::Payload::Deleted(known) => guest::Payload::Deleted(deleted(known)),
        },
    }
}

fn email(mail: model::Email) -> guest::Email {
    let model::Email {
        id,
        thread_id,
        draft_id,
        message_id,
        message_key,
        flags,
        category,
        labels,
        direction,
        internal,
        from,
        sender,
        reply_to,
        to,
        cc,
        bcc,
        subject,
        snippet,
        date,
        date_offset,
        internal_date,
        in_reply_to,
        references,
        list_id,
        auto_submitted,
        has_invite,
        text,
        html,
        truncated,
        attachments,
        size,
        headers,
        raw: _,
    } = mail;
    guest::Email {
        id,
        thread_id,
        draft_id,
        message_id,
        message_key,
        flags: mail_flags(flags),
        category: mail_category(category),
        labels,
        direction: match direction {
            model::Direction::Inbound => guest::Direction::Inbound,
            model::Direction::Outbound => guest::Direction::Outbound,
            model::Direction::ToSelf => guest::Direction::ToSelf,
        },
        internal,
        from: from.map(participant),
        sender: sender.map(participant),
        reply_to: participants(reply_to),
        to: participants(to),
        cc: participants(cc),
        bcc: participants(bcc),
        subject,
        snippet,
        date,
        date_offset,
        internal_date,
        in_reply_to,
        references,
        list_id,
        auto_submitted,
        has_invite,
        text,
        html,
        truncated,
        attachments: attachments.into_iter().map(attachment).collect(),
        size,
        headers,
        raw: None,
    }
}

fn attachment(part: model::Attachment) -> guest::Attachment {
    let model::Attachment {
        part_id,
        filename,
        mime_type,
        size,
        content_id,
        inline,
        content: _,
    } = part;
    guest::Attachment {
        part_id,
        filename,
        mime_type,
        size,
        content_id,
        inline,
        content: None,
    }
}

fn labels(change: model::LabelChange) -> guest::LabelChange {
    let model::LabelChange {
        thread_id,
        flags,
        category,
        labels,
    } = change;
    guest::LabelChange {
        thread_id,
        flags: mail_flags(flags),
        category: mail_category(category),
        labels,
    }
}

fn deleted(known: model::Deleted) -> guest::Deleted {
    let model::Deleted {
        cause,
        thread_id,
        ical_uid,
        name,
    } = known;
    guest::Deleted {
        cause: match cause {
            model::DeleteCause::Removed => guest::DeleteCause::Removed,
            model::DeleteCause::Cancelled => guest::DeleteCause::Cancelled,
            model::DeleteCause::OutOfScope => guest::DeleteCause::OutOfScope,
            model::DeleteCause::Forgotten => guest::DeleteCause::Forgotten,
            model::DeleteCause::Unknown => guest::DeleteCause::Unknown,
        },
        thread_id,
        ical_uid,
        name,
    }
}

pub(crate) fn participants(people: Vec<model::Participant>) -> Vec<guest::Participant> {
    people.into_iter().map(participant).collect()
}

pub(crate) fn participant(person: model::Participant) -> guest::Participant {
    let model::Participant { name, address, who } = person;
    guest::Participant {
        name,
        address,
        who: match who {
            model::Who::External => guest::Who::External,
            model::Who::Internal => guest::Who::Internal,
            model::Who::User => guest::Who::User,
            model::Who::AliasOf(primary) => guest::Who::AliasOf(primary),
        },
    }
}

/// By position, not by name: the names are what is compared.
pub(crate) fn flag_set<M: Copy, G>(flags: M, pairs: &[(M, G)], contains: impl Fn(M, M) -> bool) -> G
where
    G: Copy + FromIterator<G>,
{
    pairs
        .iter()
        .filter(|(ours, _)| contains(flags, *ours))
        .map(|(_, theirs)| *theirs)
        .collect()
}

fn mail_flags(flags: model::MailFlags) -> guest::MailFlags {
    use guest::MailFlags as Flag;
    let pairs = [
        (model::MailFlags::UNREAD, Flag::UNREAD),
        (model::MailFlags::STARRED, Flag::STARRED),
        (model::MailFlags::IMPORTANT, Flag::IMPORTANT),
        (model::MailFlags::INBOX, Flag::INBOX),
        (model::MailFlags::SENT, Flag::SENT),
        (model::MailFlags::DRAFT, Flag::DRAFT),
        (model::MailFlags::SPAM, Flag::SPAM),
        (model::MailFlags::TRASH, Flag::TRASH),
    ];
    flag_set(flags, &pairs, model::MailFlags::contains)
}

fn mail_category(category: model::MailCategory) -> guest::MailCategory {
    match category {
        model::MailCategory::None => guest::MailCategory::None,
        model::MailCategory::Personal => guest::MailCategory::Personal,
        model::MailCategory::Social => guest::MailCategory::Social,
        model::MailCategory::Promotions => guest::MailCategory::Promotions,
        model::MailCategory::Updates => guest::MailCategory::Updates,
        model::MailCategory::Forums => guest::MailCategory::Forums,
        model::MailCategory::Other => guest::MailCategory::Other,
    }
}
