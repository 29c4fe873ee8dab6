//! A guest that misbehaves on demand, for the tests of the plugin host and of the daemon.
//! What it does stands in its settings (see [`Settings`]), so that one component serves all
//! tests. Here: settings and dispatch. The single tricks are in the other files.

mod escape;
mod outcomes;
mod tricks;

use std::collections::HashMap;

use nuncio_sdk::{
    Content, Info, Kind, LabelChanges, OpenError, Outcome, Record, Right, Sink, WriteError, log,
};

/// What the guest is to do. All but `do` is optional and matters only where it says so.
#[derive(Clone, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The trick.
    #[serde(rename = "do")]
    pub trick: Trick,
    /// Do it only in a call whose batch has a record with this in its key; otherwise the
    /// call is as with `ok`. For tricks in `write`.
    pub only_with: Option<String>,
    /// Log each record's key, revision, lane and kind as it comes (`record` at info).
    pub log_records: bool,
    /// How often: outcomes too many (`wrong_count`, negative: too few), messages
    /// (`log_flood`), host calls (`drip_host_calls`; 0 is without end), bytes (`huge_reason`).
    pub count: i64,
    /// How long `slow` waits, in milliseconds.
    pub ms: u64,
    /// `after-ms` of what `unavailable`, `throttled` and the outcomes answer.
    pub after_ms: Option<u64>,
    /// `outcomes`: answer `rejected` for records with this in their key.
    pub reject_key: Option<String>,
    /// `outcomes`: answer `retry` for records with this in their key.
    pub retry_key: Option<String>,
    /// `outcomes`: how often a record of `retry_key` is answered with `retry` by one
    /// instance before it is delivered; absent: always.
    pub retry_times: Option<u32>,
    /// `outcomes`: answer `deferred` for records with this in their key.
    pub defer_key: Option<String>,
    /// The code of `rejected` and `fatal`.
    pub code: Option<String>,
    /// `socket`: the address to connect to, as `127.0.0.1:80`.
    pub address: Option<String>,
}

/// What the guest can do. In `write` unless the name begins with `open_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trick {
    /// Deliver everything.
    #[default]
    Ok,
    /// Make a JSON document of each record and deliver; for benchmarks.
    Json,
    /// Compute without end.
    Loop,
    /// Take memory without end.
    Grow,
    /// Recurse without end.
    Stack,
    /// Trap without a word.
    Trap,
    /// Panic with a message.
    Panic,
    /// Wait in the host for `ms`, then deliver.
    Slow,
    /// Call the host without end (or `count` times), each call short.
    DripHostCalls,
    /// Answer with `count` outcomes more than records, or less where negative.
    WrongCount,
    /// Log `count` messages, each with 100 fields of 1 KiB.
    LogFlood,
    /// Print to stdout and stderr.
    Print,
    /// Answer a reason of `count` bytes with control characters in it.
    HugeReason,
    /// Try to reach files that were not granted.
    PathEscape,
    /// Try to reach the network.
    Socket,
    /// Look for environment variables and arguments.
    Env,
    /// Compare the clocks.
    Clock,
    /// Read every blob to its end, then beyond, and tell the sizes.
    Blobs,
    /// Keep a blob over the end of its call and read it in the next.
    StaleBlob,
    /// Answer by the keys; see `reject_key`, `retry_key`, `defer_key`.
    Outcomes,
    /// Answer `unavailable` for the call.
    Unavailable,
    /// Answer `throttled` for the call.
    Throttled,
    /// Answer `fatal` for the call.
    Fatal,
    /// Trap in `open`.
    OpenTrap,
    /// Compute without end in `open`.
    OpenLoop,
    /// Answer `invalid-settings` in `open`.
    OpenInvalid,
    /// Answer `unavailable` in `open`.
    OpenUnavailable,
    /// Answer `fatal` in `open`.
    OpenFatal,
}

/// The guest.
pub(crate) struct Hostile {
    settings: Settings,
    /// How often `retry` was answered for a key.
    retries: HashMap<String, u32>,
    /// What `stale_blob` kept.
    kept: Option<nuncio_sdk::Blob>,
}

