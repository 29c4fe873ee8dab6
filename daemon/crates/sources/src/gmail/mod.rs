//! A mailbox as a feed: one task that polls Gmail's history from its first minute on and walks
//! the mailbox beside it. Live goes first; the two take turns, so that nothing of the walk can
//! overtake a live change of the same message.
//!
//! The rules are in `fold`; what a message becomes is in `normalize` and `scribe`.

mod drafts;
mod fetch;
mod fold;
mod large;
mod live;
pub mod normalize;
mod plan;
mod read;
mod resync;
mod scribe;
mod verify;
mod walk;

use crate::account::{self, Confirm};
use crate::desk::Desk;
use crate::error::Error;
use crate::task::{Log, Task};
use crate::{AccountOptions, FeedCommand, FeedHealth, Shared};
use async_trait::async_trait;
use fold::Scope;
use nuncio_google::{Gmail, Google};
use nuncio_model::{
    AccountKey, Address, Content, Feed, FeedSpec, LabelNames, Origin, Source, StoreError, WalkPhase,
};
use plan::Planner;
use scribe::Scribe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What a mail feed needs to know of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailOptions {
    /// Whose.
    pub account: AccountOptions,
    /// Time between polls of the history.
    pub poll_interval: Duration,
    /// How far back the first walk goes; none: all.
    pub since: Option<Duration>,
    /// Whether spam and trash are items like others.
    pub include_spam_trash: bool,
    /// Whether drafts are items.
    pub include_drafts: bool,
    /// The most that any sink wants.
    pub content: Content,
}

/// Reads one mailbox until `stop`.
///
/// # Errors
/// Only [`StoreError`]: then the process cannot go on. All that Google does is a state, shown in
/// `health`.
///
/// # Cancel safety
/// Appends are not cancelled half-way; between them it stops at any await.
pub async fn run(
    options: MailOptions,
    shared: Shared,
    health: watch::Sender<FeedHealth>,
    commands: &mut mpsc::Receiver<FeedCommand>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let name = options.account.address.to_string();
    let desk = Desk::new(Source::Gmail, name, &shared, health);
    let poll_interval = options.poll_interval;
    let log = MailLog {
        feed: MailFeed {
            options,
            shared,
            desk: desk.clone(),
        },
        mailbox: None,
    };
    Task::new(log, desk, poll_interval)
        .run(commands, stop)
        .await
}

/// What the steps of a mailbox share.
struct MailFeed {
    options: MailOptions,
    shared: Shared,
    desk: Desk,
}

/// One mailbox and, once connected, where it stands.
struct MailLog {
    feed: MailFeed,
    mailbox: Option<Box<Mailbox>>,
}

#[async_trait]
impl Log for MailLog {
    fn feed(&self) -> Option<&Feed> {
        self.mailbox.as_ref().map(|mailbox| &mailbox.feed)
    }

    async fn connect(&mut self) -> Result<(), Error> {
        self.mailbox = Some(Box::new(self.feed.connect().await?));
        Ok(())
    }

    async fn poll(&mut self) -> Result<bool, Error> {
        match &mut self.mailbox {
            Some(mailbox) => self.feed.poll(mailbox).await,
            None => Ok(false),
        }
    }

    async fn retry_failures(&mut self) -> Result<(), Error> {
        match &mut self.mailbox {
            Some(mailbox) => self.feed.retry_failures(mailbox).await,
            None => Ok(()),
        }
    }

    async fn walk(&mut self, phase: WalkPhase) -> Result<(), Error> {
        let Some(mailbox) = &mut self.mailbox else {
            return Ok(());
        };
        match phase {
            WalkPhase::List => self.feed.walk_on(mailbox).await,
            WalkPhase::Labels => self.feed.compare_labels(mailbox).await,
            WalkPhase::Sweep { accepted } => self.feed.sweep(mailbox, accepted).await,
            WalkPhase::Held { .. } => Ok(()),
        }
    }

    async fn resync(&mut self, reason: &str) -> Result<(), Error> {
        match &mut self.mailbox {
            Some(mailbox) => {
                let begun = self.feed.begin_walk(mailbox, Origin::Resync, Some(reason));
                begun.await
            }
            None => Ok(()),
        }
    }

