//! Which addresses a user has beside those of the config: what the Directory and Gmail's send-as
//! settings say, looked up at the first connection and then daily, kept over restarts. Also which
//! of Google's ids an account had, by which a renamed account is told from another one that got
//! its address.
//!
//! How claims are weighed is in the model's `People`. Aliases that cannot be looked up stay as
//! they were and stop no feed; only a mailbox whose position is lost waits until the Directory,
//! where it can be read, says whose it is.

use crate::error::{Error, is_not_found};
use crate::{AccountOptions, Shared, Store};
use nuncio_google::DirectoryUser;
use nuncio_model::{
    AccountKey, Address, AliasClaim, AliasOrigin, Contest, Next, People, Source, StoreError,
    StoredAccount,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long what was looked up is good, in milliseconds; less or more by a tenth at random, so
/// that accounts do not all come at once.
const GOOD_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// What could not be looked up is tried again after this long, in milliseconds.
const TRY_AGAIN_MS: i64 = 10 * 60 * 1_000;

/// Time between two looks for accounts that are due.
const TICK: Duration = Duration::from_secs(1);

/// What is kept over restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    /// Google's id by account key, where the Directory told it.
    #[serde(default)]
    ids: BTreeMap<String, String>,
    /// By the account's configured address.
    #[serde(default)]
    accounts: BTreeMap<String, Known>,
}

/// What is known of one account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// The configured user.
    user: String,
    /// When to look again, milliseconds since 1970.
    due: i64,
    #[serde(default)]
    directory: Vec<String>,
    #[serde(default)]
    send_as: Vec<String>,
}

/// Who is who by the config alone.
#[derive(Debug, Default)]
struct Configured {
    people: People,
    /// Where the config names an address: `file:line:column`.
    places: HashMap<Address, String>,
}

/// Who is who, as of now.
#[derive(Debug, Default)]
pub struct Identity {
    /// What the config says.
    config: RwLock<Arc<Configured>>,
    memory: Mutex<Memory>,
    /// Whether the memory is other than what is kept.
    is_dirty: AtomicBool,
    merged: RwLock<Arc<People>>,
    contests: Mutex<Vec<Contest>>,
}

impl Identity {
    /// What the config says. `places` is where it names an address, for messages.
    pub fn new(people: People, places: HashMap<Address, String>) -> Self {
        let identity = Self::default();
        identity.configure(people, places);
        identity
    }

    /// What the config says from now on; what was looked up stays.
    pub fn configure(&self, people: People, places: HashMap<Address, String>) {
        let configured = Arc::new(Configured { people, places });
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = configured;
        self.merge();
    }

