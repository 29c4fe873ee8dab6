//! `nuncio run`: the daemon in the foreground, until SIGTERM or SIGINT. A second signal ends it
//! at once.

use super::Common;
use crate::app::App;
use crate::exit::{CONFIG, Code, Failure};
use crate::telemetry;
use nuncio_config::Config;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a process that a second signal cut off: 128 + SIGTERM, as shells say it.
const CUT_OFF: u8 = 143;

pub(super) async fn run(common: &Common) -> Result<(), Failure> {
    let config =
        Config::load(&common.config).map_err(|errors| Failure::new(CONFIG, errors.to_string()))?;
    telemetry::start(config.log.format);
    let mut signals = Signals::open()?;
    let mut app = tokio::select! {
        app = App::start(config, common) => app?,
        () = signals.next() => return Ok(()),
    };
    let failed = tokio::select! {
        fatal = app.failed() => Some(fatal),
        () = signals.next() => None,
    };
    tracing::info!("stopping");
    let ended = tokio::select! {
        ended = app.shut_down() => ended,
        () = signals.next() => {
            tracing::warn!("second signal, ending at once");
            // Nothing is lost: what was not acknowledged is delivered again.
            return Err(Failure::new(Code::raw(CUT_OFF), "cut off by a second signal"));
        }
    };
    match failed {
        Some(fatal) => Err(fatal),
        None => ended,
    }
}

/// What ends the daemon, and SIGHUP, which must not: reload is not built yet.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn open() -> Result<Self, Failure> {
        let open = |kind| signal(kind).map_err(|error| Failure::from(anyhow::Error::from(error)));
        Ok(Self {
            terminate: open(SignalKind::terminate())?,
            interrupt: open(SignalKind::interrupt())?,
            hang_up: open(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::warn!("reload is not built yet in this release: restart to apply a config");
                }
            }
        }
    }
}
