//! The whole fake domain: users, mailboxes, delegation, faults and counters behind their locks.
//! Locks are held for one short step each and never two of a kind at once.

use crate::calendar::store::Calendars;
use crate::drive::store::Store as Drive;
use crate::error::ApiError;
use crate::faults::Faults;
use crate::generate::people::World;
use crate::gmail;
use crate::keys::ServiceAccount;
use crate::oauth::{Client, Delegation, Tokens};
use crate::pubsub::PubSub;
use crate::quota::Quota;
use crate::stats::Stats;
use crate::store::Mailbox;
use std::collections::HashMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
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
    /// Archived accounts keep their data, but nobody may use it.
    pub(crate) archived: bool,
    /// When the account was deleted, in milliseconds since 1970; it can be brought back.
    pub(crate) deleted_ms: Option<i64>,
    pub(crate) mailbox_setup: bool,
}

impl User {
    /// Neither suspended, nor archived, nor deleted.
    pub(crate) fn is_active(&self) -> bool {
        self.state == AccountState::Active && !self.archived && self.deleted_ms.is_none()
    }

    /// Whether `address` is the primary address or an alias; without regard to case.
    pub(crate) fn has_address(&self, address: &str) -> bool {
        self.addresses()
            .any(|own| own.eq_ignore_ascii_case(address))
    }

    fn addresses(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.primary)
            .chain(&self.aliases)
            .chain(&self.fixed_aliases)
    }

    /// What the account is found by.
    fn keys(&self) -> Vec<String> {
        let addresses = self.addresses().map(|own| own.to_ascii_lowercase());
        addresses.chain([self.id.clone()]).collect()
    }
}

/// All accounts, found by address and id without a walk. Read like a slice; changed by [`Users::edit`] only.
#[derive(Debug)]
pub(crate) struct Users {
    list: Vec<User>,
    /// Addresses in lower case and ids of those that are not deleted.
    by_key: HashMap<String, UserIndex>,
}

impl Users {
    pub(crate) fn new(list: Vec<User>) -> Self {
        let mut users = Self {
            list: Vec::new(),
            by_key: HashMap::with_capacity(4 * list.len()),
        };
        for user in &list {
            users.add_keys(user);
        }
        users.list = list;
        users
    }

    /// Changes an account.
    pub(crate) fn edit(&mut self, index: UserIndex, act: impl FnOnce(&mut User)) -> &User {
        for key in self.list[index.0].keys() {
            if self.by_key.get(&key) == Some(&index) {
                self.by_key.remove(&key);
            }
        }
        act(&mut self.list[index.0]);
        let user = self.list[index.0].clone();
        self.add_keys(&user);
        &self.list[index.0]
    }

    fn add_keys(&mut self, user: &User) {
        if user.deleted_ms.is_none() {
            for key in user.keys() {
                self.by_key.entry(key).or_insert(user.index);
            }
        }
    }

    /// Finds a user by primary address, alias or id; addresses without regard to case. Deleted ones are not found.
    fn find(&self, key: &str) -> Option<(UserIndex, NamedBy)> {
        let index = *self.by_key.get(&key.to_ascii_lowercase())?;
        let user = &self.list[index.0];
        let named_by = if user.primary.eq_ignore_ascii_case(key) {
            NamedBy::Primary
        } else if user.id == key {
            NamedBy::Id
        } else {
            NamedBy::Alias
        };
        Some((index, named_by))
    }
}

impl Deref for Users {
    type Target = [User];
    fn deref(&self) -> &[User] {
        &self.list
    }
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
    /// Where key files are written.
    pub(crate) dir: PathBuf,
    /// Where discovery documents are.
    pub(crate) discovery: Option<PathBuf>,
    pub(crate) latency: Duration,
    pub(crate) stats: Stats,
    pub(crate) quota: Quota,
    /// How far the server's clock runs ahead of the machine's, in milliseconds.
    skew_ms: AtomicI64,
    account: Mutex<ServiceAccount>,
    client: Mutex<Client>,
    users: Mutex<Users>,
    mailboxes: Vec<Mutex<Mailbox>>,
    calendars: Mutex<Calendars>,
    drive: RwLock<Drive>,
    delegation: Mutex<Delegation>,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    pub(crate) gmail: gmail::Policy,
    uploads: Mutex<gmail::Uploads>,
    pubsub: Mutex<PubSub>,
    /// Changes per second; a change is made under this lock, so that stopping means quiet.
    rate: Mutex<f64>,
}

