//! Logs: set up once from the config. Message constant, data in fields; addresses of configured
//! users may appear, record content never does.

use nuncio_config::LogFormat;
use std::io::IsTerminal;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Layer};

/// What is logged without `NUNCIO_LOG`.
const DEFAULT_FILTER: &str = "info";

/// Starts logging to stderr. Called once.
pub(crate) fn start(format: LogFormat) {
    let wanted =
        EnvFilter::try_from_env("NUNCIO_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Pretty => lines.with_ansi(true).boxed(),
        LogFormat::Auto => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(
            lines
                .with_filter(filter_fn(is_harmless))
                .with_filter(wanted),
        )
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    // A panic's message may quote what it stumbled over, which may be mail: only its place is
    // logged.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        tracing::error!(
            code = "ADM006",
            place,
            "panic, which is a bug; please report the place"
        );
    }));
}

/// Other people's crates print what they handle below info (yup-oauth2 its tokens, HTTP its
/// headers, the wasm runtime its guests' arguments), so they never go below, whatever the
/// variable says.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_ours =
        target == "nuncio" || target.starts_with("nuncio_") || target.starts_with("nuncio::");
    is_ours || *metadata.level() <= Level::INFO
}
