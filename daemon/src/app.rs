//! The composition root: the only file that names every concrete type. Starts all parts in
//! order and ends them in the reverse one under one deadline.

use crate::admin::{self, Daemon, Listener};
use crate::cli::Common;
use crate::exit::{BROKEN, CONFIG, FAILURE, Failure};
use crate::store::SpoolPorts;
use crate::supervisor::{Fatal, Tree};
use crate::{credentials, feeds, quota, sinks};
use nuncio_config::Config;
use nuncio_dispatch::Blobs;
use nuncio_google::{DayUsage, Endpoint, Google, Key, Limits};
use nuncio_model::{Chain, Clock, FeedSpec, Source, StoreError, SystemClock};
use nuncio_plugin_host::{Engine, EngineOptions};
use nuncio_sources::{AccountOptions, Identity, Store};
use nuncio_spool::Spool;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Everything has ended by then, in order or cut off.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// How often the spool is cleared of what is too old; its terms are days.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// Deliveries have ended by then or are cut, so that the admin API, which comes last, still ends
/// in order and takes its socket away.
const SHUTDOWN_SINKS: Duration = Duration::from_secs(18);

/// Feeds stop reading quickly; the rest of the deadline belongs to deliveries under way.
const SHUTDOWN_FEEDS: Duration = Duration::from_secs(5);

/// A running daemon.
pub(crate) struct App {
    feeds: Tree,
    sinks: Tree,
    admin: Tree,
    spool: Spool,
}

impl App {
    /// Starts everything. When it returns, feeds read and sinks deliver.
    ///
    /// # Errors
    /// With the exit code that fits: a bad key is a config error, a bad spool is 70.
    pub(crate) async fn start(config: Config, common: &Common) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let key = credentials::read(&config.google).map_err(|problem| {
            Failure::coded(CONFIG, &problem.code, &problem.message, &problem.hint)
        })?;
        let spool = Spool::open(nuncio_spool::Options {
            dir: common.state_dir.clone(),
            max_bytes: config.spool.max_bytes,
            clock: Arc::clone(&clock),
        })
        .await
        .map_err(|error| {
            Failure::coded(
                BROKEN,
                error.code(),
                &Chain(&error).to_string(),
                error.hint(),
            )
        })?;
        let days = quota::load(&spool).await.map_err(broken)?;
        let google = google(key, &config, &clock, &days)?;
        let listener = Listener::bind(&common.socket()).await.map_err(|error| {
            Failure::coded(
                FAILURE,
                "ADM002",
                &Chain(&error).to_string(),
                "is another nuncio running? else choose a short path that can be written with --socket",
            )
        })?;
        let stop = CancellationToken::new();
        let mut feed_tree = Tree::new(&stop);
        let mut sink_tree = Tree::new(&stop);
        let mut admin_tree = Tree::new(&stop);

