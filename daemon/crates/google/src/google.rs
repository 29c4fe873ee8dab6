//! The way in: one set of credentials, one connection pool, one governor, and clients for mailboxes.

use crate::api::CalendarGrant;
use crate::auth::{Credentials, GrantedBy, Login, NewConsent, Scopes, Tokens, Uncovered, Wire};
use crate::http::Transport;
use crate::quota::{ApiName, DayUsage, Governors, QuotaOptions, Usage};
use crate::{AuthError, Calendar, Directory, Drive, Endpoint, Error, Gmail, Limits, client};
use nuncio_model::{AccountKey, Address, Clock, Secret};
use std::sync::Arc;
use std::time::Duration;

/// Google, by one set of credentials at a time. Clones share everything.
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
        credentials: impl Into<Credentials>,
        endpoint: Endpoint,
        clock: Arc<dyn Clock>,
        limits: Limits,
        quota: QuotaOptions,
        days: &[DayUsage],
    ) -> Result<Self, Error> {
        let client = client::new(&endpoint).map_err(Error::RootCertificates)?;
        let in_flight = limits.in_flight_per_mailbox;
        let governors = Arc::new(Governors::new(quota, in_flight, Arc::clone(&clock), days));
        let wire = Wire::new(
            client.clone(),
            endpoint.clone(),
            Arc::clone(&governors),
            Arc::clone(&clock),
        );
        let tokens = Tokens::new(credentials.into(), wire, &limits);
        let transport = Transport::new(client, endpoint, tokens, governors, clock, limits);
        Ok(Self {
            transport: Arc::new(transport),
            calendar: CalendarGrant::default(),
        })
    }

    /// Puts other credentials in force: calls that begin from now on use them.
    pub fn replace_credentials(&self, credentials: Credentials) {
        self.transport.tokens().replace(credentials);
    }

    /// Puts other budgets in force: calls that begin from now on are held by them.
    pub fn replace_quota(&self, quota: QuotaOptions) {
        self.transport.governors().replace(quota);
    }

    /// Asks for a token with other credentials, and keeps nothing.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn try_credentials(
        &self,
        credentials: Credentials,
        subject: Option<&Address>,
        scopes: Scopes,
    ) -> Result<(), AuthError> {
        let wire = self.transport.tokens().wire().clone();
        let tokens = Tokens::new(credentials, wire, self.transport.limits());
        let subject = subject.map(Address::as_str);
        tokens.token(subject, scopes).await.map(drop)
    }

    /// Trades the code of a login for a consent. Whose it is, is for the caller to judge.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn finish_login(
        &self,
        login: &Login,
        code: &Secret,
    ) -> Result<NewConsent, AuthError> {
        self.transport.tokens().wire().finish(login, code).await
    }

    /// Forgets tokens and refusals of a user, so that the next call asks anew.
    pub fn forget_tokens(&self, subject: &str) {
        self.transport.tokens().forget(subject);
    }

    /// On whose word a user's tokens are given, and why it is not the delegation's.
    pub fn granted_by(&self, subject: &str) -> (GrantedBy, Option<Uncovered>) {
        self.transport.tokens().granted_by(subject)
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
