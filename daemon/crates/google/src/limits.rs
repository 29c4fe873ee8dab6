//! The numbers that bound every call, with the reason of each default. Budgets by Google's
//! price lists are in `quota`.

use std::time::Duration;

/// A pause up to this is waited for inside a call; a longer one is the caller's to schedule,
/// so that no task sits on a call for minutes.
pub(crate) const LONGEST_WAIT_IN_CALL: Duration = Duration::from_secs(30);

/// What bounds a call. Tests shorten the times; everyone else takes the default.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For one call with all its waits and repeats: twice the longest wait and some air.
    pub deadline: Duration,
    /// For an answer's head, and again for each piece of its body. Google cuts at 60 s.
    pub answer_timeout: Duration,
    /// The first wait before a repeat is at least this; Google asks for a second.
    /// <https://developers.google.com/workspace/drive/api/guides/limits>
    pub backoff_floor: Duration,
    /// No wait of our own choice is longer; Google names 32 or 64 s.
    pub backoff_ceiling: Duration,
    /// Sends of one call, the first one included.
    pub max_attempts: u32,
    /// Longest accepted body, out of its gzip. A message of 36,700,160 bytes (Gmail's upload limit; received
    /// ones may be some larger) is 49 MB in base64.
    pub max_body_bytes: usize,
    /// Whether answers may come in gzip: a fifth of the bytes, for some time of the processor.
    /// <https://developers.google.com/workspace/gmail/api/guides/performance>
    pub gzip: bool,
    /// Calls in flight per mailbox. The ceiling is not documented; trouble is reported from
    /// about ten. <https://developers.google.com/workspace/gmail/api/guides/handle-errors>
    pub in_flight_per_mailbox: usize,
    /// Large messages that may be in memory at once, over all mailboxes. One takes up to three
    /// times its size: in base64, as bytes, and with its attachments taken out.
    pub large_slots: usize,
    /// How long a failed token request answers the callers that come after it, so that twenty
    /// waiting calls do not send twenty requests.
    pub refusal_memory: Duration,
    /// Seeds the jitter of waits; fixed in tests.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(120),
            answer_timeout: Duration::from_secs(60),
            backoff_floor: Duration::from_secs(1),
            backoff_ceiling: Duration::from_secs(32),
            max_attempts: 5,
            max_body_bytes: 80 << 20,
            gzip: true,
            in_flight_per_mailbox: 4,
            large_slots: 2,
            refusal_memory: Duration::from_secs(1),
            seed: fastrand::u64(..),
        }
    }
}
