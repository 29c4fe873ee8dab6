//! The sinks of the config: loads their plugins, gives them their rights, and starts delivery.
//! A sink that cannot start is a state of that sink; the others and all feeds go on.

use crate::admin::wire;
use crate::supervisor::{Fatal, Running, Tree};
use nuncio_config::{Config, DirMode, RecordKind};
use nuncio_dispatch::{Blobs, Dispatch, Health, Options, RetryPolicy};
use nuncio_model::{Clock, CodeInfo, Content, SinkName, StoreError, untrusted};
use nuncio_plugin_host::{Engine, EngineOptions, LabelChanges, Opened, Plugin, SinkOptions};
use nuncio_spool::{SinkCounts, SinkId, Spool};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A sink that could not start is tried again after this time; its file may have been mended.
const START_RETRY: Duration = Duration::from_secs(60);

/// One sink as the rest of the daemon sees it.
pub(crate) struct SinkHandle {
    /// Its name.
    pub name: SinkName,
    id: SinkId,
    start: watch::Receiver<Start>,
    health: watch::Receiver<Health>,
}

/// How far a sink's start is.
#[derive(Debug, Clone, Default)]
struct Start {
    plugin: Option<wire::Plugin>,
    problem: Option<wire::Error>,
}

impl SinkHandle {
    /// What `status` says of it.
    pub(crate) fn wire(&self, counts: &[SinkCounts]) -> wire::Sink {
        let counts = counts.iter().find(|counts| counts.id == self.id);
        let start = self.start.borrow().clone();
        let health = self.health.borrow().clone();
        let rate = health
            .throughput
            .and_then(|throughput| throughput.per_second(Instant::now()));
        let (state, error) = match start.problem {
            Some(problem) => ("failed", Some(problem)),
            None => (
                health.state.as_str(),
                health.error.map(|(code, reason)| wire::Error {
                    hint: hint_of(&code).to_owned(),
                    code,
                    message: untrusted(&reason).to_string(),
                }),
            ),
        };
        wire::Sink {
            name: self.name.as_str().to_owned(),
            state: state.to_owned(),
            plugin: start.plugin,
            delivered: counts.map_or(0, |counts| counts.n_delivered),
            pending: counts.map_or(0, |counts| counts.n_pending),
            dead_letters: counts.map_or(0, |counts| counts.n_dead_letters),
            rate,
            error,
        }
    }
}

/// A sink of the config with its plugin, as far as it could be loaded.
pub(crate) struct Loaded {
    config: nuncio_config::Sink,
    plugin: Result<Plugin, wire::Error>,
}

/// A loaded sink that the spool keeps records for.
pub(crate) struct Registered {
    sink: Loaded,
    id: SinkId,
}

/// Registers sinks, so that the spool keeps records for them from now on.
///
/// # Errors
/// Of the spool; nothing else has happened then.
pub(crate) async fn register(
    loaded: Vec<Loaded>,
    spool: &Spool,
) -> Result<Vec<Registered>, StoreError> {
    let mut registered = Vec::new();
    for sink in loaded {
        let id = spool.register_sink(&sink.config.name).await?;
        registered.push(Registered { sink, id });
    }
    Ok(registered)
}

/// Loads the plugins of these sinks.
pub(crate) async fn load<'a>(
    sinks: impl IntoIterator<Item = &'a nuncio_config::Sink>,
    engine: &Engine,
) -> Vec<Loaded> {
    let mut loaded = Vec::new();
    for sink in sinks {
        loaded.push(Loaded {
            config: sink.clone(),
            plugin: load_one(engine, sink).await,
        });
    }
    loaded
}

/// What is wrong with sinks that were loaded: the plugin, its settings or its rights.
pub(crate) fn problems(loaded: &[Loaded]) -> Vec<wire::Error> {
    let problem_of = |sink: &Loaded| match &sink.plugin {
        Ok(plugin) => check_one(plugin, &sink.config).err(),
        Err(error) => Some(of_sink(&sink.config.name, error.clone())),
    };
    loaded.iter().filter_map(problem_of).collect()
}

fn check_one(plugin: &Plugin, sink: &nuncio_config::Sink) -> Result<(), wire::Error> {
    let checked = nuncio_plugin_host::check(plugin, &sink.name, &sink.settings, &dirs(sink));
    checked
        .map(|_| ())
        .map_err(|error| of_sink(&sink.name, problem(&error)))
}

