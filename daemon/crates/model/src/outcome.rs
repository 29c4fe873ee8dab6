//! What a sink says about a batch. The rules for what follows from it are in dispatch.

use std::time::Duration;

/// Not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Not before this much time; none: the host's backoff decides.
    pub after: Option<Duration>,
    /// For the operator. Untrusted text.
    pub reason: String,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Durable at the target, or the sink has no use for it.
    Delivered,
    /// Failed, may work later; counts as an attempt and holds its lane.
    Retry(Wait),
    /// Not tried; counts no attempt and pauses the sink.
    Deferred(Wait),
    /// Will never work.
    Rejected {
        /// Groups dead letters.
        code: String,
        /// For the operator. Untrusted text.
        reason: String,
    },
}

/// A call as a whole failed: no record counts as delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CallError {
    /// The target is unreachable or broken: the sink pauses, no attempt is counted.
    Unavailable(Wait),
    /// The target limits: the sink pauses, no attempt is counted.
    Throttled(Wait),
    /// The sink stops until its config, plugin or secret changes.
    Fatal {
        /// Well known: `credentials`, `forbidden`, `schema`, `bug`.
        code: String,
        /// For the operator. Untrusted text.
        reason: String,
    },
    /// The guest trapped, ran out of memory or time, or answered with a wrong number of
    /// outcomes. The instance is gone. One of the batch's records may be the cause.
    Broken {
        /// `trap`, `memory`, `timeout`, `wrong-length`.
        code: &'static str,
        /// For the operator.
        reason: String,
    },
}
