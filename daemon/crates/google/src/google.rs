//! The way in: one key, one connection pool, one governor, and clients for mailboxes.

use crate::auth::{Key, Tokens};
use crate::http::Transport;
use crate::quota::Governor;
use crate::{Directory, Drive, Endpoint, Error, Gmail, Limits, client};
use nuncio_model::{AccountKey, Address, Clock};
use std::sync::Arc;

/// Google for one service account. Clones share everything.
#[derive(Clone)]
pub struct Google {
    transport: Arc<Transport>,
}

impl std::fmt::Debug for Google {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Google(..)")
    }
}

impl Google {
    /// Makes the connection pool; nothing is sent yet. Towards Google itself it reads the
    /// machine's root certificates, once.
    ///
    /// # Errors
    /// [`Error::RootCertificates`].
    pub fn open(
        key: Key,
        endpoint: Endpoint,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let client = client::new(&endpoint).map_err(Error::RootCertificates)?;
        let governor = Arc::new(Governor::new(limits.in_flight_per_mailbox));
        let tokens = Tokens::new(
            key,
            client.clone(),
            Arc::clone(&governor),
            Arc::clone(&clock),
            &limits,
        );
        let transport = Transport::new(client, endpoint, tokens, governor, clock, limits);
        Ok(Self {
            transport: Arc::new(transport),
        })
    }

    /// The client of one mailbox. `account` names whose budget is used; `address` must be the
    /// user's primary one, for Google gives no token for an alias.
    pub fn gmail(&self, account: &AccountKey, address: &Address) -> Gmail {
        Gmail::new(
            Arc::clone(&self.transport),
            account.clone(),
            address.clone(),
        )
    }

    /// Drive as one user sees it; the arguments are those of [`Google::gmail`].
    pub fn drive(&self, account: &AccountKey, address: &Address) -> Drive {
        Drive::new(
            Arc::clone(&self.transport),
            account.clone(),
            address.clone(),
        )
    }

    /// The Directory as `admin` sees it: a user who may read users.
    pub fn directory(&self, admin: &Address) -> Directory {
        Directory::new(Arc::clone(&self.transport), admin.clone())
    }
}
