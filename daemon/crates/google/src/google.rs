//! The way in: one key, one connection pool, one governor, and clients for mailboxes.

use crate::api::CalendarGrant;
use crate::auth::{Key, Tokens};
use crate::http::Transport;
use crate::quota::{ApiName, DayUsage, Governor, QuotaOptions, Usage};
use crate::{Calendar, Directory, Drive, Endpoint, Error, Gmail, Limits, client};
use nuncio_model::{AccountKey, Address, Clock};
use std::sync::Arc;
use std::time::Duration;

/// Google for one service account. Clones share everything.
#[derive(Clone)]
pub struct Google {
    transport: Arc<Transport>,
    calendar: CalendarGrant,
}

impl std::fmt::Debug for Google {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Google(..)")
    }
}

impl Google {
    /// Makes the connection pool; nothing is sent yet. Towards Google itself it reads the
    /// machine's root certificates, once. `days` is what [`Google::days`] told last.
    ///
    /// # Errors
    /// [`Error::RootCertificates`].
    pub fn open(
        key: Key,
        endpoint: Endpoint,
        clock: Arc<dyn Clock>,
        limits: Limits,
        quota: QuotaOptions,
        days: &[DayUsage],
    ) -> Result<Self, Error> {
        let client = client::new(&endpoint).map_err(Error::RootCertificates)?;
        let in_flight = limits.in_flight_per_mailbox;
        let governor = Arc::new(Governor::new(quota, in_flight, Arc::clone(&clock), days));
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
            calendar: CalendarGrant::default(),
        })
    }

    /// What was spent of the project's budgets.
    pub fn usage(&self) -> Vec<Usage> {
        self.transport.governor().usage()
    }

    /// What a call of a method, such as `gmail.users.messages.list`, costs in units; 0 if no budget
    /// is for it.
    pub fn price(&self, method: &str) -> u64 {
        self.transport.governor().price(method)
    }

    /// What was spent of the day that is under way; to be kept over a restart.
    pub fn days(&self) -> Vec<DayUsage> {
        self.transport.governor().days()
    }

    /// The shortest time between two polls of a feed at which `n_feeds` of one API leave enough of
    /// the project's budgets to everything else.
    pub fn least_poll_interval(&self, api: ApiName, n_feeds: usize) -> Duration {
        self.transport.governor().least_poll_interval(api, n_feeds)
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

    /// The calendars of one account; see [`Google::gmail`] for what the two name.
    pub fn calendar(&self, account: &AccountKey, address: &Address) -> Calendar {
        Calendar::new(
            Arc::clone(&self.transport),
            account.clone(),
            address.clone(),
            self.calendar.clone(),
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
