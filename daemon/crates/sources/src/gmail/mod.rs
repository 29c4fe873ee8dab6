//! A mailbox as a feed: one task that polls Gmail's history from its first minute on and walks
//! the mailbox beside it. Live goes first; the two take turns, so that nothing of the walk can
//! overtake a live change of the same message.
//!
//! The rules are in `fold`; what a message becomes is in `normalize` and `scribe`.

mod connect;
mod error;
mod fetch;
mod fold;
mod live;
pub mod normalize;
mod resync;
mod scribe;
mod walk;

use crate::{FeedError, FeedHealth, FeedState, Store, WalkProgress};
use error::Error;
use fold::Scope;
use nuncio_google::{Directory, Gmail, Google};
use nuncio_model::{
    AccountKey, Address, Chain, Clock, Content, Feed, FeedId, FeedSpec, LabelNames, Next, Origin,
    People, Source, StoreError, Walk, WalkPhase,
};
use scribe::Scribe;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first wait after a fault that passes by itself; doubled at each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait after a fault that passes by itself.
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// A refused account is tried again by itself after so many polls.
const PROBE_POLLS: u32 = 5;

/// What a mail feed needs to know of the config.
#[derive(Debug, Clone)]
pub struct MailOptions {
    /// The configured user.
    pub user: Address,
    /// The connected address.
    pub address: Address,
    /// The account key that the config sets, if it does.
    pub key: Option<AccountKey>,
    /// Time between polls of the history.
    pub poll_interval: Duration,
    /// How far back the first walk goes; none: all.
    pub since: Option<Duration>,
    /// Whether spam and trash are items like others.
    pub include_spam_trash: bool,
    /// The most that any sink wants.
    pub content: Content,
}

/// What an operator asks of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailCommand {
    /// Compare by listing.
    Resync,
    /// Carry out the deletions of a held resync.
    AcceptDeletes,
    /// Poll now.
    Nudge,
}

/// What all mail feeds share. Clones are cheap.
#[derive(Clone)]
pub struct Shared {
    /// Google.
    pub google: Google,
    /// The Directory, if an administrator is configured.
    pub directory: Option<Directory>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Who is who.
    pub people: Arc<People>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which address reads which mailbox.
    pub claims: Arc<Claims>,
}

/// One mailbox.
pub struct MailFeed {
    options: MailOptions,
    google: Google,
    directory: Option<Directory>,
    store: Arc<dyn Store>,
    people: Arc<People>,
    clock: Arc<dyn Clock>,
    health: watch::Sender<FeedHealth>,
    claims: Arc<Claims>,
    /// Failed steps since the last good one.
    n_faults: u32,
}

/// Which address reads which feed: two names of one mailbox must not be read by two tasks, since
/// all rules of order hold within one.
#[derive(Debug, Default)]
pub struct Claims(Mutex<HashMap<FeedId, Address>>);

impl Claims {
    /// Claims a feed; the same address may do so again.
    fn claim(&self, feed: FeedId, address: &Address) -> Result<(), Error> {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = claims.entry(feed).or_insert_with(|| address.clone());
        if holder == address {
            return Ok(());
        }
        Err(Error::SameMailbox {
            address: address.to_string(),
            other: holder.to_string(),
        })
    }
}