impl Sink for Hostile {
    type Settings = Settings;

    fn describe() -> Info {
        Info {
            name: "hostile-guest",
            version: env!("CARGO_PKG_VERSION"),
            description: "Misbehaves on demand; for tests only",
            kinds: &[Kind::Email, Kind::Event, Kind::File],
            content: Content::Raw,
            label_changes: LabelChanges::Light,
            rights: vec![Right::dir_write(escape::OUT, "to try to leave it").optional()],
        }
    }

    fn open(settings: Settings) -> Result<Self, OpenError> {
        match settings.trick {
            Trick::OpenTrap => std::process::abort(),
            Trick::OpenLoop => tricks::compute_for_ever(),
            Trick::OpenInvalid => {
                return Err(OpenError::invalid_setting("/do", "refused as asked"));
            }
            Trick::OpenUnavailable => {
                return Err(OpenError::Unavailable(outcomes::wait(&settings)));
            }
            Trick::OpenFatal => {
                return Err(OpenError::fatal(
                    outcomes::code(&settings),
                    "stopped as asked",
                ));
            }
            _ => {}
        }
        Ok(Self {
            settings,
            retries: HashMap::new(),
            kept: None,
        })
    }

    fn write(&mut self, batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
        if self.settings.log_records {
            batch.iter().for_each(log_record);
        }
        let is_meant = self
            .settings
            .only_with
            .as_ref()
            .is_none_or(|part| batch.iter().any(|record| record.key.contains(part)));
        if is_meant {
            self.misbehave(batch)
        } else {
            Ok(outcomes::delivered(batch.len()))
        }
    }
}

impl Hostile {
    fn misbehave(&mut self, mut batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
        let settings = &self.settings;
        let mut answer = outcomes::delivered(batch.len());
        match settings.trick {
            Trick::Ok => {}
            Trick::Json => tricks::make_documents(&batch),
            Trick::Loop => tricks::compute_for_ever(),
            Trick::Grow => tricks::take_memory_for_ever(),
            Trick::Stack => log::info(
                "recursed",
                &[("depth", &tricks::recurse_for_ever(1).to_string())],
            ),
            Trick::Trap => std::process::abort(),
            Trick::Panic => panic!("panicked as asked"),
            Trick::Slow => tricks::wait_in_host(settings.ms),
            Trick::DripHostCalls => tricks::call_host(settings.count),
            Trick::WrongCount => outcomes::change_count(&mut answer, settings.count),
            Trick::LogFlood => tricks::flood_log(settings.count),
            Trick::Print => tricks::print(),
            Trick::HugeReason => answer.fill(outcomes::huge_reason(settings)),
            Trick::PathEscape => escape::files()?,
            Trick::Socket => escape::socket(settings.address.as_deref().unwrap_or("127.0.0.1:80"))?,
            Trick::Env => escape::environment()?,
            Trick::Clock => tricks::tell_clocks(),
            Trick::Blobs => tricks::read_blobs(&batch),
            Trick::StaleBlob => {
                if let Some(kept) = self.kept.take() {
                    tricks::read_stale(&kept);
                }
                self.kept = tricks::take_blob(&mut batch);
            }
            Trick::Outcomes => answer = outcomes::by_key(settings, &mut self.retries, &batch),
            Trick::Unavailable => return Err(WriteError::Unavailable(outcomes::wait(settings))),
            Trick::Throttled => return Err(WriteError::Throttled(outcomes::wait(settings))),
            Trick::Fatal => {
                return Err(WriteError::fatal(
                    outcomes::code(settings),
                    "stopped as asked",
                ));
            }
            Trick::OpenTrap
            | Trick::OpenLoop
            | Trick::OpenInvalid
            | Trick::OpenUnavailable
            | Trick::OpenFatal => {}
        }
        Ok(answer)
    }
}

fn log_record(record: &Record) {
    let fields = [
        ("key", record.key.as_str()),
        ("revision", &record.revision.to_string()),
        ("lane", &record.lane.to_string()),
        ("kind", outcomes::kind_of(record)),
    ];
    log::info("record", &fields);
}

nuncio_sdk::export_sink!(Hostile);