/// Checks the sinks of a config without starting one.
pub(crate) async fn check(config: &Config) -> Result<(), Vec<wire::Error>> {
    if config.sinks.is_empty() {
        return Ok(());
    }
    let engine = Engine::new(EngineOptions::default()).map_err(|error| vec![problem(&error)])?;
    let problems = problems(&load(&config.sinks, &engine).await);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// What sinks share.
pub(crate) struct Shared {
    /// Runs the plugins.
    pub engine: Engine,
    /// The store.
    pub spool: Spool,
    /// Bytes of records.
    pub blobs: Arc<dyn Blobs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// All sinks, and what they were started with.
pub(crate) struct SinkSet {
    tree: Tree,
    sinks: BTreeMap<SinkName, Started>,
    /// Sinks that were asked to stop and may not have ended.
    stopping: Vec<(SinkName, Running)>,
}

/// A running sink.
struct Started {
    config: nuncio_config::Sink,
    /// What the plugin asks, where that is known.
    asks: Option<Content>,
    running: Running,
    handle: Arc<SinkHandle>,
}

impl SinkSet {
    /// No sinks yet.
    pub(crate) fn new(parent: &CancellationToken) -> Self {
        Self {
            tree: Tree::new(parent),
            sinks: BTreeMap::new(),
            stopping: Vec::new(),
        }
    }

    /// Those of `wanted` that do not run as they are wanted.
    pub(crate) fn unlike<'a>(
        &self,
        wanted: &'a [nuncio_config::Sink],
    ) -> Vec<&'a nuncio_config::Sink> {
        let is_unlike = |sink: &&nuncio_config::Sink| {
            let started = self.sinks.get(&sink.name);
            started.is_none_or(|started| started.config != **sink)
        };
        wanted.iter().filter(is_unlike).collect()
    }

    /// The most that any sink would want with these `new` ones. Of one whose plugin cannot
    /// be read it is not known, so all is kept for it: it may be mended before the records are gone.
    pub(crate) fn demand(&self, wanted: &[nuncio_config::Sink], new: &[Registered]) -> Content {
        let asks = |sink: &nuncio_config::Sink| match new
            .iter()
            .map(|one| &one.sink)
            .find(|one| one.config.name == sink.name)
        {
            Some(one) => one.plugin.as_ref().ok().map(|plugin| plugin.info().content),
            None => self.sinks.get(&sink.name).and_then(|started| started.asks),
        };
        let demands = wanted.iter().map(|sink| {
            let asked = asks(sink).unwrap_or(Content::Raw);
            sink.content.map_or(asked, |most| most.min(asked))
        });
        demands.max().unwrap_or(Content::Metadata)
    }

    /// Makes the running sinks those that are `wanted`; `registered` are all that do not run so
    /// yet. The others are not touched. A sink that goes on with another config keeps its position;
    /// it takes over when its last call has ended.
    pub(crate) fn apply(
        &mut self,
        wanted: &[nuncio_config::Sink],
        registered: Vec<Registered>,
        shared: &Arc<Shared>,
    ) {
        self.stopping.retain(|(_, running)| !running.has_ended());
        let is_wanted = |name: &SinkName| wanted.iter().any(|sink| sink.name == *name);
        let is_new = |name: &SinkName| registered.iter().any(|one| one.sink.config.name == *name);
        let before = std::mem::take(&mut self.sinks);
        for (name, started) in before {
            if is_wanted(&name) && !is_new(&name) {
                self.sinks.insert(name, started);
            } else {
                started.running.stop();
                self.stopping.push((name, started.running));
            }
        }
        for Registered { sink, id } in registered {
            let started = self.start(sink, id, shared);
            self.sinks.insert(started.config.name.clone(), started);
        }
    }

    fn start(&mut self, sink: Loaded, id: SinkId, shared: &Arc<Shared>) -> Started {
        let Loaded { config, plugin } = sink;
        if let Err(problem) = &plugin {
            warn(&config.name, problem);
        }
        let (start_sender, start) = watch::channel(Start::default());
        let (health_sender, health) = watch::channel(Health::default());
        let handle = Arc::new(SinkHandle {
            name: config.name.clone(),
            id,
            start,
            health,
        });
        // A second start after a panic loads the plugin anew.
        let mut first = plugin.ok();
        let asks = first.as_ref().map(|plugin| plugin.info().content);
        let (shared, wish) = (Arc::clone(shared), config.clone());
        let name = format!("sink {}", config.name);
        let same = self
            .stopping
            .iter()
            .filter(|(name, _)| *name == config.name);
        let before = same.map(|(_, running)| running.clone()).collect();
        let running = self.tree.spawn_after(name, before, move |stop| {
            run(
                wish.clone(),
                id,
                first.take(),
                Arc::clone(&shared),
                start_sender.clone(),
                health_sender.clone(),
                stop,
            )
        });
        Started {
            config,
            asks,
            running,
            handle,
        }
    }

    /// The sinks as the rest of the daemon sees them, by name.
    pub(crate) fn shown(&self) -> Vec<Arc<SinkHandle>> {
        let started = self.sinks.values();
        started.map(|started| Arc::clone(&started.handle)).collect()
    }

    /// Waits until a sink fails so that the process cannot go on.
    pub(crate) async fn failed(&mut self) -> Fatal {
        self.tree.failed().await
    }

    /// Ends all sinks.
    pub(crate) async fn shut_down(self, deadline: Instant) -> Result<(), Fatal> {
        self.tree.shut_down(deadline).await
    }
}