/// What `Workspace::new` puts behind locks.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) base: String,
    pub(crate) world: World,
    pub(crate) dir: PathBuf,
    pub(crate) discovery: Option<PathBuf>,
    pub(crate) account: ServiceAccount,
    pub(crate) client: Client,
    pub(crate) quota: Quota,
    pub(crate) latency: Duration,
    pub(crate) users: Vec<User>,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) calendars: Calendars,
    pub(crate) drive: Drive,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
}

impl Workspace {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            base: parts.base,
            world: parts.world,
            dir: parts.dir,
            discovery: parts.discovery,
            latency: parts.latency,
            stats: Stats::default(),
            quota: parts.quota,
            skew_ms: AtomicI64::new(0),
            account: Mutex::new(parts.account),
            client: Mutex::new(parts.client),
            users: Mutex::new(Users::new(parts.users)),
            mailboxes: parts.mailboxes.into_iter().map(Mutex::new).collect(),
            calendars: Mutex::new(parts.calendars),
            drive: RwLock::new(parts.drive),
            delegation: Mutex::new(Delegation::default()),
            tokens: Mutex::new(Tokens::new(parts.seed)),
            faults: Mutex::new(Faults::default()),
            gmail: gmail::Policy::default(),
            uploads: Mutex::new(gmail::Uploads::new(parts.seed)),
            pubsub: Mutex::default(),
            rate: Mutex::new(parts.rate),
        }
    }

    pub(crate) fn users(&self) -> MutexGuard<'_, Users> {
        lock(&self.users)
    }

    pub(crate) fn user(&self, index: UserIndex) -> User {
        self.users()[index.0].clone()
    }

    pub(crate) fn primary(&self, index: UserIndex) -> String {
        self.users()[index.0].primary.clone()
    }

    pub(crate) fn mailbox(&self, index: UserIndex) -> MutexGuard<'_, Mailbox> {
        lock(&self.mailboxes[index.0])
    }

    /// The Drive of everybody to read in; users may be looked up while it is held, never the other way round.
    pub(crate) fn drive(&self) -> RwLockReadGuard<'_, Drive> {
        self.drive.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same to write in.
    pub(crate) fn drive_mut(&self) -> RwLockWriteGuard<'_, Drive> {
        self.drive.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn calendars(&self) -> MutexGuard<'_, Calendars> {
        lock(&self.calendars)
    }

    /// The service account that the administrator delegated.
    pub(crate) fn account(&self) -> MutexGuard<'_, ServiceAccount> {
        lock(&self.account)
    }

    /// The OAuth client of the installed type, for tokens of single users.
    pub(crate) fn client(&self) -> MutexGuard<'_, Client> {
        lock(&self.client)
    }

    /// The server's idea of now, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        now_ms().saturating_add(self.skew_ms())
    }

    pub(crate) fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn set_skew_ms(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
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

    /// Resumable uploads to Gmail.
    pub(crate) fn uploads(&self) -> MutexGuard<'_, gmail::Uploads> {
        lock(&self.uploads)
    }

    /// Taken before a mailbox, where both are needed.
    pub(crate) fn pubsub(&self) -> MutexGuard<'_, PubSub> {
        lock(&self.pubsub)
    }

    pub(crate) fn rate(&self) -> MutexGuard<'_, f64> {
        lock(&self.rate)
    }

    /// Finds a user by primary address, alias or id; addresses without regard to case. Deleted ones are not found.
    pub(crate) fn find_user(&self, key: &str) -> Option<(UserIndex, NamedBy)> {
        self.users().find(key)
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
                self.primary(caller)
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
