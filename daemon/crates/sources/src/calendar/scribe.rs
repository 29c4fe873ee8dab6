//! Turns what Google says of events into the steps of an append: index rows and records.

use super::normalize;
use crate::Identity;
use crate::desk::next_try;
use nuncio_google::{BadItem, RawEvent};
use nuncio_model::{
    AccountKey, Change, Clock, Content, DeleteCause, Deleted, Failure, FeedId, IndexRow, ItemId,
    LabelSet, Op, Origin, Payload, Record, RecordKey, Revision, Source, ThreadId,
};
use std::sync::Arc;

/// An event that cannot be read.
const UNREADABLE: &str = "SRC006";

/// How an answer of Google's stands to what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// The present state: it was asked for after all that is known.
    Present,
    /// A page of a long listing, which may show the state of the listing's beginning.
    Listing,
}

/// Writes the records of one calendar.
#[derive(Clone)]
pub(super) struct Scribe {
    /// The feed.
    pub feed: FeedId,
    /// The account's frozen key; means nothing in a feed of the domain.
    pub account: AccountKey,
    /// The account's primary address; empty in a feed of the domain.
    pub address: String,
    /// The user in the config; empty in a feed of the domain.
    pub user: String,
    /// `primary` or the calendar's id.
    pub collection: String,
    /// The calendar's title.
    pub name: String,
    /// Who is who.
    pub identity: Arc<Identity>,
    /// The most that any sink wants.
    pub content: Content,
    /// Milliseconds since 1970; none: all.
    pub floor: Option<i64>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Scribe {
    /// The event's full state, or a failed item if it has none.
    ///
    /// Its order is `updated`. Google may leave that out and does not raise it at every change,
    /// so the present state is never older than what is known; and what comes back without it
    /// (a hole in a series that was gone) is taken as of now, or its own deletion would be newer.
    pub(super) fn write(
        &self,
        item: &ItemId,
        raw: &RawEvent,
        row: Option<&IndexRow>,
        sight: Sight,
        origin: Origin,
    ) -> Op {
        let context = normalize::Context {
            people: &self.identity.people(),
            calendar_name: &self.name,
            content: self.content,
        };
        let normalized = match normalize::event(raw, &context) {
            Ok(normalized) => normalized,
            Err(what) => return self.fail(item, what.to_owned()),
        };
        let known = row.map_or(0, |row| row.order);
        let updated = normalize::updated(raw);
        let order = match sight {
            Sight::Present => match row {
                Some(_) => updated.unwrap_or(0).max(known),
                None => updated.unwrap_or_else(|| self.now()),
            },
            Sight::Listing => updated.unwrap_or(known),
        };
        let event = normalized.event;
        let hash = normalize::hash(&event);
        let change = Change::Created;
        let payload = Payload::Event(Box::new(event));
        let mut record = self.record(item, updated, origin, change, payload);
        record.notes = normalized.notes;
        Op::Upsert {
            row: IndexRow {
                item: item.clone(),
                order,
                hash,
                labels: LabelSet::default(),
                thread: ThreadId::new(series(item, raw)),
                generation: 0,
            },
            record: Box::new(record),
            blobs: Vec::new(),
        }
    }

    /// A known event is gone. Its order is the last that is known, so that any state of it that
    /// comes later is newer.
    pub(super) fn delete(
        &self,
        row: &IndexRow,
        raw: Option<&RawEvent>,
        cause: DeleteCause,
        origin: Origin,
    ) -> Op {
        let updated = raw.and_then(normalize::updated);
        let order = updated.unwrap_or(0).max(row.order);
        let deleted = Deleted {
            cause,
            thread_id: None,
            ical_uid: raw.and_then(|raw| raw.ical_uid.clone()),
            name: None,
        };
        let change = Change::Deleted;
        let payload = Payload::Deleted(deleted);
        Op::Delete {
            item: row.item.clone(),
            order,
            record: Box::new(self.record(&row.item, updated, origin, change, payload)),
        }
    }

    /// An event of a page that could not be read; `None` if not even its id could be.
    pub(super) fn bad(&self, bad: BadItem) -> Option<Op> {
        let item = bad.id.filter(|id| !id.as_str().is_empty())?;
        Some(self.fail(&item, bad.reason))
    }

    fn fail(&self, item: &ItemId, message: String) -> Op {
        Op::Fail(Failure {
            item: item.clone(),
            code: UNREADABLE.to_owned(),
            message,
            next_try: next_try(self.clock.now_ms(), 0),
        })
    }

    /// Milliseconds since 1970.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0)
    }

    fn record(
        &self,
        item: &ItemId,
        updated: Option<u64>,
        origin: Origin,
        change: Change,
        payload: Payload,
    ) -> Record {
        Record {
            key: RecordKey::calendar_event(&self.account, &self.collection, item),
            revision: Revision::default(),
            source_version: updated.unwrap_or(0),
            change,
            source: Source::Calendar,
            origin,
            lane: self.feed,
            user: self.user.clone(),
            account: self.address.clone(),
            collection: self.collection.clone(),
            observed_at: self.clock.now_ms(),
            notes: Vec::new(),
            extra: Vec::new(),
            payload,
        }
    }
}

/// The series that an event belongs to, for the index: its master, or itself where it is one;
/// empty for a single event.
fn series<'a>(item: &'a ItemId, raw: &'a RawEvent) -> &'a str {
    match raw.master() {
        Some(master) => master,
        None if raw
            .recurrence
            .as_ref()
            .is_some_and(|rules| !rules.is_empty()) =>
        {
            item.as_str()
        }
        None => "",
    }
}
