//! Names in a Maildir (<https://cr.yp.to/proto/maildir.html>): where things lie under an
//! account's folder, and Gmail's labels as the flags of a file name.

use nuncio_sdk::{MailFlags, key};

/// The folders of an account. `labels` is ours; the others make the Maildir.
pub(crate) const CUR: &str = "cur";
pub(crate) const NEW: &str = "new";
pub(crate) const TMP: &str = "tmp";
pub(crate) const LABELS: &str = "labels";

/// What stands between a message's unique name and its flags.
const INFO: &str = ":2,";

/// The folder of an account and the unique name of a message in it, both made from ids only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) message: String,
}

impl Place {
    /// Where the mail with this record key lies. None if it is no key of a mail.
    pub(crate) fn of(record_key: &str) -> Option<Self> {
        match key::parts(record_key)?.as_slice() {
            ["gmail", account, message] => Some(Self {
                account: key::file_name(account),
                message: key::file_name(message),
            }),
            _ => None,
        }
    }
}

/// The file name in `cur` of a message with these flags. Flags stand in ASCII order; Gmail
/// knows no `R` (replied) and no `P` (passed on).
pub(crate) fn file_name(message: &str, flags: MailFlags) -> String {
    let mut name = format!("{message}{INFO}");
    let letters = [
        ('D', flags.contains(MailFlags::DRAFT)),
        ('F', flags.contains(MailFlags::STARRED)),
        ('S', !flags.contains(MailFlags::UNREAD)),
        ('T', flags.contains(MailFlags::TRASH)),
    ];
    name.extend(
        letters
            .iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(letter, _)| letter),
    );
    name
}

/// The message that a file in `cur` belongs to, whatever its flags.
pub(crate) fn message_of(file_name: &str) -> &str {
    // Our names hold no colon (see `key::file_name`), so the first one begins the flags.
    file_name.split(':').next().unwrap_or(file_name)
}

/// The file name in `labels` of a message.
pub(crate) fn sidecar_name(message: &str) -> String {
    format!("{message}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_in_ascii_order() {
        let cases = [
            (MailFlags::UNREAD | MailFlags::INBOX, "m:2,"),
            (MailFlags::empty(), "m:2,S"),
            (
                MailFlags::STARRED | MailFlags::UNREAD | MailFlags::IMPORTANT,
                "m:2,F",
            ),
            (MailFlags::all() - MailFlags::UNREAD, "m:2,DFST"),
            (MailFlags::all(), "m:2,DFT"),
        ];
        for (flags, name) in cases {
            assert_eq!(file_name("m", flags), name);
            assert_eq!(message_of(name), "m");
        }
        assert_eq!(message_of("no-flags"), "no-flags");
    }

    #[test]
    fn places_come_from_keys_of_mails_only() {
        let place = Place::of("gmail/ana%40example.com/draft:r-7").unwrap();
        assert_eq!(
            (place.account.as_str(), place.message.as_str()),
            ("ana%40example.com", "draft=3Ar-7")
        );
        for key in [
            "gmail/104",
            "gmail/104/18c2/x",
            "gmail//18c2",
            "drive/104/f",
            "",
            "gmail/104/",
        ] {
            assert_eq!(Place::of(key), None, "{key}");
        }
        let hostile = Place::of("gmail/../..").unwrap();
        assert_eq!(
            (hostile.account.as_str(), hostile.message.as_str()),
            ("=2E.", "=2E.")
        );
    }
}
