//! Exit codes and the failure that carries one. What the codes mean is part of the command
//! line's contract.

use std::fmt;
use std::process::ExitCode;

/// An exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u8);

/// Done.
pub(crate) const OK: Code = Code(0);
/// It failed.
pub(crate) const FAILURE: Code = Code(1);
/// Wrong usage, or something that is not built yet.
pub(crate) const USAGE: Code = Code(2);
/// `plan` found changes.
pub(crate) const CHANGES: Code = Code(3);
/// A broken invariant or spool.
pub(crate) const BROKEN: Code = Code(70);
/// A bad config.
pub(crate) const CONFIG: Code = Code(78);

impl Code {
    /// Any other code.
    pub(crate) const fn raw(code: u8) -> Self {
        Self(code)
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code.0)
    }
}

/// Why a command failed: what a person reads, and what a script sees.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    text: String,
}

impl Failure {
    /// A failure with its exit code. `text` may have several lines.
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// An exit code without a text: everything is said already.
    pub(crate) fn silent(code: Code) -> Self {
        Self::new(code, "")
    }

    /// `error: WHAT` with a stable code and a `hint:` line.
    pub(crate) fn coded(code: Code, stable: &str, what: &str, hint: &str) -> Self {
        let mut text = format!("error[{stable}]: {what}");
        if !hint.is_empty() {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        Self { code, text }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::coded(FAILURE, "ADM008", &format!("{error:#}"), "")
    }
}
