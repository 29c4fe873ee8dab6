//! The first connection of an account: which mailbox an address is, and the key that it keeps
//! for ever. Everything here happens before a cursor is touched.

use crate::error::{Error, is_not_found};
use crate::{Shared, Store};
use nuncio_google::{Directory, DirectoryUser};
use nuncio_model::{AccountKey, Address, FeedId, NewAccount, Next, StoredAccount};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What a feed of an account needs to know of it from the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOptions {
    /// The configured user.
    pub user: Address,
    /// The connected address.
    pub address: Address,
    /// The account key that the config sets, if it does.
    pub key: Option<AccountKey>,
    /// Other addresses of the user that the config does not connect: one of them may be what the
    /// mailbox was called before.
    pub former: Vec<Address>,
}

/// The accounts as all feeds see them: connects each once, and lets no two names read one feed.
#[derive(Debug, Default)]
pub struct Accounts {
    /// The feeds of one account connect one after the other, so that its key is frozen once.
    connecting: Mutex<HashMap<Address, Arc<tokio::sync::Mutex<()>>>>,
    /// Which address reads which feed.
    claims: Mutex<HashMap<FeedId, Address>>,
    /// Accounts that were found, by configured address.
    connected: Mutex<HashMap<Address, StoredAccount>>,
    /// Addresses whose account is to be looked up again.
    suspects: Mutex<HashSet<Address>>,
}

impl Accounts {
    /// Claims a feed; the same address may do so again. Two names of one mailbox must not be read
    /// by two tasks, since all rules of order hold within one.
    pub(crate) fn claim(&self, feed: FeedId, address: &Address) -> Result<(), Error> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = claims.entry(feed).or_insert_with(|| address.clone());
        if holder == address {
            return Ok(());
        }
        Err(Error::SameMailbox {
            address: address.to_string(),
            other: holder.to_string(),
        })
    }

    /// Gives up a feed whose task has ended, so that another name of the account may read it.
    pub fn release(&self, feed: FeedId) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.remove(&feed);
    }

    /// The account that was found under a configured address.
    pub fn connected(&self, address: &Address) -> Option<StoredAccount> {
        let connected = self.connected.lock();
        let connected = connected.unwrap_or_else(PoisonError::into_inner);
        connected.get(address).cloned()
    }

    /// Whether a feed that reads the account of this key has to connect anew.
    pub(crate) fn is_outdated(&self, address: &Address, key: &AccountKey) -> bool {
        let connected = self.connected(address);
        connected.is_none_or(|account| account.key != *key)
    }

    /// The next feed that connects looks the account up again: it may have been renamed or be
    /// another one. Feeds that are connected are left alone until that is known.
    pub(crate) fn suspect(&self, address: &Address) {
        let suspects = self.suspects.lock();
        let mut suspects = suspects.unwrap_or_else(PoisonError::into_inner);
        suspects.insert(address.clone());
    }

    /// The account is another one: all its feeds have to connect anew.
    pub(crate) fn forget(&self, address: &Address) {
        let mut connected = self
            .connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connected.remove(address);
    }

    fn is_suspect(&self, address: &Address) -> bool {
        let suspects = self.suspects.lock();
        let suspects = suspects.unwrap_or_else(PoisonError::into_inner);
        suspects.contains(address)
    }

    fn note(&self, address: &Address, account: &StoredAccount) {
        let mut connected = self
            .connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connected.insert(address.clone(), account.clone());
        let suspects = self.suspects.lock();
        let mut suspects = suspects.unwrap_or_else(PoisonError::into_inner);
        suspects.remove(address);
    }

    fn turn(&self, address: &Address) -> Arc<tokio::sync::Mutex<()>> {
        let mut connecting = self
            .connecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(connecting.entry(address.clone()).or_default())
    }
}

/// Asks Google by the feed's own API whose account it is, as a primary address.
pub(crate) trait Confirm: Send + Sync {
    /// The primary address of the account that a token for `primary` opens.
    fn confirm(
        &self,
        key: &AccountKey,
        primary: &Address,
    ) -> impl Future<Output = Result<String, nuncio_google::Error>> + Send;
}

