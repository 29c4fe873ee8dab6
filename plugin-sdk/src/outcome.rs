//! Short ways to build outcomes and errors. Their meaning stands in the contract.

use std::time::Duration;

use crate::{Failure, OpenError, Outcome, SettingProblem, Wait, WriteError};

impl Outcome {
    /// The record failed and may work later; counts as an attempt.
    pub fn retry(after: Option<Duration>, reason: impl Into<String>) -> Self {
        Self::Retry(Wait::new(after, reason))
    }

    /// The record was not tried; counts no attempt and pauses the sink.
    pub fn deferred(after: Option<Duration>, reason: impl Into<String>) -> Self {
        Self::Deferred(Wait::new(after, reason))
    }

    /// The record will never work and goes to the dead letters. `code` is at most 64
    /// characters of `a-z 0-9 . -`.
    pub fn rejected(code: &str, reason: impl Into<String>) -> Self {
        Self::Rejected(Failure::new(code, reason))
    }
}

impl WriteError {
    /// The target is unreachable or broken.
    pub fn unavailable(after: Option<Duration>, reason: impl Into<String>) -> Self {
        Self::Unavailable(Wait::new(after, reason))
    }

    /// The target asks to slow down.
    pub fn throttled(after: Option<Duration>, reason: impl Into<String>) -> Self {
        Self::Throttled(Wait::new(after, reason))
    }

    /// The sink cannot work until somebody changes something.
    pub fn fatal(code: &str, reason: impl Into<String>) -> Self {
        Self::Fatal(Failure::new(code, reason))
    }
}

impl OpenError {
    /// One setting is wrong. `pointer` is a JSON Pointer
    /// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) into the settings.
    pub fn invalid_setting(pointer: &str, message: impl Into<String>) -> Self {
        Self::InvalidSettings(vec![SettingProblem {
            pointer: pointer.to_owned(),
            message: message.into(),
        }])
    }

    /// The target is not there; the sink starts paused and is tried again.
    pub fn unavailable(after: Option<Duration>, reason: impl Into<String>) -> Self {
        Self::Unavailable(Wait::new(after, reason))
    }

    /// The sink cannot work until somebody changes something.
    pub fn fatal(code: &str, reason: impl Into<String>) -> Self {
        Self::Fatal(Failure::new(code, reason))
    }
}

impl Wait {
    /// Not before `after`; where absent, the host's backoff applies.
    pub fn new(after: Option<Duration>, reason: impl Into<String>) -> Self {
        let after_ms = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        Self {
            after_ms,
            reason: reason.into(),
        }
    }
}

impl Failure {
    /// A cause for the dead letters or for a stopped sink.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            reason: reason.into(),
        }
    }
}
