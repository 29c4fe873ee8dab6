//! The `email` payload: a mail message (RFC 5322) as Gmail has it. Field for field the record
//! `email` of the contract; how it is made from MIME is in the Gmail source.

use crate::Participant;
use crate::flag_set::flag_set;
use serde::{Deserialize, Serialize};

/// A mail message. Times are milliseconds since 1970-01-01T00:00:00Z, sizes are bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Email {
    /// Gmail's message id.
    pub id: String,
    /// Gmail's thread id, only meaningful within the account.
    pub thread_id: String,
    /// Set for a draft: its stable id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<String>,
    /// `Message-ID` without angle brackets; empty where missing.
    pub message_id: String,
    /// Hash of `Message-ID`, `From` and `Date`; the account's own without `Message-ID`.
    pub message_key: String,
    /// System labels.
    pub flags: MailFlags,
    /// The tab in the inbox.
    pub category: MailCategory,
    /// Names of the user's own labels.
    pub labels: Vec<String>,
    /// Seen from the account's user.
    pub direction: Direction,
    /// Whether every participant is one of the domain's own addresses.
    pub internal: bool,
    /// `From`; the first one where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Participant>,
    /// `Sender`, only where it differs from `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Participant>,
    /// `Reply-To`.
    pub reply_to: Vec<Participant>,
    /// `To`, groups flattened.
    pub to: Vec<Participant>,
    /// `Cc`.
    pub cc: Vec<Participant>,
    /// `Bcc`.
    pub bcc: Vec<Participant>,
    /// `Subject`, decoded and unfolded.
    pub subject: String,
    /// Gmail's preview, HTML entities decoded.
    pub snippet: String,
    /// `Date`; absent where missing or not parseable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<i64>,
    /// Minutes east of UTC in `Date`; 0 where absent.
    pub date_offset: i16,
    /// When Google took the message in.
    pub internal_date: i64,
    /// `In-Reply-To`, without angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// `References`, oldest first, without angle brackets; the last 50.
    pub references: Vec<String>,
    /// `List-Id` without angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_id: Option<String>,
    /// `Auto-Submitted` or `Precedence`, lower case, where it is not `no`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_submitted: Option<String>,
    /// Whether a part is `text/calendar` with a method.
    pub has_invite: bool,
    /// Plain text; made from HTML where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// HTML as sent, not sanitized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Whether `text` or `html` was cut.
    pub truncated: bool,
    /// Parts that are attachments, in order, inline images included.
    pub attachments: Vec<Attachment>,
    /// Size of the whole message.
    pub size: u64,
    /// All header fields in order, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<(String, String)>>,
    /// The message as bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<BlobRef>,
}

/// An attachment of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// MIME part number (`1.2`); stable for a message.
    pub part_id: String,
    /// File name, decoded, no path; empty where none.
    pub filename: String,
    /// Lower case, without parameters.
    pub mime_type: String,
    /// Size after decoding.
    pub size: u64,
    /// `Content-ID` without angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Whether the HTML refers to it or its disposition is inline.
    pub inline: bool,
    /// The bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<BlobRef>,
}

/// Bytes in the spool, named by what they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
}

flag_set! {
    /// Gmail's system labels as a set.
    MailFlags {
        /// Not read yet.
        UNREAD = 0, "unread";
        /// Has a star.
        STARRED = 1, "starred";
        /// Marked important.
        IMPORTANT = 2, "important";
        /// In the inbox; absent means archived.
        INBOX = 3, "inbox";
        /// Sent by this account.
        SENT = 4, "sent";
        /// A draft.
        DRAFT = 5, "draft";
        /// In spam.
        SPAM = 6, "spam";
        /// In the bin.
        TRASH = 7, "trash";
    }
}

impl MailFlags {
    /// Gmail's label id of a single flag.
    pub(crate) fn gmail_label(self) -> &'static str {
        match self {
            Self::UNREAD => "UNREAD",
            Self::STARRED => "STARRED",
            Self::IMPORTANT => "IMPORTANT",
            Self::INBOX => "INBOX",
            Self::SENT => "SENT",
            Self::DRAFT => "DRAFT",
            Self::SPAM => "SPAM",
            _ => "TRASH",
        }
    }
}

/// The tab in Gmail's inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailCategory {
    /// No category.
    None,
    /// Primary.
    Personal,
    /// Social.
    Social,
    /// Promotions.
    Promotions,
    /// Updates.
    Updates,
    /// Forums.
    Forums,
    /// One that this release does not know.
    Other,
}

/// A message's direction, seen from the account's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From somebody else.
    Inbound,
    /// From this user (any of its addresses).
    Outbound,
    /// From this user to this user only.
    ToSelf,
}
