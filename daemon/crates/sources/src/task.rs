//! The loop that every feed runs in: live first, then failed items, then the walk, one bounded
//! step at a time, so that nothing of a walk can overtake a live change that was read before it.
//! What a step does is the business of the feed behind [`Log`]; waiting, health and commands are
//! the same for all.

use crate::desk::Desk;
use crate::error::Error;
use crate::verify::{self, Inspect, Verification, Verified, VerifyOrder};
use crate::{FeedError, FeedState, WalkProgress};
use async_trait::async_trait;
use nuncio_model::{Chain, Feed, Next, Origin, StoreError, Walk, WalkPhase};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first wait after a fault that passes by itself; doubled at each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait after a fault that passes by itself.
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// A refused account is tried again by itself after so many polls.
const PROBE_POLLS: u32 = 5;

/// Failed items that an operator's resync tries again at once.
const MAX_HASTENED: u32 = 10_000;

/// What an operator asks of a feed.
#[derive(Debug, Clone)]
pub enum FeedCommand {
    /// Compare by listing.
    Resync,
    /// Carry out the deletions of a held resync.
    AcceptDeletes,
    /// Poll now.
    Nudge,
    /// Compare the index with what Google lists, and tell.
    Verify(VerifyOrder),
}

/// One change log, as the loop sees it. Every method but `feed` and `n_done` may call Google
/// and the store; none may leave the copy in memory other than what is stored.
#[async_trait]
pub(crate) trait Log: Inspect {
    /// The feed's stored state, once connected.
    fn feed(&self) -> Option<&Feed>;

    /// Finds what is to be read, its stored feed, and pins the live position.
    async fn connect(&mut self) -> Result<(), Error>;

    /// Reads and applies one page of changes; whether there are more.
    async fn poll(&mut self) -> Result<bool, Error>;

    /// Tries failed items again that are due.
    async fn retry_failures(&mut self) -> Result<(), Error>;

    /// One bounded piece of the walk, which is in `phase`; never called for a held one.
    async fn walk(&mut self, phase: WalkPhase) -> Result<(), Error>;

    /// Begins to compare by listing.
    async fn resync(&mut self, reason: &str) -> Result<(), Error>;

    /// Goes on with a held walk.
    async fn accept_deletes(&mut self) -> Result<(), Error>;

    /// Whether another feed has found that the account is another one now.
    fn is_outdated(&self) -> bool {
        false
    }

    /// Lets the next step connect anew; `is_suspect`: after the account was looked up again, since
    /// it may have been renamed or be another one.
    fn disconnect(&mut self, _is_suspect: bool) {}

    /// Forgets what is half-read: after a fault it is read again.
    fn forget_position(&mut self);

    /// Items of the walk's current page that are done; not yet counted in the stored walk.
    fn n_done(&self) -> u64 {
        0
    }
}

/// A feed with its loop.
pub(crate) struct Task<L: Log> {
    log: L,
    desk: Desk,
    poll_interval: Duration,
    /// Failed steps since the last good one.
    n_faults: u32,
    /// Whether the last poll left more to read.
    more: bool,
    /// When to poll next.
    poll_at: Instant,
    /// When to look for failed items next.
    failures_at: Instant,
    /// The verification under way.
    verification: Option<Box<Verification<L::Survey>>>,
}

/// What a step left to do.
enum Progress {
    /// More, at once.
    More,
    /// Nothing before the next poll.
    Idle,
    /// A walk, but the spool has no room for it.
    NoRoom,
}

