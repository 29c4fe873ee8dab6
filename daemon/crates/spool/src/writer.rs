//! The one thread that writes. It takes commands from a bounded queue and puts all that wait
//! into one transaction, each in its own savepoint, so that a failing one does not spoil the
//! others; nobody gets an answer before the commit. What a command does is in its own module.

use crate::NewRecords;
use crate::error::Fault;
use crate::release::Release;
use crate::schema::PAGE_SIZE;
use nuncio_model::{Clock, FeedId, StoreError};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Commands that wait for the writer. Enough to fill a group; more would only use memory.
pub(crate) const QUEUE: usize = 256;
/// A group is committed when it holds this many bytes: one sync for about 500 mails.
const GROUP_BYTES: usize = 1024 * 1024;
/// Or when it has run this long, so that the first in it does not wait.
const GROUP_TIME: Duration = Duration::from_millis(20);
/// Label sets whose numbers are remembered; far more than a domain uses at a time.
const LABEL_SETS: usize = 10_000;
/// Free pages that are kept for the next backlog: 16 MiB.
const SPARE_PAGES: i64 = 1_024;
/// Free pages that are given back at a time: some milliseconds.
const VACUUM_SLICE: i64 = 64;

/// What commands work on.
pub(crate) struct State {
    pub(crate) conn: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) release: Release,
    /// The newest record of each feed that this command appended to.
    pub(crate) touched: BTreeMap<FeedId, i64>,
    pub(crate) max_bytes: u64,
    /// Numbers of label sets; emptied when a savepoint is undone, since they may be gone.
    pub(crate) label_sets: HashMap<String, i64>,
    last_revision: i64,
    stored_revision: i64,
}

impl State {
    pub(crate) fn new(
        conn: Connection,
        clock: Arc<dyn Clock>,
        max_bytes: u64,
        last_revision: i64,
    ) -> Self {
        Self {
            conn,
            clock,
            release: Release::default(),
            touched: BTreeMap::new(),
            max_bytes,
            label_sets: HashMap::new(),
            last_revision,
            stored_revision: last_revision,
        }
    }

    /// The next revision: the time in microseconds, or one more than the last if the clock
    /// stands or goes back. Below 2^53 until the year 2255.
    pub(crate) fn next_revision(&mut self) -> i64 {
        self.last_revision = self.clock.now_us().max(self.last_revision + 1);
        self.last_revision
    }

    /// Bytes of pages in use.
    pub(crate) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let number = |name| {
            self.conn
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let n_pages = number("page_count")? - number("freelist_count")?;
        Ok(n_pages.cast_unsigned() * PAGE_SIZE)
    }

    /// Refuses to add anything beyond the spool's bound.
    pub(crate) fn refuse_if_full(&self) -> Result<(), Fault> {
        let (used, max) = (self.used_bytes()?, self.max_bytes);
        if used > max {
            let what = format!("{used} bytes are in use, {max} are allowed");
            return Err(Fault::Store(StoreError::Full(what)));
        }
        Ok(())
    }

    /// Remembers a label set's number.
    pub(crate) fn remember_label_set(&mut self, labels: &str, id: i64) {
        if self.label_sets.len() >= LABEL_SETS {
            self.label_sets.clear();
        }
        self.label_sets.insert(labels.to_owned(), id);
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.raw_execute().map(|_| ())
    }

    fn store_revision(&mut self) -> rusqlite::Result<()> {
        if self.last_revision != self.stored_revision {
            self.conn
                .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'last_revision'")?
                .execute([self.last_revision])?;
            self.stored_revision = self.last_revision;
        }
        Ok(())
    }

