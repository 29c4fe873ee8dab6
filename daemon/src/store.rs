//! Joins the ports of sources and dispatch to the spool. Nothing is decided here.

use async_trait::async_trait;
use nuncio_dispatch::Blobs;
use nuncio_model::{
    AccountKey, Address, Append, Appended, BlobRef, Chain, FailedItem, Feed, FeedId, FeedSpec,
    IndexRow, ItemId, LabelSet, Membership, NewAccount, Payload, Record, Source, StoreError,
    StoredAccount,
};
use nuncio_sources::Store;
use nuncio_spool::Spool;

/// Walks pause when the spool is this full, in percent of `max_bytes`; live changes use the rest.
const WALKS_PAUSE_AT: u8 = 70;

/// Under this name the spool keeps who is who.
const IDENTITY_KEPT_AS: &str = "identity";

/// The spool behind the ports.
pub(crate) struct SpoolPorts(pub(crate) Spool);

#[async_trait]
impl Store for SpoolPorts {
    async fn account_by_address(&self, address: &str) -> Result<Option<StoredAccount>, StoreError> {
        match Address::parse(address) {
            Some(address) => self.0.account_by_address(&address).await,
            None => Ok(None),
        }
    }

    async fn freeze_account(&self, account: NewAccount) -> Result<StoredAccount, StoreError> {
        self.0.freeze_account(account).await
    }

    async fn open_feed(&self, spec: FeedSpec, floor: Option<i64>) -> Result<Feed, StoreError> {
        self.0.open_feed(spec, floor).await
    }

    async fn append(&self, append: Append) -> Result<Appended, StoreError> {
        self.0.append(append).await
    }

    async fn lookup(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
    ) -> Result<Vec<Option<IndexRow>>, StoreError> {
        self.0.lookup(feed, &items).await
    }

    async fn rows(
        &self,
        feed: FeedId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.0.rows(feed, after, limit as usize).await
    }

    async fn unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
        limit: u32,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.0
            .unmarked(feed, generation, baseline, None, limit as usize)
            .await
    }

    async fn count_unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
    ) -> Result<u64, StoreError> {
        self.0.count_unmarked(feed, generation, baseline).await
    }

    async fn count_items(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.0.count_items(feed).await
    }

    async fn next_generation(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.0.next_generation(feed).await
    }

    async fn due_failures(
        &self,
        feed: FeedId,
        now: i64,
        limit: u32,
    ) -> Result<Vec<FailedItem>, StoreError> {
        self.0.due_failures(feed, now, limit as usize).await
    }

    async fn failed_items(&self, feed: FeedId, limit: u32) -> Result<Vec<FailedItem>, StoreError> {
        self.0.failed_items_of(feed, limit as usize).await
    }

    async fn hasten_failures(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.0.hasten_failures(feed, items, now).await
    }

    async fn kept_identity(&self) -> Result<Option<String>, StoreError> {
        self.0.recall(IDENTITY_KEPT_AS).await
    }

    async fn keep_identity(&self, text: String) -> Result<(), StoreError> {
        self.0.remember(IDENTITY_KEPT_AS, &text).await
    }

    async fn account_by_key(&self, key: &AccountKey) -> Result<Option<StoredAccount>, StoreError> {
        self.0.account_by_key(key).await
    }

    async fn memberships(
        &self,
        source: Source,
        account: &AccountKey,
    ) -> Result<Vec<Membership>, StoreError> {
        self.0.memberships(source, account).await
    }

    async fn set_memberships(
        &self,
        source: Source,
        account: &AccountKey,
        memberships: Vec<Membership>,
    ) -> Result<(), StoreError> {
        self.0.set_memberships(source, account, memberships).await
    }

    async fn has_room_for_walks(&self) -> Result<bool, StoreError> {
        Ok(!self.0.is_above(WALKS_PAUSE_AT))
    }
}

#[async_trait]
impl Blobs for SpoolPorts {
    async fn read(&self, blob: &BlobRef, offset: u64, len: u32) -> Result<Vec<u8>, String> {
        self.0
            .read_blob(&blob.sha256, offset, len)
            .await
            .map_err(|error| Chain(&error).to_string())
    }
}

/// Gives a record that is sent again the labels that its item has now. Names of own labels are
/// not in the spool: a label that the record did not name yet shows its id.
pub(crate) fn relabel(record: &mut Record, labels: &LabelSet) {
    match &mut record.payload {
        Payload::Email(email) => {
            email.flags = labels.flags();
            email.category = labels.category();
        }
        Payload::Labels(change) => {
            change.flags = labels.flags();
            change.category = labels.category();
        }
        Payload::Event(_) | Payload::File(_) | Payload::Deleted(_) => {}
    }
}
