//! Reads `[sinks.NAME]`: plugin, what it gets, its limits and rights. Whether the plugin exists
//! and asks for these rights is judged when it is loaded.

use crate::codes;
use crate::config::{Batch, DirGrant, DirMode, Grants, Limits, Rate, RecordKind, Retry, Sink};
use crate::keys;
use crate::raw::{self, Table, Text};
use crate::report::{Report, Span, Spot};
use crate::settings;
use crate::values::{self, Choice};
use nuncio_model::{Content, SinkName, untrusted};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeValue;

const PLUGIN_HINT: &str = "add `plugin = \"NAME.wasm\"` (from [plugins] dir) or an absolute path";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Log lines of a guest if the file does not say.
const DEFAULT_LOG: Rate = Rate {
    count: 200,
    per: MINUTE,
};

/// Places that no granted directory may lay open.
pub(crate) struct Guarded<'a> {
    pub(crate) config: &'a Path,
    pub(crate) plugins: &'a Path,
    /// Files with secrets.
    pub(crate) secrets: Vec<PathBuf>,
}

/// Where each sink of all files stands.
pub(crate) type Seen = HashMap<String, Spot>;

/// Reads the sinks of one file; those with errors may be left out, after a report.
pub(crate) fn read(
    table: &Table<'_>,
    guarded: &Guarded<'_>,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Vec<Sink> {
    let mut sinks = Vec::new();
    for (key, value) in table.entries() {
        let shown = untrusted(key.value).to_string();
        check_name(&key, report);
        match seen.entry(key.value.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(report.spot(&key.span));
            }
            Entry::Occupied(first) => {
                let place = report.at(first.get());
                let message = format!("the sink `{shown}` is already there at {place}");
                let hint = "join the two sections into one, or give one another name";
                report.add(codes::REPEATED, &key.span, message, hint);
            }
        }
        match value.get_ref() {
            DeValue::Table(entries) => {
                // Settings may hold secrets, and an inline table has them on the line of others.
                if let Some(settings) = entries.get("settings") {
                    raw::hide_leaves(settings, report);
                }
                let sink = Table::new(format!("[sinks.{shown}]"), entries, value.span());
                sinks.extend(read_sink(key.value, &sink, guarded, report));
            }
            _ => {
                raw::hide_leaves(value, report);
                let name = format!("[sinks] {shown}");
                let hint = "write a section `[sinks.NAME]` for each sink";
                raw::wrong_type(value, &name, "a table", hint, report);
            }
        }
    }
    sinks
}

fn check_name(key: &Text<'_>, report: &mut Report<'_>) {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if (1..=64).contains(&key.value.len()) && key.value.chars().all(is_allowed) {
        return;
    }
    let message = format!("the sink's name `{}` is not allowed", untrusted(key.value));
    let hint = "use 1 to 64 of the characters a-z, 0-9, - and _";
    report.add(codes::SINK_NAME, &key.span, message, hint);
}

fn read_sink(
    name: &str,
    table: &Table<'_>,
    guarded: &Guarded<'_>,
    report: &mut Report<'_>,
) -> Option<Sink> {
    table.check_keys(&keys::SINK, report);
    let plugin = table
        .required_text("plugin", PLUGIN_HINT, report)
        .and_then(|text| plugin_path(&table.name_of("plugin"), &text, guarded.plugins, report));
    let kinds = [
        ("email", Choice::Built(RecordKind::Email)),
        ("event", Choice::Built(RecordKind::Event)),
        ("file", Choice::Built(RecordKind::File)),
    ];
    let rungs = Content::ALL.map(|rung| (rung.as_str(), Choice::Built(rung)));
    let starts = [
        ("retained", Choice::Built(())),
        ("backfill", Choice::Planned),
    ];
    table.choice("start", &starts, report);
    let records = table.choices("records", &kinds, report);
    let content = table.choice("content", &rungs, report);
    let settings = settings::read(&table.table("settings", report), report);
    let batch = batch(&table.table("batch", report), report);
    let limits = limits(&table.table("limits", report), report);
    let retry = retry(&table.table("retry", report), report);
    let grants = grants(&table.table("grants", report), guarded, report);
    Some(Sink {
        name: SinkName::new(name),
        plugin: plugin?,
        records: records
            .unwrap_or_else(|| vec![RecordKind::Email, RecordKind::Event, RecordKind::File]),
        content,
        settings,
        batch,
        limits,
        retry,
        grants,
    })
}

