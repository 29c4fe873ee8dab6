//! From the contract's types to ours: outcomes, errors, what a plugin says of itself.

use std::time::Duration;

use nuncio_model::{CallError, Outcome, Wait, untrusted};

use super::v0::nuncio::sink::records as wit;
use crate::guest_log::cut;
use crate::{RightRequest, SettingProblem};

/// Longest reason, in bytes; the contract says so.
const MAX_REASON_BYTES: usize = 1024;

/// Longest code, in bytes; the contract says so.
const MAX_CODE_BYTES: usize = 64;

/// What `describe` answered, not checked yet.
pub(crate) struct RawInfo {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) settings_schema: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) content: String,
    pub(crate) label_changes: String,
    pub(crate) rights: Vec<RightRequest>,
}

/// Why `open` failed, as the guest says it.
#[derive(Debug)]
pub(crate) enum OpenError {
    InvalidSettings(Vec<SettingProblem>),
    NotNow(CallError),
}

impl From<wit::Info> for RawInfo {
    fn from(info: wit::Info) -> Self {
        Self {
            name: info.name,
            version: info.version,
            description: info.description,
            settings_schema: info.settings_schema,
            kinds: info.kinds,
            content: info.content,
            label_changes: info.label_changes,
            rights: info.rights.into_iter().map(right).collect(),
        }
    }
}

fn right(request: wit::RightRequest) -> RightRequest {
    RightRequest {
        right: request.right,
        target: request.target,
        reason: request.reason,
        optional: request.optional,
    }
}

/// What became of one record.
pub(crate) fn outcome(outcome: wit::Outcome) -> Outcome {
    match outcome {
        wit::Outcome::Delivered => Outcome::Delivered,
        wit::Outcome::Retry(again) => Outcome::Retry(wait(again)),
        wit::Outcome::Deferred(again) => Outcome::Deferred(wait(again)),
        wit::Outcome::Rejected(failure) => Outcome::Rejected {
            code: code(failure.code),
            reason: reason(failure.reason),
        },
    }
}

/// Why a call as a whole failed.
pub(crate) fn write_error(error: wit::WriteError) -> CallError {
    match error {
        wit::WriteError::Unavailable(again) => CallError::Unavailable(wait(again)),
        wit::WriteError::Throttled(again) => CallError::Throttled(wait(again)),
        wit::WriteError::Fatal(failure) => fatal(failure),
    }
}

/// Why `open` failed.
pub(crate) fn open_error(error: wit::OpenError) -> OpenError {
    match error {
        wit::OpenError::InvalidSettings(problems) => {
            let problems = problems.into_iter().map(|problem| SettingProblem {
                pointer: untrusted(&problem.pointer).to_string(),
                message: untrusted(&problem.message).to_string(),
            });
            OpenError::InvalidSettings(problems.collect())
        }
        wit::OpenError::Unavailable(again) => {
            OpenError::NotNow(CallError::Unavailable(wait(again)))
        }
        wit::OpenError::Fatal(failure) => OpenError::NotNow(fatal(failure)),
    }
}

fn fatal(failure: wit::Failure) -> CallError {
    CallError::Fatal {
        code: code(failure.code),
        reason: reason(failure.reason),
    }
}

fn wait(wait: wit::Wait) -> Wait {
    Wait {
        after: wait.after_ms.map(Duration::from_millis),
        reason: reason(wait.reason),
    }
}

fn reason(mut text: String) -> String {
    text.truncate(cut(&text, MAX_REASON_BYTES).len());
    text
}

fn code(code: String) -> String {
    let is_valid = (1..=MAX_CODE_BYTES).contains(&code.len())
        && code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if is_valid {
        code
    } else {
        "invalid-code".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons_are_bounded() {
        assert_eq!(code("too-large".into()), "too-large");
        for bad in ["", "Too Large", "a\n", &"a".repeat(65)] {
            assert_eq!(code(bad.to_owned()), "invalid-code", "{bad:?}");
        }
        assert_eq!(reason("ä".repeat(600)).len(), 1024);
        assert_eq!(reason(format!("a{}", "ä".repeat(600))).len(), 1023);
    }
}
