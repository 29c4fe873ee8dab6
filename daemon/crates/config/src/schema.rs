//! The JSON Schema (draft-07) of the main config file, for editors and for who makes configs by
//! program. The readers of the sections judge a file, not this: it says the same of keys, types,
//! names, required keys, defaults and bounds of numbers, and less of the rest (bounds of sizes and
//! durations, what must not stand there twice). Its tests hold both together: nothing that is
//! accepted is refused by the schema.

use crate::keys::QUOTA_OVERRIDE;
use nuncio_model::Content;
use serde_json::{Value, json};

const ADDRESS: &str = r#"^[^\s@<>(),;:"\\/]+@[^\s@<>(),;:"\\/]+\.[^\s@<>(),;:"\\/]+$"#;
const DOMAIN: &str = r#"^[^\s@<>(),;:"\\/]+\.[^\s@<>(),;:"\\/]+$"#;
const SECRET: &str = r"^(file:/.*|credential:[A-Za-z0-9_-][A-Za-z0-9._-]*)$";
const ABSOLUTE: &str = "^/";
const GUEST_PATH: &str = "^/([^/]|[^/].*[^/])?$";
const PLUGIN: &str = r"^([^./][^/]*|/.*)\.wasm$";
const ENDPOINT: &str =
    r"^(https://[^/?#@\s]+|http://(localhost|127\.[0-9.]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?)$";
const SIZE: &str = r"^[0-9.]+\s*([bB]|[kmgtpeKMGTPE][iI]?[bB]?)$";
const RATE: &str = r"^\s*\+?[0-9]+\s*/\s*(s|sec|min|h)\s*$";
/// All that `humantime` reads, such as `1h 30m`.
const DURATION: &str = concat!(
    r"^(\s*[0-9][0-9.\s]*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m",
    r"|hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|M|years?|yrs?|y))+\s*$"
);

/// The JSON Schema of the main config file.
pub fn schema() -> Value {
    let mut schema = section(
        "The config of nuncio. `nuncio check` judges more than this schema can say.",
        &["google"],
        json!({
            "google": google(),
            "sync": sync(),
            "users": { "type": "array", "items": user(),
                "description": "The users. An address belongs to one of them only." },
            "sinks": {
                "type": "object",
                "description": "The sinks by name: 1 to 64 of a-z, 0-9, - and _.",
                "patternProperties": { "^[a-z0-9_-]{1,64}$": sink() },
                "additionalProperties": false,
            },
            "spool": section("The durable store.", &[], json!({
                "max_bytes": size("The bound of the durable store. When it is reached, sources pause; nothing is dropped.", "10GiB"),
            })),
            "plugins": section("Where plugins are found.", &[], json!({
                "dir": { "type": "string", "pattern": ABSOLUTE, "default": "/usr/lib/nuncio/plugins",
                    "description": "The folder in which plugins without a path are looked for: an absolute path." },
            })),
            "log": section("How nuncio logs.", &[], json!({
                "format": one_of("The form of a line: pretty on a terminal and plain for the journal, always pretty, or one JSON object.", &["auto", "pretty", "json"], Some("auto")),
            })),
        }),
    );
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "nuncio.toml".into();
    schema
}

