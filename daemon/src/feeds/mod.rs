//! The feeds of all users and of the domain: starts, stops and restarts them as the config wants,
//! reads their health, passes commands on. What a feed does is in the crate `nuncio-sources`.

mod desired;
mod domain;

pub(crate) use desired::{AccountFeed, Desired, FeedName, accounts_of, desired};

use crate::supervisor::{Fatal, Running, Tree};
use desired::DomainWishes;
use domain::Domain;
use nuncio_model::{
    AccountKey, Address, FeedId, FeedSpec, MY_DRIVE, PRIMARY_CALENDAR, Source, StoreError,
};
use nuncio_sources::{Commons, FeedCommand, FeedHealth, Shared, calendar, drive, gmail};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Commands that wait for one feed; an operator types no faster.
const MAX_COMMANDS: usize = 8;

/// One feed as the rest of the daemon sees it.
#[derive(Clone)]
pub(crate) struct FeedHandle {
    /// What is read.
    pub source: Source,
    /// Which calendar or drive; empty for a mailbox.
    pub collection: String,
    /// Whose it is; none: the domain's.
    pub owner: Option<Owner>,
    health: watch::Receiver<FeedHealth>,
    commands: mpsc::Sender<FeedCommand>,
}

/// Whose account a feed reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The configured user.
    pub user: Address,
    /// The connected address.
    pub address: Address,
}

/// What a feed's task gets of its handle.
#[derive(Clone)]
struct Ends {
    health: watch::Sender<FeedHealth>,
    /// A feed that starts again after a panic goes on with the same channel.
    commands: Arc<tokio::sync::Mutex<mpsc::Receiver<FeedCommand>>>,
}

impl FeedHandle {
    fn new(source: Source, collection: &str, owner: Option<Owner>) -> (Self, Ends) {
        let (health_sender, health) = watch::channel(FeedHealth::default());
        let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
        let handle = Self {
            source,
            collection: collection.to_owned(),
            owner,
            health,
            commands,
        };
        let ends = Ends {
            health: health_sender,
            commands: Arc::new(tokio::sync::Mutex::new(receiver)),
        };
        (handle, ends)
    }

    /// What the feed says of itself.
    pub(crate) fn health(&self) -> FeedHealth {
        self.health.borrow().clone()
    }

    /// Passes a command on; whether the feed took it.
    pub(crate) fn command(&self, command: FeedCommand) -> bool {
        self.commands.try_send(command).is_ok()
    }
}

/// All feeds that were started. Those of the domain come as they are found.
#[derive(Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<Vec<FeedHandle>>>);

impl Feeds {
    /// All feeds of now.
    pub(crate) fn all(&self) -> Vec<FeedHandle> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, handle: FeedHandle) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
    }

    /// Forgets these feeds of accounts.
    fn remove(&self, names: &HashSet<FeedName>) {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|feed| {
            let owner = feed.owner.as_ref();
            owner.is_none_or(|owner| !names.contains(&(feed.source, owner.address.clone())))
        });
    }

    /// Forgets the domain's feeds: the task that starts them begins anew.
    fn forget_domain(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|feed| feed.owner.is_some());
    }
}

/// All feeds, and what they were started with.
pub(crate) struct FeedSet {
    tree: Tree,
    shown: Feeds,
    accounts: BTreeMap<FeedName, Started>,
    domain: Option<(DomainWishes, Running)>,
    /// Feeds that were asked to stop and may not have ended.
    stopping: HashMap<FeedName, Vec<Running>>,
}

/// A running feed of an account.
struct Started {
    feed: AccountFeed,
    running: Running,
    /// Set before it is stopped for good.
    is_removed: Arc<AtomicBool>,
}

/// What a change of the config did to feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FeedChanges {
    /// Feeds that were not there.
    pub n_started: usize,
    /// Feeds that go on with other wishes.
    pub n_restarted: usize,
    /// Feeds that are not wanted any more.
    pub n_stopped: usize,
}

impl FeedSet {
    /// No feeds yet.
    pub(crate) fn new(parent: &CancellationToken) -> Self {
        Self {
            tree: Tree::new(parent),
            shown: Feeds::default(),
            accounts: BTreeMap::new(),
            domain: None,
            stopping: HashMap::new(),
        }
    }

    /// The feeds as the rest of the daemon sees them.
    pub(crate) fn shown(&self) -> Feeds {
        self.shown.clone()
    }

    /// Whether the domain's feeds are wanted otherwise than they run.
    pub(crate) fn is_other_domain(&self, desired: &Desired) -> bool {
        let domain = self.domain.as_ref();
        domain.is_none_or(|(wishes, _)| *wishes != desired.domain)
    }

