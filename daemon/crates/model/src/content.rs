//! How much of an item a sink gets: a ladder, each rung with all below it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A rung of the content ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Header fields and labels, no body.
    Metadata,
    /// And the plain text.
    Text,
    /// And the HTML as sent.
    Html,
    /// And all header fields and the attachments' bytes.
    Full,
    /// And the message as bytes.
    Raw,
}

impl Content {
    /// All rungs, lowest first.
    pub const ALL: [Content; 5] = [
        Content::Metadata,
        Content::Text,
        Content::Html,
        Content::Full,
        Content::Raw,
    ];

    /// The name in config and contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Content::Metadata => "metadata",
            Content::Text => "text",
            Content::Html => "html",
            Content::Full => "full",
            Content::Raw => "raw",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Content {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Content::ALL
            .into_iter()
            .find(|rung| rung.as_str() == text)
            .ok_or(())
    }
}
