//! The codes of feeds and verifications, with cause and remedy. Which error has which code stands
//! with who raises it.

use nuncio_model::CodeInfo;

const FEED: &str = "the feed's error in `nuncio status`, and the log";
const VERIFY: &str = "`nuncio user verify`";

/// Every code of feeds and verifications in ascending order.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "SRC001",
        title: "Google knows no such user",
        cause: "the Directory has no user of the configured address",
        remedy: "check the spelling, or remove the user from the config if the account was deleted",
        seen: FEED,
    },
    CodeInfo {
        code: "SRC002",
        title: "the address is not the mailbox's primary one",
        cause: "Google opened a mailbox of another name than the config says; its records would be attributed wrongly",
        remedy: "name the primary address, which the message tells, in `accounts`, and the configured one in `aliases`",
        seen: FEED,
    },
    CodeInfo {
        code: "SRC003",
        title: "a part of Google's answer cannot be read",
        cause: "an entry of a list or change log is not what the API promises, or its page leads back to itself; going on would lose something",
        remedy: "it is tried again; report it if it stays",
        seen: "the feed's error in `nuncio status`, and the log; or a failed item in `nuncio user show`, where it is known which item it was",
    },
    CodeInfo {
        code: "SRC004",
        title: "two configured addresses are one mailbox",
        cause: "another address of the config opens the same mailbox and reads it already; one mailbox is read once",
        remedy: "take the address out of `accounts`; as an alias it still names the user",
        seen: FEED,
    },
    CodeInfo {
        code: "SRC005",
        title: "nobody who is synced can read a calendar or shared drive any more",
        cause: "the last synced user who could read it left, lost the access or is refused; it is `orphaned`",
        remedy: "nothing is deleted in the sinks; give one of the synced users access, or remove its records with the user that had it",
        seen: FEED,
    },
    CodeInfo {
        code: "SRC006",
        title: "an event cannot be read",
        cause: "Google gives it without any time that can be read, or not as the API promises; the other events of the calendar go on",
        remedy: "it is tried again by itself, at once with `nuncio user verify --repair`; report it with the message if it stays",
        seen: "a failed item in `nuncio user show`",
    },
    CodeInfo {
        code: "SRC010",
        title: "a resync holds deletions",
        cause: "a comparison found very many items missing at Google (more than 1,000, and more than 30 % of those known); or a shared drive is read by another member than before, who alone does not list them",
        remedy: "if they were really deleted: nuncio user resync EMAIL --accept-deletes; if not, find out why Google does not list them, then `nuncio user resync EMAIL`",
        seen: "the feed's error in `nuncio status`, which calls it `held`; the log; `nuncio user verify`",
    },
    CodeInfo {
        code: "SRC011",
        title: "the first walk of the feed is not done",
        cause: "the index cannot be complete before, so that there is nothing to verify",
        remedy: "verify again when `nuncio status` shows it as live",
        seen: VERIFY,
    },
    CodeInfo {
        code: "SRC012",
        title: "a verification came to no end",
        cause: "the feed had to compare itself, or its reader changed, again and again while it was verified",
        remedy: "try again when `nuncio status` shows it as live",
        seen: VERIFY,
    },
    CodeInfo {
        code: "SRC013",
        title: "the feed is not connected yet",
        cause: "nuncio has just started, or the user was just added: the account has not been looked up",
        remedy: "try again in a moment",
        seen: VERIFY,
    },
    CodeInfo {
        code: "SRC014",
        title: "another verification of this feed is under way",
        cause: "a feed is verified by one `nuncio user verify` at a time",
        remedy: "wait for its end",
        seen: VERIFY,
    },
    CodeInfo {
        code: "SRC015",
        title: "the feed took no command, or stopped",
        cause: "it is busy with earlier commands, was taken out of the config, or nuncio is stopping",
        remedy: "see `nuncio status`, then try again",
        seen: VERIFY,
    },
    CodeInfo {
        code: "SRC016",
        title: "the address belongs to another account now",
        cause: "the Directory gives another id for the address: the earlier account was deleted or renamed, and the address given away",
        remedy: "nothing to do: the earlier account is parked, the new one is connected at once",
        seen: FEED,
    },
    CodeInfo {
        code: "SRC017",
        title: "a user's feeds are not as at Google, or not known to be",
        cause: "a verification found items that are missing, extra, stale or failed, or could not be done; it says which of each feed",
        remedy: "`nuncio user verify EMAIL --repair` makes right what is wrong; see what is said of each feed",
        seen: "`nuncio user verify`, with exit code 1",
    },
];

/// What to do about a code of this crate.
pub(crate) fn remedy(code: &str) -> &'static str {
    CodeInfo::remedy(CODES, code)
}
