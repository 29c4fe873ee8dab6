//! Drive as feeds: one for each account (what it sees by itself), and one for each shared drive,
//! read once for the whole domain by one of its members. Each polls its change log from its
//! first minute on and lists beside it.
//!
//! `since` does not apply: it is a floor on the date of a mail, and a file has no such date that
//! stays; all files are taken, trashed ones as well, which carry the flag.
//!
//! A change log tells of a folder, not of what is in it: where a folder appears or its
//! permissions change, the files in it are listed, level by level as long as something differs;
//! where one goes, or closes to a user who can still see it, the feed is compared by listing.
//! The one costs a call for up to 50 folders and touches nothing else. The other costs a call
//! for 1,000 files, but a file can leave a view in more ways than can be followed one by one
//! (it may be shared by itself as well, or by link only), and only a complete listing tells.
//!
//! Where a file belongs is in `view`, the stored position in `position`, what a file becomes in
//! `normalize` and `scribe`.

mod files;
mod folders;
#[cfg(test)]
mod interleaving;
mod live;
mod members;
mod normalize;
mod owed;
mod position;
mod scribe;
mod sweep;
mod verify;
mod view;
mod walk;

use crate::account::{self, Confirm};
use crate::desk::Desk;
use crate::error::Error;
use crate::task::{Log, Task};
use crate::{AccountOptions, FeedCommand, FeedHealth, Shared};
use async_trait::async_trait;
use folders::Folders;
use members::Reader;
use normalize::Seen;
use nuncio_google::{Drive, Google};
use nuncio_model::{
    AccountKey, Address, Feed, FeedSpec, ItemId, MY_DRIVE, Origin, Source, StoreError, WalkPhase,
};
use position::{Position, Search};
use scribe::Scribe;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use view::View;
use walk::Reason;

/// What the permissions of a record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    /// What listings and changes tell: those of files that the account may share, and none in
    /// shared drives. They cost nothing.
    Listed,
    /// All: of files in shared drives they are asked for one by one. 100 units for each file at
    /// each walk and change, where a listing of 1,000 files costs 100 units in all.
    Full,
}

/// What a feed of an account's own Drive needs to know of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyDriveOptions {
    /// Whose.
    pub account: AccountOptions,
    /// Time between polls of the change log.
    pub poll_interval: Duration,
    /// What permissions to tell.
    pub permissions: Permissions,
}

/// What a feed of a shared drive needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedDriveOptions {
    /// The drive.
    pub drive_id: String,
    /// Time between polls of the change log.
    pub poll_interval: Duration,
    /// What permissions to tell.
    pub permissions: Permissions,
}

/// Reads what one account sees by itself until `stop`, and tells [`crate::Commons`] of which
/// shared drives it is a member.
///
/// # Errors
/// Only [`StoreError`]: then the process cannot go on. All that Google does is a state, shown in
/// `health`.
///
/// # Cancel safety
/// Appends are not cancelled half-way; between them it stops at any await.
pub async fn run_mine(
    options: MyDriveOptions,
    shared: Shared,
    health: watch::Sender<FeedHealth>,
    commands: &mut mpsc::Receiver<FeedCommand>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let name = options.account.address.to_string();
    let whose = Whose::Account(options.account);
    run(
        whose,
        name,
        options.poll_interval,
        options.permissions,
        shared,
        health,
    )
    .run(commands, stop)
    .await
}

/// Reads one shared drive until `stop`, through whichever member of it is known and can.
///
/// # Errors
/// As [`run_mine`].
///
/// # Cancel safety
/// As [`run_mine`].
pub async fn run_shared(
    options: SharedDriveOptions,
    shared: Shared,
    health: watch::Sender<FeedHealth>,
    commands: &mut mpsc::Receiver<FeedCommand>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let name = options.drive_id.clone();
    let whose = Whose::Domain(options.drive_id);
    run(
        whose,
        name,
        options.poll_interval,
        options.permissions,
        shared,
        health,
    )
    .run(commands, stop)
    .await
}

fn run(
    whose: Whose,
    name: String,
    poll_interval: Duration,
    permissions: Permissions,
    shared: Shared,
    health: watch::Sender<FeedHealth>,
) -> Task<DriveLog> {
    let desk = Desk::new(Source::Drive, name, &shared, health);
    let log = DriveLog {
        feed: DriveFeed {
            whose,
            poll_interval,
            permissions,
            shared,
            desk: desk.clone(),
        },
        readers: members::Readers::default(),
        open: None,
    };
    Task::new(log, desk, poll_interval)
}