/// A connected mailbox.
struct Mailbox {
    gmail: Gmail,
    feed: Feed,
    scribe: Scribe,
    /// When the history is to be polled next.
    poll_at: Instant,
    /// A history page that is to be continued.
    history: Option<live::HistoryPosition>,
    /// Listed messages that the walk has still to read.
    listed: walk::Listed,
    /// Labels that a resync has seen.
    seen_labels: Option<resync::SeenLabels>,
    /// When failed items were last looked for.
    failures_at: Instant,
    /// Fetches in a row that got no message.
    n_halts: u32,
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

impl MailFeed {
    /// A feed that is not started yet.
    pub fn new(options: MailOptions, shared: Shared, health: watch::Sender<FeedHealth>) -> Self {
        let Shared {
            google,
            directory,
            store,
            people,
            clock,
            claims,
        } = shared;
        Self {
            options,
            google,
            directory,
            store,
            people,
            clock,
            health,
            claims,
            n_faults: 0,
        }
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// Only [`StoreError`]: then the process cannot go on. All that Google does is a state.
    ///
    /// # Cancel safety
    /// Appends are not cancelled half-way; between them it stops at any await.
    pub async fn run(
        mut self,
        commands: &mut mpsc::Receiver<MailCommand>,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        let mut mailbox: Option<Box<Mailbox>> = None;
        while !stop.is_cancelled() {
            let step = tokio::select! {
                () = stop.cancelled() => break,
                step = self.step(&mut mailbox) => step,
            };
            let wait = match step {
                Ok(progress) => {
                    self.n_faults = 0;
                    self.settle(mailbox.as_deref(), &progress)
                }
                Err(error) => {
                    let error = self.survivable(error, &stop)?;
                    self.n_faults = self.n_faults.saturating_add(1);
                    // In doubt a half-read page is read again.
                    if let Some(mailbox) = &mut mailbox {
                        mailbox.history = None;
                    }
                    self.fault(&error, self.n_faults)
                }
            };
            let command = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => command,
                () = tokio::time::sleep_until(wait) => continue,
            };
            let Some(command) = command else { break };
            if let Err(error) = self.obey(command, mailbox.as_deref_mut()).await {
                let error = self.survivable(error, &stop)?;
                tracing::warn!(
                    account = %self.options.address,
                    code = error.code(),
                    error = %Chain(&error),
                    "a command could not be carried out"
                );
            }
        }
        Ok(())
    }

    /// Passes on what the feed lives through; a failed store ends it, unless all is ending.
    fn survivable(&self, error: Error, stop: &CancellationToken) -> Result<Error, StoreError> {
        match error {
            Error::Store(cause @ (StoreError::Failed(_) | StoreError::Closed))
                if !stop.is_cancelled() =>
            {
                Err(cause)
            }
            error => Ok(error),
        }
    }

    /// One bounded piece of work: live first, then failed items, then the walk.
    async fn step(&mut self, slot: &mut Option<Box<Mailbox>>) -> Result<Progress, Error> {
        let Some(mailbox) = slot.as_deref_mut() else {
            *slot = Some(Box::new(self.connect().await?));
            return Ok(Progress::More);
        };
        if mailbox.history.is_some() || Instant::now() >= mailbox.poll_at {
            let more = self.poll(mailbox).await?;
            if !more {
                mailbox.poll_at = Instant::now() + self.jittered(self.options.poll_interval);
            }
            return Ok(Progress::More);
        }
        if Instant::now() >= mailbox.failures_at {
            self.retry_failures(mailbox).await?;
            mailbox.failures_at = Instant::now() + self.options.poll_interval;
            return Ok(Progress::More);
        }
        match mailbox.feed.walk.as_ref().map(|walk| walk.phase) {
            None | Some(WalkPhase::Held { .. }) => Ok(Progress::Idle),
            Some(_) if !self.store.has_room_for_walks().await? => Ok(Progress::NoRoom),
            Some(WalkPhase::List) => self.walk_on(mailbox).await,
            Some(WalkPhase::Labels) => self.compare_labels(mailbox).await,
            Some(WalkPhase::Sweep { accepted }) => self.sweep(mailbox, accepted).await,
        }
    }

