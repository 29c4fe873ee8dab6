//! The composition root: the only file that names every concrete type. Starts all parts in
//! order, carries a changed config out, and ends all in the reverse order under one deadline. What a
//! reload may do and how it is told is in `reload`.

use crate::admin::{self, Daemon, Listener, wire};
use crate::cli::Common;
use crate::credentials::Loaded;
use crate::exit::{BROKEN, CONFIG, FAILURE, Failure};
use crate::feeds::{self, FeedChanges, FeedSet};
use crate::overlays::{Overlays, Stopped};
use crate::reload::{
    History, Order, Outcome, Reloaded, Shown, StartConfig, Trial, Watched, trial, watch, why_held,
};
use crate::sinks::{self, SinkSet};
use crate::store::SpoolPorts;
use crate::supervisor::{Fatal, Running, Tree};
use crate::{codes, credentials, quota, retired};
use nuncio_config::{Config, Diff, Errors, Files};
use nuncio_dispatch::Blobs;
use nuncio_google::{DayUsage, Directory, Google, Limits};
use nuncio_model::{Address, Chain, Clock, FeedSpec, Source, StoreError, SystemClock};
use nuncio_plugin_host::{Engine, EngineOptions};
use nuncio_sources::{AccountOptions, FeedCommand, FeedState, Identity, Store};
use nuncio_spool::Spool;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Orders that wait; each is answered in turn.
const MAX_ORDERS: usize = 16;

/// Everything has ended by then, in order or cut off.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// How often the spool is cleared of what is too old; its terms are days.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// How often sinks that left the config are looked at.
const LOOK_AT_RETIRED: Duration = Duration::from_secs(60);

/// A config that was refused for something outside its files is tried again after so long.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Deliveries have ended by then or are cut, so that the admin API, which comes last, still ends
/// in order and takes its socket away.
const SHUTDOWN_SINKS: Duration = Duration::from_secs(18);

/// Feeds stop reading quickly; the rest of the deadline belongs to deliveries under way.
const SHUTDOWN_FEEDS: Duration = Duration::from_secs(5);

/// What a running daemon has to deal with.
pub(crate) enum Event {
    /// Somebody gives an order.
    Order(Order),
    /// It cannot go on.
    Failed(Failure),
}

/// A running daemon.
pub(crate) struct App {
    config_file: PathBuf,
    state_dir: PathBuf,
    config: Config,
    hash: String,
    /// What Google is shown.
    loaded: Loaded,
    /// Files with secrets that the watch looks at.
    secrets: Arc<Mutex<Vec<PathBuf>>>,
    overlays: Overlays,
    history: History,
    /// When to try a refused config again though its files are the same.
    try_again: Option<Instant>,
    /// What was wrong with it, so that the log tells it once.
    last_refusal: String,
    feeds: FeedSet,
    /// What feeds share.
    shared: nuncio_sources::Shared,
    identity_tree: Tree,
    identity_task: Option<Running>,
    sinks: SinkSet,
    /// What sinks share.
    sink_shared: Arc<sinks::Shared>,
    admin: Tree,
    shown: Arc<Shown>,
    orders: mpsc::Receiver<Order>,
    spool: Spool,
}