    /// Makes the running feeds those that are `desired`. Feeds with the same wishes as before are
    /// not touched, unless `all_anew`: then what all share is other than before. `stored` are the
    /// feeds that the store knows.
    pub(crate) fn apply(
        &mut self,
        desired: Desired,
        all_anew: bool,
        stored: &[FeedSpec],
        shared: &Shared,
    ) -> FeedChanges {
        let is_other_domain = all_anew || self.is_other_domain(&desired);
        let mut changes = FeedChanges::default();
        self.stopping
            .retain(|_, all| !all.iter().all(Running::has_ended));
        let mut stopped = HashSet::new();
        let before = std::mem::take(&mut self.accounts);
        for (name, started) in before {
            let wish = desired.accounts.get(&name);
            if !all_anew && wish == Some(&started.feed) {
                self.accounts.insert(name, started);
                continue;
            }
            started.is_removed.store(wish.is_none(), Ordering::Relaxed);
            started.running.stop();
            match wish {
                Some(_) => changes.n_restarted += 1,
                None => changes.n_stopped += 1,
            }
            let stopping = self.stopping.entry(name.clone()).or_default();
            stopping.push(started.running);
            stopped.insert(name);
        }
        if !stopped.is_empty() {
            self.shown.remove(&stopped);
        }
        for (name, feed) in desired.accounts {
            if !self.accounts.contains_key(&name) {
                let before = self.before(&feed);
                let started = self.start(feed, before, shared);
                self.accounts.insert(name, started);
                changes.n_started += 1;
            }
        }
        changes.n_started -= changes.n_restarted;
        if is_other_domain {
            let mut before = Vec::new();
            if let Some((_, running)) = self.domain.take() {
                running.stop();
                before.push(running);
            }
            let wishes = desired.domain.clone();
            let domain = Domain::new(self.shown.clone(), wishes, shared.clone(), stored);
            let name = "domain feeds".to_owned();
            let running = self
                .tree
                .spawn_after(name, before, move |stop| domain.clone().run(stop));
            self.domain = Some((desired.domain, running));
        }
        changes
    }

    /// The feeds that must have ended before this one begins: of the same account, be it under a
    /// name that it had before.
    fn before(&self, feed: &AccountFeed) -> Vec<Running> {
        let (source, account) = (feed.source(), feed.account());
        let names = std::iter::once(&account.address).chain(&account.former);
        let stopping = names.filter_map(|name| self.stopping.get(&(source, name.clone())));
        stopping.flatten().cloned().collect()
    }

    /// Starts a feed of an account once those before it have ended.
    fn start(&mut self, feed: AccountFeed, before: Vec<Running>, shared: &Shared) -> Started {
        let source = feed.source();
        let account = feed.account();
        let owner = Owner {
            user: account.user.clone(),
            address: account.address.clone(),
        };
        let collection = match source {
            Source::Gmail => "",
            Source::Calendar => PRIMARY_CALENDAR,
            Source::Drive => MY_DRIVE,
        };
        if source != Source::Gmail {
            shared.commons.expect(source, &account.address);
        }
        let name = format!("feed {} {}", source.as_str(), account.address);
        let (handle, ends) = FeedHandle::new(source, collection, Some(owner));
        self.shown.add(handle);
        let is_removed = Arc::new(AtomicBool::new(false));
        let (wish, shared, removed) = (feed.clone(), shared.clone(), Arc::clone(&is_removed));
        let running = self.tree.spawn_after(name, before, move |stop| {
            let (ends, wish, shared) = (ends.clone(), wish.clone(), shared.clone());
            run(wish, ends, shared, Arc::clone(&removed), stop)
        });
        Started {
            feed,
            running,
            is_removed,
        }
    }

    /// Waits until a feed fails so that the process cannot go on.
    pub(crate) async fn failed(&mut self) -> Fatal {
        self.tree.failed().await
    }

    /// Ends all feeds.
    pub(crate) async fn shut_down(self, deadline: Instant) -> Result<(), Fatal> {
        self.tree.shut_down(deadline).await
    }
}

/// Runs a feed of an account and, where it was removed, lets go of what it held.
async fn run(
    feed: AccountFeed,
    ends: Ends,
    shared: Shared,
    is_removed: Arc<AtomicBool>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let source = feed.source();
    let address = feed.account().address.clone();
    let mut commands = ends.commands.lock_owned().await;
    let (health, told) = (ends.health.clone(), shared.clone());
    let ended = match feed {
        AccountFeed::Mail(options) => {
            gmail::run(options, shared, health, &mut commands, stop).await
        }
        AccountFeed::Calendar(options) => {
            calendar::run_primary(options, shared, health, &mut commands, stop).await
        }
        AccountFeed::Drive(options) => {
            drive::run_mine(options, shared, health, &mut commands, stop).await
        }
    };
    let health = ends.health.borrow().clone();
    if let Some(feed) = health.feed {
        told.accounts.release(FeedId(feed));
    }
    if is_removed.load(Ordering::Relaxed) && source != Source::Gmail {
        withdraw(&told.commons, source, &address, health.account_key);
    }
    ended
}

fn withdraw(commons: &Commons, source: Source, address: &Address, account: Option<String>) {
    let account = account.map(AccountKey::new);
    commons.withdraw(source, address, account.as_ref());
}
