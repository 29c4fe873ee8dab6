//! The wasmtime engine: one in a process, with its pool of instances and the thread that lets
//! running guests be interrupted. What a guest may do is in the other modules.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::Error;
use crate::api::v0;
use crate::host::State;

/// How often a running guest is asked to yield. A guest in a loop holds a worker thread for so
/// long at most, and its end comes so much late at most.
const EPOCH: Duration = Duration::from_millis(10);

/// Core instances in one component: the plugin's own, and adapters that the tools put around it.
const CORE_INSTANCES_PER_INSTANCE: u32 = 8;

/// Bounds of the whole process.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Instances of all sinks together. Each reserves about 4 GiB of address space, and memory
    /// only as it uses it.
    pub max_instances: u32,
    /// The highest memory limit that a sink may have, in bytes.
    pub max_memory_bytes: usize,
    /// How long `describe` may take. The contract says 100 ms.
    pub describe_time: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            max_instances: 256,
            max_memory_bytes: 1 << 30,
            describe_time: Duration::from_millis(100),
        }
    }
}

/// Compiles and runs plugins. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<State>,
    options: EngineOptions,
    ticker: Option<Ticker>,
}

/// The thread that moves the epoch; ends when its sender is dropped.
struct Ticker {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Starts the engine and its thread.
    ///
    /// # Errors
    /// [`Error::Engine`] where the system refuses the address space or the thread.
    pub fn new(options: EngineOptions) -> Result<Self, Error> {
        let failed = |reason: String| Error::Engine { reason };
        let engine = wasmtime::Engine::new(&config(&options))
            .map_err(|error| failed(format!("{error:#}")))?;
        let linker = linker(&engine).map_err(|error| failed(format!("{error:#}")))?;
        let ticker = Ticker::spawn(&engine).map_err(|error| failed(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            engine,
            linker,
            options,
            ticker: Some(ticker),
        })))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.0.linker
    }

    pub(crate) fn options(&self) -> &EngineOptions {
        &self.0.options
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(Ticker { stop, thread }) = self.ticker.take() {
            drop(stop);
            // The thread does nothing that can panic; there is nobody to tell here anyway.
            drop(thread.join());
        }
    }
}

impl Ticker {
    fn spawn(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let engine = engine.weak();
        let thread = std::thread::Builder::new()
            .name("nuncio-epoch".into())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EPOCH) {
                    if let Some(engine) = engine.upgrade() {
                        engine.increment_epoch();
                    }
                }
            })?;
        Ok(Self { stop, thread })
    }
}

fn config(options: &EngineOptions) -> Config {
    let n = options.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(n)
        .total_core_instances(n.saturating_mul(CORE_INSTANCES_PER_INSTANCE))
        .total_memories(n.saturating_mul(2))
        .total_tables(n.saturating_mul(CORE_INSTANCES_PER_INSTANCE))
        .total_stacks(n)
        .max_memories_per_component(4)
        .max_core_instances_per_component(64)
        .max_tables_per_component(64)
        .table_elements(100_000)
        .max_memory_size(options.max_memory_bytes);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_component_model(true);
    config
}

/// The host's side of the world `sink`, and the WASI interfaces that language runtimes expect.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    v0::Sink::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}
