//! Names of things: accounts, addresses, feeds, items, records, sinks. Each its own type, so
//! that two texts cannot be swapped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The frozen name of an account in record keys and feeds: the Directory id, or the
    /// address at first connection where the Directory is not readable.
    AccountKey
}
text_id! {
    /// Google's id of an item within its feed: a message, an event, a file.
    ItemId
}
text_id! {
    /// Gmail's thread id.
    ThreadId
}
text_id! {
    /// A sink's name in the config.
    SinkName
}
text_id! {
    /// Names an item for ever, such as `gmail/ACCOUNT-KEY/MESSAGE`. Parts are percent-encoded.
    RecordKey
}

/// Keys separate by `/`, so it and all that could confuse a path or URL is encoded.
const KEY_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'@')
    .remove(b'+');

/// What the item of a draft begins with; Gmail's message ids are hex digits.
const DRAFT_PREFIX: &str = "draft:";

impl ItemId {
    /// A draft in the feed of its mailbox, by the draft's own id, which stays while each save
    /// puts another message behind it.
    pub fn draft(id: &str) -> Self {
        Self(format!("{DRAFT_PREFIX}{id}"))
    }

    /// The draft's id, if the item is one.
    pub fn draft_id(&self) -> Option<&str> {
        self.0.strip_prefix(DRAFT_PREFIX)
    }
}

/// The collection of an account's own calendar.
pub const PRIMARY_CALENDAR: &str = "primary";

/// The collection of an account's own files.
pub const MY_DRIVE: &str = "my-drive";

impl RecordKey {
    /// `gmail/ACCOUNT-KEY/MESSAGE`.
    pub fn gmail_message(account: &AccountKey, message: &ItemId) -> Self {
        Self(format!(
            "gmail/{}/{}",
            utf8_percent_encode(account.as_str(), KEY_PART),
            utf8_percent_encode(message.as_str(), KEY_PART)
        ))
    }

    /// `gmail/ACCOUNT-KEY/draft:ID`: the same whatever message is behind the draft.
    pub fn gmail_draft(account: &AccountKey, draft: &str) -> Self {
        Self(format!(
            "gmail/{}/{DRAFT_PREFIX}{}",
            utf8_percent_encode(account.as_str(), KEY_PART),
            utf8_percent_encode(draft, KEY_PART)
        ))
    }

    /// `calendar/ACCOUNT-KEY/primary/EVENT` for an account's own calendar,
    /// `calendar/shared:CALENDAR/EVENT` for any other one, whoever reads it.
    pub fn calendar_event(account: &AccountKey, calendar: &str, event: &ItemId) -> Self {
        let event = utf8_percent_encode(event.as_str(), KEY_PART);
        Self(if calendar == PRIMARY_CALENDAR {
            let account = utf8_percent_encode(account.as_str(), KEY_PART);
            format!("calendar/{account}/{PRIMARY_CALENDAR}/{event}")
        } else {
            let calendar = utf8_percent_encode(calendar, KEY_PART);
            format!("calendar/shared:{calendar}/{event}")
        })
    }

    /// `drive/ACCOUNT-KEY/FILE` for what is in an account's view, `drive/shared:DRIVE/FILE` for
    /// what is in a shared drive, whoever reads it.
    pub fn drive_file(account: &AccountKey, drive: &str, file: &ItemId) -> Self {
        let file = utf8_percent_encode(file.as_str(), KEY_PART);
        Self(if drive == MY_DRIVE {
            let account = utf8_percent_encode(account.as_str(), KEY_PART);
            format!("drive/{account}/{file}")
        } else {
            let drive = utf8_percent_encode(drive, KEY_PART);
            format!("drive/shared:{drive}/{file}")
        })
    }
}

/// A mail address as the config names it, folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Folds `text` to lower case. `None` unless it is `local@domain` without white space or
    /// control characters, each part not empty, at most 254 bytes (RFC 5321 section 4.5.3.1.3).
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let plain = !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "<>(),;:\"\\/".contains(c));
        let domain_ok = domain.contains('.')
            && domain.split('.').all(|label| {
                !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            });
        (plain && domain_ok && !local.is_empty() && !local.contains('@') && text.len() <= 254)
            .then(|| Self(text.to_lowercase()))
    }

    /// The folded address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A feed's number in the spool; also the lane's number in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedId(pub u64);

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A record's revision: grows with every record of the spool, below 2^53.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_parts_cannot_break_out() {
        let key = RecordKey::gmail_message(
            &AccountKey::new("ana@example.com"),
            &ItemId::new("a/../#?%b"),
        );
        assert_eq!(key.as_str(), "gmail/ana@example.com/a%2F..%2F%23%3F%25b");
        let draft = ItemId::draft("r-7/#");
        assert_eq!(draft.draft_id(), Some("r-7/#"));
        assert_eq!(ItemId::new("18c2").draft_id(), None);
        let key = RecordKey::gmail_draft(&AccountKey::new("7"), "r-7/#");
        assert_eq!(key.as_str(), "gmail/7/draft:r-7%2F%23");
        let (account, item) = (AccountKey::new("7"), ItemId::new("a/b"));
        let calendar = |id| RecordKey::calendar_event(&account, id, &item).to_string();
        assert_eq!(calendar(PRIMARY_CALENDAR), "calendar/7/primary/a%2Fb");
        assert_eq!(calendar("c:/d@x.y"), "calendar/shared:c%3A%2Fd@x.y/a%2Fb");
        let drive = |id| RecordKey::drive_file(&account, id, &item).to_string();
        assert_eq!(drive(MY_DRIVE), "drive/7/a%2Fb");
        assert_eq!(drive("0A/x"), "drive/shared:0A%2Fx/a%2Fb");
    }

    #[test]
    fn address_is_folded_and_checked() {
        assert_eq!(
            Address::parse("Ana@Example.COM").map(|a| a.to_string()),
            Some("ana@example.com".into())
        );
        for bad in [
            "",
            "ana",
            "@example.com",
            "ana@",
            "ana@localhost",
            "a b@example.com",
            "<ana@example.com>",
            "a@b@example.com",
            "ana@exa_mple.com",
            "ana@example..com",
        ] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
