//! A feed's stored state and the one transaction that moves it: records, item index, cursor and
//! walk change together. The port that sources call and the store that carries it out are
//! elsewhere; these are the values between them.

use crate::{AccountKey, FeedId, ItemId, LabelSet, Origin, Record, Revision, Source, ThreadId};
use serde::{Deserialize, Serialize};

/// Names a feed: one change log of one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FeedSpec {
    /// Whose.
    pub account: AccountKey,
    /// Of what.
    pub source: Source,
    /// Empty for a mailbox.
    pub collection: String,
}

/// A position in Google's change log, in Google's words: a `historyId`, a sync token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// A feed as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Its number, also the lane's.
    pub id: FeedId,
    /// Its name.
    pub spec: FeedSpec,
    /// The floor of the first walk in milliseconds since 1970; none: all.
    pub floor: Option<i64>,
    /// The live position; none before the first connection.
    pub cursor: Option<Cursor>,
    /// The walk in progress.
    pub walk: Option<Walk>,
    /// Whether a walk has ever ended, so that the index is complete.
    pub complete: bool,
}

/// A listing in progress: the first one, or one that compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// [`Origin::Backfill`] or [`Origin::Resync`].
    pub origin: Origin,
    /// Why a resync was needed, for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows that are seen get this mark; rows with a lower one were not.
    pub generation: u64,
    /// Google's order when the walk began; later changes come by the live cursor.
    pub baseline: u64,
    /// What it is doing.
    pub phase: WalkPhase,
    /// Where the listing goes on; none: at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Items seen so far.
    pub done: u64,
    /// Items to see, about; Google's own total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What a walk is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name")]
pub enum WalkPhase {
    /// Lists items and fetches those that are not known.
    List,
    /// Compares labels of known items.
    Labels,
    /// Deletes what the listing did not show.
    Sweep {
        /// An operator accepts a mass deletion.
        accepted: bool,
    },
    /// Waits for an operator, since so many deletions look wrong.
    Held {
        /// How many items would be deleted.
        deletions: u64,
    },
}

/// One row of the item index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// The item.
    pub item: ItemId,
    /// Google's order of its newest known state.
    pub order: u64,
    /// Hash of its content; equal content is not appended again.
    pub hash: u64,
    /// Its labels.
    pub labels: LabelSet,
    /// Its thread.
    pub thread: ThreadId,
    /// The walk that saw it last.
    pub generation: u64,
}

/// Bytes to keep with a record.
#[derive(Clone)]
pub struct Blob {
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// The bytes.
    pub bytes: std::sync::Arc<Vec<u8>>,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.sha256, self.bytes.len())
    }
}

/// One step of an append. The store applies the rule "newest wins" to each.
#[derive(Debug, Clone)]
pub enum Op {
    /// The item's full state. Appended as `created` or `updated`, unless the index holds a
    /// newer order or the same hash.
    Upsert {
        /// The new row; its generation is set by the store.
        row: IndexRow,
        /// The record; `change` and `revision` are set by the store.
        record: Box<Record>,
        /// Bytes that the record refers to.
        blobs: Vec<Blob>,
    },
    /// New labels of a known item. Nothing happens for an unknown item, an older order, or an
    /// equal hash (then only the order moves). At the same order, other labels correct what was
    /// folded over a state with a gap.
    Labels {
        /// The item.
        item: ItemId,
        /// Google's order of this state.
        order: u64,
        /// Hash of the content with these labels.
        hash: u64,
        /// All its labels.
        labels: LabelSet,
        /// The record, with payload [`crate::Payload::Labels`].
        record: Box<Record>,
    },
    /// The item is gone. Nothing happens for an unknown item or one with a newer order.
    Delete {
        /// The item.
        item: ItemId,
        /// Google's order of the deletion.
        order: u64,
        /// The record, with payload [`crate::Payload::Deleted`].
        record: Box<Record>,
    },
    /// The walk saw the item and needs nothing else of it.
    Mark {
        /// The item.
        item: ItemId,
    },
    /// The item could not be had; keep it as a failed item.
    Fail(Failure),
    /// Google's order began anew (another mailbox under the same address): orders known so far
    /// mean nothing any more, so every row counts as older than anything to come.
    ForgetOrders,
    /// A failed item is settled.
    Settle {
        /// The item.
        item: ItemId,
    },
}

/// Why an item could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The item.
    pub item: ItemId,
    /// Stable code.
    pub code: String,
    /// For the operator.
    pub message: String,
    /// When to try again, milliseconds since 1970.
    pub next_try: i64,
}

/// A failed item as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedItem {
    /// Its feed.
    pub feed: FeedId,
    /// What failed.
    pub failure: Failure,
    /// How often it was tried.
    pub n_attempts: u32,
    /// When it failed first, milliseconds since 1970.
    pub first_at: i64,
}

/// One transaction of a feed.
#[derive(Debug, Clone)]
pub struct Append {
    /// The feed.
    pub feed: FeedId,
    /// Steps, in order.
    pub ops: Vec<Op>,
    /// The new live position, where it moves.
    pub cursor: Option<Cursor>,
    /// The new state of the walk, where it changes; `Some(None)` ends it and makes the feed
    /// complete.
    pub walk: Option<Option<Walk>>,
}

/// What became of one [`Op`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpResult {
    /// A record was appended.
    Appended(Revision),
    /// Only the index changed.
    Indexed,
    /// Not newer than what is known, or the same.
    Stale,
    /// The item is not in the index.
    Unknown,
}

/// The result of an append, durable when it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// One for each op, in order.
    pub results: Vec<OpResult>,
}

impl Appended {
    /// How many records were appended.
    pub fn n_records(&self) -> usize {
        self.results
            .iter()
            .filter(|result| matches!(result, OpResult::Appended(_)))
            .count()
    }
}

/// An account at its first connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The frozen key.
    pub key: AccountKey,
    /// The mailbox's primary address.
    pub address: String,
}

/// An account as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// The frozen key.
    pub key: AccountKey,
    /// The mailbox's primary address.
    pub address: String,
    /// When it was first connected, milliseconds since 1970.
    pub frozen_at: i64,
}

/// That an account sees a collection of the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The calendar's or shared drive's id.
    pub collection: String,
    /// Its display name, as this account sees it; empty where it is not shown.
    pub name: String,
    /// Higher means more rights.
    pub rank: u8,
}

/// Why the store could not do it. Nothing of the request was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The spool's own bound or the disk is full: wait, nothing is lost.
    #[error("the spool is full: {0}")]
    Full(String),
    /// The store failed.
    #[error("the spool failed: {0}")]
    Failed(String),
    /// The store is shutting down.
    #[error("the spool is closed")]
    Closed,
}
