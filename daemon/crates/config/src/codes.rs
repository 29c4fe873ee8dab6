//! The stable codes of what can be wrong with a config, in one table with cause and remedy.
//! The wording of a single error is not here: it stands where the error is found.

use nuncio_model::CodeInfo;
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

const FILES: &str = "`nuncio check`, `nuncio plan` and `nuncio reload`, all with their places; `nuncio run` ends with exit code 78; the log of a daemon that goes on with the config of before";
const SECRET: &str = "`nuncio check`; `nuncio run` ends with exit code 78";

/// Every code of this crate in ascending order.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "CFG001",
        title: "the config file cannot be read",
        cause: "no file stands at the path, the process may not read it, or it is larger than 64 MiB",
        remedy: "check the path given by --config and that the daemon's user may read the file",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG002",
        title: "the config file can be changed by others than root and the daemon's user",
        cause: "its mode lets its group or everybody write, or another user owns it: who writes it decides what plugins may reach",
        remedy: "give it to root and remove write access for group and others: chmod go-w FILE",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG003",
        title: "a drop-in holds something other than users and sinks, or the folder cannot be read",
        cause: "files in conf.d beside the config add users and sinks; everything else has one place",
        remedy: "keep [[users]] and [sinks.NAME] in conf.d/*.toml, and everything else in the main file; make the folder readable for the daemon's user",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG004",
        title: "the config file is not UTF-8 text",
        cause: "an editor saved it in another encoding; the message names the first such line",
        remedy: "save it as UTF-8",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG005",
        title: "the file is not valid TOML",
        cause: "the marked place breaks TOML's rules: a quote or bracket that is not closed, text without quotes, a key twice",
        remedy: "correct the marked place; see https://toml.io",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG010",
        title: "a key has no meaning here",
        cause: "it is misspelled, stands in another section than its own, or is of no release",
        remedy: "correct the spelling, move it, or remove it",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG011",
        title: "a key or value is planned, but not built yet in this release",
        cause: "it is refused rather than ignored, so that nobody relies on it",
        remedy: "remove it",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG012",
        title: "a key that has no default is missing",
        cause: "the section cannot be carried out without it",
        remedy: "add it",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG013",
        title: "a value has the wrong TOML type",
        cause: "such as a number in quotes, a word without, `[users]` with one bracket, or one value where a list belongs",
        remedy: "write it as the message shows",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG014",
        title: "a value is none of the names allowed here",
        cause: "the key takes one of a few names, and this is none of them",
        remedy: "use one of the names listed",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG015",
        title: "a number, size or duration is outside its bounds, or a list is empty",
        cause: "the value would not work, or harm: the hint has the bounds",
        remedy: "use a value within the bounds",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG016",
        title: "a value cannot be read as what it should be",
        cause: "it is no duration, size, rate, address, domain, path or name, as the key needs one",
        remedy: "write it as the message shows",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG017",
        title: "a value is allowed only against a test endpoint",
        cause: "against Google itself there is always a budget, so that `quota` is \"off\" only with `endpoint`",
        remedy: "remove it, or set [google] endpoint to a fake Workspace",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG018",
        title: "two settings exclude each other",
        cause: "both say the same thing in other ways, and nobody could say which one holds",
        remedy: "keep one of the two",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG020",
        title: "a secret must not stand in the config",
        cause: "the value says neither file: nor credential:, so that it may be the secret itself; no message quotes it",
        remedy: "put it into a file and write file:/absolute/path, or credential:NAME with systemd's LoadCredential; replace a secret that stood in the config",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG021",
        title: "the endpoint is not an acceptable URL",
        cause: "tokens go there: it must be https, or on this machine, and name nothing but scheme, host and port",
        remedy: "write https://HOST[:PORT], or http:// with a loopback host, without path or query",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG030",
        title: "an address belongs to two users",
        cause: "an email or alias of one user is an email or alias of another, so that nobody could say whose it is",
        remedy: "keep it at one of the two places that are named",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG031",
        title: "a user is listed twice",
        cause: "two entries have the same email, in one file or two; upper and lower case are the same",
        remedy: "join the two entries into one",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG032",
        title: "an account is neither the user's email nor an alias",
        cause: "`accounts` connects addresses of this user only",
        remedy: "add the address to aliases, or correct it",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG033",
        title: "a value stands there twice",
        cause: "an alias, account or name is repeated, an alias is the user's own email, or two files have a sink of the same name",
        remedy: "remove one of the two",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG034",
        title: "two accounts have the same key",
        cause: "the key names an account in all its records, so that two would overwrite each other at the sinks",
        remedy: "give every account its own key: it names the account in record keys",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG040",
        title: "a sink's name is not allowed",
        cause: "the name stands in state, logs and commands",
        remedy: "use 1 to 64 of the characters a-z, 0-9, - and _",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG041",
        title: "a plugin is neither a file name nor an absolute path",
        cause: "it does not end in .wasm, or is a relative path, which would depend on where nuncio was started",
        remedy: "write NAME.wasm (in [plugins] dir) or an absolute path",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG042",
        title: "a granted directory is not acceptable",
        cause: "the guest's path is not plain or stands there twice, or the directory would lay open the config, the key or the plugins",
        remedy: "correct the path as the message says",
        seen: FILES,
    },
    CodeInfo {
        code: "CFG050",
        title: "a secret cannot be read",
        cause: "the file does not exist, is no regular file, or the process may not read it; or systemd handed over no credential of that name",
        remedy: "check that the file exists and that the daemon's user may read it; for credential:NAME, that the unit has LoadCredential=NAME:/path",
        seen: SECRET,
    },
    CodeInfo {
        code: "CFG051",
        title: "a secret's file is open to others",
        cause: "everybody may read it, its group or everybody may write it, or another user than root and the daemon's owns it",
        remedy: "chmod 0640 or stricter, owned by root or by the daemon's user",
        seen: SECRET,
    },
    CodeInfo {
        code: "CFG052",
        title: "a credential is named, but systemd handed none over",
        cause: "credential:NAME is handed over to nuncio.service only; this process was started otherwise, or the unit has no LoadCredential",
        remedy: "add LoadCredential=NAME:/path to the unit and restart, or use file:/path",
        seen: SECRET,
    },
    CodeInfo {
        code: "CFG053",
        title: "a secret's file has no usable content",
        cause: "it is empty, larger than 1 MiB or not UTF-8 text: mostly the wrong file",
        remedy: "write the secret into it as UTF-8 text, or correct the path",
        seen: SECRET,
    },
    CodeInfo {
        code: "CFG054",
        title: "a secret's file is a symbolic link",
        cause: "whoever may set the link chooses what is read, so that secrets are never read through one",
        remedy: "name the file itself, or hand it over as credential:NAME",
        seen: SECRET,
    },
    CodeInfo {
        code: "CFG060",
        title: "a value cannot change while nuncio runs; the config is refused as a whole",
        cause: "the key's place, the endpoint, the budgets, [spool] and [log] are taken up at a start only",
        remedy: "change it back, or restart nuncio",
        seen: "`nuncio plan` and `nuncio reload`; the log; `config.last_reload` in `nuncio status --json`",
    },
    CodeInfo {
        code: "CFG061",
        title: "a config takes many users away or widens what a sink may, and waits for an approval",
        cause: "it removes or pauses more than 5 % of the users and more than 5, or gives a sink that is there already more content or a further right; the config of before goes on",
        remedy: "look at it with nuncio plan; if it is meant: nuncio reload --approve HASH",
        seen: "`nuncio reload`; the log; `config.held` in `nuncio status --json`",
    },
    CodeInfo {
        code: "CFG062",
        title: "the config is broken, and nuncio started with the last good one",
        cause: "the files on disk have errors, and the state folder keeps the config that was in force last; `run --strict` ends with exit code 78 instead",
        remedy: "correct the files; they are taken up as soon as they are good",
        seen: "the log at a start, after the errors; `config.stale` in `nuncio status --json`",
    },
];
