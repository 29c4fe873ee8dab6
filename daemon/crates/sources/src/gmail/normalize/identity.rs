//! What identifies a mail and ties it to others: ids, references, list, and the key by which a
//! sink merges the copies of one mail in several mailboxes.

use super::header::{Headers, without_comments};
use super::limits::MAX_REFERENCES;
use super::{Context, Envelope};
use sha2::{Digest, Sha256};

/// How much of the hash is kept, in hex characters; 128 bits.
const KEY_CHARS: usize = 32;

/// `Message-ID` without brackets; empty where missing.
pub(super) fn message_id(headers: &Headers<'_>) -> String {
    headers
        .ids("message-id")
        .into_iter()
        .next()
        .or_else(|| headers.raw("message-id"))
        .unwrap_or_default()
}

/// The same in every mailbox, or the account's own where there is no `Message-ID`: such a mail
/// cannot be told from another one.
pub(super) fn message_key(
    envelope: &Envelope<'_>,
    context: &Context<'_>,
    headers: &Headers<'_>,
    message_id: &str,
    from: &str,
) -> String {
    let date = headers.raw("date").unwrap_or_default();
    let parts = match message_id {
        "" => ["account", context.account.as_str(), envelope.id, ""],
        message_id => ["message", message_id, from, &date],
    };
    let mut key = hex(&Sha256::digest(parts.join("\n")));
    key.truncate(KEY_CHARS);
    key
}

/// `References`, oldest first, the last 50.
pub(super) fn references(headers: &Headers<'_>) -> Vec<String> {
    let mut ids = headers.ids("references");
    ids.drain(..ids.len().saturating_sub(MAX_REFERENCES));
    ids
}

/// `List-Id` without its description and brackets (RFC 2919).
pub(super) fn list_id(headers: &Headers<'_>) -> Option<String> {
    let value = headers.raw("list-id")?;
    let id = value.rsplit_once('<').map_or(value.as_str(), |(_, rest)| {
        rest.split('>').next().unwrap_or(rest)
    });
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// `Auto-Submitted` (RFC 3834), else `Precedence`; lower case, without parameters, never `no`.
pub(super) fn auto_submitted(headers: &Headers<'_>) -> Option<String> {
    ["auto-submitted", "precedence"]
        .into_iter()
        .find_map(|name| {
            let value = without_comments(&headers.raw(name)?).to_lowercase();
            let word = value.trim_start().split([';', ' ']).next()?.to_owned();
            (!word.is_empty() && word != "no").then_some(word)
        })
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gmail::normalize::notes::Notes;

    #[test]
    fn lists_and_machines_are_told() {
        let notes = &mut Notes::default();
        let list = |value: &str| {
            let block = format!("List-Id: {value}\n");
            list_id(&Headers::parse(block.as_bytes(), &mut Notes::default()))
        };
        assert_eq!(
            list("\"Dev <x>\" <dev.example.com>").as_deref(),
            Some("dev.example.com")
        );
        assert_eq!(
            list(" dev.example.com ").as_deref(),
            Some("dev.example.com")
        );
        assert_eq!(list("<>"), None);
        let mut auto = |block: &str| auto_submitted(&Headers::parse(block.as_bytes(), notes));
        assert_eq!(
            auto("Auto-Submitted: Auto-Replied (vacation)\n").as_deref(),
            Some("auto-replied")
        );
        assert_eq!(
            auto("Auto-Submitted: no\nPrecedence: Bulk\n").as_deref(),
            Some("bulk")
        );
        assert_eq!(auto("Auto-Submitted: no\n"), None);
    }
}
