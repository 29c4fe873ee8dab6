//! The port through which feeds keep what they learn. Declared by the caller; the daemon
//! implements it with the spool.

use async_trait::async_trait;
use nuncio_model::{
    AccountKey, Append, Appended, FailedItem, Feed, FeedId, FeedSpec, IndexRow, ItemId, Membership,
    NewAccount, Source, StoreError, StoredAccount,
};

/// What a feed needs of the store. All writes are durable when the call returns.
#[async_trait]
pub trait Store: Send + Sync {
    /// The account that was first connected under this address.
    async fn account_by_address(&self, address: &str) -> Result<Option<StoredAccount>, StoreError>;

    /// Keeps an account's key for ever. Returns what is stored, also if it was there before.
    async fn freeze_account(&self, account: NewAccount) -> Result<StoredAccount, StoreError>;

    /// The feed of this name; made with this floor (milliseconds since 1970) if it is new.
    async fn open_feed(&self, spec: FeedSpec, floor: Option<i64>) -> Result<Feed, StoreError>;

    /// Records, index, cursor and walk in one transaction.
    async fn append(&self, append: Append) -> Result<Appended, StoreError>;

    /// The index rows of these items, in the same order.
    async fn lookup(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
    ) -> Result<Vec<Option<IndexRow>>, StoreError>;

    /// Up to `limit` rows in item order, after `after`.
    async fn rows(
        &self,
        feed: FeedId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<Vec<IndexRow>, StoreError>;

    /// Up to `limit` rows that the walk of `generation` did not see and that nothing newer than
    /// `baseline` touched.
    async fn unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
        limit: u32,
    ) -> Result<Vec<IndexRow>, StoreError>;

    /// How many such rows there are.
    async fn count_unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
    ) -> Result<u64, StoreError>;

    /// How many items are in the index.
    async fn count_items(&self, feed: FeedId) -> Result<u64, StoreError>;

    /// A generation higher than that of every row of the feed.
    async fn next_generation(&self, feed: FeedId) -> Result<u64, StoreError>;

    /// Up to `limit` failed items that may be tried again at `now` (milliseconds since 1970).
    async fn due_failures(
        &self,
        feed: FeedId,
        now: i64,
        limit: u32,
    ) -> Result<Vec<FailedItem>, StoreError>;

    /// The feed's failed items, at most `limit`.
    async fn failed_items(&self, feed: FeedId, limit: u32) -> Result<Vec<FailedItem>, StoreError>;

    /// Lets these failed items, as far as they still are, be tried again at `now` (milliseconds
    /// since 1970).
    async fn hasten_failures(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
        now: i64,
    ) -> Result<(), StoreError>;

    /// What was kept of who is who.
    async fn kept_identity(&self) -> Result<Option<String>, StoreError>;

    /// Keeps that, in place of the one before.
    async fn keep_identity(&self, text: String) -> Result<(), StoreError>;

    /// The account with this key.
    async fn account_by_key(&self, key: &AccountKey) -> Result<Option<StoredAccount>, StoreError>;

    /// What an account was last said to see of what belongs to the domain.
    async fn memberships(
        &self,
        source: Source,
        account: &AccountKey,
    ) -> Result<Vec<Membership>, StoreError>;

    /// Replaces that.
    async fn set_memberships(
        &self,
        source: Source,
        account: &AccountKey,
        memberships: Vec<Membership>,
    ) -> Result<(), StoreError>;

    /// Whether there is room for walks; live changes may use the rest.
    async fn has_room_for_walks(&self) -> Result<bool, StoreError>;
}
