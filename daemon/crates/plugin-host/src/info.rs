//! What a plugin says of itself, checked. How it is asked is in `plugin.rs`, what follows from
//! the rights that it asks for in `rights.rs`.

use std::path::Path;

use nuncio_model::{Content, Payload, Record, Source};
use serde_json::Value;

use crate::Error;
use crate::api::from_guest::RawInfo;

/// Longest settings schema, in bytes.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;

/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Rights that the contract knows.
const RIGHTS: [&str; 6] = [
    "http",
    "dir-read",
    "dir-write",
    "secret",
    "send-mail",
    "calendar-write",
];

/// What a plugin is and asks for. Names and texts come from the plugin and are escaped before
/// they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// `a-z 0-9 -`, at most 64 characters.
    pub name: String,
    /// Semantic version of the plugin.
    pub version: String,
    /// One line for operators.
    pub description: String,
    /// JSON Schema (draft-07) of the settings.
    pub settings_schema: Value,
    /// Wanted kinds of records.
    pub kinds: Vec<Kind>,
    /// Wanted content; a sink may lower it.
    pub content: Content,
    /// How label changes of a mail come.
    pub label_changes: LabelChanges,
    /// Rights asked for.
    pub rights: Vec<RightRequest>,
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Mails.
    Email,
    /// Calendar events.
    Event,
    /// Drive files.
    File,
}

/// How label changes of a mail come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelChanges {
    /// Not at all.
    None,
    /// As a record with the labels only.
    Light,
    /// Fetched again, as an ordinary update.
    Full,
}

/// A right that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightRequest {
    /// The right's name in the contract, such as `dir-write`.
    pub right: String,
    /// What for; a guest path for `dir-read` and `dir-write`.
    pub target: String,
    /// Why, in one line.
    pub reason: String,
    /// Whether the plugin works without it.
    pub optional: bool,
}

impl Kind {
    /// The name in config and contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Email => "email",
            Kind::Event => "event",
            Kind::File => "file",
        }
    }
}

impl Info {
    /// Whether the plugin asked for records like this one. Deletions come with their kind.
    pub fn wants(&self, record: &Record) -> bool {
        let kind = match record.source {
            Source::Gmail => Kind::Email,
            Source::Calendar => Kind::Event,
            Source::Drive => Kind::File,
        };
        let labels_are_wanted = match record.payload {
            Payload::Labels(_) => self.label_changes != LabelChanges::None,
            Payload::Email(_) | Payload::Event(_) | Payload::File(_) | Payload::Deleted(_) => true,
        };
        self.kinds.contains(&kind) && labels_are_wanted
    }

    /// Checks what the plugin at `path` answered.
    pub(crate) fn check(path: &Path, raw: RawInfo) -> Result<Self, Error> {
        let bad = |field: &'static str, reason: String| Error::BadInfo {
            path: path.to_owned(),
            field,
            reason,
        };
        let unknown = |name: &str| {
            format!(
                "names `{}`, which needs a newer nuncio",
                nuncio_model::untrusted(name)
            )
        };
        let name_is_plain = !raw.name.is_empty()
            && raw.name.len() <= MAX_NAME_BYTES
            && raw
                .name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !name_is_plain {
            return Err(bad(
                "name",
                format!("must be 1 to {MAX_NAME_BYTES} of a-z 0-9 -"),
            ));
        }
        if !is_version(&raw.version) {
            return Err(bad(
                "version",
                "must be a semantic version such as 1.2.3".into(),
            ));
        }
        if raw.settings_schema.len() > MAX_SCHEMA_BYTES {
            return Err(bad(
                "settings-schema",
                format!("is longer than {MAX_SCHEMA_BYTES} bytes"),
            ));
        }
        let settings_schema = match serde_json::from_str(&raw.settings_schema) {
            Ok(schema @ Value::Object(_)) => schema,
            Ok(_) => return Err(bad("settings-schema", "must be a JSON object".into())),
            Err(error) => return Err(bad("settings-schema", format!("is not JSON: {error}"))),
        };
        crate::settings::check_schema(&settings_schema)
            .map_err(|reason| bad("settings-schema", reason))?;
        let kinds = raw.kinds.iter().map(|name| {
            [Kind::Email, Kind::Event, Kind::File]
                .into_iter()
                .find(|kind| kind.as_str() == name)
                .ok_or_else(|| bad("kinds", unknown(name)))
        });
        let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        let content = raw
            .content
            .parse()
            .map_err(|()| bad("content", unknown(&raw.content)))?;
        let label_changes = match raw.label_changes.as_str() {
            "none" => LabelChanges::None,
            "light" => LabelChanges::Light,
            "full" => LabelChanges::Full,
            other => return Err(bad("label-changes", unknown(other))),
        };
        if let Some(request) = raw
            .rights
            .iter()
            .find(|request| !RIGHTS.contains(&request.right.as_str()))
        {
            return Err(bad("rights", unknown(&request.right)));
        }
        Ok(Self {
            name: raw.name,
            version: raw.version,
            description: raw.description,
            settings_schema,
            kinds,
            content,
            label_changes,
            rights: raw.rights,
        })
    }
}

