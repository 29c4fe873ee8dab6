//! The sink `jsonl`: one JSON line for each record, in one file for each feed. Here: what the
//! plugin asks for, its settings, and which record goes to which file; `lines.rs` appends.

mod lines;

use std::path::{Component, Path};

use nuncio_sdk::{
    Content, Info, Kind, LabelChanges, OpenError, Outcome, Record, Right, Sink, Source, WriteError,
    json,
};

use lines::Lines;

/// The guest path that this plugin asks for.
const OUT: &str = "/out";

/// The settings of a sink that uses this plugin.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where the files go: `/out`, the granted folder, or a folder in it.
    #[serde(default = "default_dir")]
    #[schemars(regex(pattern = r"^/out(/[^/]+)*/?$"))]
    dir: String,
}

fn default_dir() -> String {
    OUT.to_owned()
}

/// The plugin.
struct Jsonl {
    lines: Lines,
}

impl Sink for Jsonl {
    type Settings = Settings;

    fn describe() -> Info {
        Info {
            name: "jsonl",
            version: env!("CARGO_PKG_VERSION"),
            description: "Appends each record as one line of JSON to a file for each feed",
            kinds: &[Kind::Email, Kind::Event, Kind::File],
            content: Content::Text,
            label_changes: LabelChanges::Light,
            rights: vec![Right::dir_write(
                OUT,
                "the JSON Lines files are written there",
            )],
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
        let lines = Lines::open(dir).map_err(|error| {
            let hint = "is the folder granted, as dirs = [{ guest = \"/out\", host = \"..\", mode = \"rw\" }]?";
            OpenError::unavailable(None, format!("cannot use {}: {error}; {hint}", settings.dir))
        })?;
        Ok(Self { lines })
    }

    fn write(&mut self, batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
        write(&mut self.lines, &batch)
    }
}

/// Appends a batch, feed by feed.
///
/// A feed is a lane, and a lane is never in two calls at a time, so its file has one writer
/// however many instances there are.
fn write(lines: &mut Lines, batch: &[Record]) -> Result<Vec<Outcome>, WriteError> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut file_of = Vec::with_capacity(batch.len());
    for record in batch {
        let name = file_name(record);
        let at = files
            .iter()
            .position(|(other, _)| *other == name)
            .unwrap_or_else(|| {
                files.push((name, String::new()));
                files.len() - 1
            });
        json::push_record(&mut files[at].1, record);
        files[at].1.push('\n');
        file_of.push(at);
    }
    for (n_done, (name, text)) in files.iter().enumerate() {
        if let Err(error) = lines.append(name, text) {
            let reason = format!("cannot append to {name}: {error}");
            if n_done == 0 {
                return Err(WriteError::unavailable(None, reason));
            }
            // What is durable already would come twice if the whole call failed.
            let outcome = |&at: &usize| {
                if at < n_done {
                    Outcome::Delivered
                } else {
                    Outcome::deferred(None, reason.clone())
                }
            };
            return Ok(file_of.iter().map(outcome).collect());
        }
    }
    Ok(file_of.iter().map(|_| Outcome::Delivered).collect())
}

/// The file of a record's feed.
fn file_name(record: &Record) -> String {
    let source = match record.source {
        Source::Gmail => "gmail",
        Source::Calendar => "calendar",
        Source::Drive => "drive",
        Source::Other => "other",
    };
    format!("{source}-{}.jsonl", record.lane)
}

nuncio_sdk::export_sink!(Jsonl);

#[cfg(test)]
mod tests {
    use std::fs;

    use nuncio_sdk::{Change, DeleteCause, Deleted, Origin, Payload};

    use super::*;

    fn record(source: Source, lane: u64, revision: u64) -> Record {
        let name = Some("a\nb\u{2028}".to_owned());
        Record {
            key: format!("gmail/104/{revision}"),
            revision,
            source_version: 0,
            change: Change::Deleted,
            source,
            origin: Origin::Live,
            lane,
            user: String::new(),
            account: String::new(),
            collection: String::new(),
            observed_at: 0,
            notes: None,
            extra: None,
            payload: Payload::Deleted(Deleted {
                cause: DeleteCause::Removed,
                thread_id: None,
                ical_uid: None,
                name,
            }),
        }
    }

    fn revisions(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let revision = |line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["revision"]
                .as_u64()
                .unwrap()
        };
        text.lines().map(revision).collect()
    }

    #[test]
    fn each_feed_has_its_file_with_a_line_for_each_record_in_order() {
        let root = tempfile::tempdir().unwrap();
        let mut lines = Lines::open(root.path()).unwrap();
        let batch = [
            record(Source::Gmail, 1, 10),
            record(Source::Drive, 2, 11),
            record(Source::Gmail, 1, 12),
            record(Source::Gmail, 3, 13),
        ];
        let outcomes = write(&mut lines, &batch).unwrap();
        assert!(
            outcomes.len() == 4
                && outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Outcome::Delivered))
        );
        write(&mut lines, &[record(Source::Gmail, 1, 14)]).unwrap();
        assert_eq!(revisions(&root.path().join("gmail-1.jsonl")), [10, 12, 14]);
        assert_eq!(revisions(&root.path().join("drive-2.jsonl")), [11]);
        assert_eq!(revisions(&root.path().join("gmail-3.jsonl")), [13]);
    }

    #[test]
    fn a_file_that_cannot_be_written_holds_back_its_records_only() {
        let root = tempfile::tempdir().unwrap();
        let mut lines = Lines::open(root.path()).unwrap();
        // A folder in the place of the file of lane 2.
        fs::create_dir(root.path().join("gmail-2.jsonl")).unwrap();
        let batch = [
            record(Source::Gmail, 1, 10),
            record(Source::Gmail, 2, 11),
            record(Source::Gmail, 1, 12),
        ];
        let outcomes = write(&mut lines, &batch).unwrap();
        assert!(matches!(
            outcomes.as_slice(),
            [Outcome::Delivered, Outcome::Deferred(_), Outcome::Delivered]
        ));
        assert_eq!(revisions(&root.path().join("gmail-1.jsonl")), [10, 12]);
        let refused = write(&mut lines, &batch[1..2]);
        assert!(
            matches!(refused, Err(WriteError::Unavailable(wait)) if wait.reason.contains("gmail-2.jsonl"))
        );
    }

    #[test]
    fn a_dir_outside_the_granted_one_is_refused() {
        for dir in ["/", "/outside", "out", "/out/../etc", "/etc"] {
            let refused = <Jsonl as Sink>::open(Settings {
                dir: dir.to_owned(),
            });
            assert!(
                matches!(refused, Err(OpenError::InvalidSettings(p)) if p[0].pointer == "/dir"),
                "{dir}"
            );
        }
    }
}