/// The stored account of the configured address; made at first use, and looked up once by each
/// process, since an address may have gone to another account meanwhile.
///
/// The key is the Directory's id where the Directory can be read, and the address only after
/// a definite refusal: a passing fault must not freeze the lesser key.
pub(crate) async fn account(
    options: &AccountOptions,
    shared: &Shared,
    confirm: &impl Confirm,
) -> Result<StoredAccount, Error> {
    let turn = shared.accounts.turn(&options.address);
    let _turn = turn.lock().await;
    if let Some(account) = shared.accounts.connected(&options.address)
        && !shared.accounts.is_suspect(&options.address)
    {
        return Ok(account);
    }
    let store: &dyn Store = shared.store.as_ref();
    let stored = store.account_by_address(options.address.as_str()).await?;
    let user = match &shared.directory {
        Some(directory) => listed(options, directory, stored.is_some()).await?,
        None => None,
    };
    let account = match (user, stored) {
        (Some(user), stored) => by_id(options, shared, confirm, &user, stored).await?,
        (None, Some(stored)) => stored,
        (None, None) => {
            let address = &options.address;
            let key = match &options.key {
                Some(key) => key.clone(),
                None => renamed(options, shared, confirm)
                    .await?
                    .unwrap_or_else(|| AccountKey::new(address.as_str())),
            };
            freeze(shared, confirm, key, address).await?
        }
    };
    shared.accounts.note(&options.address, &account);
    Ok(account)
}

/// The key of the account that was known under another address of the user, if that is no mailbox
/// of its own any more: then this is its new name. For where the Directory cannot be asked; it is
/// an alias by the config's word, and Google gives no token for an alias.
async fn renamed(
    options: &AccountOptions,
    shared: &Shared,
    confirm: &impl Confirm,
) -> Result<Option<AccountKey>, Error> {
    for former in &options.former {
        let stored = shared.store.account_by_address(former.as_str()).await?;
        let Some(stored) = stored else { continue };
        let is_same = match confirm.confirm(&stored.key, former).await {
            Ok(mailbox) => mailbox.eq_ignore_ascii_case(options.address.as_str()),
            Err(error) if error.next() == Next::Reauthorize => true,
            Err(error) => return Err(error.into()),
        };
        if is_same {
            tracing::info!(
                account = %options.address,
                from = %former,
                "the account was renamed"
            );
            return Ok(Some(stored.key));
        }
    }
    Ok(None)
}

/// What the Directory says of the address; none where it may not be read, or where it cannot be
/// read now and the account is known.
async fn listed(
    options: &AccountOptions,
    directory: &Directory,
    is_known: bool,
) -> Result<Option<DirectoryUser>, Error> {
    let address = &options.address;
    let error = match directory.user(address.as_str()).await {
        Ok(user) => return Ok(Some(user)),
        Err(error) => error,
    };
    match error.next() {
        // The mailbox itself says whether it is still there.
        _ if is_known => tracing::info!(
            account = %address,
            code = error.code(),
            "the Directory does not tell of this account, which is taken as the same as before"
        ),
        _ if is_not_found(&error) => {
            return Err(Error::UnknownUser {
                address: address.to_string(),
            });
        }
        Next::Reauthorize | Next::Reject => tracing::info!(
            account = %address,
            code = error.code(),
            "the Directory cannot be read, the address becomes the account's key"
        ),
        Next::RetryAfter(_) | Next::Backoff | Next::Resync | Next::Stop => {
            return Err(error.into());
        }
    }
    Ok(None)
}

