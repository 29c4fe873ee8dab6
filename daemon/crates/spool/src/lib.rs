//! The durable store: records on their way from sources to sinks, the item index, cursors,
//! positions of sinks, dead letters and blobs. What is fetched when is decided by sources, what
//! is sent when by dispatch; neither is here.
//!
//! # Files
//! `spool.db` (SQLite in WAL mode, with `-wal` and `-shm` beside it) and `spool.lock`, locked
//! while a process has the spool open. One writer thread, a few read-only connections.
//!
//! # Tables
//! `meta` (instance id, last revision); `accounts`, `members` (who sees which calendar and shared
//! drive of the domain), `feeds` (cursor and walk); `items` (the
//! item index, at most 64 bytes a row) with `label_sets` and `tombstones`; `records` with
//! `record_blobs`, `blobs`, `blob_chunks`; `sinks` and `lanes` (one row for each sink and feed:
//! the last settled record); `dead_letters`; `failed_items`. Columns are in `schema`. Rows of
//! `records` and `blobs` carry a format number; where a record's JSON and a column differ, the
//! column holds.
//!
//! # Transactions
//! - **append** ([`Spool::append`]): records, their blobs, item index, failed items, cursor and
//!   walk of one feed. A cursor is never durable without the records that it covers.
//! - **ack** ([`Spool::ack`]): positions of one sink's lanes, its new dead letters, and the old
//!   ones that a delivered record supersedes.
//! - **release**: deletes, in slices, records that every registered sink has settled and no
//!   open dead letter names. Without any sink a record goes at once.
//!
//! The writer puts all commands that wait into one SQLite transaction (at most 1 MiB or 20 ms),
//! each in a savepoint, and answers after the commit (`synchronous=FULL`: one sync). With
//! nothing waiting it commits at once.
//!
//! # Bounds
//! `max_bytes` bounds the pages in use. Beyond it appends are refused with
//! `StoreError::Full`; acks go on and make room. One append may exceed the bound by its own
//! size, and the log beside the file may take 64 MiB more.

mod append;
mod blobs;
mod codes;
mod dead_letters;
mod encode;
mod error;
mod failed_items;
mod feeds;
mod index;
mod lanes;
mod members;
mod open;
mod reader;
mod release;
mod schema;
mod sinks;
mod writer;

pub use codes::CODES;
pub use dead_letters::{
    DeadLetter, DeadLetterId, LetterFilter, LetterStatus, Letters, Purged, Rejected, Relabel,
    Retried,
};
pub use error::Error;
pub use lanes::{Ack, LaneAck, LaneState, SpooledRecord};
pub use sinks::SinkCounts;

use crate::error::Fault;
use crate::reader::Readers;
use crate::writer::{Call, Message, QUEUE, State, Writer};
use nuncio_model::{Clock, FeedId, StoreError};
use rusqlite::OptionalExtension;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// News that wait for a slow listener; one that misses some reads the lanes anew.
const NEWS: usize = 1_024;

/// What a spool needs to know.
#[derive(Clone)]
pub struct Options {
    /// The folder; made if missing, readable by the daemon's user only.
    pub dir: PathBuf,
    /// Bytes of pages in use beyond which appends are refused.
    pub max_bytes: u64,
    /// Gives revisions and dates.
    pub clock: Arc<dyn Clock>,
}

/// A record's place: grows with every record of the spool, in the order of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// The number of a registered sink. A sink that is removed and registered again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkId(pub u64);

/// News of an append, sent after it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRecords {
    /// The feed that it went to.
    pub feed: FeedId,
    /// Its newest record.
    pub newest: Seq,
}

impl NewRecords {
    fn new(feed: FeedId, seq: i64) -> Self {
        Self {
            feed,
            newest: Seq(encode::from_sql(seq)),
        }
    }
}

/// An open spool. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Spool {
    queue: mpsc::Sender<Message>,
    readers: Arc<Readers>,
    appended: broadcast::Sender<NewRecords>,
    used_bytes: Arc<AtomicU64>,
    max_bytes: u64,
    /// Closed when the writer has ended.
    stopped: watch::Receiver<()>,
}

impl Spool {
    /// Opens the spool, or creates it in an empty folder. Checks the lock, the schema's version
    /// and the integrity (the whole file up to 256 MiB, beyond that the small tables).
    ///
    /// # Errors
    /// See [`Error`]; nothing was changed or repaired.
    pub async fn open(options: Options) -> Result<Self, Error> {
        tokio::task::spawn_blocking(move || Self::open_blocking(options))
            .await
            .unwrap_or_else(|error| Err(Error::Thread(std::io::Error::other(error))))
    }