fn plugin_path(
    name: &str,
    text: &Text<'_>,
    plugin_dir: &Path,
    report: &mut Report<'_>,
) -> Option<PathBuf> {
    let stem = text
        .value
        .strip_suffix(".wasm")
        .filter(|stem| !stem.is_empty());
    let problem = match (stem, text.value.contains('/')) {
        (Some(stem), false) if !stem.starts_with('.') && !stem.contains('\0') => {
            return Some(plugin_dir.join(text.value));
        }
        (Some(_), true) if values::is_plain_absolute(Path::new(text.value)) => {
            return Some(PathBuf::from(text.value));
        }
        (None, _) => "does not end in .wasm",
        (Some(_), _) => "is neither a file name nor a plain absolute path",
    };
    let message = format!("`{name}`: \"{}\" {problem}", untrusted(text.value));
    let hint =
        "write \"NAME.wasm\" for a file in [plugins] dir, or an absolute path to a .wasm file";
    report.add(codes::PLUGIN_PATH, &text.span, message, hint);
    None
}

fn batch(table: &Table<'_>, report: &mut Report<'_>) -> Batch {
    table.check_keys(&keys::BATCH, report);
    Batch {
        records: count(table, "records", 100, 1000, report),
        bytes: table.size("bytes", 512 * KIB, KIB..=64 * MIB, report),
        delay: table.duration(
            "delay",
            Duration::from_millis(200),
            Duration::ZERO..=MINUTE,
            report,
        ),
    }
}

fn limits(table: &Table<'_>, report: &mut Report<'_>) -> Limits {
    table.check_keys(&keys::LIMITS, report);
    let call_times = Duration::from_millis(100)..=HOUR;
    Limits {
        memory_bytes: table.size("memory", 64 * MIB, MIB..=4096 * MIB, report),
        call_time: table.duration("call_time", 30 * SECOND, call_times, report),
        in_flight: count(table, "in_flight", 4, 64, report),
        log: table.measure("log", DEFAULT_LOG, "a rate", "\"200/min\"", report, rate),
    }
}

fn retry(table: &Table<'_>, report: &mut Report<'_>) -> Retry {
    table.check_keys(&keys::RETRY, report);
    let attempts = table.number("max_attempts", 10, 1..=1000, report);
    Retry {
        max_attempts: NonZeroU32::new(attempts).expect("the bounds begin at 1"),
        max_delay: table.duration("max_delay", 5 * MINUTE, SECOND..=24 * HOUR, report),
    }
}

fn count(
    table: &Table<'_>,
    key: &str,
    default: u32,
    most: u32,
    report: &mut Report<'_>,
) -> NonZeroUsize {
    let count = table.number(key, default, 1..=most, report);
    NonZeroUsize::new(count as usize).expect("the bounds begin at 1")
}

/// `200/min`.
fn rate(name: &str, text: &Text<'_>, report: &mut Report<'_>) -> Option<Rate> {
    let rate = text.value.split_once('/').and_then(|(count, unit)| {
        let per = match unit.trim() {
            "s" | "sec" => SECOND,
            "min" => MINUTE,
            "h" => HOUR,
            _ => return None,
        };
        Some(Rate {
            count: count.trim().parse().ok()?,
            per,
        })
    });
    if rate.is_none() {
        let message = format!("`{name}`: \"{}\" is not a rate", untrusted(text.value));
        let hint = "write a count and a period, such as \"200/min\"; periods: s, min, h";
        report.add(codes::MALFORMED, &text.span, message, hint);
    }
    rate
}