/// Whether `text` is `MAJOR.MINOR.PATCH` with an optional suffix, by <https://semver.org>.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let plain = text.len() <= MAX_NAME_BYTES
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
    plain
        && core.split('.').count() == 3
        && core
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawInfo {
        RawInfo {
            name: "jsonl".into(),
            version: "0.1.0".into(),
            description: "Lines".into(),
            settings_schema: "{}".into(),
            kinds: vec!["email".into()],
            content: "text".into(),
            label_changes: "light".into(),
            rights: vec![],
        }
    }

    fn refused(change: impl FnOnce(&mut RawInfo)) -> String {
        let mut raw = raw();
        change(&mut raw);
        match Info::check(Path::new("p.wasm"), raw) {
            Ok(_) => "accepted".into(),
            Err(Error::BadInfo { field, reason, .. }) => format!("{field} {reason}"),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn what_a_plugin_says_is_checked() {
        assert_eq!(refused(|_| ()), "accepted");
        assert_eq!(
            refused(|raw| raw.version = "1.0.0-rc.1+b7".into()),
            "accepted"
        );
        assert_eq!(
            refused(|raw| raw.name = "Json L".into()),
            "name must be 1 to 64 of a-z 0-9 -"
        );
        assert_eq!(
            refused(|raw| raw.name = String::new()),
            "name must be 1 to 64 of a-z 0-9 -"
        );
        assert_eq!(
            refused(|raw| raw.version = "1.0".into()),
            "version must be a semantic version such as 1.2.3"
        );
        assert_eq!(
            refused(|raw| raw.settings_schema = "[]".into()),
            "settings-schema must be a JSON object"
        );
        assert!(
            refused(|raw| raw.settings_schema = "{".into())
                .starts_with("settings-schema is not JSON")
        );
        assert!(
            refused(|raw| raw.settings_schema = r#"{"type":"strnig"}"#.into())
                .starts_with("settings-schema ")
        );
        assert_eq!(
            refused(|raw| raw.kinds.push("contact\u{1b}".into())),
            "kinds names `contact\\u{1b}`, which needs a newer nuncio"
        );
        assert_eq!(
            refused(|raw| raw.content = "all".into()),
            "content names `all`, which needs a newer nuncio"
        );
        assert_eq!(
            refused(|raw| raw.label_changes = "heavy".into()),
            "label-changes names `heavy`, which needs a newer nuncio"
        );
        let root = RightRequest {
            right: "root".into(),
            target: String::new(),
            reason: String::new(),
            optional: true,
        };
        assert_eq!(
            refused(|raw| raw.rights.push(root)),
            "rights names `root`, which needs a newer nuncio"
        );
    }
}
