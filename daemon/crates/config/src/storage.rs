//! Reads the small sections about this machine: `[spool]`, `[plugins]`, `[log]`.

use crate::config::{Log, LogFormat, Plugins, Spool};
use crate::keys;
use crate::raw::Table;
use crate::report::Report;
use crate::values::{self, Choice};
use std::path::PathBuf;

const DEFAULT_SPOOL_BYTES: u64 = 10 << 30;
/// A few of the largest mails must fit, or nothing would move.
const MIN_SPOOL_BYTES: u64 = 16 << 20;
const MAX_SPOOL_BYTES: u64 = 1 << 50;
const DEFAULT_PLUGIN_DIR: &str = "/usr/lib/nuncio/plugins";

pub(crate) fn spool(table: &Table<'_>, report: &mut Report<'_>) -> Spool {
    table.check_keys(&keys::SPOOL, report);
    let bounds = MIN_SPOOL_BYTES..=MAX_SPOOL_BYTES;
    Spool {
        max_bytes: table.size("max_bytes", DEFAULT_SPOOL_BYTES, bounds, report),
    }
}

pub(crate) fn plugins(table: &Table<'_>, report: &mut Report<'_>) -> Plugins {
    table.check_keys(&keys::PLUGINS, report);
    let dir = table
        .text("dir", report)
        .and_then(|text| values::absolute_path(&table.name_of("dir"), &text, report));
    Plugins {
        dir: dir.unwrap_or_else(|| PathBuf::from(DEFAULT_PLUGIN_DIR)),
    }
}

pub(crate) fn log(table: &Table<'_>, report: &mut Report<'_>) -> Log {
    table.check_keys(&keys::LOG, report);
    let formats = [
        ("auto", Choice::Built(LogFormat::Auto)),
        ("pretty", Choice::Built(LogFormat::Pretty)),
        ("json", Choice::Built(LogFormat::Json)),
    ];
    Log {
        format: table
            .choice("format", &formats, report)
            .unwrap_or(LogFormat::Auto),
    }
}
