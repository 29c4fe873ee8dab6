//! The sinks of the config: loads their plugins, gives them their rights, and starts delivery.
//! A sink that cannot start is a state of that sink; the others and all feeds go on.

use crate::admin::wire;
use crate::supervisor::Tree;
use nuncio_config::{Config, DirMode, RecordKind};
use nuncio_dispatch::{Blobs, Dispatch, Health, Options, RetryPolicy};
use nuncio_model::{Clock, Content, SinkName, StoreError, untrusted};
use nuncio_plugin_host::{Engine, EngineOptions, LabelChanges, Opened, Plugin, SinkOptions};
use nuncio_spool::{SinkCounts, SinkId, Spool};
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
                    code,
                    message: untrusted(&reason).to_string(),
                    hint: "said by the plugin; its README tells what it means".to_owned(),
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

/// Loads the plugins of all sinks.
pub(crate) async fn load(config: &Config, engine: &Engine) -> Vec<Loaded> {
    let mut loaded = Vec::new();
    for sink in &config.sinks {
        let plugin = load_one(engine, sink).await;
        if let Err(problem) = &plugin {
            warn(&sink.name, problem);
        }
        loaded.push(Loaded {
            config: sink.clone(),
            plugin,
        });
    }
    loaded
}

/// The most that any of the sinks wants. Of one whose plugin cannot be read it is not known, so
/// all is kept for it: it may be mended before the records are gone.
pub(crate) fn demand(loaded: &[Loaded]) -> Content {
    loaded
        .iter()
        .map(|sink| {
            let asked = sink
                .plugin
                .as_ref()
                .map_or(Content::Raw, |plugin| plugin.info().content);
            sink.config.content.map_or(asked, |most| most.min(asked))
        })
        .max()
        .unwrap_or(Content::Metadata)
}

/// Checks the sinks of a config without starting one.
pub(crate) async fn check(config: &Config) -> Result<(), Vec<wire::Error>> {
    if config.sinks.is_empty() {
        return Ok(());
    }
    let engine = Engine::new(EngineOptions::default()).map_err(|error| vec![problem(&error)])?;
    let mut problems = Vec::new();
    for sink in &config.sinks {
        match load_one(&engine, sink).await {
            Ok(plugin) => {
                if let Err(error) =
                    nuncio_plugin_host::check(&plugin, &sink.name, &sink.settings, &dirs(sink))
                {
                    problems.push(of_sink(&sink.name, problem(&error)));
                }
            }
            Err(error) => problems.push(of_sink(&sink.name, error)),
        }
    }
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

/// Starts delivery to every sink.
///
/// # Errors
/// Only of the spool.
pub(crate) async fn start(
    loaded: Vec<Loaded>,
    shared: &Arc<Shared>,
    tree: &mut Tree,
) -> Result<Vec<SinkHandle>, StoreError> {
    let mut handles = Vec::new();
    for Loaded { config, plugin } in loaded {
        let id = shared.spool.register_sink(&config.name).await?;
        let (start_sender, start) = watch::channel(Start::default());
        let (health_sender, health) = watch::channel(Health::default());
        handles.push(SinkHandle {
            name: config.name.clone(),
            id,
            start,
            health,
        });
        let shared = Arc::clone(shared);
        // A second start after a panic loads the plugin anew.
        let mut first = plugin.ok();
        tree.spawn(format!("sink {}", config.name), move |stop| {
            run(
                config.clone(),
                id,
                first.take(),
                Arc::clone(&shared),
                start_sender.clone(),
                health_sender.clone(),
                stop,
            )
        });
    }
    Ok(handles)
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
