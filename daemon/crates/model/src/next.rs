//! What a caller must do after an error; the one answer that every retry loop asks for.

use std::time::Duration;

/// What a caller must do next; decided where the failure is understood, never re-guessed
/// from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again, not before this time has passed.
    RetryAfter(Duration),
    /// Try again with growing delay.
    Backoff,
    /// The account may not be read now: wait for an operator, probe slowly.
    Reauthorize,
    /// The position is lost: compare by listing.
    Resync,
    /// This one thing will never work; go on with the others.
    Reject,
    /// The process cannot go on.
    Stop,
}
