//! `nuncio config`: the configs that were in force. Read from the state folder, so that it works
//! without a daemon.

use super::{Common, print};
use crate::codes;
use crate::exit::{FAILURE, Failure};
use crate::reload::{Entry, History};
use clap::Subcommand;
use jiff::Timestamp;
use nuncio_config::{Config, Diff, Errors};
use serde_json::json;

/// The configs that were in force.
#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// When which config came into force, and what it changed; the newest last.
    History {
        /// As JSON; the form is stable.
        #[arg(long)]
        json: bool,
    },
    /// The files of one.
    Show {
        /// Its hash or the beginning of it; the newest if absent.
        hash: Option<String>,
    },
    /// What changed from one to another.
    Diff {
        /// The hash of the one, or the beginning of it.
        from: String,
        /// The hash of the other; the newest if absent.
        to: Option<String>,
    },
}

impl ConfigCommand {
    pub(super) fn run(self, common: &Common) -> Result<(), Failure> {
        let history = History::of(&common.state_dir);
        let entries = history.entries().map_err(|error| {
            let text = format!("the history of the config cannot be read: {error}");
            Failure::coded(FAILURE, "ADM007", &text, codes::remedy("ADM007"))
        })?;
        match self {
            Self::History { json: true } => {
                let entries: Vec<_> = entries.iter().map(as_json).collect();
                print(&json!(entries).to_string())
            }
            Self::History { json: false } => {
                for entry in &entries {
                    print(&format!(
                        "{}  {}  {}",
                        time(entry),
                        short(entry),
                        entry.summary
                    ))?;
                }
                Ok(())
            }
            Self::Show { hash } => {
                let entry = find(&entries, hash.as_deref())?;
                for (name, text) in entry.files.iter() {
                    print(&format!("# {name}\n{text}"))?;
                }
                Ok(())
            }
            Self::Diff { from, to } => {
                let old = judged(find(&entries, Some(&from))?)?;
                let new = judged(find(&entries, to.as_deref())?)?;
                let diff = Diff::between(Some(&old), &new);
                print(diff.to_string().trim_end())?;
                super::say(&diff.summary());
                Ok(())
            }
        }
    }
}

fn judged(entry: &Entry) -> Result<Config, Failure> {
    let failed = |errors: Errors| Failure::new(FAILURE, errors.to_string());
    Config::of(&entry.files).map_err(failed)
}

fn find<'a>(entries: &'a [Entry], hash: Option<&str>) -> Result<&'a Entry, Failure> {
    let found = match hash {
        None => entries.last(),
        Some(hash) => entries
            .iter()
            .rev()
            .find(|entry| entry.hash.starts_with(hash)),
    };
    found.ok_or_else(|| {
        let text = "no such config was in force, or it is kept no longer";
        Failure::coded(FAILURE, "ADM007", text, codes::remedy("ADM007"))
    })
}

fn as_json(entry: &Entry) -> serde_json::Value {
    let changes: Vec<&str> = entry.changes.lines().collect();
    json!({ "hash": entry.hash, "at": time(entry), "summary": entry.summary, "changes": changes })
}

fn short(entry: &Entry) -> &str {
    &entry.hash[..entry.hash.len().min(12)]
}

fn time(entry: &Entry) -> String {
    Timestamp::from_millisecond(entry.at).map_or_else(|_| "?".to_owned(), |at| at.to_string())
}
