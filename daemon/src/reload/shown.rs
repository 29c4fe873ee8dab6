//! What the rest of the daemon sees of the config: written by a reload, read by the admin API.

use crate::admin::wire::Credentials;
use crate::counted::counted;
use crate::overlays::{Overlays, Stopped};
use crate::sinks::SinkHandle;
use jiff::Timestamp;
use nuncio_config::{Config, User};
use nuncio_model::Address;
use std::sync::{Arc, PoisonError, RwLock};

/// The config in force, as others see it.
#[derive(Default)]
pub(crate) struct Shown(RwLock<Arc<ConfigState>>);

/// One state of it.
#[derive(Clone, Default)]
pub(crate) struct ConfigState {
    /// SHA-256 over its files.
    pub hash: String,
    /// When it came into force, milliseconds since 1970.
    pub loaded_at: i64,
    /// Users in the order of the config.
    pub users: Vec<ShownUser>,
    /// Its sinks.
    pub sinks: Vec<Arc<SinkHandle>>,
    /// How the last change of the files went.
    pub last_reload: LastReload,
    /// What Google is shown.
    pub credentials: Credentials,
}

/// A user of the config.
#[derive(Clone)]
pub(crate) struct ShownUser {
    /// The email.
    pub email: Address,
    /// Whether it is synced.
    pub is_synced: bool,
    /// Why it is not, though the config wants it.
    pub stopped: Option<Stopped>,
    /// The connected addresses, in the order of the config.
    pub accounts: Vec<Address>,
}

/// How the last change of the files went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum LastReload {
    /// They are in force.
    #[default]
    Good,
    /// They are wrong.
    Refused(String),
    /// They wait for an approval.
    Held(String),
}

impl ConfigState {
    /// What is in force and how the last change went, in one line.
    pub(crate) fn line(&self) -> String {
        let users = counted(self.users.len(), "user");
        let sinks = counted(self.sinks.len(), "sink");
        let hash = &self.hash[..self.hash.len().min(12)];
        let last = match &self.last_reload {
            LastReload::Good => String::new(),
            LastReload::Refused(why) => format!("; refused: {why}"),
            LastReload::Held(why) => format!("; held: {why}"),
        };
        format!("{users}, {sinks}, config {hash}{last}")
    }
}

impl Shown {
    /// What is in force now.
    pub(crate) fn now(&self) -> Arc<ConfigState> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }

    /// A config is in force.
    pub(crate) fn loaded(
        &self,
        config: &Config,
        hash: &str,
        sinks: Vec<Arc<SinkHandle>>,
        overlays: &Overlays,
        credentials: Credentials,
    ) {
        let users = config.users.iter();
        let before = self.now();
        let loaded_at = match before.hash == hash {
            true => before.loaded_at,
            false => Timestamp::now().as_millisecond(),
        };
        self.set(ConfigState {
            hash: hash.to_owned(),
            loaded_at,
            users: users.map(|user| shown_user(user, overlays)).collect(),
            sinks,
            last_reload: LastReload::Good,
            credentials,
        });
    }

    /// The files on disk are refused.
    pub(crate) fn refused(&self, why: String) {
        self.note(LastReload::Refused(why));
    }

    /// The files on disk wait for an approval.
    pub(crate) fn held(&self, why: String) {
        self.note(LastReload::Held(why));
    }

    fn note(&self, last_reload: LastReload) {
        let state = ConfigState::clone(&self.now());
        self.set(ConfigState {
            last_reload,
            ..state
        });
    }

    fn set(&self, state: ConfigState) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }
}

fn shown_user(user: &User, overlays: &Overlays) -> ShownUser {
    let accounts = user.accounts.iter();
    let stopped = overlays.stopped(&user.email).filter(|_| user.sync);
    ShownUser {
        email: user.email.clone(),
        is_synced: user.sync && stopped.is_none(),
        stopped: stopped.cloned(),
        accounts: accounts.map(|account| account.address.clone()).collect(),
    }
}