    /// Gives one slice of free pages back to the disk; whether there may be more to give.
    fn vacuum_slice(&self) -> rusqlite::Result<bool> {
        let number = |name| {
            self.conn
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let (n_free, n_pages) = (number("freelist_count")?, number("page_count")?);
        if n_free <= SPARE_PAGES.max(n_pages / 4) {
            return Ok(false);
        }
        self.conn
            .pragma(None, "incremental_vacuum", VACUUM_SLICE, |_| Ok(()))?;
        Ok(true)
    }
}

/// A command on its way through the writer.
pub(crate) trait Job: Send {
    /// About how much it writes.
    fn n_bytes(&self) -> usize;
    /// Does it, within a transaction. After an error nothing of it is kept.
    fn run(&mut self, state: &mut State) -> Result<(), StoreError>;
    /// Answers, when its transaction has ended.
    fn finish(self: Box<Self>, end: Result<(), StoreError>);
}

/// What goes through the queue.
pub(crate) enum Message {
    Job(Box<dyn Job>),
    /// Do what is queued, then end.
    Stop,
}

/// The only kind of [`Job`]: a function and where its answer goes.
pub(crate) struct Call<T, F> {
    pub(crate) n_bytes: usize,
    pub(crate) work: Option<F>,
    pub(crate) value: Option<Result<T, StoreError>>,
    pub(crate) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&mut State) -> Result<T, Fault> + Send,
{
    fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    fn run(&mut self, state: &mut State) -> Result<(), StoreError> {
        let work = self.work.take().expect("a job runs once");
        let value = work(state).map_err(StoreError::from);
        let end = value.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.value = Some(value);
        end
    }

    fn finish(self: Box<Self>, end: Result<(), StoreError>) {
        let answer = match (end, self.value) {
            (Ok(()), Some(value)) => value,
            // Its own error tells more than that of the group.
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Failed("the command was not run".to_owned())),
        };
        // The caller may have gone; what is done is done.
        drop(self.reply.send(answer));
    }
}

/// The thread: its queue and what it tells the rest.
pub(crate) struct Writer {
    pub(crate) state: State,
    pub(crate) queue: mpsc::Receiver<Message>,
    pub(crate) appended: broadcast::Sender<NewRecords>,
    pub(crate) used_bytes: Arc<AtomicU64>,
}

impl Writer {
    /// Runs until it is stopped or nobody can send any more; then cuts the log.
    pub(crate) fn run(mut self) {
        let mut idle_work = true;
        loop {
            let message = if idle_work {
                match self.queue.try_recv() {
                    Ok(message) => Some(message),
                    Err(TryRecvError::Empty) => {
                        idle_work = self.work_while_idle();
                        continue;
                    }
                    Err(TryRecvError::Disconnected) => None,
                }
            } else {
                self.queue.blocking_recv()
            };
            match message {
                Some(Message::Job(job)) => {
                    self.commit_group(Some(job));
                    idle_work = true;
                }
                // What is queued is still done; then the queue is at its end.
                Some(Message::Stop) => self.queue.close(),
                None => break,
            }
        }
        let cut = self
            .state
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = cut {
            // Nothing is lost: the next start reads the log.
            tracing::warn!(error = %error, "the spool's log could not be cut at the end");
        }
    }

    /// Releases delivered records and gives space back, a slice at a time; whether there is
    /// more to do.
    fn work_while_idle(&mut self) -> bool {
        if self.state.release.is_due() {
            self.commit_group(None);
            return true;
        }
        self.state.vacuum_slice().unwrap_or_else(|error| {
            tracing::warn!(error = %error, "the spool's free space could not be given back");
            false
        })
    }

