//! What the config wants to be read, feed by feed, in a form that can be compared: a reload
//! touches only feeds whose wishes are other than before. Nothing is started here.

use nuncio_config::{Config, DrivePermissions, Since, User};
use nuncio_model::{Address, Content, Source};
use nuncio_sources::AccountOptions;
use nuncio_sources::calendar::{CalendarWishes, PrimaryOptions};
use nuncio_sources::drive::{self, MyDriveOptions};
use nuncio_sources::gmail::MailOptions;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which of an account's feeds: the source and the connected address.
pub(crate) type FeedName = (Source, Address);

/// Everything that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Desired {
    /// The feeds of the accounts.
    pub accounts: BTreeMap<FeedName, AccountFeed>,
    /// What is wished of what belongs to the domain.
    pub domain: DomainWishes,
}

/// A feed of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccountFeed {
    /// A mailbox.
    Mail(MailOptions),
    /// A primary calendar.
    Calendar(PrimaryOptions),
    /// A Drive.
    Drive(MyDriveOptions),
}

impl AccountFeed {
    /// Whose it is.
    pub(crate) fn account(&self) -> &AccountOptions {
        match self {
            AccountFeed::Mail(options) => &options.account,
            AccountFeed::Calendar(options) => &options.account,
            AccountFeed::Drive(options) => &options.account,
        }
    }

    /// What it reads.
    pub(crate) fn source(&self) -> Source {
        match self {
            AccountFeed::Mail(_) => Source::Gmail,
            AccountFeed::Calendar(_) => Source::Calendar,
            AccountFeed::Drive(_) => Source::Drive,
        }
    }
}

/// What is wished of the domain's calendars and shared drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainWishes {
    pub poll_interval: Duration,
    pub since: Option<Duration>,
    pub content: Content,
    pub permissions: drive::Permissions,
}

/// What `config` wants; `content` is the most that any sink wants.
pub(crate) fn desired(config: &Config, content: Content) -> Desired {
    let mut accounts = BTreeMap::new();
    for user in config.users.iter().filter(|user| user.sync) {
        for options in accounts_of(user) {
            for source in &user.sources {
                let feed = account_feed(*source, &options, user, config, content);
                accounts.insert((*source, options.address.clone()), feed);
            }
        }
    }
    Desired {
        accounts,
        domain: DomainWishes {
            poll_interval: config.sync.poll_interval,
            since: within(config.sync.since),
            content,
            permissions: permissions(config),
        },
    }
}

/// The accounts of a user, whether it is synced or not.
pub(crate) fn accounts_of(user: &User) -> Vec<AccountOptions> {
    let accounts = user.accounts.iter();
    accounts
        .map(|account| AccountOptions {
            user: user.email.clone(),
            address: account.address.clone(),
            key: account.key.clone(),
            former: former(user),
        })
        .collect()
}

/// The addresses of a user that the config does not connect.
fn former(user: &User) -> Vec<Address> {
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

fn account_feed(
    source: Source,
    account: &AccountOptions,
    user: &User,
    config: &Config,
    content: Content,
) -> AccountFeed {
    let (account, sync) = (account.clone(), &config.sync);
    match source {
        Source::Gmail => AccountFeed::Mail(MailOptions {
            account,
            poll_interval: sync.poll_interval,
            since: within(user.since),
            include_spam_trash: sync.include_spam_trash,
            include_drafts: sync.include_drafts,
            content,
        }),
        Source::Calendar => AccountFeed::Calendar(PrimaryOptions {
            account,
            poll_interval: sync.poll_interval,
            since: within(user.since),
            content,
            wishes: CalendarWishes {
                subscribed: sync.subscribed_calendars,
                holidays: sync.holiday_calendars,
            },
        }),
        Source::Drive => AccountFeed::Drive(MyDriveOptions {
            account,
            poll_interval: sync.poll_interval,
            permissions: permissions(config),
        }),
    }
}

fn within(since: Since) -> Option<Duration> {
    match since {
        Since::All => None,
        Since::Within(duration) => Some(duration),
    }
}

fn permissions(config: &Config) -> drive::Permissions {
    match config.sync.drive_permissions {
        DrivePermissions::Listed => drive::Permissions::Listed,
        DrivePermissions::Full => drive::Permissions::Full,
    }
}
