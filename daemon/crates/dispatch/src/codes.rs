//! The words with which a sink's error and a dead letter say what happened in a call that
//! delivers: nuncio's own, and those that the plugin contract calls well known. A plugin may use
//! others; they are not known here.

use nuncio_model::CodeInfo;

const SINK: &str = "the sink's error in `nuncio status`, and the log";
const LETTER: &str = "`nuncio deadletters list`";
const BROKEN: &str = "the sink's error in `nuncio status`, and the log; `nuncio deadletters list`, once the record that does it has used up its attempts";

/// Every word in alphabetical order.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "attempts-used-up",
        title: "a record failed as often as it may",
        cause: "the sink answered `retry` for it `retry.max_attempts` times; the reason is that of the last time",
        remedy: "remove the cause that the reason names, then `nuncio deadletters retry`",
        seen: LETTER,
    },
    CodeInfo {
        code: "bug",
        title: "the plugin has a mistake",
        cause: "it broke when it was opened again while delivering, or said so itself; nothing is lost, its records wait",
        remedy: "tell the plugin's author with the reason, or use another version; it is tried again every five minutes",
        seen: SINK,
    },
    CodeInfo {
        code: "conflict",
        title: "the target has something else in the record's place",
        cause: "said by the plugin of this record; the reason has its words",
        remedy: "see the plugin's README; then `nuncio deadletters retry`",
        seen: LETTER,
    },
    CodeInfo {
        code: "credentials",
        title: "the target does not accept the plugin's credentials",
        cause: "said by the plugin; the reason has its words",
        remedy: "put valid credentials in their place; it is tried again every five minutes",
        seen: SINK,
    },
    CodeInfo {
        code: "forbidden",
        title: "the target does not allow it",
        cause: "said by the plugin, of one record or of all; the reason has its words",
        remedy: "give the plugin's account at the target the right that is missing; then `nuncio deadletters retry` for records that were refused",
        seen: "the sink's error in `nuncio status`, and the log; `nuncio deadletters list`",
    },
    CodeInfo {
        code: "invalid",
        title: "the sink cannot take a record as it is",
        cause: "said by the plugin of this record; `archive` says it of mail without its bytes, which need `content = \"raw\"`, and of keys that are not those of a mail",
        remedy: "do what the reason says, then `nuncio deadletters retry`",
        seen: LETTER,
    },
    CodeInfo {
        code: "invalid-code",
        title: "the plugin named no valid code",
        cause: "a code is 1 to 64 of a-z, 0-9, `.` and `-`; what the plugin named is none, so this stands in its place",
        remedy: "go by the reason; tell the plugin's author",
        seen: "the sink's error in `nuncio status`, and the log; `nuncio deadletters list`",
    },
    CodeInfo {
        code: "invalid-settings",
        title: "the plugin does not accept its settings any more",
        cause: "it did when the sink was opened, and refused the same settings when a further instance was opened",
        remedy: "correct `settings` of the sink as the reason says; it is tried again every five minutes",
        seen: SINK,
    },
    CodeInfo {
        code: "memory",
        title: "the plugin ran out of memory in a call",
        cause: "an instance needed more than `limits.memory`; a single huge record does that, or a plugin that keeps too much",
        remedy: "raise `limits.memory` of the sink if the plugin needs more, or lower `batch.bytes`; then `nuncio deadletters retry` for what became a dead letter",
        seen: BROKEN,
    },
    CodeInfo {
        code: "retry",
        title: "the sink wants a record again, or later",
        cause: "it could not deliver it, or did not try; the reason has its words, and later records of the same feed wait behind it",
        remedy: "nothing to do unless it lasts: nuncio sends it again; the reason tells what the sink waits for",
        seen: "the sink's error in `nuncio status`",
    },
    CodeInfo {
        code: "schema",
        title: "the target is not set up as the plugin needs it",
        cause: "said by the plugin: a table, index or field at the target is missing or of another form",
        remedy: "set the target up as the plugin's README tells; it is tried again every five minutes",
        seen: SINK,
    },
    CodeInfo {
        code: "throttled",
        title: "the target limits the sink",
        cause: "said by the plugin: the target asked for fewer calls; no attempt is counted",
        remedy: "nothing to do: the sink pauses and goes on",
        seen: SINK,
    },
    CodeInfo {
        code: "timeout",
        title: "the plugin took too long in a call",
        cause: "the call was still running after `limits.call_time`, and was cut off; it is delivered again",
        remedy: "see whether the target answers; raise `limits.call_time` of the sink or lower `batch.records` if it only needs longer; then `nuncio deadletters retry` for what became a dead letter",
        seen: BROKEN,
    },
    CodeInfo {
        code: "too-large",
        title: "a record is too large for the target",
        cause: "said by the plugin of this record; the reason has its words",
        remedy: "raise the limit at the target, or cap `content` of the sink; then `nuncio deadletters retry`",
        seen: LETTER,
    },
    CodeInfo {
        code: "trap",
        title: "the plugin crashed in a call",
        cause: "a panic, an endless recursion or a forbidden access in the plugin; the reason names the functions, and its log may say more. The records go one by one until the one is found that does it",
        remedy: "this is a mistake in the plugin: tell its author, or use another version; then `nuncio deadletters retry`",
        seen: BROKEN,
    },
    CodeInfo {
        code: "unavailable",
        title: "the target cannot be reached",
        cause: "said by the plugin: the target is down or the disk refuses; or nuncio could not make a further instance of it. No attempt is counted",
        remedy: "bring the target back, as the reason says; the sink pauses, keeps its place and goes on by itself",
        seen: SINK,
    },
    CodeInfo {
        code: "unsupported",
        title: "the sink does not take records of this kind",
        cause: "said by the plugin of this record; `archive` says it of everything that is no mail",
        remedy: "set `records` of the sink to the kinds that it takes, such as records = [\"email\"]",
        seen: LETTER,
    },
    CodeInfo {
        code: "wrong-length",
        title: "the plugin did not answer for every record",
        cause: "it gave more or fewer outcomes than it got records, so that none of them counts as delivered",
        remedy: "this is a mistake in the plugin: tell its author, or use another version; then `nuncio deadletters retry`",
        seen: BROKEN,
    },
];