    /// One transaction: `first`, all that waits in the queue up to the bounds, and a slice of
    /// release.
    fn commit_group(&mut self, first: Option<Box<dyn Job>>) {
        let began = Instant::now();
        if let Err(error) = self.state.run("BEGIN IMMEDIATE") {
            let error = StoreError::from(Fault::from(error));
            self.state.release.pause();
            first
                .into_iter()
                .for_each(|job| job.finish(Err(error.clone())));
            return;
        }
        let mut done = Vec::new();
        let mut newest = BTreeMap::new();
        let mut n_bytes = 0;
        let mut end = Ok(());
        let had_commands = first.is_some();
        let mut next = first;
        while let Some(mut job) = next.take() {
            n_bytes += job.n_bytes();
            end = self.run_job(job.as_mut(), &mut newest);
            done.push(job);
            if end.is_err() {
                break;
            }
            if n_bytes < GROUP_BYTES && began.elapsed() < GROUP_TIME {
                match self.queue.try_recv() {
                    Ok(Message::Job(job)) => next = Some(job),
                    Ok(Message::Stop) => self.queue.close(),
                    Err(_) => {}
                }
            }
        }
        if had_commands {
            self.state.release.resume();
        }
        let end = end.and_then(|()| self.finish_group().map_err(StoreError::from));
        match &end {
            Ok(()) => {
                match self.state.used_bytes() {
                    Ok(used) => self.used_bytes.store(used, Ordering::Relaxed),
                    Err(error) => tracing::warn!(error = %error, "the spool's size is not known"),
                }
                for (feed, seq) in newest {
                    // Nobody may be listening.
                    drop(self.appended.send(NewRecords::new(feed, seq)));
                }
            }
            Err(_) => self.undo_group(),
        }
        done.into_iter().for_each(|job| job.finish(end.clone()));
    }

    /// Runs a job in its savepoint. An error means that the whole transaction is gone.
    fn run_job(
        &mut self,
        job: &mut dyn Job,
        newest: &mut BTreeMap<FeedId, i64>,
    ) -> Result<(), StoreError> {
        let state = &mut self.state;
        let lost = |error: rusqlite::Error| StoreError::from(Fault::from(error));
        state.run("SAVEPOINT job").map_err(lost)?;
        state.touched.clear();
        let end = job.run(state);
        if state.conn.is_autocommit() {
            // SQLite undoes everything where the disk is full or fails.
            return end.and(Err(StoreError::Failed(
                "the transaction was undone".to_owned(),
            )));
        }
        if end.is_ok() {
            newest.append(&mut state.touched);
        } else {
            state.run("ROLLBACK TO job").map_err(lost)?;
            state.label_sets.clear();
        }
        state.run("RELEASE job").map_err(lost)
    }

    fn finish_group(&mut self) -> Result<(), Fault> {
        let state = &mut self.state;
        if state.release.is_due() {
            state.run("SAVEPOINT job")?;
            if let Err(fault) = state.release.slice(&state.conn) {
                let error = StoreError::from(fault);
                tracing::warn!(error = %error, "delivered records could not be released yet");
                state.release.pause();
                state.release.forget_progress();
                if state.conn.is_autocommit() {
                    return Err(Fault::Store(error));
                }
                state.run("ROLLBACK TO job")?;
            }
            state.run("RELEASE job")?;
        }
        state.store_revision()?;
        state.run("COMMIT")?;
        Ok(())
    }

    fn undo_group(&mut self) {
        let state = &mut self.state;
        if !state.conn.is_autocommit()
            && let Err(error) = state.run("ROLLBACK")
        {
            tracing::error!(error = %error, "a failed transaction could not be undone");
        }
        state.label_sets.clear();
        state.release.forget_progress();
        state.release.pause();
        // Stored again by the next one.
        state.stored_revision = 0;
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, Spool};
    use nuncio_model::{ManualClock, StoreError};
    use std::sync::{Arc, mpsc};

    async fn spool(dir: &std::path::Path) -> Spool {
        let clock = Arc::new(ManualClock::new(1));
        let spool = Spool::open(Options {
            dir: dir.to_owned(),
            max_bytes: 1 << 40,
            clock,
        })
        .await
        .unwrap();
        spool
            .write(0, |state| {
                Ok(state.conn.execute_batch("CREATE TABLE t (x)")?)
            })
            .await
            .unwrap();
        spool
    }

    async fn rows(spool: &Spool) -> Vec<i64> {
        spool
            .read(|conn| {
                let mut statement =
                    conn.prepare("SELECT x FROM t WHERE typeof(x) = 'integer' ORDER BY x")?;
                Ok(statement
                    .query_map([], |row| row.get(0))?
                    .collect::<Result<_, _>>()?)
            })
            .await
            .unwrap()
    }