    /// Finds the mailbox, its stored feed, and pins the live position before anything is listed.
    async fn connect(&mut self) -> Result<Mailbox, Error> {
        let account = self.account().await?;
        let address =
            Address::parse(&account.address).unwrap_or_else(|| self.options.address.clone());
        let gmail = self.google.gmail(&account.key, &address);
        let floor = self.options.since.map(|since| {
            self.clock.now_ms() - i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
        let spec = FeedSpec {
            account: account.key.clone(),
            source: Source::Gmail,
            collection: String::new(),
        };
        let feed = self.store.open_feed(spec, floor).await?;
        self.claims.claim(feed.id, &self.options.address)?;
        self.health.send_modify(|health| {
            health.account_key = Some(account.key.as_str().to_owned());
            health.feed = Some(feed.id.0);
        });
        let label_names = label_names(&gmail).await?;
        let mut mailbox = Mailbox {
            scribe: Scribe {
                feed: feed.id,
                account: account.key,
                address: account.address,
                user: self.options.user.clone(),
                people: Arc::clone(&self.people),
                label_names,
                content: self.options.content,
                scope: Scope::new(self.options.include_spam_trash),
                floor: feed.floor,
                clock: Arc::clone(&self.clock),
            },
            gmail,
            feed,
            poll_at: Instant::now(),
            history: None,
            listed: walk::Listed::default(),
            seen_labels: None,
            failures_at: Instant::now(),
            n_halts: 0,
        };
        if mailbox.feed.cursor.is_none() {
            self.begin_walk(&mut mailbox, Origin::Backfill, None)
                .await?;
        }
        self.publish_count(&mailbox).await?;
        tracing::info!(
            account = %self.options.address,
            source = "gmail",
            feed = mailbox.feed.id.0,
            "connected"
        );
        Ok(mailbox)
    }

    async fn obey(
        &mut self,
        command: MailCommand,
        mailbox: Option<&mut Mailbox>,
    ) -> Result<(), Error> {
        let Some(mailbox) = mailbox else {
            return Ok(());
        };
        match command {
            MailCommand::Nudge => mailbox.poll_at = Instant::now(),
            MailCommand::Resync => {
                self.begin_walk(mailbox, Origin::Resync, Some("asked for by an operator"))
                    .await?;
            }
            MailCommand::AcceptDeletes => self.accept_deletes(mailbox).await?,
        }
        Ok(())
    }

    /// Publishes health after a good step; when to go on.
    fn settle(&self, mailbox: Option<&Mailbox>, progress: &Progress) -> Instant {
        let Some(mailbox) = mailbox else {
            return Instant::now();
        };
        let walk = mailbox.feed.walk.as_ref();
        let state = match (progress, walk) {
            (Progress::NoRoom, _) => FeedState::Paused,
            (_, None) => FeedState::Live,
            (_, Some(walk)) => match (walk.phase, walk.origin) {
                (WalkPhase::Held { .. }, _) => FeedState::Held,
                (_, Origin::Backfill) => FeedState::Walking,
                (_, Origin::Live | Origin::Resync | Origin::Replay) => FeedState::Resync,
            },
        };
        let now = self.clock.now_ms();
        self.health.send_modify(|health| {
            if health.state != state {
                tracing::info!(
                    account = %self.options.address,
                    source = "gmail",
                    from = health.state.as_str(),
                    to = state.as_str(),
                    "feed changes state"
                );
            }
            health.state = state;
            health.last_success = Some(now);
            health.next_try = None;
            health.walk = walk.map(|walk| WalkProgress {
                done: walk.done + mailbox.listed.n_done(),
                total: walk.total,
            });
            health.error = walk.and_then(held_notice);
        });
        match progress {
            Progress::More => Instant::now(),
            Progress::Idle => mailbox.poll_at.min(mailbox.failures_at),
            Progress::NoRoom => mailbox.poll_at.min(Instant::now() + FIRST_BACKOFF),
        }
    }

    /// Publishes a fault; when to try again.
    fn fault(&self, error: &Error, n_faults: u32) -> Instant {
        let (state, wait) = match error.next() {
            Next::RetryAfter(wait) => (FeedState::Waiting, wait),
            Next::Backoff | Next::Resync | Next::Stop => {
                let grown = FIRST_BACKOFF.saturating_mul(1 << n_faults.saturating_sub(1).min(16));
                (FeedState::Waiting, self.jittered(grown.min(MAX_BACKOFF)))
            }
            Next::Reauthorize | Next::Reject => {
                let probe = self.options.poll_interval.saturating_mul(PROBE_POLLS);
                (FeedState::Disabled, self.jittered(probe))
            }
        };
        let message = Chain(error).to_string();
        let shown = FeedError {
            code: error.code().to_owned(),
            message: message.clone(),
            hint: error.hint(),
        };
        let next_try = self.clock.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.health.send_modify(|health| {
            // Logged when a state is entered, not at each try in it.
            if health.error.as_ref().map(|e| &e.code) != Some(&shown.code) {
                tracing::warn!(
                    account = %self.options.address,
                    source = "gmail",
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

    /// A quarter more or less, so that ten thousand feeds do not poll at one moment.
    fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(0.75 + fastrand::f64() * 0.5)
    }

    /// How many items the index holds, for status.
    async fn publish_count(&self, mailbox: &Mailbox) -> Result<(), Error> {
        let items = self.store.count_items(mailbox.feed.id).await?;
        self.health.send_modify(|health| health.items = items);
        Ok(())
    }
}

/// The mailbox's labels, id to name.
async fn label_names(gmail: &Gmail) -> Result<Arc<LabelNames>, Error> {
    let labels = gmail.labels().await?;
    Ok(Arc::new(LabelNames(
        labels
            .into_iter()
            .map(|label| (label.id, label.name))
            .collect(),
    )))
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
