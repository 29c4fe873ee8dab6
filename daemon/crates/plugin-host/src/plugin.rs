//! A plugin's file: read, judged, compiled and asked what it is. No right is granted here and
//! no sink is made.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nuncio_dispatch::Blobs;
use nuncio_model::{BlobRef, ManualClock, SinkName};
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre};

use crate::broken::Broken;
use crate::contract::{check_preamble, check_world};
use crate::guest_log::GuestLog;
use crate::host::{State, Surroundings};
use crate::instance::{Instance, StartError, said};
use crate::{Engine, Error, Info};

/// Memory while a plugin describes itself, in bytes.
const DESCRIBE_MEMORY_BYTES: usize = 64 << 20;

/// Log lines while a plugin describes itself.
const DESCRIBE_LOG_LINES: u32 = 50;

/// How long the start functions may take before `describe` is called.
const START_TIME: Duration = Duration::from_secs(5);

/// How often a plugin that was too slow is asked: a busy machine is not the plugin's fault.
const DESCRIBE_TRIES: u32 = 3;

/// A compiled plugin that said what it is. Cheap to clone; may be of use to several sinks.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    path: PathBuf,
    sha256: String,
    info: Info,
    component: InstancePre<State>,
}

impl Plugin {
    /// Reads, compiles and describes the plugin at `path`. Compiling takes some hundred
    /// milliseconds of all cores for a plugin in Rust; it does not block the runtime.
    ///
    /// # Errors
    /// `PLG001` to `PLG008`: the file, its contract or what it says of itself is not right.
    pub async fn load(engine: &Engine, path: &Path) -> Result<Self, Error> {
        let bytes = tokio::fs::read(path).await.map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(engine, path, bytes).await
    }

    /// As [`Plugin::load`], of bytes that are read already; `path` names them in errors.
    ///
    /// # Errors
    /// As [`Plugin::load`].
    pub async fn from_bytes(engine: &Engine, path: &Path, bytes: Vec<u8>) -> Result<Self, Error> {
        check_preamble(path, &bytes)?;
        let (sha256, component) = {
            let (engine, path) = (engine.clone(), path.to_owned());
            let compiled =
                tokio::task::spawn_blocking(move || compile(&engine, &path, &bytes)).await;
            compiled.map_err(|error| Error::Engine {
                reason: format!("the compiler broke: {error}"),
            })??
        };
        let info = Box::pin(describe(engine, path, &component)).await?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            sha256,
            info,
            component,
        })))
    }

    /// What the plugin is and asks for.
    pub fn info(&self) -> &Info {
        &self.0.info
    }

    /// SHA-256 of the file, lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Where the file was read.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn component(&self) -> &InstancePre<State> {
        &self.0.component
    }
}

fn compile(
    engine: &Engine,
    path: &Path,
    bytes: &[u8],
) -> Result<(String, InstancePre<State>), Error> {
    let sha256 = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let component =
        Component::from_binary(engine.wasmtime(), bytes).map_err(|error| Error::Damaged {
            path: path.to_owned(),
            reason: said(&error),
        })?;
    check_world(path, &component.component_type(), engine.wasmtime())?;
    let linked = engine.linker().instantiate_pre(&component);
    let linked = linked.map_err(|error| Error::Incompatible {
        path: path.to_owned(),
        reason: said(&error),
    })?;
    Ok((sha256, linked))
}

async fn describe(
    engine: &Engine,
    path: &Path,
    component: &InstancePre<State>,
) -> Result<Info, Error> {
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let given = Surroundings {
        log: Arc::new(GuestLog::new(SinkName::new(name), DESCRIBE_LOG_LINES)),
        clock: Arc::new(ManualClock::new(0)),
        blobs: Arc::new(NoBlobs),
        mounts: Arc::new([]),
        memory_bytes: DESCRIBE_MEMORY_BYTES.min(engine.options().max_memory_bytes),
    };
    let mut n_tries = 0;
    loop {
        n_tries += 1;
        let started = Instance::start(engine, component, &given, START_TIME).await;
        let mut instance = started.map_err(|error| match error {
            StartError::Incompatible(reason) => Error::Incompatible {
                path: path.to_owned(),
                reason,
            },
            StartError::Broken(broken) => describe_failed(path, &broken),
            StartError::Full(reason) => Error::Engine { reason },
            StartError::Dir(failed) => Error::Engine {
                reason: failed.source.to_string(),
            },
        })?;
        match instance.describe(engine.options().describe_time).await {
            Ok(raw) => return Info::check(path, raw),
            Err(broken) if broken.code == "timeout" && n_tries < DESCRIBE_TRIES => {}
            Err(broken) => return Err(describe_failed(path, &broken)),
        }
    }
}

fn describe_failed(path: &Path, broken: &Broken) -> Error {
    Error::Describe {
        path: path.to_owned(),
        reason: format!("{}: {}", broken.code, broken.reason),
    }
}

/// While a plugin describes itself there are no records, so no bytes either.
struct NoBlobs;

#[async_trait]
impl Blobs for NoBlobs {
    async fn read(&self, _blob: &BlobRef, _offset: u64, _len: u32) -> Result<Vec<u8>, String> {
        Err("there are no records yet".into())
    }
}
