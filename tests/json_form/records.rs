//! Records of every kind for the comparison: any text, any number, each option set and unset.

use nuncio_model::{
    Attachment, BlobRef, Change, DeleteCause, Deleted, Direction, Email, FeedId, LabelChange,
    MailCategory, MailFlags, Origin, Participant, Payload, Record, RecordKey, Revision, Source,
    Who,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// All changes.
pub(crate) const CHANGES: [Change; 4] = [
    Change::Created,
    Change::Updated,
    Change::Labels,
    Change::Deleted,
];

/// Any text, often with what JSON escapes or a naive writer gets wrong: quotes, controls, the
/// line ends of JavaScript, bidi marks, the last code points of a plane.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        any::<String>(),
        "[\\x00-\\x24\\\\/\"<&\u{7f}-\u{a0}\u{ad}\u{2028}\u{2029}\u{202e}\u{feff}\u{fffd}-\u{ffff}\u{1f600}\u{10ffff}]{0,40}",
    ]
}

pub(crate) fn maybe() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

pub(crate) fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

pub(crate) fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((text(), text()), 0..3)
}

pub(crate) fn participant() -> impl Strategy<Value = Participant> {
    let who = prop_oneof![
        Just(Who::External),
        Just(Who::Internal),
        Just(Who::User),
        text().prop_map(Who::AliasOf),
    ];
    (maybe(), text(), who).prop_map(|(name, address, who)| Participant { name, address, who })
}

pub(crate) fn people() -> impl Strategy<Value = Vec<Participant>> {
    vec(participant(), 0..3)
}

fn flags() -> impl Strategy<Value = MailFlags> {
    subsequence(MailFlags::NAMED.to_vec(), 0..=MailFlags::NAMED.len()).prop_map(|flags| {
        flags
            .into_iter()
            .fold(MailFlags::default(), |set, (flag, _)| set.with(flag))
    })
}

fn category() -> impl Strategy<Value = MailCategory> {
    select(vec![
        MailCategory::None,
        MailCategory::Personal,
        MailCategory::Social,
        MailCategory::Promotions,
        MailCategory::Updates,
        MailCategory::Forums,
        MailCategory::Other,
    ])
}

fn blob() -> impl Strategy<Value = Option<BlobRef>> {
    option::of((text(), any::<u64>()).prop_map(|(sha256, size)| BlobRef { sha256, size }))
}

fn attachment() -> impl Strategy<Value = Attachment> {
    (
        (text(), text(), text(), any::<u64>()),
        (maybe(), any::<bool>(), blob()),
    )
        .prop_map(
            |((part_id, filename, mime_type, size), (content_id, inline, content))| Attachment {
                part_id,
                filename,
                mime_type,
                size,
                content_id,
                inline,
                content,
            },
        )
}

fn email() -> impl Strategy<Value = Email> {
    let direction = select(vec![
        Direction::Inbound,
        Direction::Outbound,
        Direction::ToSelf,
    ]);
    let ids = (text(), text(), maybe(), text(), text());
    let labels = (flags(), category(), texts(), direction, any::<bool>());
    let persons = (
        option::of(participant()),
        option::of(participant()),
        (people(), people(), people(), people()),
    );
    let times = (option::of(any::<i64>()), any::<i16>(), any::<i64>());
    let thread = (maybe(), texts(), maybe(), maybe());
    let bodies = (text(), text(), maybe(), maybe());
    let rest = (
        any::<[bool; 2]>(),
        vec(attachment(), 0..3),
        any::<u64>(),
        option::of(pairs()),
        blob(),
    );
    (ids, labels, persons, times, thread, bodies, rest).prop_map(
        |(ids, labels, persons, times, thread, bodies, rest)| {
            let (from, sender, (reply_to, to, cc, bcc)) = persons;
            let ([has_invite, truncated], attachments, size, headers, raw) = rest;
            Email {
                id: ids.0,
                thread_id: ids.1,
                draft_id: ids.2,
                message_id: ids.3,
                message_key: ids.4,
                flags: labels.0,
                category: labels.1,
                labels: labels.2,
                direction: labels.3,
                internal: labels.4,
                from,
                sender,
                reply_to,
                to,
                cc,
                bcc,
                subject: bodies.0,
                snippet: bodies.1,
                date: times.0,
                date_offset: times.1,
                internal_date: times.2,
                in_reply_to: thread.0,
                references: thread.1,
                list_id: thread.2,
                auto_submitted: thread.3,
                has_invite,
                text: bodies.2,
                html: bodies.3,
                truncated,
                attachments,
                size,
                headers,
                raw,
            }
        },
    )
}

fn deleted() -> impl Strategy<Value = Deleted> {
    let cause = select(vec![
        DeleteCause::Removed,
        DeleteCause::Cancelled,
        DeleteCause::OutOfScope,
        DeleteCause::Forgotten,
        DeleteCause::Unknown,
    ]);
    (cause, maybe(), maybe(), maybe()).prop_map(|(cause, thread_id, ical_uid, name)| Deleted {
        cause,
        thread_id,
        ical_uid,
        name,
    })
}

fn label_change() -> impl Strategy<Value = LabelChange> {
    (text(), flags(), category(), texts()).prop_map(|(thread_id, flags, category, labels)| {
        LabelChange {
            thread_id,
            flags,
            category,
            labels,
        }
    })
}

/// Any record.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let payload = prop_oneof![
        3 => email().prop_map(|email| Payload::Email(Box::new(email))),
        2 => super::event::event().prop_map(|event| Payload::Event(Box::new(event))),
        2 => super::file::file().prop_map(|file| Payload::File(Box::new(file))),
        1 => label_change().prop_map(Payload::Labels),
        1 => deleted().prop_map(Payload::Deleted),
    ];
    let origin = select(vec![
        Origin::Backfill,
        Origin::Live,
        Origin::Resync,
        Origin::Replay,
    ]);
    let source = select(vec![Source::Gmail, Source::Calendar, Source::Drive]);
    let what = (select(CHANGES.to_vec()), source, origin);
    let numbers = (any::<[u64; 3]>(), any::<i64>());
    let words = (text(), text(), text(), text(), texts(), pairs());
    (what, numbers, words, payload).prop_map(
        |(
            (change, source, origin),
            ([revision, source_version, lane], observed_at),
            words,
            payload,
        )| {
            let (key, user, account, collection, notes, extra) = words;
            Record {
                key: RecordKey::new(key),
                revision: Revision(revision),
                source_version,
                change,
                source,
                origin,
                lane: FeedId(lane),
                user,
                account,
                collection,
                observed_at,
                notes,
                extra,
                payload,
            }
        },
    )
}
