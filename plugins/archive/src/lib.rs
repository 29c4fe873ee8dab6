//! The sink `archive`: a Maildir for each account, with the labels beside the mails. Here:
//! what the plugin asks for, its settings, and the way from the contract's calls to
//! `archive.rs`, which does the work on plain files and can be tested natively.

mod archive;
mod disk;
mod maildir;
mod plan;
mod sidecar;

use std::path::{Component, Path};
use std::time::Duration;

use nuncio_sdk::{
    Content, Info, Kind, LabelChanges, OpenError, Outcome, Record, Right, Sink, WriteError, blob,
    clock,
};

use archive::Archive;

/// The guest path that this plugin asks for.
const OUT: &str = "/out";
/// What is left of a call's time when no further mail is begun: enough to make durable what
/// was done.
const RESERVE: Duration = Duration::from_secs(3);

/// The settings of a sink that uses this plugin.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where the Maildirs go: `/out`, the granted folder, or a folder in it.
    #[serde(default = "default_dir")]
    #[schemars(regex(pattern = r"^/out(/[^/]+)*/?$"))]
    dir: String,
}

fn default_dir() -> String {
    OUT.to_owned()
}

impl Sink for Archive {
    type Settings = Settings;

    fn describe() -> Info {
        Info {
            name: "archive",
            version: env!("CARGO_PKG_VERSION"),
            description: "Keeps a Maildir for each account, with the messages as they are and the labels beside them",
            kinds: &[Kind::Email],
            content: Content::Raw,
            label_changes: LabelChanges::Light,
            rights: vec![Right::dir_write(OUT, "the Maildirs are written there")],
        }
    }

    fn open(settings: Settings) -> Result<Self, OpenError> {
        let dir = Path::new(&settings.dir);
        let is_plain = dir
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !is_plain || !dir.starts_with(OUT) {
            return Err(OpenError::invalid_setting(
                "/dir",
                "must be `/out` or a folder in it, without `..`",
            ));
        }
        Archive::open(dir).map_err(|error| {
            let hint = "is the folder granted, as dirs = [{ guest = \"/out\", host = \"..\", mode = \"rw\" }]?";
            OpenError::unavailable(None, format!("{error}; {hint}"))
        })
    }

    fn write(&mut self, batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
        Archive::write(
            self,
            &batch,
            |email| email.raw.as_ref().map(blob::Reader::new),
            || clock::remaining() < RESERVE,
        )
    }
}

nuncio_sdk::export_sink!(Archive);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dir_outside_the_granted_one_is_refused() {
        for dir in ["/", "/outside", "out", "/out/../etc", "/etc"] {
            let refused = <Archive as Sink>::open(Settings {
                dir: dir.to_owned(),
            });
            assert!(
                matches!(&refused, Err(OpenError::InvalidSettings(p)) if p[0].pointer == "/dir"),
                "{dir} must be refused"
            );
        }
    }
}