    fn insert(state: &super::State, x: i64) -> Result<(), crate::error::Fault> {
        state.conn.execute("INSERT INTO t VALUES (?1)", [x])?;
        Ok(())
    }

    #[tokio::test]
    async fn a_failing_command_does_not_spoil_the_others_of_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(dir.path()).await;
        let (go, wait) = mpsc::channel::<()>();
        let first = spool.write(0, move |state| {
            insert(state, 1)?;
            // The others are in the queue by now.
            wait.recv().expect("the test goes on");
            Ok(())
        });
        let fails = spool.write(0, |state| -> Result<(), _> {
            insert(state, 2)?;
            Err(crate::error::Fault::failed("on purpose"))
        });
        let sql_fails = spool.write(0, |state| {
            insert(state, 3)?;
            Ok(state.conn.execute_batch("INSERT INTO nowhere VALUES (1)")?)
        });
        let last = spool.write(0, |state| insert(state, 4));
        let (first, fails, sql_fails, last, ()) = tokio::join!(biased; first, fails, sql_fails, last, async {
            go.send(()).expect("the first command waits");
        });
        assert_eq!((first, last), (Ok(()), Ok(())));
        assert_eq!(fails, Err(StoreError::Failed("on purpose".into())));
        assert!(matches!(sql_fails, Err(StoreError::Failed(_))));
        assert_eq!(rows(&spool).await, [1, 4]);
        spool.close().await;
    }

    /// `max_page_count` makes SQLite answer as it does for `ENOSPC`.
    #[tokio::test]
    async fn a_full_disk_is_full_loses_nothing_and_recovers() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(dir.path()).await;
        spool.write(0, |state| insert(state, 1)).await.unwrap();
        let limit = |n_more: i64| {
            spool.write(0, move |state| {
                let n_pages: i64 = state
                    .conn
                    .pragma_query_value(None, "page_count", |row| row.get(0))?;
                let n_max = n_pages + n_more;
                Ok(state
                    .conn
                    .pragma_update_and_check(None, "max_page_count", n_max, |_| Ok(()))?)
            })
        };
        let big = || {
            spool.write(0, |state| {
                insert(state, 2)?;
                state
                    .conn
                    .execute("INSERT INTO t VALUES (zeroblob(1000000))", [])?;
                Ok(())
            })
        };
        limit(0).await.unwrap();
        let answer = big().await;
        assert!(matches!(answer, Err(StoreError::Full(_))), "{answer:?}");
        assert_eq!(rows(&spool).await, [1]);
        limit(1_000).await.unwrap();
        big().await.unwrap();
        assert_eq!(rows(&spool).await, [1, 2]);
        spool.close().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_writer_answers_no_ping() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(dir.path()).await;
        assert_eq!(spool.ping().await, Ok(()));
        let (go, wait) = mpsc::channel::<()>();
        let job = spool.write(0, move |_| {
            wait.recv().expect("the test goes on");
            Ok(())
        });
        let mut job = std::pin::pin!(job);
        let mut ping = std::pin::pin!(spool.ping());
        let long = std::time::Duration::from_secs(3_600);
        let stuck = async { tokio::join!(biased; &mut job, &mut ping) };
        assert!(tokio::time::timeout(long, stuck).await.is_err());
        go.send(()).expect("the writer waits");
        assert_eq!((job.await, ping.await), (Ok(()), Ok(())));
        spool.close().await;
        assert_eq!(spool.ping().await, Err(StoreError::Closed));
    }

    #[tokio::test]
    async fn who_waits_learns_that_the_writer_broke() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(dir.path()).await;
        let answer: Result<(), _> = spool.write(0, |_| panic!("on purpose")).await;
        assert_eq!(answer, Err(StoreError::Closed));
        spool.stopped().await;
    }
}