fn grants(table: &Table<'_>, guarded: &Guarded<'_>, report: &mut Report<'_>) -> Grants {
    table.check_keys(&keys::GRANTS, report);
    let name = table.name_of("dirs");
    let mut dirs = Vec::new();
    let mut guests: Vec<(String, Span)> = Vec::new();
    for value in table.list("dirs", report).unwrap_or_default() {
        match value.get_ref() {
            DeValue::Table(entries) => {
                let table = Table::new(name.clone(), entries, value.span());
                dirs.extend(dir(&table, guarded, &mut guests, report));
            }
            _ => {
                let hint = "write `{ guest = \"/out\", host = \"/srv/archive\", mode = \"rw\" }`";
                raw::wrong_type(value, &name, "a list of tables", hint, report);
            }
        }
    }
    Grants { dirs }
}

fn dir(
    table: &Table<'_>,
    guarded: &Guarded<'_>,
    guests: &mut Vec<(String, Span)>,
    report: &mut Report<'_>,
) -> Option<DirGrant> {
    table.check_keys(&keys::DIR, report);
    let guest = table
        .required_text(
            "guest",
            "add the path at which the plugin sees it: `guest = \"/out\"`",
            report,
        )
        .and_then(|text| guest_path(&table.name_of("guest"), &text, guests, report));
    let host = table
        .required_text(
            "host",
            "add the directory on this machine: `host = \"/srv/archive\"`",
            report,
        )
        .and_then(|text| host_path(&table.name_of("host"), &text, guarded, report));
    let modes = [
        ("ro", Choice::Built(DirMode::ReadOnly)),
        ("rw", Choice::Built(DirMode::ReadWrite)),
    ];
    if table.value("mode").is_none() {
        let message = format!("`{}` is missing", table.name_of("mode"));
        let hint = "add `mode = \"ro\"` to read or `mode = \"rw\"` to write too";
        report.add(codes::MISSING_KEY, table.span(), message, hint);
    }
    let mode = table.choice("mode", &modes, report);
    Some(DirGrant {
        guest: guest?,
        host: host?,
        mode: mode?,
    })
}

fn guest_path(
    name: &str,
    text: &Text<'_>,
    guests: &mut Vec<(String, Span)>,
    report: &mut Report<'_>,
) -> Option<String> {
    let is_normal = text.value == "/"
        || text.value.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
                && !rest.chars().any(char::is_control)
        });
    if !is_normal {
        let message = format!(
            "`{name}`: \"{}\" is not a plain absolute path",
            untrusted(text.value)
        );
        let hint = "start with `/`, without `.`, `..`, `//` and a trailing slash, such as \"/out\"";
        report.add(codes::GRANT_DIR, &text.span, message, hint);
        return None;
    }
    if let Some((_, first)) = guests.iter().find(|(guest, _)| guest == text.value) {
        let message = format!(
            "`{name}`: \"{}\" is already granted at {}",
            text.value,
            report.at(&report.spot(first))
        );
        report.add(
            codes::GRANT_DIR,
            &text.span,
            message,
            "use another path, or remove one of the two",
        );
        return None;
    }
    guests.push((text.value.to_owned(), text.span.clone()));
    Some(text.value.to_owned())
}

/// Compares paths as they are written; links are resolved where the directory is opened.
fn host_path(
    name: &str,
    text: &Text<'_>,
    guarded: &Guarded<'_>,
    report: &mut Report<'_>,
) -> Option<PathBuf> {
    let host = values::absolute_path(name, text, report)?;
    let laid_open = if guarded.config.is_absolute() && guarded.config.starts_with(&host) {
        Some("holds the config file")
    } else if guarded.secrets.iter().any(|file| file.starts_with(&host)) {
        Some("holds the service account's key")
    } else if guarded.plugins.starts_with(&host) || host.starts_with(guarded.plugins) {
        Some("overlaps [plugins] dir")
    } else {
        None
    };
    if let Some(why) = laid_open {
        let message = format!(
            "`{name}`: \"{}\" {why}, and cannot be granted",
            untrusted(text.value)
        );
        report.add(
            codes::GRANT_DIR,
            &text.span,
            message,
            "grant a directory that holds only the sink's data",
        );
        return None;
    }
    Some(host)
}
