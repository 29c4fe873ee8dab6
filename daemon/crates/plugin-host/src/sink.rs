//! A running sink: a plugin with rights and settings, and as many instances as it may have in
//! flight. Implements dispatch's port; when and what is delivered is decided there.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nuncio_dispatch::{Blobs, Sink};
use nuncio_model::{CallError, Chain, Clock, Content, Outcome, Record, SinkName, Wait};
use tokio::sync::Semaphore;

use crate::api::from_guest::OpenError;
use crate::broken::Broken;
use crate::guest_log::GuestLog;
use crate::host::Surroundings;
use crate::instance::{CallFailure, Instance, StartError};
use crate::rights::mounts;
use crate::{DirGrant, Engine, Error, Plugin, Warning, settings};

/// Longest time of one `close`; a shutdown has to end within the daemon's own bound.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// What makes a plugin a sink. Sizes are bytes.
pub struct SinkOptions {
    /// The sink's name in the config.
    pub name: SinkName,
    /// The plugin's settings, a JSON object.
    pub settings: serde_json::Value,
    /// The most content that the operator lets it have; none: what it asks for.
    pub content: Option<Content>,
    /// Granted directories.
    pub dirs: Vec<DirGrant>,
    /// Memory of one instance.
    pub memory_bytes: usize,
    /// How long one call may take.
    pub call_time: Duration,
    /// Calls at once, each in its own instance; at least 1.
    pub in_flight: usize,
    /// Log messages a minute; more are counted, not kept.
    pub log_per_minute: u32,
    /// Reads attachments and raw messages.
    pub blobs: Arc<dyn Blobs>,
    /// The time that the guest sees.
    pub clock: Arc<dyn Clock>,
}

/// A sink that is ready, and what an operator should know of it.
#[derive(Debug)]
pub struct Opened {
    /// The sink.
    pub sink: PluginSink,
    /// Things that stop nothing.
    pub warnings: Vec<Warning>,
    /// Why the plugin could not start now although its config is right: the target is not there
    /// ([`CallError::Unavailable`]), or does not accept it ([`CallError::Fatal`]). The sink
    /// tries again with its next batch.
    pub problem: Option<CallError>,
}

/// Checks rights, folders and settings as [`open`] does, and runs nothing.
///
/// # Errors
/// `PLG009` to `PLG011`: settings or rights are not right.
pub fn check(
    plugin: &Plugin,
    name: &SinkName,
    settings: &serde_json::Value,
    dirs: &[DirGrant],
) -> Result<Vec<Warning>, Error> {
    let (mounts, warnings) = mounts(name, &plugin.info().rights, dirs)?;
    for mount in &mounts {
        // Only that it is there: who checks may have other rights than who runs.
        let found = std::fs::metadata(&mount.host);
        let found = found.and_then(|found| match found.is_dir() {
            true => Ok(()),
            false => Err(std::io::ErrorKind::NotADirectory.into()),
        });
        found.map_err(|source| Error::Dir {
            sink: name.clone(),
            guest: mount.guest.clone(),
            host: mount.host.clone(),
            source,
        })?;
    }
    let problems = settings::check(&plugin.info().settings_schema, settings);
    if problems.is_empty() {
        Ok(warnings)
    } else {
        Err(Error::Settings {
            sink: name.clone(),
            problems,
        })
    }
}

/// Gives the plugin its rights, checks its settings and opens a first instance.
///
/// # Errors
/// `PLG009` to `PLG013`: settings, rights or folders are not right, or the plugin broke.
pub async fn open(engine: &Engine, plugin: &Plugin, options: SinkOptions) -> Result<Opened, Error> {
    let (mounts, warnings) = mounts(&options.name, &plugin.info().rights, &options.dirs)?;
    let problems = settings::check(&plugin.info().settings_schema, &options.settings);
    if !problems.is_empty() {
        return Err(Error::Settings {
            sink: options.name,
            problems,
        });
    }
    let in_flight = options.in_flight.max(1);
    let wanted = plugin.info().content;
    let log = Arc::new(GuestLog::new(options.name.clone(), options.log_per_minute));
    let sink = PluginSink {
        engine: engine.clone(),
        plugin: plugin.clone(),
        content: options.content.map_or(wanted, |most| most.min(wanted)),
        settings: options.settings.to_string(),
        call_time: options.call_time,
        given: Surroundings {
            log,
            clock: options.clock,
            blobs: options.blobs,
            mounts: mounts.into(),
            memory_bytes: options.memory_bytes.min(engine.options().max_memory_bytes),
        },
        name: options.name,
        in_flight: Semaphore::new(in_flight),
        idle: Mutex::new(Vec::with_capacity(in_flight)),
    };
    let problem = match Box::pin(sink.instance()).await {
        Ok(instance) => {
            sink.keep(instance);
            None
        }
        Err(NoInstance::Open(OpenError::NotNow(error))) => Some(error),
        Err(NoInstance::Open(OpenError::InvalidSettings(problems))) => {
            return Err(Error::Settings {
                sink: sink.name,
                problems,
            });
        }
        Err(NoInstance::Start(failed)) => return Err(start_error(sink.name, failed)),
        Err(NoInstance::Broken(Broken { code, reason })) => {
            return Err(Error::Open {
                sink: sink.name,
                code,
                reason,
            });
        }
    };
    Ok(Opened {
        sink,
        warnings,
        problem,
    })
}