/// Opens the sink, again and again if need be, and delivers until `stop`.
async fn run(
    config: nuncio_config::Sink,
    id: SinkId,
    mut loaded: Option<Plugin>,
    shared: Arc<Shared>,
    start: watch::Sender<Start>,
    health: watch::Sender<Health>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let (plugin, opened) = loop {
        let opened = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            opened = open(&config, loaded.take(), &shared) => opened,
        };
        match opened {
            Ok(opened) => break opened,
            Err(problem) => {
                warn(&config.name, &problem);
                start.send_modify(|start| start.problem = Some(problem));
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(START_RETRY) => {}
        }
    };
    start.send_replace(Start {
        plugin: Some(described(&plugin)),
        problem: None,
    });
    tracing::info!(sink = %config.name, plugin = %plugin.info().name, "sink is open");
    let options = Options {
        name: config.name.clone(),
        sink: id,
        batch_records: config.batch.records.get(),
        batch_bytes: config.batch.bytes,
        batch_delay: config.batch.delay,
        in_flight: config.limits.in_flight.get(),
        retry: RetryPolicy {
            max_attempts: config.retry.max_attempts.get(),
            max_delay: config.retry.max_delay,
        },
        wants: Arc::new(move |record| {
            config.records.contains(&RecordKind::of(record.source)) && plugin.info().wants(record)
        }),
    };
    let spool = shared.spool.clone();
    Dispatch::new(
        options,
        spool,
        Arc::new(opened.sink),
        Arc::clone(&shared.clock),
        health,
    )
    .not_yet(opened.problem)
    .run(stop)
    .await
}

async fn open(
    config: &nuncio_config::Sink,
    plugin: Option<Plugin>,
    shared: &Shared,
) -> Result<(Plugin, Opened), wire::Error> {
    let plugin = match plugin {
        Some(plugin) => plugin,
        None => load_one(&shared.engine, config).await?,
    };
    let per_minute =
        u64::from(config.limits.log.count) * 60 / config.limits.log.per.as_secs().max(1);
    let options = SinkOptions {
        name: config.name.clone(),
        settings: config.settings.clone(),
        content: config.content,
        dirs: dirs(config),
        memory_bytes: usize::try_from(config.limits.memory_bytes).unwrap_or(usize::MAX),
        call_time: config.limits.call_time,
        in_flight: config.limits.in_flight.get(),
        log_per_minute: u32::try_from(per_minute).unwrap_or(u32::MAX),
        blobs: Arc::clone(&shared.blobs),
        clock: Arc::clone(&shared.clock),
    };
    let opened = nuncio_plugin_host::open(&shared.engine, &plugin, options)
        .await
        .map_err(|error| problem(&error))?;
    for warning in &opened.warnings {
        tracing::warn!(sink = %config.name, "{warning}");
    }
    Ok((plugin, opened))
}

async fn load_one(engine: &Engine, sink: &nuncio_config::Sink) -> Result<Plugin, wire::Error> {
    let plugin = Plugin::load(engine, &sink.plugin)
        .await
        .map_err(|error| problem(&error))?;
    if plugin.info().label_changes == LabelChanges::Full {
        return Err(wire::Error {
            code: "PLG020".to_owned(),
            message: format!(
                "the plugin {} asks for label changes `full`, which is not built yet",
                plugin.info().name
            ),
            hint: "use a version of the plugin that asks for `light` or `none`".to_owned(),
        });
    }
    Ok(plugin)
}

fn dirs(sink: &nuncio_config::Sink) -> Vec<nuncio_plugin_host::DirGrant> {
    sink.grants
        .dirs
        .iter()
        .map(|dir| nuncio_plugin_host::DirGrant {
            guest: dir.guest.clone(),
            host: dir.host.clone(),
            mode: match dir.mode {
                DirMode::ReadOnly => nuncio_plugin_host::DirMode::ReadOnly,
                DirMode::ReadWrite => nuncio_plugin_host::DirMode::ReadWrite,
            },
        })
        .collect()
}

fn described(plugin: &Plugin) -> wire::Plugin {
    wire::Plugin {
        name: plugin.info().name.clone(),
        version: plugin.info().version.clone(),
        sha256: plugin.sha256().to_owned(),
    }
}

/// What to do about the word that a call of a sink ended with.
fn hint_of(code: &str) -> &'static str {
    match CodeInfo::remedy(nuncio_dispatch::CODES, code) {
        "" => "said by the plugin; its README tells what it means",
        known => known,
    }
}

fn problem(error: &nuncio_plugin_host::Error) -> wire::Error {
    wire::Error {
        code: error.code().to_owned(),
        message: nuncio_model::Chain(error).to_string(),
        hint: error.hint(),
    }
}

fn of_sink(name: &SinkName, error: wire::Error) -> wire::Error {
    wire::Error {
        message: format!("sink {name}: {}", error.message),
        ..error
    }
}

fn warn(name: &SinkName, problem: &wire::Error) {
    tracing::error!(
        sink = %name,
        code = %problem.code,
        error = %problem.message,
        hint = %problem.hint,
        "sink cannot start; its records wait"
    );
}
