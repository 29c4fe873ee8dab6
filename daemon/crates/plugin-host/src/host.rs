//! The state of one instance on the host's side, and the interfaces that its guest imports:
//! log, clock and attachments. Directories and the rest of WASI come from wasmtime-wasi.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nuncio_dispatch::Blobs;
use nuncio_model::{BlobRef, Clock};
use tracing::Level;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::api::v0::nuncio::sink::{attachments, clock, log, records};
use crate::guest_log::GuestLog;
use crate::limits::Memory;
use crate::output::Output;
use crate::rights::Mount;

/// Longest answer of one `read`, in bytes; the contract says so.
const MAX_READ_BYTES: u32 = 1 << 20;

/// Blobs of ended calls that a guest may keep handles of. Scripting guests drop a handle at
/// their next garbage collection only; one that never does is replaced at this number.
const MAX_BLOBS: usize = 10_000;

/// What an instance is given.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) log: Arc<GuestLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) mounts: Arc<[Mount]>,
    pub(crate) memory_bytes: usize,
}

/// The data of one instance's store.
pub(crate) struct State {
    pub(crate) memory: Memory,
    /// When the call that runs is ended by force.
    pub(crate) deadline: Instant,
    log: Arc<GuestLog>,
    clock: Arc<dyn Clock>,
    blobs: Arc<dyn Blobs>,
    /// Counts calls, so that a blob knows whether its own is over.
    call: u64,
    n_blobs: usize,
    table: ResourceTable,
    wasi: WasiCtx,
}

/// What stands behind a guest's handle of a blob.
#[expect(
    unreachable_pub,
    reason = "the generated bindings export it again, which needs `pub`"
)]
pub struct Blob {
    blob: BlobRef,
    call: u64,
}

/// A granted directory could not be opened.
pub(crate) struct MountError {
    pub(crate) mount: Mount,
    pub(crate) source: std::io::Error,
}

impl State {
    pub(crate) fn new(given: &Surroundings) -> Result<Self, MountError> {
        let mut wasi = WasiCtxBuilder::new();
        // Nothing is inherited: environment, arguments and input are empty, sockets are closed.
        wasi.stdout(Output::new(given.log.clone()))
            .stderr(Output::new(given.log.clone()))
            .wall_clock(WallClock(given.clock.clone()))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        for mount in given.mounts.iter() {
            if let Err(error) = wasi.preopened_dir(&mount.host, &mount.guest, mount.perms) {
                let source = error
                    .downcast::<std::io::Error>()
                    .unwrap_or_else(|other| std::io::Error::other(other.to_string()));
                return Err(MountError {
                    mount: mount.clone(),
                    source,
                });
            }
        }
        Ok(Self {
            memory: Memory::new(given.memory_bytes),
            deadline: Instant::now(),
            log: given.log.clone(),
            clock: given.clock.clone(),
            blobs: given.blobs.clone(),
            call: 0,
            n_blobs: 0,
            table: ResourceTable::new(),
            wasi: wasi.build(),
        })
    }

    /// A call begins: what came with earlier ones expires.
    pub(crate) fn begin_call(&mut self, time: Duration) {
        self.call += 1;
        self.deadline = Instant::now() + time;
        self.memory.begin_call();
    }

    /// A call ended: what came with it expires.
    pub(crate) fn end_call(&mut self) {
        self.call += 1;
    }

    /// Whether the instance should be replaced although its call went well.
    pub(crate) fn is_worn(&self) -> bool {
        self.memory.is_past_high_water() || self.n_blobs > MAX_BLOBS
    }

    /// A handle for the guest, for the call that runs.
    pub(crate) fn lend(&mut self, blob: &BlobRef) -> wasmtime::Result<Resource<Blob>> {
        let lent = self.table.push(Blob {
            blob: blob.clone(),
            call: self.call,
        })?;
        self.n_blobs += 1;
        Ok(lent)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl records::Host for State {}

impl log::Host for State {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(GuestLog::is_enabled(tracing_level(level)))
    }

    fn log(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        self.log.write(tracing_level(level), &message, &fields);
        Ok(())
    }
}

fn tracing_level(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::TRACE,
        log::Level::Debug => Level::DEBUG,
        log::Level::Info => Level::INFO,
        log::Level::Warn => Level::WARN,
        log::Level::Error => Level::ERROR,
    }
}

impl clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<i64> {
        Ok(self.clock.now_ms())
    }

    fn remaining(&mut self) -> wasmtime::Result<u64> {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        Ok(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX))
    }
}

impl attachments::Host for State {}

impl attachments::HostBlob for State {
    fn size(&mut self, handle: Resource<Blob>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&handle)?.blob.size)
    }

    async fn read(
        &mut self,
        handle: Resource<Blob>,
        offset: u64,
        len: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, attachments::Error>> {
        let lent = self.table.get(&handle)?;
        if lent.call != self.call {
            return Ok(Err(attachments::Error::Expired));
        }
        let Some(left) = lent.blob.size.checked_sub(offset) else {
            return Ok(Err(attachments::Error::OutOfRange));
        };
        let len = len
            .min(MAX_READ_BYTES)
            .min(u32::try_from(left).unwrap_or(u32::MAX));
        if len == 0 {
            return Ok(Ok(Vec::new()));
        }
        let read = self.blobs.read(&lent.blob, offset, len).await;
        Ok(read.map_err(attachments::Error::Other))
    }

    fn drop(&mut self, handle: Resource<Blob>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.n_blobs = self.n_blobs.saturating_sub(1);
        Ok(())
    }
}

/// The time that language runtimes ask WASI for; the same as the contract's own clock.
struct WallClock(Arc<dyn Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.now_us()).unwrap_or(0))
    }
}
