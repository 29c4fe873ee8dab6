//! Logs: set up once from the config. Message constant, data in fields; addresses of configured
//! users may appear, record content never does.

use nuncio_config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What is logged without `NUNCIO_LOG`. yup-oauth2 prints tokens at debug, so it never goes
/// below info, whatever the variable says.
const DEFAULT_FILTER: &str = "info";

/// Starts logging to stderr. Called once.
pub(crate) fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_env("NUNCIO_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let mut filter = filter;
    for directive in [
        "yup_oauth2=info",
        "hyper=info",
        "h2=info",
        "rustls=info",
        "wasmtime=info",
        "wasmtime_wasi=warn",
    ] {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Pretty => builder.with_ansi(true).try_init(),
        LogFormat::Auto => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    // A panic's message may quote what it stumbled over, which may be mail: only its place is
    // logged.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "panic, which is a bug; please report the place");
    }));
}