/// The account of a user of the Directory: the one that had its id, under whatever address; or
/// the one `stored` under the configured address, if its id was never known; else a new one.
async fn by_id(
    options: &AccountOptions,
    shared: &Shared,
    confirm: &impl Confirm,
    user: &DirectoryUser,
    stored: Option<StoredAccount>,
) -> Result<StoredAccount, Error> {
    let (store, identity) = (shared.store.as_ref(), &shared.identity);
    let primary = Address::parse(&user.primary_email).unwrap_or_else(|| options.address.clone());
    let stored = match stored {
        Some(stored) => Some(stored),
        None => store.account_by_address(primary.as_str()).await?,
    };
    let own = identity.key_of(&user.id).unwrap_or_else(|| user.id.clone());
    let account = match (store.account_by_key(&own).await?, stored) {
        (Some(account), _) => account,
        (None, Some(stored)) if is_another(options, shared, &stored, &user.id) => {
            tracing::warn!(
                account = %options.address,
                parked = %nuncio_model::untrusted(stored.key.as_str()),
                "the address belongs to another account now; the earlier one is parked"
            );
            let key = options.key.clone().filter(|key| *key != stored.key);
            let key = key.unwrap_or_else(|| user.id.clone());
            freeze(shared, confirm, key, &primary).await?
        }
        (None, Some(stored)) => stored,
        (None, None) => {
            let key = options.key.clone().unwrap_or_else(|| user.id.clone());
            freeze(shared, confirm, key, &primary).await?
        }
    };
    identity.learn_id(&account.key, &user.id);
    if account.address.eq_ignore_ascii_case(primary.as_str()) {
        return Ok(account);
    }
    tracing::info!(
        account = %options.address,
        from = account.address,
        to = %primary,
        "the account was renamed"
    );
    freeze(shared, confirm, account.key, &primary).await
}

/// Whether a stored account is known to have had another id. Where none was noted, a key that the
/// config does not set and that is a number is the id that it was frozen with.
fn is_another(
    options: &AccountOptions,
    shared: &Shared,
    stored: &StoredAccount,
    id: &AccountKey,
) -> bool {
    let key = stored.key.as_str();
    let is_id = options.key.as_ref() != Some(&stored.key)
        && key.chars().all(|digit| digit.is_ascii_digit());
    let known = shared.identity.id_of(&stored.key);
    known
        .or_else(|| is_id.then(|| key.to_owned()))
        .is_some_and(|known| known != id.as_str())
}

/// Keeps an account's key and its primary address, once the feed's own API has confirmed that.
async fn freeze(
    shared: &Shared,
    confirm: &impl Confirm,
    key: AccountKey,
    primary: &Address,
) -> Result<StoredAccount, Error> {
    let mailbox = confirm.confirm(&key, primary).await?;
    if !mailbox.eq_ignore_ascii_case(primary.as_str()) {
        return Err(Error::OtherMailbox {
            address: primary.to_string(),
            mailbox,
        });
    }
    let address = primary.as_str().to_owned();
    let account = NewAccount { key, address };
    Ok(shared.store.freeze_account(account).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_outdated_once_their_address_is_forgotten_or_is_another_account() {
        let accounts = Accounts::default();
        let address = Address::parse("ana@example.com").unwrap();
        let account = |key: &str| StoredAccount {
            key: AccountKey::new(key),
            address: address.to_string(),
            frozen_at: 0,
        };
        let (one, two) = (AccountKey::new("1"), AccountKey::new("2"));
        assert!(accounts.is_outdated(&address, &one), "nothing is connected");
        accounts.note(&address, &account("1"));
        assert!(!accounts.is_outdated(&address, &one));
        accounts.note(&address, &account("2"));
        assert!(accounts.is_outdated(&address, &one));
        assert!(!accounts.is_outdated(&address, &two));
        accounts.forget(&address);
        assert!(accounts.is_outdated(&address, &two));
    }

    #[test]
    fn a_mailbox_is_read_under_one_address() {
        let accounts = Accounts::default();
        let [ana, alias] =
            ["ana@example.com", "a@example.com"].map(|text| Address::parse(text).unwrap());
        accounts.claim(FeedId(1), &ana).unwrap();
        accounts.claim(FeedId(1), &ana).unwrap();
        accounts.claim(FeedId(2), &alias).unwrap();
        let error = accounts.claim(FeedId(1), &alias).unwrap_err();
        assert!(matches!(error, Error::SameMailbox { .. }), "{error}");
    }
}
