//! What a plugin says about itself, typed. The strings that the contract uses for these
//! values stand here and nowhere else in the SDK.

use crate::bindings::nuncio::sink::records as contract;

/// What a plugin is and asks for; see `info` in the contract.
pub struct Info {
    /// `a-z 0-9 -`, at most 64 characters.
    pub name: &'static str,
    /// Semantic version of the plugin, usually `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One line for operators.
    pub description: &'static str,
    /// Wanted kinds; deletions of them come as well.
    pub kinds: &'static [Kind],
    /// Wanted content. What is not asked for is not even read from Google.
    pub content: Content,
    /// How label changes of a mail come.
    pub label_changes: LabelChanges,
    /// Rights asked for; each must also be granted in the config.
    pub rights: Vec<Right>,
}

/// A kind of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Mail messages and drafts.
    Email,
    /// Calendar events.
    Event,
    /// Drive files and folders.
    File,
}

/// How much of an item comes; each level has all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Content {
    /// No bodies.
    Metadata,
    /// Plain text of mails, descriptions of events.
    Text,
    /// HTML as sent.
    Html,
    /// All header fields, and attachments as blobs.
    Full,
    /// The message as bytes, as a blob.
    Raw,
}

/// How label changes of a mail come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelChanges {
    /// Not at all.
    None,
    /// As `Payload::Labels`, which costs no quota.
    Light,
    /// Fetched again, as an ordinary update.
    Full,
}

/// A right that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    right: &'static str,
    target: String,
    reason: &'static str,
    optional: bool,
}

impl Right {
    /// Reading the files under the guest path `path`. `reason` is one line for the operator.
    pub fn dir_read(path: &str, reason: &'static str) -> Self {
        Self {
            right: "dir-read",
            target: path.to_owned(),
            reason,
            optional: false,
        }
    }

    /// Reading and writing files under the guest path `path`.
    pub fn dir_write(path: &str, reason: &'static str) -> Self {
        Self {
            right: "dir-write",
            target: path.to_owned(),
            reason,
            optional: false,
        }
    }

    /// The same right, but the plugin works without it.
    #[must_use]
    pub fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }
}

impl Info {
    /// The contract's form, with the settings' schema put in.
    pub(crate) fn into_contract(self, settings_schema: String) -> contract::Info {
        contract::Info {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            description: self.description.to_owned(),
            settings_schema,
            kinds: self
                .kinds
                .iter()
                .map(|kind| kind.name().to_owned())
                .collect(),
            content: self.content.name().to_owned(),
            label_changes: self.label_changes.name().to_owned(),
            rights: self.rights.into_iter().map(Right::into_contract).collect(),
            extra: Vec::new(),
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Event => "event",
            Self::File => "file",
        }
    }
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Text => "text",
            Self::Html => "html",
            Self::Full => "full",
            Self::Raw => "raw",
        }
    }
}

impl LabelChanges {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Light => "light",
            Self::Full => "full",
        }
    }
}

impl Right {
    fn into_contract(self) -> contract::RightRequest {
        contract::RightRequest {
            right: self.right.to_owned(),
            target: self.target,
            reason: self.reason.to_owned(),
            optional: self.optional,
        }
    }
}