impl<L: Log> Task<L> {
    /// A feed that is not started yet.
    pub(crate) fn new(log: L, desk: Desk, poll_interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            log,
            desk,
            poll_interval,
            n_faults: 0,
            more: false,
            poll_at: now,
            failures_at: now,
            verification: None,
        }
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// Only [`StoreError`]: then the process cannot go on. All that Google does is a state.
    ///
    /// # Cancel safety
    /// Appends are not cancelled half-way; between them it stops at any await.
    pub(crate) async fn run(
        mut self,
        commands: &mut mpsc::Receiver<FeedCommand>,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        while !stop.is_cancelled() {
            let step = tokio::select! {
                () = stop.cancelled() => break,
                step = self.step() => step,
            };
            let wait = match step {
                Ok(progress) => {
                    self.n_faults = 0;
                    self.settle(&progress)
                }
                Err(error) => {
                    let error = survivable(error, &stop)?;
                    self.n_faults = self.n_faults.saturating_add(1);
                    // In doubt a half-read page is read again.
                    self.log.forget_position();
                    if error.is_of_account() {
                        self.log.disconnect(true);
                    }
                    self.more = false;
                    self.fault(&error)
                }
            };
            let command = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => command,
                () = tokio::time::sleep_until(wait) => continue,
            };
            let Some(command) = command else { break };
            if let Err(error) = self.obey(command).await {
                let error = survivable(error, &stop)?;
                tracing::warn!(
                    account = %self.desk.name,
                    source = self.desk.source.as_str(),
                    code = error.code(),
                    error = %Chain(&error),
                    "a command could not be carried out"
                );
            }
        }
        Ok(())
    }

    /// One bounded piece of work.
    async fn step(&mut self) -> Result<Progress, Error> {
        if self.log.is_outdated() {
            self.log.disconnect(false);
            self.more = false;
        }
        if self.log.feed().is_none() {
            self.log.connect().await?;
            if let Some(feed) = self.log.feed() {
                self.desk.publish_count(feed).await?;
                tracing::info!(
                    account = %self.desk.name,
                    source = self.desk.source.as_str(),
                    feed = feed.id.0,
                    "connected"
                );
            }
            return Ok(Progress::More);
        }
        if self.more || Instant::now() >= self.poll_at {
            self.more = self.log.poll().await?;
            if !self.more {
                let interval = self.desk.poll_interval(self.poll_interval);
                self.poll_at = Instant::now() + jittered(interval);
            }
            return Ok(Progress::More);
        }
        if Instant::now() >= self.failures_at {
            self.log.retry_failures().await?;
            self.failures_at = Instant::now() + self.poll_interval;
            return Ok(Progress::More);
        }
        let walk = self.log.feed().and_then(|feed| feed.walk.as_ref());
        if let Some(verification) = &mut self.verification
            && verification.may_go_on(walk)
        {
            let is_over =
                verification.is_abandoned() || verification.step(&mut self.log, &self.desk).await?;
            if is_over {
                self.verification = None;
            }
            return Ok(Progress::More);
        }
        match walk.map(|walk| walk.phase) {
            None | Some(WalkPhase::Held { .. }) => Ok(Progress::Idle),
            Some(_) if !self.desk.store.has_room_for_walks().await? => Ok(Progress::NoRoom),
            Some(phase) => {
                self.log.walk(phase).await?;
                Ok(Progress::More)
            }
        }
    }

    async fn obey(&mut self, command: FeedCommand) -> Result<(), Error> {
        if let FeedCommand::Verify(order) = command {
            self.verify(order);
            return Ok(());
        }
        if self.log.feed().is_none() {
            return Ok(());
        }
        match command {
            FeedCommand::Verify(_) => {}
            FeedCommand::Nudge => self.poll_at = Instant::now(),
            FeedCommand::Resync => {
                self.log.resync("asked for by an operator").await?;
                self.more = false;
                self.hasten_failures().await?;
            }
            FeedCommand::AcceptDeletes => self.log.accept_deletes().await?,
        }
        Ok(())
    }

    /// Begins a verification, or tells why not.
    fn verify(&mut self, order: VerifyOrder) {
        let health = self.desk.health.borrow().clone();
        let is_connected = self.log.feed().is_some();
        let obstacle = match &self.verification {
            Some(running) if !running.is_abandoned() => Some(verify::is_under_way()),
            _ => verify::obstacle(&health, is_connected, self.desk.clock.now_ms()),
        };
        match obstacle {
            // Nobody listens: nothing is to be told.
            Some(obstacle) => drop(order.report.send(Verified::refused(obstacle))),
            None => self.verification = Some(Box::new(Verification::new(order))),
        }
    }

    /// Lets all failed items be tried again at once.
    async fn hasten_failures(&mut self) -> Result<(), Error> {
        let Some(feed) = self.log.feed().map(|feed| feed.id) else {
            return Ok(());
        };
        let failed = self.desk.store.failed_items(feed, MAX_HASTENED).await?;
        let items = failed.into_iter().map(|one| one.failure.item).collect();
        let now = self.desk.clock.now_ms();
        self.desk.store.hasten_failures(feed, items, now).await?;
        self.failures_at = Instant::now();
        Ok(())
    }

    /// Publishes health after a good step; when to go on.
    fn settle(&self, progress: &Progress) -> Instant {
        let Some(feed) = self.log.feed() else {
            return Instant::now();
        };
        let walk = feed.walk.as_ref();
        let state = match (progress, walk) {
            (Progress::NoRoom, _) => FeedState::Paused,
            (_, None) => FeedState::Live,
            (_, Some(walk)) => match (walk.phase, walk.origin) {
                (WalkPhase::Held { .. }, _) => FeedState::Held,
                (_, Origin::Backfill) => FeedState::Walking,
                (_, Origin::Live | Origin::Resync | Origin::Replay) => FeedState::Resync,
            },
        };
        let now = self.desk.clock.now_ms();
        let n_done = self.log.n_done();
        self.desk.health.send_modify(|health| {
            if health.state != state {
                tracing::info!(
                    account = %self.desk.name,
                    source = self.desk.source.as_str(),
                    from = health.state.as_str(),
                    to = state.as_str(),
                    "feed changes state"
                );
            }
            health.state = state;
            health.last_success = Some(now);
            health.next_try = None;
            health.walk = walk.map(|walk| WalkProgress {
                done: walk.done + n_done,
                total: walk.total,
            });
            health.error = walk.and_then(held_notice);
        });
        match progress {
            Progress::More => Instant::now(),
            Progress::Idle => self.poll_at.min(self.failures_at),
            Progress::NoRoom => self.poll_at.min(Instant::now() + FIRST_BACKOFF),
        }
    }

    /// Publishes a fault; when to try again.
    fn fault(&mut self, error: &Error) -> Instant {
        let (state, wait) = match error.next() {
            Next::RetryAfter(wait) => (FeedState::Waiting, wait),
            Next::Backoff | Next::Resync | Next::Stop => {
                let n_doublings = self.n_faults.saturating_sub(1).min(16);
                let grown = FIRST_BACKOFF.saturating_mul(1 << n_doublings);
                (FeedState::Waiting, jittered(grown.min(MAX_BACKOFF)))
            }
            Next::Reauthorize | Next::Reject => {
                let probe = self.poll_interval.saturating_mul(PROBE_POLLS);
                (error.refused_state(), jittered(probe))
            }
        };
        let message = Chain(error).to_string();
        let shown = FeedError {
            code: error.code().to_owned(),
            message: message.clone(),
            hint: error.hint(),
        };
        if let Some(verification) = &mut self.verification
            && verification.stumble(error, shown.clone())
        {
            self.verification = None;
        }
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let next_try = self.desk.clock.now_ms().saturating_add(wait_ms);
        self.desk.health.send_modify(|health| {
            // Logged when a state is entered, not at each try in it.
            if health.error.as_ref().map(|e| &e.code) != Some(&shown.code) {
                tracing::warn!(
                    account = %self.desk.name,
                    source = self.desk.source.as_str(),
                    code = error.code(),
                    error = %message,
                    hint = %shown.hint,
                    "feed cannot go on"
                );
            }
            health.state = state;
            health.next_try = Some(next_try);
            health.error = Some(shown);
        });
        Instant::now() + wait
    }
}

/// Passes on what a feed lives through; a failed store ends it, unless all is ending.
fn survivable(error: Error, stop: &CancellationToken) -> Result<Error, StoreError> {
    match error {
        Error::Store(cause @ (StoreError::Failed(_) | StoreError::Closed))
            if !stop.is_cancelled() =>
        {
            Err(cause)
        }
        error => Ok(error),
    }
}

/// A quarter more or less, so that ten thousand feeds do not poll at one moment.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.75 + fastrand::f64() * 0.5)
}

/// What a held walk tells the operator.
fn held_notice(walk: &Walk) -> Option<FeedError> {
    match walk.phase {
        WalkPhase::Held { deletions } => Some(FeedError {
            code: "SRC010".into(),
            message: format!(
                "a resync found {deletions} items missing at Google and holds their deletion"
            ),
            hint: "if they were really deleted: nuncio user resync EMAIL --accept-deletes".into(),
        }),
        WalkPhase::List | WalkPhase::Labels | WalkPhase::Sweep { .. } => None,
    }
}