fn google() -> Value {
    let mut google = section(
        "How Google is reached.",
        &[],
        json!({
            "mode": one_of("On whose word users are read: a service account to which the domain delegated, or each user's own consent (nuncio login).", &["service_account", "per_user"], Some("service_account")),
            "fallback": one_of("Users whom the delegation does not cover are read by their own consent, where they gave one.", &["per_user"], None),
            "per_user": section("What users consent to.", &["client"], json!({
                "client": pattern("The OAuth client (type Desktop app) as Google gave it: file:/absolute/path, or credential:NAME.", SECRET),
            })),
            "keyless": section("In place of service_account_key: Google signs for the service account.", &["service_account"], json!({
                "service_account": address("The service account's address."),
                "source": { "type": "string", "pattern": "^(metadata|file:/.*)$", "default": "metadata",
                    "description": "How the workload shows who it is: the metadata server, or file:/absolute/path of an external-account file." },
            })),
            "service_account_key": pattern("The service account's key as Google gave it: file:/absolute/path, or credential:NAME with systemd's LoadCredential. Never the key itself.", SECRET),
            "admin": address("The administrator as whom the Directory is read. Without one it is not read, and accounts are known by their addresses only."),
            "domains": { "type": "array", "items": pattern("A domain such as example.com.", DOMAIN),
                "description": "Own domains; they make a participant internal. Default: those of all addresses of all users." },
            "quota": one_of("Google's price list of the project that owns the service account: 2026-05 for projects that began on 2026-05-01 or later, legacy for older ones; off only with an endpoint.", &["2026-05", "legacy", "off"], Some("2026-05")),
            "quota_share": { "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1.0,
                "description": "The part of the project's budgets for this instance, where several share a project." },
            "quota_override": quota_override(),
            "endpoint": pattern("For tests against a fake Workspace: one base URL for all of Google's hosts. Plain http on a loopback host only.", ENDPOINT),
        }),
    );
    let is = |key: &str, value: &str| json!({ "properties": { key: { "const": value } }, "required": [key] });
    google["allOf"] = json!([
        { "if": is("quota", "off"), "then": { "required": ["endpoint"] } },
        { "if": is("fallback", "per_user"), "then": { "required": ["per_user"] } },
        { "if": is("mode", "per_user"),
            "then": { "required": ["per_user"] },
            "else": { "anyOf": [
                { "required": ["service_account_key"] },
                { "required": ["keyless"] },
            ] } },
        { "not": { "required": ["service_account_key", "keyless"] } },
    ]);
    google
}

/// All its keys are alike.
fn quota_override() -> Value {
    let budgets = QUOTA_OVERRIDE.built.iter().map(|key| {
        let budget = json!({ "type": "integer", "minimum": 1, "maximum": 4_000_000_000_u32,
            "description": "Units in place of the price list's." });
        ((*key).to_owned(), budget)
    });
    section(
        "Single budgets in place of the price list's, as the project's quota page shows them.",
        &[],
        Value::Object(budgets.collect()),
    )
}

fn sync() -> Value {
    section(
        "What is synced, and how often. Each user may say otherwise of sources and since.",
        &[],
        json!({
            "sources": sources("What is synced.", true),
            "since": since("How far back the first walk goes: a duration such as 90d, or all.", true),
            "poll_interval": duration("How often each mailbox is asked for changes, from 1s to 1d; below only with an endpoint.", "60s"),
            "include_spam_trash": flag("Whether mail in spam and trash counts as existing.", false),
            "include_drafts": flag("Whether drafts are told, each under a key of its own that stays while it is edited.", false),
            "subscribed_calendars": flag("Whether calendars are read that no synced user owns but one has on the list.", true),
            "holiday_calendars": flag("Whether Google's own calendars are read: holidays, contacts' birthdays and the like.", false),
            "drive_permissions": one_of("Which permissions of files are told: those that Google lists with the file, or all, those of shared drives at a call for each file.", &["listed", "full"], Some("listed")),
        }),
    )
}

fn user() -> Value {
    let connected = section(
        "A mailbox with a key that is set by hand.",
        &["address"],
        json!({
            "address": address("The mailbox's address: the user's email or an alias."),
            "key": { "type": "string", "pattern": r"^\S+$", "maxLength": 254,
                "description": "The frozen key, given only to rebuild a lost spool with the keys that sinks already know." },
        }),
    );
    section(
        "A user.",
        &["email"],
        json!({
            "email": address("The primary address."),
            "name": { "type": "string", "description": "A name for people to read." },
            "aliases": { "type": "array", "uniqueItems": true,
                "items": address("Another address of this user."),
                "description": "The user's other addresses, as many as there are." },
            "accounts": { "type": "array", "minItems": 1, "uniqueItems": true,
                "items": { "anyOf": [address("The mailbox's address."), connected] },
                "description": "The mailboxes to sync; each is the email or an alias. Default: the email." },
            "sync": flag("The toggle: whether this user is synced at all.", true),
            "sources": sources("What is synced. Default: as in [sync].", false),
            "since": since("How far back the first walk goes: a duration such as 90d, or all. Default: as in [sync].", false),
        }),
    )
}

