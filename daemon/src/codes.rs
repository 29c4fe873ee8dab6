//! The table of all errors that an operator can meet: the rows of the daemon itself and of its
//! command line, joined with those of the crates. How it is printed is in `cli::explain`.

use nuncio_model::CodeInfo;

/// The codes that only the daemon and its command line raise, in ascending order.
const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "ADM001",
        title: "no daemon answers",
        cause: "nothing listens at the admin socket, or this user may not use it; a daemon that was started with another --state-dir or --socket has its socket there",
        remedy: "is `nuncio run` up, with the same --state-dir or --socket? may this user use the socket (group nuncio-admin)?",
        seen: "every command that asks the daemon, with exit code 1",
    },
    CodeInfo {
        code: "ADM002",
        title: "the admin socket cannot be made",
        cause: "another daemon answers there, something that is no socket stands there, the folder cannot be written, or the path is longer than a socket's may be (about 100 bytes)",
        remedy: "is another nuncio running? else choose a short path that can be written with --socket",
        seen: "`nuncio run` ends with exit code 1",
    },
    CodeInfo {
        code: "ADM003",
        title: "the daemon's answer broke off or cannot be read",
        cause: "the daemon ended meanwhile, is of another release than the command, or something else answers at the socket",
        remedy: "see the daemon's log, and that the command is of the same release; then try again",
        seen: "every command that asks the daemon, with exit code 1",
    },
    CodeInfo {
        code: "ADM004",
        title: "the daemon refuses what was asked",
        cause: "it knows no user, sink or source of that name, or has nothing to do that for; the message says which",
        remedy: "see `nuncio status` and `nuncio user list` for what there is",
        seen: "every command that asks the daemon, with exit code 1",
    },
    CodeInfo {
        code: "ADM005",
        title: "the daemon cannot do it now",
        cause: "it is stopping, has not taken up earlier commands yet, or its spool failed",
        remedy: "try again; if it stays, see the daemon's log",
        seen: "every command that asks the daemon, with exit code 1",
    },
    CodeInfo {
        code: "ADM006",
        title: "a part of nuncio panicked, which is a bug",
        cause: "a mistake in nuncio; the part starts again where it was, the others go on, and what was under way is done again",
        remedy: "report the place that the log names; it holds no mail content",
        seen: "the log",
    },
    CodeInfo {
        code: "ADM007",
        title: "the history of the config cannot be used",
        cause: "the folder config-history in the state folder cannot be read, or has no config of that hash: the newest 50 are kept",
        remedy: "see `nuncio config history` for what there is, and that --state-dir is the daemon's and may be read",
        seen: "`nuncio config`, with exit code 1",
    },
    CodeInfo {
        code: "ADM008",
        title: "the system did not do what a command needs",
        cause: "such as a file or stdout that cannot be written, or signals that cannot be listened for; the message has the system's words",
        remedy: "go by the cause that the message ends with",
        seen: "any command, with exit code 1",
    },
    CodeInfo {
        code: "ADM009",
        title: "the list of users that were stopped by hand cannot be read",
        cause: "overlays.json in the state folder is damaged or cannot be read; nobody would know who is to stay stopped",
        remedy: "mend it, or remove it: then all users that were stopped by hand start again",
        seen: "`nuncio run` ends with exit code 1",
    },
    CodeInfo {
        code: "ADM010",
        title: "a login came to nothing",
        cause: "the person or a policy said no (access_denied, admin_policy_enforced), nobody consented in time, or the address is no account of the config",
        remedy: "access_denied is a person's no; admin_policy_enforced is the domain's: allow the client under Security > API controls in the Admin console",
        seen: "`nuncio login`, with exit code 1",
    },
    CodeInfo {
        code: "ADM011",
        title: "Google refuses some of what nuncio would read",
        cause: "each failed account is listed with its own code",
        remedy: "go by the hints of the list",
        seen: "`nuncio check --online`, with exit code 1",
    },
];

/// The tables of all crates.
const TABLES: [&[CodeInfo]; 7] = [
    CODES,
    nuncio_config::CODES,
    nuncio_dispatch::CODES,
    nuncio_google::CODES,
    nuncio_plugin_host::CODES,
    nuncio_sources::CODES,
    nuncio_spool::CODES,
];

/// What the first letters of codes stand for, in the order of the list. The words of the plugin
/// contract have no such letters.
const PREFIXES: [(&str, &str); 8] = [
    ("CFG", "The config"),
    ("AUTH", "The service account's key, and tokens"),
    ("GGL", "Calls of Google"),
    ("SRC", "Feeds and verifications"),
    ("SPL", "The spool"),
    ("PLG", "Plugins"),
    ("ADM", "The daemon and its command line"),
    ("", "Calls of a sink, and dead letters"),
];

/// Codes that belong together.
pub(crate) struct Group {
    /// The first letters of all its codes; empty for words.
    pub prefix: &'static str,
    /// What they are about.
    pub title: &'static str,
    /// The codes in ascending order.
    pub rows: Vec<&'static CodeInfo>,
}

/// All errors.
pub(crate) fn all() -> impl Iterator<Item = &'static CodeInfo> {
    TABLES.into_iter().flatten()
}

/// All errors, by what they are about.
pub(crate) fn groups() -> Vec<Group> {
    let groups = PREFIXES.into_iter().map(|(prefix, title)| {
        let mut rows: Vec<_> = all().filter(|row| prefix_of(row) == prefix).collect();
        rows.sort_by_key(|row| row.code);
        Group {
            prefix,
            title,
            rows,
        }
    });
    groups.collect()
}

/// What to do about a code of the daemon's own.
pub(crate) fn remedy(code: &str) -> &'static str {
    CodeInfo::remedy(CODES, code)
}

fn prefix_of(row: &CodeInfo) -> &'static str {
    let is_letter = |letter: char| letter.is_ascii_uppercase();
    let end = row.code.find(|letter| !is_letter(letter)).unwrap_or(0);
    &row.code[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_one_group_and_once() {
        let mut grouped: Vec<&str> = groups()
            .iter()
            .flat_map(|group| group.rows.iter().map(|row| row.code))
            .collect();
        assert_eq!(
            grouped.len(),
            all().count(),
            "a prefix is not in the table of prefixes"
        );
        assert!(groups().iter().all(|group| !group.rows.is_empty()));
        grouped.sort_unstable();
        assert!(grouped.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn every_row_says_all_in_one_line_each() {
        for row in all() {
            for text in [row.title, row.cause, row.remedy, row.seen] {
                assert!(!text.is_empty() && !text.contains('\n'), "{row:?}");
                assert!(!text.ends_with('.') && text.trim() == text, "{row:?}");
            }
        }
    }
}
