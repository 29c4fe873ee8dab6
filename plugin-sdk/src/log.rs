//! Messages for the operator. Say what happened in a constant message and put data into
//! `fields`. Never log mail content or secrets. Run natively (tests), messages go nowhere.

use crate::bindings::nuncio::sink::log::{self as host, Level};

/// A step; off by default.
pub fn trace(message: &str, fields: &[(&str, &str)]) {
    log(Level::Trace, message, fields);
}

/// For the plugin's author; off by default.
pub fn debug(message: &str, fields: &[(&str, &str)]) {
    log(Level::Debug, message, fields);
}

/// For the operator.
pub fn info(message: &str, fields: &[(&str, &str)]) {
    log(Level::Info, message, fields);
}

/// Something was worked around.
pub fn warn(message: &str, fields: &[(&str, &str)]) {
    log(Level::Warn, message, fields);
}

/// Something did not work.
pub fn error(message: &str, fields: &[(&str, &str)]) {
    log(Level::Error, message, fields);
}

/// Whether messages of [`debug`] are kept; ask before building an expensive one.
pub fn debug_enabled() -> bool {
    cfg!(target_family = "wasm") && host::enabled(Level::Debug)
}

fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    if cfg!(target_family = "wasm") {
        let fields: Vec<_> = fields
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        host::log(level, message, &fields);
    }
}
