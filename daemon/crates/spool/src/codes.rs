//! The codes of the spool, with cause and remedy: why it cannot be opened, and what becomes of a
//! running one (`nuncio_model::StoreError`). Which error has which code stands with who raises it.

use nuncio_model::CodeInfo;

const OPEN: &str = "`nuncio run` ends with exit code 70";

/// Every code of the spool in ascending order.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "SPL001",
        title: "the state folder cannot be used",
        cause: "it does not exist and cannot be made, or the process may not read and write in it",
        remedy: "make the folder and let the daemon's user own it",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL002",
        title: "the spool is in use by another process",
        cause: "another nuncio runs with the same state folder; two would spoil each other's positions",
        remedy: "stop the other daemon, or name another --state-dir",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL003",
        title: "the spool was written by a newer release",
        cause: "this release is older than the one that ran last, and does not know what that one keeps",
        remedy: "run the newer release again, or restore a backup of this one",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL004",
        title: "the spool is damaged",
        cause: "the database fails its check: a bad disk, or a file that something else changed or copied while it was in use; nothing of it was touched",
        remedy: "restore a backup, or move the file away: everything is then fetched and sent again",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL005",
        title: "the spool's file is a database of something else",
        cause: "a file of that name stands in the state folder and was not made by nuncio",
        remedy: "name another --state-dir, or move the file away",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL006",
        title: "the spool cannot be opened",
        cause: "SQLite could not open or prepare the database; the message has its words",
        remedy: "check the folder's rights and the disk",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL007",
        title: "the spool's writer cannot be started",
        cause: "the system gives no further thread",
        remedy: "raise the limit of processes of the daemon's user",
        seen: OPEN,
    },
    CodeInfo {
        code: "SPL010",
        title: "the spool is full",
        cause: "[spool] max_bytes is reached, or the disk has no space left: records come faster than the sinks take them, or a sink does not take any",
        remedy: "nothing is lost, sources wait; it goes on when sinks have taken records or there is more room: see `nuncio status` for a sink that stands still, or raise [spool] max_bytes and restart",
        seen: "the feeds' error in `nuncio status`, and the log; `nuncio reload`, where a new sink needs room",
    },
    CodeInfo {
        code: "SPL011",
        title: "the spool failed, or a part of nuncio did that cannot be left out",
        cause: "a read or write of the disk failed, or the daemon was stopping meanwhile; the log names it",
        remedy: "nothing that was acknowledged is lost; see the log and check the disk, then start nuncio again: it continues where it was",
        seen: "`nuncio run` ends with exit code 70, and the log",
    },
];

/// What to do about a code of this crate.
pub(crate) fn remedy(code: &str) -> &'static str {
    CodeInfo::remedy(CODES, code)
}
