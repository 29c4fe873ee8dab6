//! The admin API on a unix socket: reads snapshots and passes commands on. It takes no lock of
//! the pipeline, so it answers while that is jammed.

mod routes;
mod server;
mod users;
pub(crate) mod wire;

pub(crate) use server::{Listener, serve};

use crate::feeds::Feeds;
use crate::sinks::SinkHandle;
use nuncio_spool::Spool;

/// What the API looks at.
pub(crate) struct Daemon {
    /// The config file.
    pub config_file: std::path::PathBuf,
    /// SHA-256 of the config file in force.
    pub config_hash: String,
    /// When it was loaded, milliseconds since 1970.
    pub config_loaded_at: i64,
    /// Users in the order of the config, and whether they are synced.
    pub users: Vec<(nuncio_model::Address, bool)>,
    /// All feeds.
    pub feeds: Feeds,
    /// Google, for what was spent of its budgets.
    pub google: nuncio_google::Google,
    /// Who sees what belongs to the domain.
    pub commons: std::sync::Arc<nuncio_sources::Commons>,
    /// Who is who.
    pub identity: std::sync::Arc<nuncio_sources::Identity>,
    /// All sinks.
    pub sinks: Vec<SinkHandle>,
    /// The store, for counts and dead letters.
    pub spool: Spool,
}
