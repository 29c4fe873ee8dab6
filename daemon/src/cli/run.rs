//! `nuncio run`: the daemon in the foreground, until SIGTERM or SIGINT. A second signal ends it
//! at once; SIGHUP reloads the config.

use super::{Common, say};
use crate::app::{App, Event};
use crate::exit::{CONFIG, Code, Failure};
use crate::notify::{Manager, OrderTime};
use crate::reload::{History, Order, StartConfig};
use crate::telemetry;
use clap::Args;
use nuncio_config::{Config, Errors, STALE};
use nuncio_model::StoreError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a process that a second signal cut off: 128 + SIGTERM, as shells say it.
const CUT_OFF: u8 = 143;

/// Run the daemon.
#[derive(Args)]
pub(super) struct Run {
    /// End with exit code 78 where the config is broken, instead of going on with the last good
    /// one.
    #[arg(long)]
    strict: bool,
}

impl Run {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let config = self.config(common)?;
        telemetry::start(config.config.log.format);
        if let Some(problem) = &config.problem {
            tracing::error!(
                code = STALE.as_str(),
                hint = "correct the files; they are taken up as soon as they are good",
                "{problem}"
            );
        }
        let manager = Manager::of_environment();
        let mut signals = Signals::open()?;
        let mut app = tokio::select! {
            app = App::start(config, common) => app?,
            () = signals.end() => return Ok(()),
        };
        manager.ready(&app.line());
        let failed = serve(&mut app, &mut signals, &manager).await;
        tracing::info!("stopping");
        manager.stopping();
        let ended = tokio::select! {
            ended = app.shut_down() => ended,
            () = signals.end() => {
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

    /// The config to start with: the one on disk, else the last good one.
    fn config(&self, common: &Common) -> Result<StartConfig, Failure> {
        let errors = match Config::load(&common.config) {
            Ok((config, files)) => {
                return Ok(StartConfig {
                    config,
                    files,
                    problem: None,
                });
            }
            Err(errors) => errors,
        };
        let refusal = |errors: &Errors| Failure::new(CONFIG, errors.to_string());
        if self.strict {
            return Err(refusal(&errors));
        }
        let Some(last) = History::of(&common.state_dir).newest() else {
            return Err(refusal(&errors));
        };
        // A release may read the last good files otherwise than the one that kept them.
        let config = Config::of(&last.files).map_err(|_| refusal(&errors))?;
        say(&errors.to_string());
        let n = errors.len();
        let plural = if n == 1 { "" } else { "s" };
        Ok(StartConfig {
            config,
            files: last.files,
            problem: Some(format!(
                "the config has {n} error{plural}; nuncio starts with the last good one, {}",
                &last.hash[..last.hash.len().min(12)]
            )),
        })
    }
}

/// Runs until a signal asks to end, or a part fails for good; the service manager is told what goes
/// on.
async fn serve(app: &mut App, signals: &mut Signals, manager: &Manager) -> Option<Failure> {
    let order = OrderTime::default();
    let spool = app.spool();
    let ping = async || !matches!(spool.ping().await, Err(StoreError::Closed));
    // In one task, so that the watchdog starves where the loop blocks.
    tokio::select! {
        failed = obey(app, signals, manager, &order) => failed,
        never = manager.watch(&order, ping) => match never {},
    }
}

async fn obey(
    app: &mut App,
    signals: &mut Signals,
    manager: &Manager,
    time: &OrderTime,
) -> Option<Failure> {
    loop {
        let order = tokio::select! {
            event = app.event() => match event {
                Event::Failed(fatal) => return Some(fatal),
                Event::Order(order) => order,
            },
            asked = signals.next() => match asked {
                Asked::End => return None,
                Asked::Reload => Order::Reload { approved: None, reply: None },
            },
        };
        let is_reload = matches!(order, Order::Reload { .. });
        if is_reload {
            manager.reloading();
        }
        time.begin();
        // Loading plugins may take long, and must not hold up the end.
        let done = tokio::select! {
            done = app.obey(order) => done,
            () = signals.end() => return None,
        };
        if let Err(fatal) = done {
            tracing::error!(error = %fatal, "the daemon cannot go on");
            return Some(fatal);
        }
        time.end();
        if is_reload {
            manager.ready(&app.line());
        }
    }
}

/// What a signal asks for.
enum Asked {
    End,
    Reload,
}

/// SIGTERM and SIGINT, which end the daemon, and SIGHUP, which reloads.
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

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Waits for one that ends; what else is asked comes to nothing while it starts or stops.
    async fn end(&mut self) {
        while matches!(self.next().await, Asked::Reload) {}
    }
}