/// A running sink. Instances are made as calls need them, used again, and replaced after a trap,
/// a timeout, a dropped call or when they hold much memory.
pub struct PluginSink {
    name: SinkName,
    engine: Engine,
    plugin: Plugin,
    content: Content,
    settings: String,
    call_time: Duration,
    given: Surroundings,
    in_flight: Semaphore,
    /// At most as many as may be in flight.
    idle: Mutex<Vec<Instance>>,
}

impl PluginSink {
    /// The plugin that runs.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The content that the plugin gets: the lesser of what it asks for and may have.
    pub fn content(&self) -> Content {
        self.content
    }

    /// Log messages of the guest that were counted and not kept, since the sink was opened.
    pub fn n_log_dropped(&self) -> u64 {
        self.given.log.n_dropped_ever()
    }

    /// An idle instance, or a new one that is opened.
    async fn instance(&self) -> Result<Instance, NoInstance> {
        if let Some(instance) = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
        {
            return Ok(instance);
        }
        let started = Instance::start(
            &self.engine,
            self.plugin.component(),
            &self.given,
            self.call_time,
        )
        .await;
        let mut instance = started.map_err(NoInstance::Start)?;
        match instance.open(&self.settings, self.call_time).await {
            Ok(Ok(())) => Ok(instance),
            Ok(Err(error)) => Err(NoInstance::Open(error)),
            Err(broken) => Err(NoInstance::Broken(broken)),
        }
    }

    /// Keeps an instance for the next call.
    fn keep(&self, instance: Instance) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(instance);
    }
}

impl fmt::Debug for PluginSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSink")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Sink for PluginSink {
    async fn write(&self, batch: Vec<Arc<Record>>) -> Result<Vec<Outcome>, CallError> {
        // Nobody closes the semaphore. The permit is held to the end, also of a dropped call.
        let _permit = self
            .in_flight
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let mut instance = Box::pin(self.instance())
            .await
            .map_err(NoInstance::into_call_error)?;
        tracing::trace!(sink = %self.name, n_records = batch.len(), "guest write begins");
        // From here on a dropped future drops the instance with it.
        let answer = Box::pin(instance.write(&batch, self.content, self.call_time)).await;
        tracing::trace!(sink = %self.name, "guest write ended");
        match answer {
            Ok(outcomes) => {
                if instance.is_worn() {
                    tracing::debug!(sink = %self.name, "instance replaced: it holds much memory");
                } else {
                    self.keep(instance);
                }
                Ok(outcomes)
            }
            // What is fatal to the plugin needs a fresh start once the operator has acted.
            Err(CallFailure::Answer(error @ CallError::Fatal { .. })) => Err(error),
            Err(CallFailure::Answer(error)) => {
                self.keep(instance);
                Err(error)
            }
            Err(CallFailure::Broken(broken)) => {
                tracing::debug!(sink = %self.name, code = broken.code, "instance replaced: its call broke");
                Err(broken.into())
            }
        }
    }

    async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for instance in idle {
            if let Err(broken) = Box::pin(instance.close(CLOSE_TIME.min(self.call_time))).await {
                tracing::warn!(sink = %self.name, code = broken.code, reason = broken.reason, "the plugin broke while closing");
            }
        }
        self.given.log.report_dropped();
    }
}

/// Why there is no instance that is open.
enum NoInstance {
    Start(StartError),
    Open(OpenError),
    Broken(Broken),
}

impl NoInstance {
    /// For a sink that runs: no record is at fault, so nothing counts as an attempt.
    fn into_call_error(self) -> CallError {
        let unavailable = |reason: String| {
            CallError::Unavailable(Wait {
                after: None,
                reason,
            })
        };
        let bug = |reason: String| CallError::Fatal {
            code: "bug".into(),
            reason,
        };
        match self {
            NoInstance::Start(StartError::Dir(failed)) => unavailable(format!(
                "the granted folder {} cannot be opened: {}",
                failed.mount.host.display(),
                Chain(&failed.source)
            )),
            NoInstance::Start(StartError::Full(reason)) => unavailable(reason),
            NoInstance::Start(StartError::Incompatible(reason)) => bug(reason),
            NoInstance::Start(StartError::Broken(broken)) => {
                NoInstance::Broken(broken).into_call_error()
            }
            NoInstance::Open(OpenError::NotNow(error)) => error,
            NoInstance::Open(OpenError::InvalidSettings(problems)) => {
                let problems = problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; ");
                CallError::Fatal {
                    code: "invalid-settings".into(),
                    reason: problems,
                }
            }
            NoInstance::Broken(Broken {
                code: "timeout",
                reason,
            }) => unavailable(format!("open: {reason}")),
            NoInstance::Broken(Broken { code, reason }) => bug(format!("open: {code}: {reason}")),
        }
    }
}

/// For a sink that is being opened: the config or the plugin is at fault.
fn start_error(sink: SinkName, failed: StartError) -> Error {
    match failed {
        StartError::Dir(failed) => {
            let (guest, host) = (failed.mount.guest, failed.mount.host);
            Error::Dir {
                sink,
                guest,
                host,
                source: failed.source,
            }
        }
        StartError::Full(reason) => Error::Full { sink, reason },
        StartError::Incompatible(reason) => Error::Open {
            sink,
            code: "trap",
            reason,
        },
        StartError::Broken(Broken { code, reason }) => Error::Open { sink, code, reason },
    }
}