    async fn accept_deletes(&mut self) -> Result<(), Error> {
        match &mut self.mailbox {
            Some(mailbox) => self.feed.accept_deletes(mailbox).await,
            None => Ok(()),
        }
    }

    fn is_outdated(&self) -> bool {
        let address = &self.feed.options.account.address;
        let accounts = &self.feed.shared.accounts;
        self.mailbox
            .as_ref()
            .is_some_and(|mailbox| accounts.is_outdated(address, &mailbox.scribe.account))
    }

    fn disconnect(&mut self, is_suspect: bool) {
        if is_suspect {
            let options = &self.feed.options.account;
            self.feed.shared.accounts.suspect(&options.address);
        }
        self.mailbox = None;
    }

    fn forget_position(&mut self) {
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.history = None;
        }
    }

    fn n_done(&self) -> u64 {
        let mailbox = self.mailbox.as_ref();
        mailbox.map_or(0, |mailbox| mailbox.listed.n_done())
    }
}

/// Confirms an account by its mailbox's profile.
struct ByProfile<'a>(&'a Google);

impl Confirm for ByProfile<'_> {
    async fn confirm(
        &self,
        key: &AccountKey,
        primary: &Address,
    ) -> Result<String, nuncio_google::Error> {
        let profile = self.0.gmail(key, primary).profile().await?;
        Ok(profile.email_address)
    }
}

/// A connected mailbox.
struct Mailbox {
    gmail: Gmail,
    feed: Feed,
    scribe: Scribe,
    /// A history page that is to be continued.
    history: Option<live::HistoryPosition>,
    /// Listed messages that the walk has still to read.
    listed: walk::Listed,
    /// What a comparison of the drafts is owed.
    drafts: drafts::Due,
    /// Which messages of the walk are large.
    large: large::LargeIds,
    /// Labels that a resync has seen.
    seen_labels: Option<resync::SeenLabels>,
    /// Which calls are cheapest.
    planner: Planner,
    /// Fetches in a row that got no message.
    n_halts: u32,
}

impl MailFeed {
    /// Finds the mailbox, its stored feed, and pins the live position before anything is listed.
    async fn connect(&mut self) -> Result<Mailbox, Error> {
        let options = &self.options.account;
        let google = &self.shared.google;
        let account = account::account(options, &self.shared, &ByProfile(google)).await?;
        let address = Address::parse(&account.address).unwrap_or_else(|| options.address.clone());
        let gmail = google.gmail(&account.key, &address);
        let spec = FeedSpec {
            account: account.key.clone(),
            source: Source::Gmail,
            collection: String::new(),
        };
        let floor = self.desk.floor(self.options.since);
        let feed = self.desk.store.open_feed(spec, floor).await?;
        self.shared.accounts.claim(feed.id, &options.address)?;
        self.desk.health.send_modify(|health| {
            health.account_key = Some(account.key.as_str().to_owned());
            health.feed = Some(feed.id.0);
        });
        // Before the first record, so that it knows the user's own addresses.
        let identity = &self.shared.identity;
        identity.look(&self.shared, options, &account, true).await;
        let label_names = label_names(&gmail).await?;
        let mut mailbox = Mailbox {
            scribe: Scribe {
                feed: feed.id,
                account: account.key,
                address: account.address,
                user: options.user.clone(),
                identity: Arc::clone(&self.shared.identity),
                label_names,
                content: self.options.content,
                scope: Scope::new(self.options.include_spam_trash),
                floor: feed.floor,
                clock: Arc::clone(&self.desk.clock),
            },
            planner: Planner::new(gmail.read_prices()),
            gmail,
            feed,
            history: None,
            listed: walk::Listed::default(),
            drafts: drafts::Due::Nothing,
            large: large::LargeIds::default(),
            seen_labels: None,
            n_halts: 0,
        };
        self.drop_drafts(&mut mailbox).await?;
        self.owe_drafts(&mut mailbox);
        if mailbox.feed.cursor.is_none() {
            self.begin_walk(&mut mailbox, Origin::Backfill, None)
                .await?;
        }
        Ok(mailbox)
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
