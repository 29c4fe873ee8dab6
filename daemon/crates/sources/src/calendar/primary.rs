//! The feed of an account's primary calendar. It also tells which other calendars its account
//! sees, so that these are read for the domain.

use super::discover;
use super::feed::{Position, Reading};
use super::scribe::Scribe;
use super::{LOOK_POLLS, PrimaryOptions};
use crate::account::{self, Confirm};
use crate::desk::Desk;
use crate::error::Error;
use crate::task::{Log, Task};
use crate::{FeedCommand, FeedHealth, Shared};
use async_trait::async_trait;
use nuncio_google::Google;
use nuncio_model::{
    AccountKey, Address, Feed, FeedSpec, Origin, PRIMARY_CALENDAR, Source, StoreError,
    StoredAccount, WalkPhase,
};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Reads one account's primary calendar until `stop`. The account's answer must be expected
/// ([`crate::Commons::expect`]) before.
///
/// # Errors
/// Only [`StoreError`]: then the process cannot go on. All that Google does is a state, shown in
/// `health`.
///
/// # Cancel safety
/// Appends are not cancelled half-way; between them it stops at any await.
pub async fn run_primary(
    options: PrimaryOptions,
    shared: Shared,
    health: watch::Sender<FeedHealth>,
    commands: &mut mpsc::Receiver<FeedCommand>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let name = options.account.address.to_string();
    let desk = Desk::new(Source::Calendar, name, &shared, health);
    let poll_interval = options.poll_interval;
    let log = PrimaryLog {
        options,
        shared,
        desk: desk.clone(),
        reading: None,
        account: None,
        n_polls: 0,
    };
    Task::new(log, desk, poll_interval)
        .run(commands, stop)
        .await
}

pub(super) struct PrimaryLog {
    options: PrimaryOptions,
    pub(super) shared: Shared,
    desk: Desk,
    pub(super) reading: Option<Box<Reading>>,
    account: Option<StoredAccount>,
    n_polls: u32,
}

#[async_trait]
impl Log for PrimaryLog {
    fn feed(&self) -> Option<&Feed> {
        self.reading.as_ref().map(|reading| &reading.feed)
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let connected = self.try_connect().await;
        // Also a failure is an answer: others must not wait for this account.
        self.shared
            .commons
            .answered(Source::Calendar, &self.options.account.address);
        self.reading = Some(Box::new(connected?));
        Ok(())
    }

    async fn poll(&mut self) -> Result<bool, Error> {
        let Some(reading) = &mut self.reading else {
            return Ok(false);
        };
        let is_more = reading.poll().await?;
        if !is_more {
            self.n_polls = (self.n_polls + 1) % LOOK_POLLS;
            if self.n_polls == 0 {
                self.look_again().await?;
            }
        }
        Ok(is_more)
    }

    async fn retry_failures(&mut self) -> Result<(), Error> {
        match &mut self.reading {
            Some(reading) => reading.retry_failures().await,
            None => Ok(()),
        }
    }

    async fn walk(&mut self, phase: WalkPhase) -> Result<(), Error> {
        let Some(reading) = &mut self.reading else {
            return Ok(());
        };
        match phase {
            // Calendars have no labels.
            WalkPhase::List | WalkPhase::Labels => reading.walk_on().await,
            WalkPhase::Sweep { accepted } => reading.sweep(accepted, &[]).await,
            WalkPhase::Held { .. } => Ok(()),
        }
    }

    async fn resync(&mut self, reason: &str) -> Result<(), Error> {
        match &mut self.reading {
            Some(reading) => reading.resync(reason).await,
            None => Ok(()),
        }
    }

    async fn accept_deletes(&mut self) -> Result<(), Error> {
        match &mut self.reading {
            Some(reading) => reading.accept_deletes().await,
            None => Ok(()),
        }
    }

    fn is_outdated(&self) -> bool {
        let (accounts, address) = (&self.shared.accounts, &self.options.account.address);
        self.reading
            .as_ref()
            .is_some_and(|reading| accounts.is_outdated(address, &reading.reader))
    }

    fn disconnect(&mut self, is_suspect: bool) {
        if is_suspect {
            self.shared.accounts.suspect(&self.options.account.address);
        }
        self.reading = None;
    }

    fn forget_position(&mut self) {
        if let Some(reading) = &mut self.reading {
            reading.increment = None;
        }
    }

    fn n_done(&self) -> u64 {
        let listing = self
            .reading
            .as_ref()
            .and_then(|reading| reading.listing.as_ref());
        listing.map_or(0, |listing| listing.n_seen)
    }
}