        let engine = Engine::new(EngineOptions::default()).map_err(|error| {
            Failure::coded(
                FAILURE,
                error.code(),
                &Chain(&error).to_string(),
                &error.hint(),
            )
        })?;
        let ports = Arc::new(SpoolPorts(spool.clone()));
        let loaded = sinks::load(&config, &engine).await;
        let content = sinks::demand(&loaded);
        let shared = Arc::new(sinks::Shared {
            engine,
            spool: spool.clone(),
            blobs: Arc::clone(&ports) as Arc<dyn Blobs>,
            clock: Arc::clone(&clock),
        });
        // Sinks are registered before the first record is appended, so that each gets all.
        let sink_handles = sinks::start(loaded, &shared, &mut sink_tree)
            .await
            .map_err(broken)?;
        let shared = nuncio_sources::Shared {
            directory: config
                .google
                .admin
                .as_ref()
                .map(|admin| google.directory(admin)),
            google: google.clone(),
            store: ports as Arc<dyn Store>,
            identity: Arc::new(Identity::new(
                config.people(),
                config.address_places.clone(),
            )),
            clock: Arc::clone(&clock),
            accounts: Arc::default(),
            pace: Arc::default(),
            commons: Arc::default(),
        };
        let identity = Arc::clone(&shared.identity);
        identity.load(shared.store.as_ref()).await.map_err(broken)?;
        let stored = spool.feeds().await.map_err(broken)?;
        let stored: Vec<FeedSpec> = stored.into_iter().map(|feed| feed.spec).collect();
        let commons = Arc::clone(&shared.commons);
        let feed_handles = feeds::start(&config, content, &stored, &shared, &mut feed_tree);
        let looked_up = (shared.clone(), accounts(&config));
        feed_tree.spawn("identity".to_owned(), move |stop| {
            let (shared, accounts) = looked_up.clone();
            Arc::clone(&shared.identity).run(shared, accounts, stop)
        });
        let daemon = Arc::new(Daemon {
            config_file: common.config.clone(),
            config_hash: hash_of(&common.config).unwrap_or_default(),
            config_loaded_at: clock.now_ms(),
            users: config
                .users
                .iter()
                .map(|user| (user.email.clone(), user.sync))
                .collect(),
            feeds: feed_handles,
            google: google.clone(),
            commons,
            identity,
            sinks: sink_handles,
            spool: spool.clone(),
        });
        let housed = spool.clone();
        admin_tree.spawn("housekeeping".to_owned(), move |stop| {
            keep_house(housed.clone(), Arc::clone(&clock), stop)
        });
        let kept_in = spool.clone();
        admin_tree.spawn("quota".to_owned(), move |stop| {
            quota::keep(google.clone(), kept_in.clone(), stop)
        });
        let mut listener = Some(listener);
        let socket = common.socket();
        admin_tree.spawn("admin".to_owned(), move |stop| {
            serve_admin(listener.take(), socket.clone(), Arc::clone(&daemon), stop)
        });
        tracing::info!(
            users = config.users.len(),
            sinks = config.sinks.len(),
            socket = %common.socket().display(),
            "nuncio is running"
        );
        Ok(Self {
            feeds: feed_tree,
            sinks: sink_tree,
            admin: admin_tree,
            spool,
        })
    }

    /// Waits until a part fails so that the process cannot go on.
    pub(crate) async fn failed(&mut self) -> Failure {
        let fatal = tokio::select! {
            fatal = self.feeds.failed() => fatal,
            fatal = self.sinks.failed() => fatal,
            fatal = self.admin.failed() => fatal,
        };
        tracing::error!(error = %Chain(&fatal), "the daemon cannot go on");
        fatal_exit(&fatal)
    }

    /// Ends everything in order: no more reading, deliveries under way, plugins, spool; the
    /// admin API last.
    ///
    /// # Errors
    /// If something failed on the way.
    pub(crate) async fn shut_down(self) -> Result<(), Failure> {
        let begun = Instant::now();
        let feeds = self.feeds.shut_down(begun + SHUTDOWN_FEEDS).await;
        let sinks = self.sinks.shut_down(begun + SHUTDOWN_SINKS).await;
        let admin = self.admin.shut_down(begun + SHUTDOWN).await;
        self.spool.close().await;
        tracing::info!("stopped");
        feeds
            .and(sinks)
            .and(admin)
            .map_err(|fatal| fatal_exit(&fatal))
    }
}

/// The accounts that are synced, and what of each.
fn accounts(config: &Config) -> Vec<(AccountOptions, Vec<Source>)> {
    let mut accounts = Vec::new();
    for user in config.users.iter().filter(|user| user.sync) {
        for account in &user.accounts {
            let options = AccountOptions {
                user: user.email.clone(),
                address: account.address.clone(),
                key: account.key.clone(),
                former: feeds::former(user),
            };
            accounts.push((options, user.sources.clone()));
        }
    }
    accounts
}

/// Serves the socket that was bound at the start, or binds it again after a panic.
async fn serve_admin(
    listener: Option<Listener>,
    socket: PathBuf,
    daemon: Arc<Daemon>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let listener = match listener {
        Some(listener) => listener,
        None => Listener::bind(&socket)
            .await
            .map_err(std::io::Error::other)?,
    };
    admin::serve(listener, daemon, stop).await
}

/// Makes the client; nothing is sent.
fn google(
    (key, endpoint): (Key, Endpoint),
    config: &Config,
    clock: &Arc<dyn Clock>,
    days: &[DayUsage],
) -> Result<Google, Failure> {
    let quota = quota::options(&config.google);
    let google = Google::open(
        key,
        endpoint,
        Arc::clone(clock),
        Limits::default(),
        quota,
        days,
    );
    google.map_err(|error| {
        Failure::coded(
            FAILURE,
            error.code(),
            &Chain(&error).to_string(),
            error.hint(),
        )
    })
}

/// SHA-256 of the config file; none if it cannot be read.
pub(crate) fn hash_of(config: &std::path::Path) -> Option<String> {
    let bytes = std::fs::read(config).ok()?;
    Some(
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

/// Once in a while removes what the spool need not keep any longer.
async fn keep_house(
    spool: Spool,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    loop {
        let purged = spool.purge(clock.now_ms()).await?;
        if purged.n_open > 0 {
            tracing::warn!(
                n_dead_letters = purged.n_open,
                "dead letters were purged unseen"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(HOUSEKEEPING) => {}
        }
    }
}

fn broken(error: nuncio_model::StoreError) -> Failure {
    Failure::coded(BROKEN, "SPL011", &Chain(&error).to_string(), "see the log")
}

fn fatal_exit(fatal: &Fatal) -> Failure {
    Failure::coded(
        BROKEN,
        "SPL011",
        &Chain(fatal).to_string(),
        "nothing that was acknowledged is lost; check the disk, then start nuncio again",
    )
}