    fn open_blocking(options: Options) -> Result<Self, Error> {
        let opened = open::open(&options.dir)?;
        let (queue, commands) = mpsc::channel(QUEUE);
        let (appended, _) = broadcast::channel(NEWS);
        let (running, stopped) = watch::channel(());
        let mut state = State::new(
            opened.writer,
            options.clock,
            options.max_bytes,
            opened.last_revision,
        );
        let file = options.dir.join(open::FILE_NAME);
        let fault = |fault: Fault| Error::Damaged {
            file: file.clone(),
            detail: StoreError::from(fault).to_string(),
        };
        state.release.look_at_all(&state.conn).map_err(fault)?;
        let used = state.used_bytes().map_err(Fault::from).map_err(fault)?;
        let used_bytes = Arc::new(AtomicU64::new(used));
        let writer = Writer {
            state,
            queue: commands,
            appended: appended.clone(),
            used_bytes: Arc::clone(&used_bytes),
        };
        let lock = opened.lock;
        std::thread::Builder::new()
            .name("spool-writer".to_owned())
            .spawn(move || {
                // The database is closed by the end of `run`, then the lock goes, then who
                // waits in `stopped` is told.
                writer.run();
                drop(lock);
                drop(running);
            })
            .map_err(Error::Thread)?;
        let readers = Arc::new(Readers::new(opened.readers));
        Ok(Self {
            queue,
            readers,
            appended,
            used_bytes,
            max_bytes: options.max_bytes,
            stopped,
        })
    }

    /// Does what is queued, cuts the log and closes the files; then another process can open
    /// the spool. Later calls on any clone get [`StoreError::Closed`].
    ///
    /// # Cancel safety
    /// If dropped early the spool may be closed or not; call it again.
    pub async fn close(&self) {
        self.readers.close().await;
        if self.queue.send(Message::Stop).await.is_err() {
            // The writer is ending already.
        }
        self.stopped().await;
    }

    /// Waits until the writer has ended: after [`Spool::close`], or because it broke, which
    /// nothing can go on without.
    pub async fn stopped(&self) {
        let mut stopped = self.stopped.clone();
        while stopped.changed().await.is_ok() {}
    }

    /// Answers once the writer's thread has done what was queued before: a writer that is stuck
    /// never answers. Writes nothing.
    ///
    /// # Errors
    /// Those of any write: the writer lives then, but for [`StoreError::Closed`].
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write(0, |_| Ok(())).await
    }

    /// Listens to appends from now on. Who lags reads [`Spool::pending_lanes`] anew.
    pub fn subscribe(&self) -> broadcast::Receiver<NewRecords> {
        self.appended.subscribe()
    }

    /// Bytes of pages in use as of the last commit.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Whether more than `percent` of `max_bytes` are in use. Walks pause above 70.
    pub fn is_above(&self, percent: u8) -> bool {
        u128::from(self.used_bytes()) * 100 > u128::from(self.max_bytes) * u128::from(percent)
    }

    /// The random id that this spool got when it was created.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn instance_id(&self) -> Result<String, StoreError> {
        self.read(|conn| {
            Ok(conn
                .prepare_cached("SELECT value FROM meta WHERE name = 'instance_id'")?
                .query_row([], |row| row.get(0))?)
        })
        .await
    }

    /// Keeps a small text under a name, in place of the one before.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn remember(&self, name: &'static str, value: &str) -> Result<(), StoreError> {
        let value = value.to_owned();
        self.write(0, move |state| {
            state
                .conn
                .prepare_cached(
                    "INSERT INTO meta (name, value) VALUES ('kept:' || ?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute((name, value))?;
            Ok(())
        })
        .await
    }

    /// What was remembered under a name.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn recall(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.read(move |conn| {
            Ok(conn
                .prepare_cached("SELECT value FROM meta WHERE name = 'kept:' || ?1")?
                .query_row([name], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    /// Runs `work` on the writer's thread, in a transaction; answers after its commit.
    async fn write<T, F>(&self, n_bytes: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut State) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call {
            n_bytes,
            work: Some(work),
            value: None,
            reply,
        };
        self.queue
            .send(Message::Job(Box::new(call)))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` with a read-only connection.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.readers.read(work).await
    }
}