/// Confirms an account by the id of its primary calendar.
struct ByPrimary<'a> {
    google: &'a Google,
    options: &'a PrimaryOptions,
    shared: &'a Shared,
}

impl Confirm for ByPrimary<'_> {
    async fn confirm(
        &self,
        key: &AccountKey,
        primary: &Address,
    ) -> Result<String, nuncio_google::Error> {
        let calendar = self.google.calendar(key, primary);
        let people = &self.shared.identity.people();
        match discover::list(&calendar, self.options.wishes, people, &[]).await {
            Ok(seen) => Ok(seen.primary.unwrap_or_default()),
            Err(Error::Google(error)) => Err(error),
            Err(_) => Ok(String::new()),
        }
    }
}

impl PrimaryLog {
    /// Finds the account and its stored feed, and tells what the account sees: first what is
    /// remembered, so that the domain's feeds need not wait for Google.
    async fn try_connect(&mut self) -> Result<Reading, Error> {
        let options = &self.options.account;
        let confirm = ByPrimary {
            google: &self.shared.google,
            options: &self.options,
            shared: &self.shared,
        };
        let account = account::account(options, &self.shared, &confirm).await?;
        let address = Address::parse(&account.address).unwrap_or_else(|| options.address.clone());
        let remembered = self
            .desk
            .store
            .memberships(Source::Calendar, &account.key)
            .await?;
        let is_remembered = !remembered.is_empty();
        self.shared.commons.tell(
            Source::Calendar,
            &options.user,
            &account.key,
            &address,
            remembered,
        );
        if is_remembered {
            self.shared
                .commons
                .answered(Source::Calendar, &options.address);
        }
        let calendar = self.shared.google.calendar(&account.key, &address);
        let spec = FeedSpec {
            account: account.key.clone(),
            source: Source::Calendar,
            collection: PRIMARY_CALENDAR.to_owned(),
        };
        let floor = self.desk.floor(self.options.since);
        let feed = self.desk.store.open_feed(spec, floor).await?;
        self.shared.accounts.claim(feed.id, &options.address)?;
        self.desk.health.send_modify(|health| {
            health.account_key = Some(account.key.as_str().to_owned());
            health.feed = Some(feed.id.0);
        });
        let scribe = Scribe {
            feed: feed.id,
            account: account.key.clone(),
            address: account.address.clone(),
            user: options.user.as_str().to_owned(),
            collection: PRIMARY_CALENDAR.to_owned(),
            name: account.address.clone(),
            identity: Arc::clone(&self.shared.identity),
            content: self.options.content,
            floor: feed.floor,
            clock: Arc::clone(&self.desk.clock),
        };
        let mut reading = Reading::new(
            calendar,
            PRIMARY_CALENDAR.to_owned(),
            account.key.clone(),
            self.desk.clone(),
            feed,
            scribe,
        );
        reading.owner = Some((self.shared.clone(), options.clone()));
        self.look(&account, &reading).await?;
        self.account = Some(account);
        if reading.feed.cursor.is_none() {
            reading.begin_walk(Origin::Backfill, None, true).await?;
        } else if Position::of(&reading.feed).is_none() {
            reading
                .lose_position("the stored position cannot be read")
                .await?;
        }
        Ok(reading)
    }

    async fn look_again(&self) -> Result<(), Error> {
        match (&self.account, &self.reading) {
            (Some(account), Some(reading)) => self.look(account, reading).await,
            _ => Ok(()),
        }
    }

    /// Lists the account's calendars and tells of them.
    async fn look(&self, account: &StoredAccount, reading: &Reading) -> Result<(), Error> {
        let store = &self.desk.store;
        let before = store.memberships(Source::Calendar, &account.key).await?;
        let people = &self.shared.identity.people();
        let seen = discover::list(&reading.calendar, self.options.wishes, people, &before).await?;
        let mut memberships = seen.memberships;
        memberships.sort_by(|a, b| a.collection.cmp(&b.collection));
        memberships.dedup_by(|a, b| a.collection == b.collection);
        if memberships != before {
            store
                .set_memberships(Source::Calendar, &account.key, memberships.clone())
                .await?;
        }
        let address = Address::parse(&account.address)
            .unwrap_or_else(|| self.options.account.address.clone());
        let user = &self.options.account.user;
        self.shared
            .commons
            .tell(Source::Calendar, user, &account.key, &address, memberships);
        Ok(())
    }
}
