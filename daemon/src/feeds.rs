//! The feeds of all users and of the domain: starts them, reads their health, passes commands on.
//! What a feed does is in the crate `nuncio-sources`.

use crate::supervisor::{Fatal, Tree};
use nuncio_config::{Config, DrivePermissions, Since};
use nuncio_model::{Address, Content, FeedSpec, MY_DRIVE, PRIMARY_CALENDAR, Source};
use nuncio_sources::calendar::{self, CalendarWishes, PrimaryOptions, SharedOptions};
use nuncio_sources::drive::{self, MyDriveOptions, SharedDriveOptions};
use nuncio_sources::gmail::{self, MailOptions};
use nuncio_sources::{AccountOptions, FeedCommand, FeedHealth, Shared};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
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

    /// Forgets the domain's feeds: the task that starts them begins anew.
    fn forget_domain(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|feed| feed.owner.is_some());
    }
}

/// What the config says of all feeds.
#[derive(Clone)]
struct Wishes {
    poll_interval: Duration,
    since: Option<Duration>,
    include_spam_trash: bool,
    include_drafts: bool,
    calendars: CalendarWishes,
    drive_permissions: drive::Permissions,
    content: Content,
}

/// Starts a feed for each source of each account of each user that is to be synced, and those of
/// the domain as the accounts find them, and as they are `stored`. `content` is the most that any sink wants.
pub(crate) fn start(
    config: &Config,
    content: Content,
    stored: &[FeedSpec],
    shared: &Shared,
    tree: &mut Tree,
) -> Feeds {
    let feeds = Feeds::default();
    let wishes = |since| Wishes {
        poll_interval: config.sync.poll_interval,
        since: match since {
            Since::All => None,
            Since::Within(duration) => Some(duration),
        },
        include_spam_trash: config.sync.include_spam_trash,
        include_drafts: config.sync.include_drafts,
        calendars: CalendarWishes {
            subscribed: config.sync.subscribed_calendars,
            holidays: config.sync.holiday_calendars,
        },
        drive_permissions: match config.sync.drive_permissions {
            DrivePermissions::Listed => drive::Permissions::Listed,
            DrivePermissions::Full => drive::Permissions::Full,
        },
        content,
    };
    for user in config.users.iter().filter(|user| user.sync) {
        for account in &user.accounts {
            let options = AccountOptions {
                user: user.email.clone(),
                address: account.address.clone(),
                key: account.key.clone(),
                former: former(user),
            };
            for source in &user.sources {
                let wishes = wishes(user.since);
                feeds.add(start_account(*source, &options, wishes, shared, tree));
            }
        }
    }
    let domain = Domain {
        feeds: feeds.clone(),
        wishes: wishes(config.sync.since),
        shared: shared.clone(),
        stored: stored
            .iter()
            .filter(|spec| spec.account.as_str().is_empty())
            .map(|spec| (spec.source, spec.collection.clone()))
            .collect(),
    };
    tree.spawn("domain feeds".to_owned(), move |stop| {
        domain.clone().run(stop)
    });
    feeds
}

/// The addresses of a user that the config does not connect.
pub(crate) fn former(user: &nuncio_config::User) -> Vec<Address> {
    let is_connected = |address: &Address| {
        user.accounts
            .iter()
            .any(|account| account.address == *address)
    };
    let aliases = user.aliases.iter();
    aliases
        .filter(|alias| !is_connected(alias))
        .cloned()
        .collect()
}

