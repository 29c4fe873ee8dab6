//! What can be wrong with a plugin or with a sink made of it, with stable codes and remedies.
//! What goes wrong in a call that delivers is `nuncio_model::CallError`, not here.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nuncio_model::SinkName;

use crate::codes;
use crate::contract::CONTRACT_VERSION;

/// Why a plugin cannot be used, or a sink not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("the plugin {} cannot be read", path.display())]
    Read {
        /// The plugin's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no component at all.
    #[error("{} is not a plugin: it is {found}, not a WebAssembly component", path.display())]
    NotAComponent {
        /// The plugin's file.
        path: PathBuf,
        /// What it is, in words.
        found: &'static str,
    },
    /// The file begins like a component, but does not hold a valid one.
    #[error("the plugin {} is damaged or incomplete: {reason}", path.display())]
    Damaged {
        /// The plugin's file.
        path: PathBuf,
        /// What the compiler said.
        reason: String,
    },
    /// A valid component, made for something else.
    #[error("{} is a WebAssembly component, but no nuncio sink: it exports {found}", path.display())]
    OtherWorld {
        /// The plugin's file.
        path: PathBuf,
        /// What it exports.
        found: String,
    },
    /// Made for a version of the contract that this nuncio does not speak.
    #[error(
        "the plugin {} was built for contract version {found}, this nuncio speaks {CONTRACT_VERSION}",
        path.display()
    )]
    ContractVersion {
        /// The plugin's file.
        path: PathBuf,
        /// The plugin's version of the contract.
        found: String,
    },
    /// The contract's version fits, but not what the plugin imports or exports.
    #[error("the plugin {} does not fit the contract: {reason}", path.display())]
    Incompatible {
        /// The plugin's file.
        path: PathBuf,
        /// What the linker said.
        reason: String,
    },
    /// The plugin could not say what it is.
    #[error("the plugin {} failed while describing itself: {reason}", path.display())]
    Describe {
        /// The plugin's file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The plugin says something of itself that is not valid.
    #[error("the plugin {} describes itself wrongly: `{field}` {reason}", path.display())]
    BadInfo {
        /// The plugin's file.
        path: PathBuf,
        /// The field of the contract's `info`.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The sink's settings are wrong.
    #[error("the settings of sink {sink} are wrong: {}", joined(problems))]
    Settings {
        /// The sink.
        sink: SinkName,
        /// All of them.
        problems: Vec<SettingProblem>,
    },
    /// A right that the plugin cannot work without is not granted.
    #[error("sink {sink} lacks rights that its plugin needs: {}", joined(missing))]
    MissingRights {
        /// The sink.
        sink: SinkName,
        /// All of them.
        missing: Vec<MissingRight>,
    },
    /// A granted directory cannot be given to the guest.
    #[error("sink {sink} cannot use the granted folder {} (guest path {guest})", host.display())]
    Dir {
        /// The sink.
        sink: SinkName,
        /// The path in the guest.
        guest: String,
        /// The folder.
        host: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The first instance trapped or ran out of memory or time while opening.
    #[error("the plugin of sink {sink} broke while opening ({code}): {reason}")]
    Open {
        /// The sink.
        sink: SinkName,
        /// `trap`, `memory` or `timeout`.
        code: &'static str,
        /// What happened.
        reason: String,
    },
    /// The engine has no room for a further instance.
    #[error("no room for an instance of sink {sink}: {reason}")]
    Full {
        /// The sink.
        sink: SinkName,
        /// Which bound.
        reason: String,
    },
    /// The engine could not be started.
    #[error("the WebAssembly engine cannot start: {reason}")]
    Engine {
        /// What it said.
        reason: String,
    },
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// JSON Pointer (RFC 6901) into the settings; empty: the whole.
    pub pointer: String,
    /// What is wrong, escaped for output.
    pub message: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

/// A right that is asked for and not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRight {
    /// The right's name in the contract.
    pub right: String,
    /// What it is for, such as a guest path.
    pub target: String,
    /// Why the plugin wants it, escaped for output.
    pub reason: String,
    /// The config that grants it; none: this nuncio cannot grant it yet.
    pub remedy: Option<String>,
}

impl fmt::Display for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.right, self.target, self.reason)
    }
}

impl Error {
    /// Stable code for the operator and for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Read { .. } => "PLG001",
            Error::NotAComponent { .. } => "PLG002",
            Error::Damaged { .. } => "PLG003",
            Error::OtherWorld { .. } => "PLG004",
            Error::ContractVersion { .. } => "PLG005",
            Error::Incompatible { .. } => "PLG006",
            Error::Describe { .. } => "PLG007",
            Error::BadInfo { .. } => "PLG008",
            Error::Settings { .. } => "PLG009",
            Error::MissingRights { .. } => "PLG010",
            Error::Dir { .. } => "PLG011",
            Error::Open { .. } => "PLG012",
            Error::Full { .. } => "PLG013",
            Error::Engine { .. } => "PLG014",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Error::NotAComponent {
                found: CORE_MODULE, ..
            } => "build the plugin for the target wasm32-wasip2, which makes a component".into(),
            Error::NotAComponent { .. } => "copy or build the plugin's .wasm file again".into(),
            Error::ContractVersion { .. } => format!(
                "get a build of the plugin for contract version {CONTRACT_VERSION}, or the nuncio that fits the plugin"
            ),
            Error::Settings { sink, .. } => format!("correct `settings` of [sinks.{sink}]"),
            Error::MissingRights { missing, .. } => {
                let remedies: Vec<&str> = missing
                    .iter()
                    .filter_map(|right| right.remedy.as_deref())
                    .collect();
                if remedies.len() == missing.len() {
                    format!("to allow it, add to the config:\n{}", remedies.join("\n"))
                } else {
                    "this nuncio cannot grant one of these rights yet: use another plugin or a newer nuncio".into()
                }
            }
            Error::Open {
                code: "memory",
                sink,
                ..
            } => {
                format!("raise `limits.memory` of [sinks.{sink}] if the plugin needs more")
            }
            Error::Open {
                code: "timeout",
                sink,
                ..
            } => {
                format!(
                    "see whether the target answers; `limits.call_time` of [sinks.{sink}] is the bound"
                )
            }
            Error::Open { .. } => {
                "this is a mistake in the plugin: tell its author, or use another version".into()
            }
            Error::Read { .. }
            | Error::Damaged { .. }
            | Error::OtherWorld { .. }
            | Error::Incompatible { .. }
            | Error::Describe { .. }
            | Error::BadInfo { .. }
            | Error::Dir { .. }
            | Error::Full { .. }
            | Error::Engine { .. } => codes::remedy(self.code()).into(),
        }
    }
}

/// The one thing that is not a component and yet is WebAssembly.
pub(crate) const CORE_MODULE: &str = "a WebAssembly core module";

fn joined(parts: &[impl fmt::Display]) -> String {
    parts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
