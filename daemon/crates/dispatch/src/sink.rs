//! The port that dispatch calls: a sink that takes batches, and the bytes that it may read.
//! Implemented by the plugin host; there is no other way to deliver.

use async_trait::async_trait;
use nuncio_model::{BlobRef, CallError, Outcome, Record};
use std::sync::Arc;

/// A running sink. Several calls may be under way at once, never two with the same lane.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Takes a batch of one or several lanes, each lane's records in order. `Ok` holds exactly
    /// one outcome for each record, `outcomes[i]` for `batch[i]`.
    ///
    /// # Errors
    /// [`CallError`]: the whole batch counts as not delivered.
    ///
    /// # Cancel safety
    /// Dropping the future counts as not delivered; the guest is discarded.
    async fn write(&self, batch: Vec<Arc<Record>>) -> Result<Vec<Outcome>, CallError>;

    /// Ends all instances in order. Calls under way have ended before.
    async fn close(&self);
}

/// Reads the bytes that records refer to.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Up to `len` bytes from `offset`; shorter only at the end.
    ///
    /// # Errors
    /// What went wrong, in words, when the spool cannot give them.
    async fn read(&self, blob: &BlobRef, offset: u64, len: u32) -> Result<Vec<u8>, String>;
}