/// Whose files.
enum Whose {
    Account(AccountOptions),
    /// The shared drive's id.
    Domain(String),
}

/// What the steps of a feed share.
struct DriveFeed {
    whose: Whose,
    poll_interval: Duration,
    permissions: Permissions,
    shared: Shared,
    desk: Desk,
}

/// One feed and, once connected, where it stands.
struct DriveLog {
    feed: DriveFeed,
    readers: members::Readers,
    open: Option<Box<Open>>,
}

/// A connected feed.
struct Open {
    /// Who is asked.
    reader: Reader,
    drive: Drive,
    feed: Feed,
    scribe: Scribe,
    view: View,
    /// The stored position.
    position: Position,
    /// Whether the change log was read to its end, and when.
    read_to_end: Option<Instant>,
    /// A start token that has not been used yet: if it is refused, another one will be, too.
    is_fresh: bool,
    /// The page of the folders that are being looked into, and how many they are.
    below: owed::Below,
    folders: Folders,
    /// Whether the names of all folders were listed for this walk.
    folder_names: walk::Names,
    /// Files that went while a listing that may be older was read.
    went: HashSet<ItemId>,
    /// Whether this reader of a shared drive has more rights than the one before, and has not
    /// read anything yet.
    sees_more: bool,
    /// Items per page; 0 is Drive's most. Smaller where an answer was too large.
    page_size: u16,
}

#[async_trait]
impl Log for DriveLog {
    fn feed(&self) -> Option<&Feed> {
        self.open.as_ref().map(|open| &open.feed)
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let open = match &self.feed.whose {
            Whose::Account(account) => {
                let connected = self.feed.connect_account(account).await;
                // Also a failure is an answer: nobody is to wait for this account.
                let commons = &self.feed.shared.commons;
                commons.answered(Source::Drive, &account.address);
                connected
            }
            Whose::Domain(drive) => {
                let reader = self.readers.best(&self.feed.shared, drive)?;
                let connected = self.feed.connect_drive(drive, &reader).await;
                match self.readers.judged(&self.feed, &reader, connected)? {
                    Some(open) => Ok(open),
                    None => return Ok(()),
                }
            }
        }?;
        self.open = Some(Box::new(open));
        Ok(())
    }

    async fn poll(&mut self) -> Result<bool, Error> {
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        self.readers.choose(&self.feed, open).await?;
        let polled = self.feed.poll(open).await;
        let more = self.readers.judged(&self.feed, &open.reader, polled)?;
        // Refused: at once with the next one.
        Ok(more.unwrap_or(true))
    }

    async fn retry_failures(&mut self) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        self.readers.choose(&self.feed, open).await?;
        let retried = self.feed.retry_failures(open).await;
        self.readers
            .judged(&self.feed, &open.reader, retried)
            .map(drop)
    }

    async fn walk(&mut self, phase: WalkPhase) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        self.readers.choose(&self.feed, open).await?;
        let walked = match phase {
            WalkPhase::List | WalkPhase::Labels => self.feed.list_on(open).await,
            WalkPhase::Sweep { accepted } => {
                let witnesses = self.readers.others(&self.feed.shared, open);
                self.feed.sweep(open, accepted, &witnesses).await
            }
            WalkPhase::Held { .. } => Ok(()),
        };
        self.readers
            .judged(&self.feed, &open.reader, walked)
            .map(drop)
    }

    async fn resync(&mut self, reason: &str) -> Result<(), Error> {
        match &mut self.open {
            Some(open) => {
                let token = open.position.token.clone();
                let reason = Some(Reason::Other(reason.to_owned()));
                let begun = self
                    .feed
                    .begin_walk(open, Origin::Resync, reason, Some(token));
                begun.await
            }
            None => Ok(()),
        }
    }

    async fn accept_deletes(&mut self) -> Result<(), Error> {
        match &mut self.open {
            Some(open) => self.feed.accept_deletes(open).await,
            None => Ok(()),
        }
    }

    fn is_outdated(&self) -> bool {
        let (Whose::Account(account), Some(open)) = (&self.feed.whose, &self.open) else {
            return false;
        };
        let accounts = &self.feed.shared.accounts;
        accounts.is_outdated(&account.address, &open.reader.account)
    }

    fn disconnect(&mut self, is_suspect: bool) {
        if let Whose::Account(account) = &self.feed.whose {
            if is_suspect {
                self.feed.shared.accounts.suspect(&account.address);
            }
            self.open = None;
        }
    }

    fn forget_position(&mut self) {
        if let Some(open) = &mut self.open {
            open.forget_pages();
        }
    }
}