/// Starts the feed of one account's own collection of a source.
fn start_account(
    source: Source,
    options: &AccountOptions,
    wishes: Wishes,
    shared: &Shared,
    tree: &mut Tree,
) -> FeedHandle {
    let owner = Owner {
        user: options.user.clone(),
        address: options.address.clone(),
    };
    let name = format!("feed {} {}", source.as_str(), options.address);
    let (shared, account) = (shared.clone(), options.clone());
    match source {
        Source::Gmail => {
            let (handle, ends) = FeedHandle::new(source, "", Some(owner));
            let options = MailOptions {
                account,
                poll_interval: wishes.poll_interval,
                since: wishes.since,
                include_spam_trash: wishes.include_spam_trash,
                include_drafts: wishes.include_drafts,
                content: wishes.content,
            };
            tree.spawn(name, move |stop| {
                let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                async move {
                    let mut commands = ends.commands.lock_owned().await;
                    gmail::run(options, shared, ends.health, &mut commands, stop).await
                }
            });
            handle
        }
        Source::Calendar => {
            let (handle, ends) = FeedHandle::new(source, PRIMARY_CALENDAR, Some(owner));
            shared.commons.expect(source, &account.address);
            let options = PrimaryOptions {
                account,
                poll_interval: wishes.poll_interval,
                since: wishes.since,
                content: wishes.content,
                wishes: wishes.calendars,
            };
            tree.spawn(name, move |stop| {
                let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                async move {
                    let mut commands = ends.commands.lock_owned().await;
                    calendar::run_primary(options, shared, ends.health, &mut commands, stop).await
                }
            });
            handle
        }
        Source::Drive => {
            let (handle, ends) = FeedHandle::new(source, MY_DRIVE, Some(owner));
            shared.commons.expect(source, &account.address);
            let options = MyDriveOptions {
                account,
                poll_interval: wishes.poll_interval,
                permissions: wishes.drive_permissions,
            };
            tree.spawn(name, move |stop| {
                let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                async move {
                    let mut commands = ends.commands.lock_owned().await;
                    drive::run_mine(options, shared, ends.health, &mut commands, stop).await
                }
            });
            handle
        }
    }
}

/// Starts the feeds of the domain as accounts find calendars and shared drives.
#[derive(Clone)]
struct Domain {
    feeds: Feeds,
    wishes: Wishes,
    shared: Shared,
    /// What was read before this process.
    stored: Vec<(Source, String)>,
}

impl Domain {
    async fn run(self, stop: CancellationToken) -> Result<(), Fatal> {
        let mut changes = self.shared.commons.changes();
        let mut tree = Tree::new(&stop);
        self.feeds.forget_domain();
        let mut started = HashSet::new();
        let commons = Arc::clone(&self.shared.commons);
        let all_answered = async {
            commons.all_answered(Source::Calendar).await;
            commons.all_answered(Source::Drive).await;
        };
        tokio::pin!(all_answered);
        let mut are_all_known = false;
        loop {
            changes.mark_unchanged();
            let told = commons.collections().into_iter();
            // What nobody sees any more is shown as orphaned, once all have told what they see.
            let stored = self.stored.iter().filter(|_| are_all_known).cloned();
            for (source, collection) in told.chain(stored) {
                if started.insert((source, collection.clone())) {
                    self.start_one(source, &collection, &mut tree);
                }
            }
            tokio::select! {
                () = &mut all_answered, if !are_all_known => are_all_known = true,
                () = stop.cancelled() => return tree.ended().await,
                fatal = tree.failed() => return Err(fatal),
                changed = changes.changed() => if changed.is_err() {
                    return tree.ended().await;
                },
            }
        }
    }

    /// Starts a feed of the domain.
    fn start_one(&self, source: Source, collection: &str, tree: &mut Tree) {
        match source {
            Source::Gmail => {}
            Source::Calendar => {
                let (handle, ends) = FeedHandle::new(source, collection, None);
                self.feeds.add(handle);
                let options = SharedOptions {
                    calendar: collection.to_owned(),
                    poll_interval: self.wishes.poll_interval,
                    since: self.wishes.since,
                    content: self.wishes.content,
                };
                let shared = self.shared.clone();
                let name = format!("feed calendar {}", nuncio_model::untrusted(collection));
                tree.spawn(name, move |stop| {
                    let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                    async move {
                        let mut commands = ends.commands.lock_owned().await;
                        calendar::run_shared(options, shared, ends.health, &mut commands, stop)
                            .await
                    }
                });
            }
            Source::Drive => {
                let (handle, ends) = FeedHandle::new(source, collection, None);
                let options = SharedDriveOptions {
                    drive_id: collection.to_owned(),
                    poll_interval: self.wishes.poll_interval,
                    permissions: self.wishes.drive_permissions,
                };
                let shared = self.shared.clone();
                let name = format!("feed drive {}", nuncio_model::untrusted(collection));
                tree.spawn(name, move |stop| {
                    let (ends, options, shared) = (ends.clone(), options.clone(), shared.clone());
                    async move {
                        let mut commands = ends.commands.lock_owned().await;
                        drive::run_shared(options, shared, ends.health, &mut commands, stop).await
                    }
                });
                self.feeds.add(handle);
            }
        }
    }
}
