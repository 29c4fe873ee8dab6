//! Turns what Google says of messages into the steps of an append: index rows and records.

use super::fold::Scope;
use super::normalize;
use crate::Identity;
use nuncio_google::{FullMessage, RawMessage};
use nuncio_model::{
    AccountKey, Address, Change, Clock, Content, DeleteCause, Deleted, FeedId, IndexRow, ItemId,
    LabelNames, LabelSet, Op, Origin, Payload, People, Record, RecordKey, Revision, Source,
    ThreadId,
};
use std::sync::Arc;

/// Writes the records of one mailbox.
#[derive(Clone)]
pub(crate) struct Scribe {
    /// The feed.
    pub feed: FeedId,
    /// The account's frozen key.
    pub account: AccountKey,
    /// The mailbox's primary address.
    pub address: String,
    /// The user in the config.
    pub user: Address,
    /// Who is who.
    pub identity: Arc<Identity>,
    /// Names of the mailbox's own labels.
    pub label_names: Arc<LabelNames>,
    /// The most that any sink wants.
    pub content: Content,
    /// Which messages belong.
    pub scope: Scope,
    /// Milliseconds since 1970; older messages do not belong.
    pub floor: Option<i64>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What becomes of a message that is there in parts.
pub(crate) enum OfParts {
    /// Its full state.
    State(Op),
    /// It does not belong to the feed.
    NotCovered,
    /// Its bytes are needed.
    Doubtful,
}

impl Scribe {
    /// Whether what is of that age belongs to the feed.
    fn is_young(&self, internal_date: i64) -> bool {
        self.floor.is_none_or(|floor| internal_date >= floor)
    }

    /// Whether a message of that age with these labels belongs to the feed.
    fn is_covered(&self, labels: &LabelSet, internal_date: i64) -> bool {
        self.scope.covers(labels) && self.is_young(internal_date)
    }

    /// Whether parts are enough to make a record of.
    pub(crate) fn takes_parts(&self) -> bool {
        self.content < Content::Full
    }

    /// The full state of `item`, a message or a draft with `message` behind it; `None` if it does
    /// not belong to the feed.
    pub(crate) fn upsert(&self, item: &ItemId, message: &RawMessage, origin: Origin) -> Option<Op> {
        let labels: LabelSet = message.label_ids.iter().collect();
        let draft = item.draft_id();
        let is_covered = match draft {
            Some(_) => self.scope.covers_draft(&labels) && self.is_young(message.internal_date),
            None => self.is_covered(&labels, message.internal_date),
        };
        if !is_covered {
            return None;
        }
        let raw = normalize::Raw {
            id: message.id.as_str(),
            thread_id: message.thread_id.as_str(),
            snippet: &message.snippet,
            internal_date: message.internal_date,
            labels: &labels,
            bytes: &message.raw,
        };
        let mut normalized = normalize::email(&raw, &self.context(&self.identity.people()));
        normalized.email.draft_id = draft.map(str::to_owned);
        let row = IndexRow {
            item: item.clone(),
            order: message.history_id,
            hash: match draft {
                Some(_) => normalize::draft_hash(&message.id, &labels),
                None => normalize::label_hash(&labels),
            },
            labels,
            thread: message.thread_id.clone(),
            generation: 0,
        };
        Some(self.state(row, normalized, origin))
    }

    /// The same of a message in parts.
    pub(crate) fn upsert_parts(&self, message: &FullMessage, origin: Origin) -> OfParts {
        let labels: LabelSet = message.label_ids.iter().collect();
        if !self.is_covered(&labels, message.internal_date) {
            return OfParts::NotCovered;
        }
        let parts = normalize::Parts {
            id: message.id.as_str(),
            thread_id: message.thread_id.as_str(),
            snippet: &message.snippet,
            internal_date: message.internal_date,
            labels: &labels,
            size: message.size_estimate,
            payload: &message.payload,
        };
        let Some(normalized) =
            normalize::email_of_parts(&parts, &self.context(&self.identity.people()))
        else {
            return OfParts::Doubtful;
        };
        let row = IndexRow {
            item: message.id.clone(),
            order: message.history_id,
            hash: normalize::label_hash(&labels),
            labels,
            thread: message.thread_id.clone(),
            generation: 0,
        };
        OfParts::State(self.state(row, normalized, origin))
    }

    fn context<'a>(&'a self, people: &'a People) -> normalize::Context<'a> {
        normalize::Context {
            people,
            user: &self.user,
            account: &self.account,
            label_names: &self.label_names,
            content: self.content,
        }
    }

    fn state(&self, row: IndexRow, normalized: normalize::Normalized, origin: Origin) -> Op {
        let email = Payload::Email(Box::new(normalized.email));
        let mut record = self.record(&row.item, row.order, origin, Change::Created, email);
        record.notes = normalized.notes;
        record.extra = normalized.extra;
        Op::Upsert {
            row,
            record: Box::new(record),
            blobs: normalized.blobs,
        }
    }

    /// New labels of a known message.
    pub(crate) fn relabel(
        &self,
        row: &IndexRow,
        order: u64,
        labels: LabelSet,
        origin: Origin,
    ) -> Op {
        let change = normalize::label_change(&row.thread, &labels, &self.label_names);
        Op::Labels {
            item: row.item.clone(),
            order,
            hash: normalize::label_hash(&labels),
            labels,
            record: Box::new(self.record(
                &row.item,
                order,
                origin,
                Change::Labels,
                Payload::Labels(change),
            )),
        }
    }

    /// A known message or draft is gone.
    pub(crate) fn delete(
        &self,
        item: &ItemId,
        thread: &ThreadId,
        order: u64,
        cause: DeleteCause,
        origin: Origin,
    ) -> Op {
        let deleted = Deleted {
            cause,
            thread_id: Some(thread.as_str().to_owned()),
            ical_uid: None,
            name: None,
        };
        Op::Delete {
            item: item.clone(),
            order,
            record: Box::new(self.record(
                item,
                order,
                origin,
                Change::Deleted,
                Payload::Deleted(deleted),
            )),
        }
    }

    fn record(
        &self,
        item: &ItemId,
        order: u64,
        origin: Origin,
        change: Change,
        payload: Payload,
    ) -> Record {
        Record {
            key: match item.draft_id() {
                Some(draft) => RecordKey::gmail_draft(&self.account, draft),
                None => RecordKey::gmail_message(&self.account, item),
            },
            revision: Revision::default(),
            source_version: order,
            change,
            source: Source::Gmail,
            origin,
            lane: self.feed,
            user: self.user.as_str().to_owned(),
            account: self.address.clone(),
            collection: String::new(),
            observed_at: self.clock.now_ms(),
            notes: Vec::new(),
            extra: Vec::new(),
            payload,
        }
    }
}