impl Open {
    /// Forgets what is half-read.
    fn forget_pages(&mut self) {
        self.read_to_end = None;
        self.below = owed::Below::default();
        self.folder_names.forget_page();
    }
}

/// Confirms an account by what Drive says of the user.
struct ByAbout<'a>(&'a Google);

impl Confirm for ByAbout<'_> {
    async fn confirm(
        &self,
        key: &AccountKey,
        primary: &Address,
    ) -> Result<String, nuncio_google::Error> {
        self.0.drive(key, primary).about().await
    }
}

impl DriveFeed {
    /// Finds the account and its stored feed, tells what it is known to be a member of, and pins
    /// the live position before anything is listed.
    async fn connect_account(&self, options: &AccountOptions) -> Result<Open, Error> {
        let google = &self.shared.google;
        let account = account::account(options, &self.shared, &ByAbout(google)).await?;
        let address = Address::parse(&account.address).unwrap_or_else(|| options.address.clone());
        let store = &self.desk.store;
        let members = store.memberships(Source::Drive, &account.key).await?;
        self.shared.commons.tell(
            Source::Drive,
            &options.user,
            &account.key,
            &address,
            members.clone(),
        );
        let spec = FeedSpec {
            account: account.key.clone(),
            source: Source::Drive,
            collection: MY_DRIVE.to_owned(),
        };
        let feed = store.open_feed(spec, None).await?;
        self.shared.accounts.claim(feed.id, &options.address)?;
        self.desk.health.send_modify(|health| {
            health.account_key = Some(account.key.as_str().to_owned());
            health.feed = Some(feed.id.0);
        });
        let drive = google.drive(&account.key, &address);
        let root = drive.file("root").await?.id;
        let scribe = Scribe {
            feed: feed.id,
            collection: MY_DRIVE.to_owned(),
            account: account.key.clone(),
            address: account.address,
            user: options.user.as_str().to_owned(),
            drive_name: None,
            seen: Seen::ByAccount,
            identity: Arc::clone(&self.shared.identity),
            clock: Arc::clone(&self.desk.clock),
        };
        let reader = Reader {
            account: account.key,
            address,
            rank: members::MOST_RIGHTS,
        };
        let view = View::Account {
            root: root.clone(),
            members,
        };
        self.opened(reader, drive, feed, scribe, view, root).await
    }

    /// Finds the shared drive's stored feed and pins the live position, through a member.
    async fn connect_drive(&self, id: &str, reader: &Reader) -> Result<Open, Error> {
        let spec = FeedSpec {
            account: AccountKey::new(""),
            source: Source::Drive,
            collection: id.to_owned(),
        };
        let feed = self.desk.store.open_feed(spec, None).await?;
        let name = members::name_of(&self.shared, id);
        self.desk.health.send_modify(|health| {
            health.feed = Some(feed.id.0);
            health.name.clone_from(&name);
        });
        let scribe = Scribe {
            feed: feed.id,
            collection: id.to_owned(),
            account: AccountKey::new(""),
            address: String::new(),
            user: String::new(),
            drive_name: name,
            seen: Seen::ByDomain,
            identity: Arc::clone(&self.shared.identity),
            clock: Arc::clone(&self.desk.clock),
        };
        let drive = self.shared.google.drive(&reader.account, &reader.address);
        let view = View::Drive { id: id.to_owned() };
        self.opened(reader.clone(), drive, feed, scribe, view, id.to_owned())
            .await
    }

    async fn opened(
        &self,
        reader: Reader,
        drive: Drive,
        feed: Feed,
        scribe: Scribe,
        view: View,
        root: String,
    ) -> Result<Open, Error> {
        let stored = feed.cursor.as_ref();
        let position = stored.map(Position::parse);
        let mut open = Open {
            reader,
            drive,
            feed,
            scribe,
            view,
            position: position.clone().flatten().unwrap_or_default(),
            read_to_end: None,
            is_fresh: false,
            below: owed::Below::default(),
            folders: Folders::new(root),
            folder_names: walk::Names::default(),
            went: HashSet::new(),
            sees_more: false,
            page_size: 0,
        };
        match position {
            Some(Some(_)) => {}
            Some(None) => {
                let reason = Reason::Other("the stored position cannot be read".to_owned());
                self.begin_walk(&mut open, Origin::Resync, Some(reason), None)
                    .await?;
            }
            None => {
                let is_account = open.view.drive_id().is_none();
                open.position.search = is_account.then(Search::default);
                self.begin_walk(&mut open, Origin::Backfill, None, None)
                    .await?;
            }
        }
        Ok(open)
    }
}
