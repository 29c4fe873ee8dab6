//! The admin API on a unix socket: reads snapshots and passes commands on. It takes no lock of
//! the pipeline, so it answers while that is jammed.

mod config;
mod routes;
mod server;
mod users;
pub(crate) mod wire;

pub(crate) use server::{Listener, serve};

use crate::feeds::Feeds;
use crate::reload::{Order, Shown};
use nuncio_spool::Spool;

/// What the API looks at.
pub(crate) struct Daemon {
    /// The config file.
    pub config_file: std::path::PathBuf,
    /// The config in force.
    pub shown: std::sync::Arc<Shown>,
    /// Where orders to change it go.
    pub orders: tokio::sync::mpsc::Sender<Order>,
    /// All feeds.
    pub feeds: Feeds,
    /// Google, for what was spent of its budgets.
    pub google: nuncio_google::Google,
    /// The accounts that were found.
    pub accounts: std::sync::Arc<nuncio_sources::Accounts>,
    /// Who sees what belongs to the domain.
    pub commons: std::sync::Arc<nuncio_sources::Commons>,
    /// Who is who.
    pub identity: std::sync::Arc<nuncio_sources::Identity>,
    /// The store, for counts and dead letters.
    pub spool: Spool,
}
