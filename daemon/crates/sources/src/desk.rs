//! What every feed works with: the store, the time, its health, its name; and the few acts that
//! are the same for all of them.

use crate::error::Error;
use crate::pace::Counted;
use crate::{FeedHealth, Shared, Store};
use nuncio_google::Google;
use nuncio_model::{Append, Clock, Cursor, Feed, Op, Source, Walk};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A sweep of more items than this, and of a larger share than [`HOLD_PERCENT`], is held.
const HOLD_ABOVE: u64 = 1_000;

/// See [`HOLD_ABOVE`].
const HOLD_PERCENT: u64 = 30;

/// The first wait before a failed item is tried again, in milliseconds; doubled at each try.
const FAILED_FIRST_WAIT_MS: i64 = 60_000;

/// The longest wait between tries of a failed item, in milliseconds.
const FAILED_MAX_WAIT_MS: i64 = 6 * 60 * 60 * 1_000;

/// A feed's working place. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Desk {
    /// What is read.
    pub source: Source,
    /// For logs: the account's address, or what a domain feed is called.
    pub name: String,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the feed says of itself.
    pub health: watch::Sender<FeedHealth>,
    google: Google,
    /// Shared by all clones, so that the feed counts once.
    counted: Arc<Counted>,
}

impl Desk {
    /// The place of a feed, which counts as polling while a clone of this lives.
    pub(crate) fn new(
        source: Source,
        name: String,
        shared: &Shared,
        health: watch::Sender<FeedHealth>,
    ) -> Self {
        Self {
            source,
            name,
            store: Arc::clone(&shared.store),
            clock: Arc::clone(&shared.clock),
            health,
            google: shared.google.clone(),
            counted: Arc::new(shared.pace.count(source)),
        }
    }

    /// The time between two polls, where `wished` is what the config says; shown in health.
    pub(crate) fn poll_interval(&self, wished: Duration) -> Duration {
        let interval = self.counted.interval(&self.google, wished);
        self.health
            .send_modify(|health| health.poll_interval = Some(interval));
        interval
    }

    /// One transaction of a feed; keeps the copy in memory equal to what is stored. `walk` is
    /// `Some(None)` to end it.
    pub(crate) async fn append(
        &self,
        feed: &mut Feed,
        ops: Vec<Op>,
        cursor: Option<Cursor>,
        walk: Option<Option<Walk>>,
    ) -> Result<(), Error> {
        let append = Append {
            feed: feed.id,
            ops,
            cursor: cursor.clone(),
            walk: walk.clone(),
        };
        self.store.append(append).await?;
        if cursor.is_some() {
            feed.cursor = cursor;
        }
        if let Some(walk) = walk {
            if walk.is_none() {
                feed.complete = true;
                tracing::info!(account = %self.name, source = self.source.as_str(), "walk done");
            }
            feed.walk = walk;
        }
        self.publish_count(feed).await
    }

    /// The absolute floor of a first walk that begins now. Milliseconds since 1970.
    pub(crate) fn floor(&self, since: Option<Duration>) -> Option<i64> {
        since.map(|since| {
            let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            self.clock.now_ms().saturating_sub(since_ms)
        })
    }

    /// How many items the index holds, for status.
    pub(crate) async fn publish_count(&self, feed: &Feed) -> Result<(), Error> {
        let items = self.store.count_items(feed.id).await?;
        self.health.send_modify(|health| health.items = items);
        Ok(())
    }
}

/// Whether so many missing of so many items look wrong, so that an operator is to be asked.
pub(crate) fn is_mass_deletion(n_missing: u64, n_items: u64) -> bool {
    n_missing > HOLD_ABOVE && n_missing.saturating_mul(100) > n_items.saturating_mul(HOLD_PERCENT)
}

/// When a failed item is to be tried again, after `n_attempts` earlier tries. Milliseconds since
/// 1970.
pub(crate) fn next_try(now: i64, n_attempts: u32) -> i64 {
    now + (FAILED_FIRST_WAIT_MS << n_attempts.min(16)).min(FAILED_MAX_WAIT_MS)
}
