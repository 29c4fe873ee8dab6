//! The stable codes of what can be wrong with a config, in one table with title and remedy.
//! The wording of a single error is not here: it stands where the error is found.

use serde::Serialize;
use std::fmt;

/// A stable code such as `CFG010`; once released it keeps its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

impl Code {
    /// The code as text.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

pub(crate) const UNREADABLE: Code = Code("CFG001");
pub(crate) const LOOSE_FILE: Code = Code("CFG002");
pub(crate) const DROP_INS: Code = Code("CFG003");
pub(crate) const NOT_UTF8: Code = Code("CFG004");
pub(crate) const SYNTAX: Code = Code("CFG005");
pub(crate) const UNKNOWN_KEY: Code = Code("CFG010");
pub(crate) const NOT_BUILT: Code = Code("CFG011");
pub(crate) const MISSING_KEY: Code = Code("CFG012");
pub(crate) const WRONG_TYPE: Code = Code("CFG013");
pub(crate) const UNKNOWN_VALUE: Code = Code("CFG014");
pub(crate) const OUT_OF_BOUNDS: Code = Code("CFG015");
pub(crate) const MALFORMED: Code = Code("CFG016");
pub(crate) const NEEDS_ENDPOINT: Code = Code("CFG017");
pub(crate) const EXCLUSIVE: Code = Code("CFG018");
pub(crate) const SECRET_INLINE: Code = Code("CFG020");
pub(crate) const ENDPOINT: Code = Code("CFG021");
pub(crate) const ADDRESS_CLASH: Code = Code("CFG030");
pub(crate) const DUPLICATE_USER: Code = Code("CFG031");
pub(crate) const FOREIGN_ACCOUNT: Code = Code("CFG032");
pub(crate) const REPEATED: Code = Code("CFG033");
pub(crate) const ACCOUNT_KEY_CLASH: Code = Code("CFG034");
pub(crate) const SINK_NAME: Code = Code("CFG040");
pub(crate) const PLUGIN_PATH: Code = Code("CFG041");
pub(crate) const GRANT_DIR: Code = Code("CFG042");
pub(crate) const SECRET_UNREADABLE: Code = Code("CFG050");
pub(crate) const SECRET_LOOSE: Code = Code("CFG051");
pub(crate) const NO_CREDENTIALS: Code = Code("CFG052");
pub(crate) const SECRET_CONTENT: Code = Code("CFG053");
pub(crate) const SECRET_LINK: Code = Code("CFG054");
/// A change that a running daemon cannot carry out.
pub const NEEDS_RESTART: Code = Code("CFG060");
/// A change that waits for an operator's approval.
pub const HELD: Code = Code("CFG061");
/// A start with the last good config.
pub const STALE: Code = Code("CFG062");

/// Every code of this crate in ascending order: code, what it means, what to do.
pub const CODES: &[(Code, &str, &str)] = &[
    (
        UNREADABLE,
        "the config file cannot be read",
        "check the path given by --config and that the daemon's user may read the file",
    ),
    (
        LOOSE_FILE,
        "the config file can be changed by others than root and the daemon's user",
        "give it to root and remove write access for group and others: chmod go-w FILE",
    ),
    (
        DROP_INS,
        "a drop-in holds something other than users and sinks, or the folder cannot be read",
        "keep [[users]] and [sinks.NAME] in conf.d/*.toml, and everything else in the main file",
    ),
    (
        NOT_UTF8,
        "the config file is not UTF-8 text",
        "save it as UTF-8",
    ),
    (
        SYNTAX,
        "the file is not valid TOML",
        "correct the marked place; see https://toml.io",
    ),
    (
        UNKNOWN_KEY,
        "a key has no meaning here",
        "correct the spelling, move it, or remove it",
    ),
    (
        NOT_BUILT,
        "a key or value is planned, but not built yet in this release",
        "remove it",
    ),
    (
        MISSING_KEY,
        "a key that has no default is missing",
        "add it",
    ),
    (
        WRONG_TYPE,
        "a value has the wrong TOML type",
        "write it as the message shows",
    ),
    (
        UNKNOWN_VALUE,
        "a value is none of the names allowed here",
        "use one of the names listed",
    ),
    (
        OUT_OF_BOUNDS,
        "a number, size or duration is outside its bounds",
        "use a value within the bounds",
    ),
    (
        MALFORMED,
        "a value cannot be read as what it should be",
        "write it as the message shows",
    ),
    (
        NEEDS_ENDPOINT,
        "a value is allowed only against a test endpoint",
        "remove it, or set [google] endpoint to a fake Workspace",
    ),
    (
        EXCLUSIVE,
        "two settings exclude each other",
        "keep one of the two",
    ),
    (
        SECRET_INLINE,
        "a secret must not stand in the config",
        "put it into a file and write file:/absolute/path, or credential:NAME with systemd's LoadCredential",
    ),
    (
        ENDPOINT,
        "the endpoint is not an acceptable URL",
        "write https://HOST[:PORT], or http:// with a loopback host, without path or query",
    ),
    (
        ADDRESS_CLASH,
        "an address belongs to two users",
        "keep it at one of the two places that are named",
    ),
    (
        DUPLICATE_USER,
        "a user is listed twice",
        "join the two entries into one",
    ),
    (
        FOREIGN_ACCOUNT,
        "an account is neither the user's email nor an alias",
        "add the address to aliases, or correct it",
    ),
    (
        REPEATED,
        "a value stands there twice",
        "remove one of the two",
    ),
    (
        ACCOUNT_KEY_CLASH,
        "two accounts have the same key",
        "give every account its own key: it names the account in record keys",
    ),
    (
        SINK_NAME,
        "a sink's name is not allowed",
        "use 1 to 64 of the characters a-z, 0-9, - and _",
    ),
    (
        PLUGIN_PATH,
        "a plugin is neither a file name nor an absolute path",
        "write NAME.wasm (in [plugins] dir) or an absolute path",
    ),
    (
        GRANT_DIR,
        "a granted directory is not acceptable",
        "correct the path as the message says",
    ),
    (
        SECRET_UNREADABLE,
        "a secret cannot be read",
        "check that the file exists and that the daemon's user may read it",
    ),
    (
        SECRET_LOOSE,
        "a secret's file is open to others",
        "chmod 0640 or stricter, owned by root or by the daemon's user",
    ),
    (
        NO_CREDENTIALS,
        "a credential is named, but systemd handed none over",
        "add LoadCredential=NAME:/path to the unit and restart, or use file:/path",
    ),
    (
        SECRET_CONTENT,
        "a secret's file has no usable content",
        "write the secret into it as UTF-8 text",
    ),
    (
        SECRET_LINK,
        "a secret's file is a symbolic link",
        "name the file itself, or hand it over as credential:NAME",
    ),
    (
        NEEDS_RESTART,
        "a value cannot change while nuncio runs; the config is refused as a whole",
        "change it back, or restart nuncio",
    ),
    (
        HELD,
        "a config takes many users away or widens what a sink may, and waits for an approval",
        "look at it with nuncio plan; if it is meant: nuncio reload --approve HASH",
    ),
    (
        STALE,
        "the config is broken, and nuncio started with the last good one",
        "correct the files; they are taken up as soon as they are good",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ascending() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn every_code_has_title_and_remedy() {
        for (code, title, remedy) in CODES {
            assert!(
                code.as_str().starts_with("CFG") && code.as_str().len() == 6,
                "{code}"
            );
            assert!(!title.is_empty() && !remedy.is_empty(), "{code}");
        }
    }
}