    fn config(&self) -> Arc<Configured> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// Who is who now; for one record, not to be kept.
    pub fn people(&self) -> Arc<People> {
        let merged = self.merged.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&merged)
    }

    /// Addresses that several users claim.
    pub fn contests(&self) -> Vec<Contest> {
        let contests = self.contests.lock();
        contests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All claims for a user, those of the config first.
    pub fn claims_of(&self, user: &Address) -> Vec<AliasClaim> {
        let config = self.config();
        let configured = config.places.iter().map(|(address, place)| AliasClaim {
            user: config
                .people
                .user_of(address.as_str())
                .unwrap_or(user)
                .clone(),
            address: address.clone(),
            origin: AliasOrigin::Config,
            place: place.clone(),
        });
        let mut claims: Vec<AliasClaim> = configured.chain(self.claims()).collect();
        claims.retain(|claim| claim.user == *user && claim.address != *user);
        claims.sort_by_key(|claim| claim.origin);
        claims
    }

    /// Takes in what was kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        let Some(text) = store.kept_identity().await? else {
            return Ok(());
        };
        match serde_json::from_str(&text) {
            Ok(memory) => {
                *self.memory() = memory;
                self.merge();
            }
            Err(_) => tracing::warn!("the kept aliases cannot be read and are looked up again"),
        }
        Ok(())
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what changed.
    async fn keep(&self, store: &dyn Store) -> Result<(), StoreError> {
        if !self.is_dirty.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let text = serde_json::to_string(&*self.memory()).unwrap_or_default();
        let kept = store.keep_identity(text).await;
        if kept.is_err() {
            self.is_dirty.store(true, Ordering::Relaxed);
        }
        kept
    }

    /// Google's id of an account, if it was ever told.
    pub(crate) fn id_of(&self, key: &AccountKey) -> Option<String> {
        self.memory().ids.get(key.as_str()).cloned()
    }

    /// The account that has this id of Google's.
    pub(crate) fn key_of(&self, id: &AccountKey) -> Option<AccountKey> {
        let memory = self.memory();
        let found = memory.ids.iter().find(|(_, known)| *known == id.as_str());
        found.map(|(key, _)| AccountKey::new(key))
    }

    /// Notes Google's id of an account. A crash may lose that: then it is noted again, for a key
    /// that is no id itself from what the Directory says then.
    pub(crate) fn learn_id(&self, key: &AccountKey, id: &AccountKey) {
        let (key, id) = (key.as_str().to_owned(), id.as_str().to_owned());
        let before = self.memory().ids.insert(key, id.clone());
        if before != Some(id) {
            self.is_dirty.store(true, Ordering::Relaxed);
        }
    }

    /// Whether an account is to be looked up.
    fn is_due(&self, options: &AccountOptions, now: i64) -> bool {
        let memory = self.memory();
        let known = memory.accounts.get(options.address.as_str());
        !known.is_some_and(|known| {
            known.user == options.user.as_str() && (now..now + 2 * GOOD_FOR_MS).contains(&known.due)
        })
    }

    /// Whether all that an account claims is its user's already.
    fn tells_nothing_new(&self, known: &Known) -> bool {
        let people = self.people();
        let mut addresses = known.directory.iter().chain(&known.send_as);
        addresses.all(|address| {
            !address.contains('+')
                && people
                    .user_of(address)
                    .is_some_and(|user| user.as_str() == known.user)
        })
    }

    fn claims(&self) -> Vec<AliasClaim> {
        let memory = self.memory();
        let mut claims = Vec::new();
        for (account, known) in &memory.accounts {
            let Some(user) = Address::parse(&known.user) else {
                continue;
            };
            let mut add = |origin, address: &String, place: String| {
                if let Some(address) = Address::parse(address)
                    && address != user
                {
                    claims.push(AliasClaim {
                        user: user.clone(),
                        address,
                        origin,
                        place,
                    });
                }
            };
            for address in &known.directory {
                let place = format!("Directory of {account}");
                add(AliasOrigin::Directory, address, place);
            }
            for address in &known.send_as {
                let place = format!("send-as of {account}");
                add(AliasOrigin::SendAs, address, place);
            }
        }
        claims
    }

    /// Weighs all claims anew, and tells of contests that are new.
    fn merge(&self) {
        let config = self.config();
        let mut claims = self.claims();
        // Who left the config claims nothing any more.
        claims.retain(|claim| config.people.user_of(claim.user.as_str()) == Some(&claim.user));
        let (people, mut contests) = config.people.with(&claims);
        for contest in &mut contests {
            for claim in &mut contest.claims {
                if claim.origin == AliasOrigin::Config
                    && let Some(place) = config.places.get(&claim.address)
                {
                    claim.place.clone_from(place);
                }
            }
        }
        let before = std::mem::replace(
            &mut *self.contests.lock().unwrap_or_else(PoisonError::into_inner),
            contests.clone(),
        );
        for contest in contests.iter().filter(|contest| !before.contains(contest)) {
            let places: Vec<&str> = contest
                .claims
                .iter()
                .map(|claim| claim.place.as_str())
                .collect();
            tracing::warn!(
                address = %contest.address,
                holder = contest.holder.as_ref().map_or("nobody", Address::as_str),
                places = %nuncio_model::untrusted(&places.join(", ")),
                "several users claim one address"
            );
        }
        *self.merged.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(people);
    }

    /// Looks an account up if that is due; then what was found counts for all records to come.
    pub(crate) async fn look(
        &self,
        shared: &Shared,
        options: &AccountOptions,
        account: &StoredAccount,
        has_mail: bool,
    ) {
        let now = shared.clock.now_ms();
        if !self.is_due(options, now) {
            return;
        }
        let place = options.address.as_str().to_owned();
        let before = self.memory().accounts.get(&place).cloned();
        let mut known = before.clone().unwrap_or_default();
        options.user.as_str().clone_into(&mut known.user);
        known.due = now + jittered(GOOD_FOR_MS);
        match &shared.directory {
            Some(directory) => match directory.user(&account.address).await {
                Ok(user) => {
                    let id = self.id_of(&account.key);
                    if id.is_some_and(|id| id != user.id.as_str()) {
                        // Its feeds connect anew, each to the account that it is now.
                        shared.accounts.forget(&options.address);
                        return;
                    }
                    known.directory = addresses(user);
                }
                Err(error) => match error.next() {
                    // Not granted: it says nothing, today.
                    Next::Reauthorize | Next::Reject => known.directory.clear(),
                    Next::RetryAfter(_) | Next::Backoff | Next::Resync | Next::Stop => {
                        known.due = now + jittered(TRY_AGAIN_MS);
                    }
                },
            },
            None => known.directory.clear(),
        }
        let address = Address::parse(&account.address);
        if let Some(address) = address.filter(|_| has_mail) {
            let gmail = shared.google.gmail(&account.key, &address);
            match gmail.send_as().await {
                Ok(addresses) => known.send_as = addresses,
                Err(error) => {
                    tracing::debug!(
                        account = %options.address,
                        code = error.code(),
                        "the send-as addresses cannot be read, those known stay"
                    );
                    known.due = now + jittered(TRY_AGAIN_MS);
                }
            }
        }
        let is_same = match &before {
            Some(before) => {
                (&before.user, &before.directory, &before.send_as)
                    == (&known.user, &known.directory, &known.send_as)
            }
            None => self.tells_nothing_new(&known),
        };
        self.memory().accounts.insert(place, known);
        self.is_dirty.store(true, Ordering::Relaxed);
        if !is_same {
            self.merge();
        }
    }

    /// Looks accounts up, once they are connected and whenever it is due, until `stop`. `accounts`
    /// tells of each account which sources are read.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub async fn run(
        self: Arc<Self>,
        shared: Shared,
        accounts: Vec<(AccountOptions, Vec<Source>)>,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        // The text has some hundred bytes for each account, and is written whole.
        let keep_every = TICK + TICK * u32::try_from(accounts.len() / 1_000).unwrap_or(u32::MAX);
        let mut keep_at = Instant::now();
        loop {
            for (options, sources) in &accounts {
                if !self.is_due(options, shared.clock.now_ms()) {
                    continue;
                }
                let Some(account) = shared.accounts.connected(&options.address) else {
                    continue;
                };
                let has_mail = sources.contains(&Source::Gmail);
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = self.look(&shared, options, &account, has_mail) => {}
                }
            }
            let is_stopped = stop.is_cancelled();
            if is_stopped || Instant::now() >= keep_at {
                match self.keep(shared.store.as_ref()).await {
                    Ok(()) | Err(StoreError::Full(_)) => {}
                    Err(error) => return Err(error),
                }
                keep_at = Instant::now() + keep_every;
            }
            if is_stopped {
                return Ok(());
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }
}

/// All addresses that the Directory tells of a user.
fn addresses(user: DirectoryUser) -> Vec<String> {
    let mut addresses = user.aliases;
    addresses.push(user.primary_email);
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn jittered(wait_ms: i64) -> i64 {
    wait_ms - wait_ms / 10 + fastrand::i64(0..=wait_ms / 5)
}

/// That the Directory still has the same account under the configured address; asked before
/// anything is compared because a position was lost, which is also how an account looks that was
/// made anew.
///
/// # Errors
/// [`Error::OtherAccount`]; or why the Directory cannot be asked, if that passes.
pub(crate) async fn same(
    shared: &Shared,
    options: &AccountOptions,
    key: &AccountKey,
) -> Result<(), Error> {
    let (Some(directory), Some(id)) = (&shared.directory, shared.identity.id_of(key)) else {
        return Ok(());
    };
    match directory.user(options.address.as_str()).await {
        Ok(user) if user.id.as_str() != id => Err(Error::OtherAccount {
            address: options.address.to_string(),
        }),
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => match error.next() {
            Next::Reauthorize | Next::Reject => Ok(()),
            Next::RetryAfter(_) | Next::Backoff | Next::Resync | Next::Stop => Err(error.into()),
        },
    }
}