impl App {
    /// Starts everything. When it returns, feeds read and sinks deliver.
    ///
    /// # Errors
    /// With the exit code that fits: a bad key is a config error, a bad spool is 70.
    pub(crate) async fn start(started: StartConfig, common: &Common) -> Result<Self, Failure> {
        let StartConfig {
            config,
            files,
            problem,
        } = started;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let secrets = Arc::new(Mutex::new(config.google.files()));
        let loaded = credentials::read(&config.google, &common.state_dir).map_err(|problem| {
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
        let overlays = Overlays::load(&common.state_dir).map_err(|error| {
            Failure::coded(
                FAILURE,
                "ADM009",
                &format!("overlays.json in the state folder cannot be read: {error}"),
                codes::remedy("ADM009"),
            )
        })?;
        let google = google(&loaded, &config, &clock, &days)?;
        let listener = Listener::bind(&common.socket()).await.map_err(|error| {
            Failure::coded(
                FAILURE,
                "ADM002",
                &Chain(&error).to_string(),
                codes::remedy("ADM002"),
            )
        })?;
        let stop = CancellationToken::new();
        let engine = Engine::new(EngineOptions::default()).map_err(|error| {
            Failure::coded(
                FAILURE,
                error.code(),
                &Chain(&error).to_string(),
                &error.hint(),
            )
        })?;
        let ports = Arc::new(SpoolPorts(spool.clone()));
        let sink_shared = Arc::new(sinks::Shared {
            engine,
            spool: spool.clone(),
            blobs: Arc::clone(&ports) as Arc<dyn Blobs>,
            clock: Arc::clone(&clock),
        });
        let shared = nuncio_sources::Shared {
            directory: directory(&google, &config),
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
        let (orders_sender, orders) = mpsc::channel(MAX_ORDERS);
        let shown = Arc::new(Shown::default());
        let feeds = FeedSet::new(&stop);
        let daemon = Arc::new(Daemon {
            config_file: common.config.clone(),
            shown: Arc::clone(&shown),
            orders: orders_sender,
            feeds: feeds.shown(),
            google: google.clone(),
            accounts: Arc::clone(&shared.accounts),
            commons: Arc::clone(&shared.commons),
            identity,
            spool: spool.clone(),
        });
        let mut admin_tree = Tree::new(&stop);
        let housed = spool.clone();
        admin_tree.spawn("housekeeping".to_owned(), move |stop| {
            keep_house(housed.clone(), Arc::clone(&clock), stop)
        });
        let kept_in = spool.clone();
        admin_tree.spawn("quota".to_owned(), move |stop| {
            quota::keep(google.clone(), kept_in.clone(), stop)
        });
        let mut app = Self {
            config_file: common.config.clone(),
            state_dir: common.state_dir.clone(),
            hash: files.hash(),
            loaded,
            secrets: Arc::clone(&secrets),
            overlays,
            try_again: None,
            last_refusal: String::new(),
            history: History::of(&common.state_dir),
            feeds,
            shared,
            identity_tree: Tree::new(&stop),
            identity_task: None,
            sinks: SinkSet::new(&stop),
            sink_shared,
            admin: admin_tree,
            shown,
            orders,
            spool,
            config,
        };
        app.begin(&files, problem).await?;
        let orders = daemon.orders.clone();
        app.admin.spawn("retired sinks".to_owned(), move |stop| {
            order_looks(orders.clone(), stop)
        });
        let watched = Watched {
            path: common.config.clone(),
            secrets,
        };
        let (hash, orders) = (app.hash.clone(), daemon.orders.clone());
        app.admin.spawn("config watch".to_owned(), move |stop| {
            watch(watched.clone(), hash.clone(), orders.clone(), stop)
        });
        let mut listener = Some(listener);
        let socket = common.socket();
        app.admin.spawn("admin".to_owned(), move |stop| {
            serve_admin(listener.take(), socket.clone(), Arc::clone(&daemon), stop)
        });
        tracing::info!(
            users = app.config.users.len(),
            sinks = app.config.sinks.len(),
            socket = %common.socket().display(),
            "nuncio is running"
        );
        Ok(app)
    }

    /// The config in force and how the last change went, in one line.
    pub(crate) fn line(&self) -> String {
        self.shown.now().line()
    }

    /// The store, to ask whether it lives.
    pub(crate) fn spool(&self) -> Spool {
        self.spool.clone()
    }

    /// Starts sinks and feeds: the difference to nothing.
    async fn begin(&mut self, files: &Files, problem: Option<String>) -> Result<(), Failure> {
        let config = self.config.clone();
        let loaded = sinks::load(&config.sinks, &self.sink_shared.engine).await;
        let diff = Diff::between(None, &config);
        // Before the first record is appended, so that each sink gets all.
        let registered = sinks::register(loaded, &self.spool).await.map_err(broken)?;
        self.apply(config, registered, true).await.map_err(broken)?;
        let last = self.history.newest();
        if last.is_none_or(|last| last.hash != self.hash) {
            self.keep(files, &diff);
        }
        self.show();
        if let Some(problem) = problem {
            self.shown.refused(problem);
        }
        Ok(())
    }

    /// Lets the admin API see what is in force.
    fn show(&self) {
        self.shown.loaded(
            &self.config,
            &self.hash,
            self.sinks.shown(),
            &self.overlays,
            self.loaded.told.clone(),
        );
    }

    /// Makes everything that runs what `config` wants; `new` are the sinks that are not so yet.
    async fn apply(
        &mut self,
        config: Config,
        new: Vec<sinks::Registered>,
        all_anew: bool,
    ) -> Result<FeedChanges, StoreError> {
        let content = self.sinks.demand(&config.sinks, &new);
        let effective = self.overlays.over(&config);
        let desired = feeds::desired(&effective, content);
        // The spool may have thousands of questions to answer first, so that a change of users asks
        // it nothing.
        let stored = match all_anew || self.feeds.is_other_domain(&desired) {
            true => self.spool.feeds().await?,
            false => Vec::new(),
        };
        let stored: Vec<FeedSpec> = stored.into_iter().map(|feed| feed.spec).collect();
        let is_other_sinks = all_anew || config.sinks != self.config.sinks;
        self.sinks.apply(&config.sinks, new, &self.sink_shared);
        let identity = &self.shared.identity;
        identity.configure(config.people(), config.address_places.clone());
        let changes = self.feeds.apply(desired, all_anew, &stored, &self.shared);
        self.follow_identity(&effective);
        self.config = config;
        if is_other_sinks {
            self.look_after_retired().await?;
        }
        Ok(changes)
    }

    /// Looks up the addresses of the accounts of `config` from now on.
    fn follow_identity(&mut self, config: &Config) {
        let mut before = Vec::new();
        if let Some(task) = self.identity_task.take() {
            task.stop();
            before.push(task);
        }
        let looked_up = (self.shared.clone(), accounts(config));
        let name = "identity".to_owned();
        let task = self.identity_tree.spawn_after(name, before, move |stop| {
            let (shared, accounts) = looked_up.clone();
            Arc::clone(&shared.identity).run(shared, accounts, stop)
        });
        self.identity_task = Some(task);
    }

    /// Carries an order out and answers it.
    ///
    /// # Errors
    /// Only of the spool: then the process cannot go on.
    ///
    /// # Cancel safety
    /// May be half done: only for a daemon that ends then.
    pub(crate) async fn obey(&mut self, order: Order) -> Result<(), Failure> {
        let (answer, reply) = match order {
            Order::LookAfterRetired => return self.look_after_retired().await.map_err(broken),
            Order::Stop {
                email,
                stopped,
                reply,
            } => {
                let done = self.stop(&email, stopped).await?;
                drop(reply.send(done));
                return Ok(());
            }
            Order::Start {
                email,
                only_retry,
                reply,
            } => {
                let done = self.start_user(&email, only_retry).await?;
                drop(reply.send(done));
                return Ok(());
            }
            Order::Reload { approved, reply } => (self.reload(approved.as_deref()).await?, reply),
            Order::Plan { files, reply } => (self.plan(files).await, Some(reply)),
        };
        if let Some(reply) = reply {
            // Who asked may have gone away.
            drop(reply.send(answer));
        }
        Ok(())
    }

    /// Waits for an order to change the config, or until a part fails so that the process cannot
    /// go on.
    ///
    /// # Cancel safety
    /// Loses no order.
    pub(crate) async fn event(&mut self) -> Event {
        let try_again = self.try_again;
        let again = async {
            match try_again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let fatal = tokio::select! {
            () = again => return Event::Order(Order::Reload { approved: None, reply: None }),
            fatal = self.feeds.failed() => fatal,
            fatal = self.identity_tree.failed() => fatal,
            fatal = self.sinks.failed() => fatal,
            fatal = self.admin.failed() => fatal,
            // The daemon that the admin API sees holds a sender, so this never ends before.
            Some(order) = self.orders.recv() => return Event::Order(order),
        };
        tracing::error!(error = %Chain(&fatal), "the daemon cannot go on");
        Event::Failed(fatal_exit(&fatal))
    }

    /// Reads the config anew and carries it out as a whole, or says why not and changes nothing.
    /// `approved` is the hash of a config that may be carried out whatever it does.
    ///
    /// # Errors
    /// Only of the spool: then the process cannot go on.
    async fn reload(&mut self, approved: Option<&str>) -> Result<Reloaded, Failure> {
        let path = self.config_file.clone();
        let judged = load(path).await;
        let outcome = self.judged(judged, approved).await?;
        self.try_again = outcome.may_pass().then(|| Instant::now() + TRY_AGAIN);
        let refusal = match outcome.outcome {
            Outcome::Refused => outcome.shown.clone(),
            _ => String::new(),
        };
        if refusal.is_empty() || refusal != self.last_refusal {
            outcome.log();
        }
        self.last_refusal = refusal;
        match outcome.outcome {
            Outcome::Refused => self.shown.refused(outcome.summary.clone()),
            Outcome::Held => self.shown.held(outcome.summary.clone()),
            Outcome::Applied | Outcome::Unchanged | Outcome::Planned => self.show(),
        }
        Ok(outcome)
    }

    async fn judged(
        &mut self,
        judged: Result<(Config, Files), Errors>,
        approved: Option<&str>,
    ) -> Result<Reloaded, Failure> {
        let (config, files) = match judged {
            Ok(good) => good,
            Err(errors) => return Ok(Reloaded::refused_for(&errors)),
        };
        let hash = files.hash();
        let loaded = self.credentials(&config).await;
        let is_other = |loaded: &Loaded| loaded.fingerprint != self.loaded.fingerprint;
        if hash == self.hash && loaded.as_ref().is_ok_and(|loaded| !is_other(loaded)) {
            return Ok(Reloaded::unchanged(hash, self.note_on_credentials()));
        }
        let diff = Diff::between(Some(&self.config), &config);
        let unlike = self.sinks.unlike(&config.sinks);
        let sinks = sinks::load(unlike, &self.sink_shared.engine).await;
        let answer = Reloaded::judged(hash.clone(), &diff, sinks::problems(&sinks));
        if answer.outcome == Outcome::Refused {
            return Ok(answer);
        }
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problem) => return Ok(answer.refused_by(problem)),
        };
        let (answer, doubt) = match is_other(&loaded) {
            false => (answer, None),
            true => {
                let answer = answer.with_credentials(self.change_to(&loaded));
                let (google, config) = (&self.shared.google, self.overlays.over(&config));
                match trial(google, &loaded.credentials, &config, &self.state_dir).await {
                    Trial::Good => (answer, None),
                    Trial::Doubtful(reason) => (answer, Some(reason)),
                    Trial::Broken(error) | Trial::Unknown(error) => {
                        return Ok(answer.refused_by(error));
                    }
                }
            }
        };
        let mut reasons = why_held(&diff, self.n_synced());
        reasons.extend(doubt);
        if !reasons.is_empty() && approved != Some(hash.as_str()) {
            return Ok(answer.held(reasons));
        }
        let registered = match sinks::register(sinks, &self.spool).await {
            Ok(registered) => registered,
            Err(error @ StoreError::Full(_)) => {
                return Ok(answer.without_room(&error.to_string()));
            }
            Err(error) => return Err(broken(error)),
        };
        let google = &self.shared.google;
        if is_other(&loaded) {
            google.replace_credentials(loaded.credentials.clone());
        }
        if self.config.google.quota != config.google.quota {
            google.replace_quota(quota::options(&config.google));
        }
        *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = config.google.files();
        self.loaded = loaded;
        let is_new_admin = self.config.google.admin != config.google.admin;
        self.shared.directory = directory(&self.shared.google, &config);
        let changes = self.apply(config, registered, is_new_admin).await;
        let changes = changes.map_err(broken)?;
        let is_new = self.hash != hash;
        self.hash = hash;
        if is_new {
            self.keep(&files, &diff);
        }
        self.nudge_disabled(None);
        Ok(answer.applied(changes))
    }

    /// What a config would change, by its files. Nothing is sent to Google.
    async fn plan(&self, files: Files) -> Reloaded {
        let config = match Config::of(&files) {
            Ok(config) => config,
            Err(errors) => return Reloaded::refused_for(&errors),
        };
        let diff = Diff::between(Some(&self.config), &config);
        let unlike = self.sinks.unlike(&config.sinks);
        let sinks = sinks::load(unlike, &self.sink_shared.engine).await;
        let mut problems = sinks::problems(&sinks);
        let loaded = self.credentials(&config).await;
        problems.extend(loaded.as_ref().err().cloned());
        let mut answer = Reloaded::judged(files.hash(), &diff, problems);
        if let Ok(loaded) = loaded
            && loaded.fingerprint != self.loaded.fingerprint
        {
            answer = answer.with_credentials(self.change_to(&loaded));
        }
        answer.overlays = self.overlays.lines(&config);
        answer.planned(why_held(&diff, self.n_synced()))
    }

    fn n_synced(&self) -> usize {
        self.config.users.iter().filter(|user| user.sync).count()
    }

    /// What Google is to be shown by `config`.
    async fn credentials(&self, config: &Config) -> Result<Loaded, wire::Error> {
        let (google, state_dir) = (config.google.clone(), self.state_dir.clone());
        let read = tokio::task::spawn_blocking(move || credentials::read(&google, &state_dir));
        match read.await {
            Ok(read) => read,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// How other credentials differ from those in force.
    fn change_to(&self, new: &Loaded) -> String {
        format!(
            "credentials: {} -> {}",
            self.loaded.told.line(),
            new.told.line()
        )
    }

    /// For who replaced a key that systemd handed over, and asks for a reload.
    fn note_on_credentials(&self) -> Option<&'static str> {
        let is_handed_over = self.config.google.files().is_empty();
        is_handed_over.then_some(
            "a key or client of `credential:` is handed over by systemd and taken up by a restart only",
        )
    }

    /// Stops a user until it is started.
    ///
    /// # Errors
    /// Of the spool: then the process cannot go on. Anything else is the answer.
    async fn stop(
        &mut self,
        email: &Address,
        stopped: Stopped,
    ) -> Result<Result<(), String>, Failure> {
        if let Err(error) = self.overlays.stop(email, stopped) {
            return Ok(Err(format!("it cannot be kept: {error}")));
        }
        self.apply_overlays().await?;
        Ok(Ok(()))
    }

    /// Starts a user again, and lets what Google refused be tried at once.
    ///
    /// # Errors
    /// As [`App::stop`].
    async fn start_user(
        &mut self,
        email: &Address,
        only_retry: bool,
    ) -> Result<Result<bool, String>, Failure> {
        let was_stopped = match only_retry {
            true => false,
            false => match self.overlays.start(email) {
                Ok(was_stopped) => was_stopped,
                Err(error) => return Ok(Err(format!("it cannot be kept: {error}"))),
            },
        };
        if was_stopped {
            self.apply_overlays().await?;
        }
        self.nudge_disabled(Some(email));
        Ok(Ok(was_stopped))
    }

    async fn apply_overlays(&mut self) -> Result<(), Failure> {
        let config = self.config.clone();
        self.apply(config, Vec::new(), false)
            .await
            .map_err(broken)?;
        self.show();
        Ok(())
    }

    /// Lets feeds that Google refused try again at once: all, or those of a user, whose tokens are
    /// asked for anew in any case.
    fn nudge_disabled(&self, email: Option<&Address>) {
        for feed in self.feeds.shown().all() {
            let owner = feed.owner.as_ref();
            let is_meant = match email {
                Some(email) => owner.is_some_and(|owner| owner.user == *email),
                None => true,
            };
            let is_disabled = feed.health().state == FeedState::Disabled;
            if let (true, Some(owner)) = (is_meant && (is_disabled || email.is_some()), owner) {
                let found = self.shared.accounts.connected(&owner.address);
                let primary = found.map(|account| account.address);
                let primary = primary.as_deref().unwrap_or(owner.address.as_str());
                self.shared.google.forget_tokens(primary);
            }
            if is_meant && is_disabled {
                // One that is busy with an earlier command tries again anyway.
                feed.command(FeedCommand::Nudge);
            }
        }
    }

    /// Releases what waited for sinks that left the config long ago.
    ///
    /// # Errors
    /// Only of the spool: then the process cannot go on. A full disk is looked at again later.
    async fn look_after_retired(&self) -> Result<(), StoreError> {
        let now = self.shared.clock.now_ms();
        match retired::look(&self.spool, &self.config.sinks, now).await {
            Ok(()) | Err(StoreError::Full(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keeps a config that is in force.
    fn keep(&self, files: &Files, diff: &Diff) {
        let now = self.shared.clock.now_ms();
        let kept = self
            .history
            .keep(files.clone(), now, diff.summary(), diff.to_string());
        if let Err(error) = kept {
            tracing::error!(
                error = %Chain(&error),
                "the config is in force, but could not be kept as the last good one"
            );
        }
    }

    /// Ends everything in order: no more reading, deliveries under way, plugins, spool; the
    /// admin API last.
    ///
    /// # Errors
    /// If something failed on the way.
    pub(crate) async fn shut_down(self) -> Result<(), Failure> {
        let begun = Instant::now();
        let feeds = self.feeds.shut_down(begun + SHUTDOWN_FEEDS).await;
        let identity = self.identity_tree.shut_down(begun + SHUTDOWN_FEEDS).await;
        let sinks = self.sinks.shut_down(begun + SHUTDOWN_SINKS).await;
        let admin = self.admin.shut_down(begun + SHUTDOWN).await;
        self.spool.close().await;
        tracing::info!("stopped");
        feeds
            .and(identity)
            .and(sinks)
            .and(admin)
            .map_err(|fatal| fatal_exit(&fatal))
    }
}

/// Reads the config off the runtime: it may have many users.
async fn load(path: PathBuf) -> Result<(Config, Files), Errors> {
    let read = tokio::task::spawn_blocking(move || Config::load(&path)).await;
    match read {
        Ok(read) => read,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The accounts that are synced, and what of each.
fn accounts(config: &Config) -> Vec<(AccountOptions, Vec<Source>)> {
    let users = config.users.iter().filter(|user| user.sync);
    let accounts = users.flat_map(|user| {
        let accounts = feeds::accounts_of(user).into_iter();
        accounts.map(|account| (account, user.sources.clone()))
    });
    accounts.collect()
}

fn directory(google: &Google, config: &Config) -> Option<Directory> {
    let admin = config.google.admin.as_ref();
    admin.map(|admin| google.directory(admin))
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
    loaded: &Loaded,
    config: &Config,
    clock: &Arc<dyn Clock>,
    days: &[DayUsage],
) -> Result<Google, Failure> {
    let quota = quota::options(&config.google);
    let google = Google::open(
        loaded.credentials.clone(),
        loaded.endpoint.clone(),
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

/// Once in a while orders a look at sinks that left the config.
async fn order_looks(
    orders: mpsc::Sender<Order>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_AT_RETIRED) => {}
        }
        if orders.send(Order::LookAfterRetired).await.is_err() {
            return Ok(());
        }
    }
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
