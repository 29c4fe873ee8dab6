//! Runs sink plugins as WebAssembly components: the only crate that knows wasmtime.
//!
//! A plugin reaches nothing but the imports of the contract's world `sink`: no environment, no
//! arguments, no sockets, no inherited input or output, and only those directories that it asked
//! for in `describe` and that the config grants. It can be stopped: memory, time, output, log
//! lines and the bytes of a host call are bounded, and what a guest does ends its own instance
//! only. Which records a sink gets, batches, retries and positions are in dispatch; what the
//! config says is turned into [`SinkOptions`] by the daemon.
//!
//! ```text
//! Engine::new -> Plugin::load (compile, judge the contract, describe) -> open (rights, settings,
//! first instance) -> PluginSink, which dispatch calls through nuncio_dispatch::Sink
//! ```
//!
//! # Durability of granted directories
//!
//! What a guest syncs reaches the disk. In wasmtime-wasi 48 `descriptor.sync` of a file is
//! `File::sync_all`, and of a directory it opens `.` beneath the directory for reading and calls
//! `sync_all` on that: both are `fsync(2)` on the host, and errors come back to the guest. A
//! guest in Rust gets there by `File::sync_all`, for a directory by `File::open(dir)` and
//! `sync_all` (both were seen as `fsync(2)` of the right files under strace, with the plugin
//! `archive`). The flags that
//! ask for synchronous writes at open (`O_SYNC`, `O_DSYNC`) are refused as unsupported, not
//! ignored. Writes through an output stream are done by a helper thread; `flush` waits for them
//! and reports their error, and Rust's `File` writes with a flush each time.

mod api;
mod broken;
mod codes;
mod contract;
mod engine;
mod error;
mod guest_log;
mod host;
mod info;
mod instance;
mod limits;
mod output;
mod plugin;
mod rights;
mod settings;
mod sink;

pub use codes::CODES;
pub use engine::{Engine, EngineOptions};
pub use error::{Error, MissingRight, SettingProblem};
pub use info::{Info, Kind, LabelChanges, RightRequest};
pub use plugin::Plugin;
pub use rights::{DirGrant, DirMode, Warning};
pub use sink::{Opened, PluginSink, SinkOptions, check, open};