fn sink() -> Value {
    section(
        "A sink: a plugin, what it gets and what it may reach.",
        &["plugin"],
        json!({
            "plugin": pattern("The component: a file in [plugins] dir, or an absolute path; it ends in .wasm.", PLUGIN),
            "records": names("The kinds of record that it gets.", &["email", "event", "file"], true),
            "content": one_of("The most that it gets of an item, whatever it asks for. Default: what it asks for.", &Content::ALL.map(Content::as_str), None),
            "start": one_of("Where it begins: with what the spool retains.", &["retained"], Some("retained")),
            "settings": { "type": "object", "description": "Handed to the plugin as JSON; which keys there are is the plugin's own affair." },
            "batch": section("A batch is sent as soon as one of the three is reached.", &[], json!({
                "records": number("Records, 1 to 1000.", 1, 1000, 100),
                "bytes": size("Bytes of content, from 1KiB to 64MiB; a single larger record is sent alone.", "512KiB"),
                "delay": duration("How long the first record waits for others, at most 1m.", "200ms"),
            })),
            "limits": section("What an instance of the plugin may use.", &[], json!({
                "memory": size("Memory of an instance, from 1MiB to 4GiB.", "64MiB"),
                "call_time": duration("Wall-clock time of one call, from 100ms to 1h.", "30s"),
                "in_flight": number("Calls at the same time, each in an instance of its own.", 1, 64, 4),
                "log": { "type": "string", "pattern": RATE, "default": "200/min",
                    "description": "Log lines that are kept: a count and s, min or h." },
            })),
            "retry": section("When a record that failed comes again.", &[], json!({
                "max_attempts": number("A record that failed so often becomes a dead letter.", 1, 1000, 10),
                "max_delay": duration("The longest pause between two attempts, from 1s to 1d.", "5m"),
            })),
            "grants": section("What the plugin may reach beside its records: nothing but this.", &[], json!({
                "dirs": { "type": "array", "items": dir(), "default": [],
                    "description": "Directories that it may reach; no two with the same guest path." },
            })),
        }),
    )
}

fn dir() -> Value {
    section(
        "A directory that the plugin may reach.",
        &["guest", "host", "mode"],
        json!({
            "guest": pattern("The path that the plugin sees: absolute, without a trailing slash.", GUEST_PATH),
            "host": pattern("The directory here: an absolute path.", ABSOLUTE),
            "mode": one_of("Whether it may only read, or write too.", &["ro", "rw"], None),
        }),
    )
}

/// A table that holds these keys and no other; the tests compare them with the built ones of
/// `keys`.
fn section(description: &str, required: &[&str], properties: Value) -> Value {
    let mut section = json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        section["required"] = json!(required);
    }
    section
}

fn pattern(description: &str, pattern: &str) -> Value {
    json!({ "type": "string", "description": description, "pattern": pattern })
}

fn address(description: &str) -> Value {
    json!({ "type": "string", "description": description, "pattern": ADDRESS, "maxLength": 254 })
}

fn duration(description: &str, default: &str) -> Value {
    let mut duration = pattern(description, DURATION);
    duration["default"] = default.into();
    duration
}

fn since(description: &str, is_default: bool) -> Value {
    let mut since = pattern(description, &format!("^all$|{DURATION}"));
    if is_default {
        since["default"] = "90d".into();
    }
    since
}

fn size(description: &str, default: &str) -> Value {
    let mut size = pattern(description, SIZE);
    size["default"] = default.into();
    size
}

fn flag(description: &str, default: bool) -> Value {
    json!({ "type": "boolean", "description": description, "default": default })
}

fn number(description: &str, least: u32, most: u32, default: u32) -> Value {
    json!({ "type": "integer", "description": description, "minimum": least, "maximum": most, "default": default })
}

fn one_of(description: &str, names: &[&str], default: Option<&str>) -> Value {
    let mut choice = json!({ "description": description, "enum": names });
    if let Some(default) = default {
        choice["default"] = default.into();
    }
    choice
}

fn sources(description: &str, is_default: bool) -> Value {
    names(description, &["gmail", "calendar", "drive"], is_default)
}

/// A list of `all`, each at most once and not empty; where `is_default`, all of them are.
fn names(description: &str, all: &[&str], is_default: bool) -> Value {
    let mut names = json!({
        "type": "array",
        "description": description,
        "items": { "enum": all },
        "minItems": 1,
        "uniqueItems": true,
    });
    if is_default {
        names["default"] = json!(all);
    }
    names
}

#[cfg(test)]
mod tests;
