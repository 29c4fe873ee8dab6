//! The whole fake domain: users, mailboxes, delegation, faults and counters behind their locks.
//! Locks are held for one short step each and never two of a kind at once.

use crate::drive::store::Store as Drive;
use crate::error::ApiError;
use crate::faults::Faults;
use crate::generate::people::World;
use crate::keys::ServiceAccount;
use crate::oauth::{Delegation, Tokens};
use crate::stats::Stats;
use crate::store::Mailbox;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The place of a user in the domain; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserIndex(pub(crate) usize);

/// A person as the Directory knows them.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) index: UserIndex,
    /// 21 decimal digits; survives renames.
    pub(crate) id: String,
    pub(crate) primary: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) fixed_aliases: Vec<String>,
    pub(crate) given_name: String,
    pub(crate) family_name: String,
    pub(crate) org_unit: String,
    /// RFC 3339.
    pub(crate) created: String,
    pub(crate) role: Role,
    pub(crate) state: AccountState,
    pub(crate) mailbox_setup: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Member,
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountState {
    Active,
    Suspended,
}

/// How an address names a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    Primary,
    Alias,
    Id,
}

/// Everything that one server serves.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) base: String,
    pub(crate) world: World,
    pub(crate) accounts: Vec<ServiceAccount>,
    pub(crate) latency: Duration,
    pub(crate) stats: Stats,
    users: Mutex<Vec<User>>,
    mailboxes: Vec<Mutex<Mailbox>>,
    drive: Mutex<Drive>,
    delegation: Mutex<Delegation>,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    /// Changes per second; a change is made under this lock, so that stopping means quiet.
    rate: Mutex<f64>,
}

/// What `Workspace::new` puts behind locks.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) base: String,
    pub(crate) world: World,
    pub(crate) accounts: Vec<ServiceAccount>,
    pub(crate) latency: Duration,
    pub(crate) users: Vec<User>,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) drive: Drive,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
}

impl Workspace {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            base: parts.base,
            world: parts.world,
            accounts: parts.accounts,
            latency: parts.latency,
            stats: Stats::default(),
            users: Mutex::new(parts.users),
            mailboxes: parts.mailboxes.into_iter().map(Mutex::new).collect(),
            drive: Mutex::new(parts.drive),
            delegation: Mutex::new(Delegation::default()),
            tokens: Mutex::new(Tokens::new(parts.seed)),
            faults: Mutex::new(Faults::default()),
            rate: Mutex::new(parts.rate),
        }
    }

    pub(crate) fn users(&self) -> MutexGuard<'_, Vec<User>> {
        lock(&self.users)
    }

    pub(crate) fn user(&self, index: UserIndex) -> User {
        self.users()[index.0].clone()
    }

    pub(crate) fn mailbox(&self, index: UserIndex) -> MutexGuard<'_, Mailbox> {
        lock(&self.mailboxes[index.0])
    }

    /// The Drive of everybody; users may be looked up while it is held, never the other way round.
    pub(crate) fn drive(&self) -> MutexGuard<'_, Drive> {
        lock(&self.drive)
    }

    pub(crate) fn delegation(&self) -> MutexGuard<'_, Delegation> {
        lock(&self.delegation)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn rate(&self) -> MutexGuard<'_, f64> {
        lock(&self.rate)
    }

    /// Finds a user by primary address, alias or id; addresses without regard to case.
    pub(crate) fn find_user(&self, key: &str) -> Option<(UserIndex, NamedBy)> {
        let users = self.users();
        let same = |own: &String| own.eq_ignore_ascii_case(key);
        for user in users.iter() {
            if same(&user.primary) {
                return Some((user.index, NamedBy::Primary));
            }
            if user.id == key {
                return Some((user.index, NamedBy::Id));
            }
            if user.aliases.iter().chain(&user.fixed_aliases).any(same) {
                return Some((user.index, NamedBy::Alias));
            }
        }
        None
    }

    /// The mailbox that `user_id` in a Gmail path means for a token of `caller`.
    pub(crate) fn own_mailbox(
        &self,
        caller: Option<UserIndex>,
        user_id: &str,
    ) -> Result<UserIndex, ApiError> {
        let Some(caller) = caller else {
            return Err(ApiError::failed_precondition("Precondition check failed."));
        };
        if user_id != "me"
            && self
                .find_user(user_id)
                .is_none_or(|(index, _)| index != caller)
        {
            return Err(ApiError::forbidden(format!(
                "Delegation denied for {}",
                self.user(caller).primary
            )));
        }
        if !self.users()[caller.0].mailbox_setup {
            return Err(ApiError::failed_precondition("Mail service not enabled"));
        }
        Ok(caller)
    }
}

/// A test server goes on after a panic of one call; the state is only changed in whole steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
