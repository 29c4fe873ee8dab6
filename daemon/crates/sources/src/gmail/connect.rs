//! The first connection of an account: which mailbox an address is, and the key that it keeps
//! for ever. Everything here happens before a cursor is touched.

use super::error::is_not_found;
use super::{Error, MailFeed};
use nuncio_model::{AccountKey, Address, NewAccount, Next, StoredAccount};

impl MailFeed {
    /// The stored account of the configured address; made at first use.
    ///
    /// The key is the Directory's id where the Directory can be read, and the address only after
    /// a definite refusal: a passing fault must not freeze the lesser key.
    pub(super) async fn account(&self) -> Result<StoredAccount, Error> {
        let address = self.options.address.as_str();
        if let Some(account) = self.store.account_by_address(address).await? {
            return Ok(account);
        }
        let (key, primary) = self.identify().await?;
        let profile = self.google.gmail(&key, &primary).profile().await?;
        if !profile.email_address.eq_ignore_ascii_case(primary.as_str()) {
            return Err(Error::OtherMailbox {
                address: primary.to_string(),
                mailbox: profile.email_address,
            });
        }
        if primary.as_str() != address
            && let Some(account) = self.store.account_by_address(primary.as_str()).await?
        {
            return Ok(account);
        }
        let account = NewAccount {
            key,
            address: primary.as_str().to_owned(),
        };
        Ok(self.store.freeze_account(account).await?)
    }

    /// The account's key and the mailbox's primary address.
    async fn identify(&self) -> Result<(AccountKey, Address), Error> {
        let address = &self.options.address;
        let own_key = || {
            self.options
                .key
                .clone()
                .unwrap_or_else(|| AccountKey::new(address.as_str()))
        };
        let Some(directory) = &self.directory else {
            return Ok((own_key(), address.clone()));
        };
        match directory.user(address.as_str()).await {
            Ok(user) => {
                let primary =
                    Address::parse(&user.primary_email).unwrap_or_else(|| address.clone());
                Ok((self.options.key.clone().unwrap_or(user.id), primary))
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
                Next::RetryAfter(_) | Next::Backoff | Next::Resync | Next::Stop => {
                    Err(error.into())
                }
            },
        }
    }
}
