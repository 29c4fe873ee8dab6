//! The first connection of an account: which mailbox an address is, and the key that it keeps
//! for ever. Everything here happens before a cursor is touched.

use crate::error::{Error, is_not_found};
use crate::{Shared, Store};
use nuncio_google::Directory;
use nuncio_model::{AccountKey, Address, FeedId, NewAccount, Next, StoredAccount};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a feed of an account needs to know of it from the config.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// The configured user.
    pub user: Address,
    /// The connected address.
    pub address: Address,
    /// The account key that the config sets, if it does.
    pub key: Option<AccountKey>,
}

/// The accounts as all feeds see them: connects each once, and lets no two names read one feed.
#[derive(Debug, Default)]
pub struct Accounts {
    /// The feeds of one account connect one after the other, so that its key is frozen once.
    connecting: Mutex<HashMap<Address, Arc<tokio::sync::Mutex<()>>>>,
    /// Which address reads which feed.
    claims: Mutex<HashMap<FeedId, Address>>,
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

/// The stored account of the configured address; made at first use.
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
    let store: &dyn Store = shared.store.as_ref();
    let address = options.address.as_str();
    if let Some(account) = store.account_by_address(address).await? {
        return Ok(account);
    }
    let (key, primary) = identify(options, shared.directory.as_ref()).await?;
    let mailbox = confirm.confirm(&key, &primary).await?;
    if !mailbox.eq_ignore_ascii_case(primary.as_str()) {
        return Err(Error::OtherMailbox {
            address: primary.to_string(),
            mailbox,
        });
    }
    if primary.as_str() != address
        && let Some(account) = store.account_by_address(primary.as_str()).await?
    {
        return Ok(account);
    }
    let account = NewAccount {
        key,
        address: primary.as_str().to_owned(),
    };
    Ok(store.freeze_account(account).await?)
}

/// The account's key and the mailbox's primary address.
async fn identify(
    options: &AccountOptions,
    directory: Option<&Directory>,
) -> Result<(AccountKey, Address), Error> {
    let address = &options.address;
    let own_key = || {
        let key = options.key.clone();
        key.unwrap_or_else(|| AccountKey::new(address.as_str()))
    };
    let Some(directory) = directory else {
        return Ok((own_key(), address.clone()));
    };
    match directory.user(address.as_str()).await {
        Ok(user) => {
            let primary = Address::parse(&user.primary_email).unwrap_or_else(|| address.clone());
            Ok((options.key.clone().unwrap_or(user.id), primary))
        }
        Err(error) if is_not_found(&error) => Err(Error::UnknownUser {
            address: address.to_string(),
        }),
        Err(error) => match error.next() {
            Next::Reauthorize | Next::Reject => {
                tracing::info!(
                    account = %address,
                    code = error.code(),
                    "the Directory cannot be read, the address becomes the account's key"
                );
                Ok((own_key(), address.clone()))
            }
            Next::RetryAfter(_) | Next::Backoff | Next::Resync | Next::Stop => Err(error.into()),
        },
    }
}
