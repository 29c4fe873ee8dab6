//! What follows for a lane from a sink's answers: pure rules, no IO, no time read.
//!
//! A lane is acknowledged up to the first record that is to come again; what stands behind it
//! counts as not delivered, whatever was answered for it.

use nuncio_model::{Outcome, Wait};
use std::time::Duration;

/// The code of a dead letter that used up its attempts.
const CODE_ATTEMPTS: &str = "attempts-used-up";

/// The longest dead-letter code.
const MAX_CODE_CHARS: usize = 64;

/// The first wait after a retry; doubled at each attempt.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// When to give up and how long to wait.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// A record becomes a dead letter after so many attempts.
    pub max_attempts: u32,
    /// No wait is longer.
    pub max_delay: Duration,
}

impl RetryPolicy {
    /// The wait before attempt `n_attempts + 1`: exponential, not below `asked`, capped.
    pub(crate) fn delay(&self, n_attempts: u32, asked: Option<Duration>) -> Duration {
        let grown = FIRST_WAIT.saturating_mul(1 << n_attempts.saturating_sub(1).min(20));
        grown.max(asked.unwrap_or_default()).min(self.max_delay)
    }
}

/// A record that was given to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Its place in the spool.
    pub seq: u64,
}

/// A record that will not be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    /// Its place in the spool.
    pub seq: u64,
    /// Groups dead letters.
    pub code: String,
    /// For the operator. Untrusted text.
    pub reason: String,
    /// Attempts that it used.
    pub n_attempts: u32,
}

/// What follows for one lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settlement {
    /// The last settled record; none: nothing moved.
    pub position: Option<u64>,
    /// Records that were delivered.
    pub delivered: Vec<u64>,
    /// Records that never will be.
    pub dead: Vec<Dead>,
    /// Attempts of the record that comes next.
    pub n_attempts: u32,
    /// Not before this wait.
    pub wait: Option<Duration>,
    /// The whole sink pauses for so long.
    pub pause: Option<Wait>,
    /// Why the next record did not go through. Untrusted text.
    pub reason: Option<String>,
}

/// Applies `outcomes[i]` to `sent[i]`, both in lane order. `n_attempts` are those of the first.
pub(crate) fn settle(
    sent: &[Sent],
    outcomes: Vec<Outcome>,
    n_attempts: u32,
    policy: &RetryPolicy,
) -> Settlement {
    let mut settlement = Settlement {
        n_attempts,
        ..Settlement::default()
    };
    for (record, outcome) in sent.iter().zip(outcomes) {
        match outcome {
            Outcome::Delivered => settlement.delivered.push(record.seq),
            Outcome::Rejected { code, reason } => settlement.dead.push(Dead {
                seq: record.seq,
                code: checked_code(code),
                reason,
                n_attempts: settlement.n_attempts + 1,
            }),
            Outcome::Retry(wait) => {
                settlement.n_attempts += 1;
                if settlement.n_attempts < policy.max_attempts {
                    settlement.wait = Some(policy.delay(settlement.n_attempts, wait.after));
                    settlement.reason = Some(wait.reason);
                    return settlement;
                }
                settlement.dead.push(Dead {
                    seq: record.seq,
                    code: CODE_ATTEMPTS.to_owned(),
                    reason: wait.reason,
                    n_attempts: settlement.n_attempts,
                });
                settlement.position = Some(record.seq);
                settlement.n_attempts = 0;
                // The sink did not mean what it said of later records for this case.
                return settlement;
            }
            Outcome::Deferred(wait) => {
                settlement.pause = Some(wait);
                return settlement;
            }
        }
        settlement.position = Some(record.seq);
        settlement.n_attempts = 0;
    }
    settlement
}

/// The record broke its instance, alone in the call.
pub(crate) fn settle_broken(
    sent: Sent,
    code: &str,
    reason: String,
    n_attempts: u32,
    policy: &RetryPolicy,
) -> Settlement {
    let n_attempts = n_attempts + 1;
    if n_attempts < policy.max_attempts {
        return Settlement {
            n_attempts,
            wait: Some(policy.delay(n_attempts, None)),
            reason: Some(reason),
            ..Settlement::default()
        };
    }
    Settlement {
        position: Some(sent.seq),
        dead: vec![Dead {
            seq: sent.seq,
            code: code.to_owned(),
            reason,
            n_attempts,
        }],
        ..Settlement::default()
    }
}

/// Codes group dead letters and label metrics, so their alphabet is small.
fn checked_code(code: String) -> String {
    let fits = !code.is_empty()
        && code.len() <= MAX_CODE_CHARS
        && code
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
    if fits {
        code
    } else {
        "invalid-code".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 3,
        max_delay: Duration::from_secs(300),
    };

    fn sent(n: u64) -> Vec<Sent> {
        (1..=n).map(|seq| Sent { seq }).collect()
    }

    fn retry() -> Outcome {
        Outcome::Retry(Wait {
            after: None,
            reason: "no".into(),
        })
    }

    #[test]
    fn a_lane_stops_at_the_first_record_that_comes_again() {
        let outcomes = vec![Outcome::Delivered, retry(), Outcome::Delivered];
        let settlement = settle(&sent(3), outcomes, 0, &POLICY);
        assert_eq!(settlement.position, Some(1));
        assert_eq!(
            settlement.delivered,
            [1],
            "the third counts as not delivered"
        );
        assert_eq!(settlement.n_attempts, 1);
        assert_eq!(settlement.wait, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_rejected_record_is_a_dead_letter_and_the_lane_goes_on() {
        let rejected = Outcome::Rejected {
            code: "Bad Code!".into(),
            reason: "x".into(),
        };
        let settlement = settle(&sent(2), vec![rejected, Outcome::Delivered], 0, &POLICY);
        assert_eq!(settlement.position, Some(2));
        assert_eq!(settlement.dead[0].code, "invalid-code");
        assert_eq!(settlement.delivered, [2]);
    }

    #[test]
    fn attempts_are_used_up_by_retry_alone() {
        let settlement = settle(&sent(2), vec![retry(), Outcome::Delivered], 2, &POLICY);
        assert_eq!(settlement.dead[0].code, CODE_ATTEMPTS);
        assert_eq!(settlement.position, Some(1));
        assert_eq!(settlement.n_attempts, 0);
        let deferred = Outcome::Deferred(Wait {
            after: None,
            reason: "later".into(),
        });
        let settlement = settle(&sent(1), vec![deferred], 2, &POLICY);
        assert_eq!(settlement.n_attempts, 2);
        assert!(settlement.pause.is_some() && settlement.position.is_none());
    }

    #[test]
    fn missing_outcomes_are_not_delivered() {
        let settlement = settle(&sent(3), vec![Outcome::Delivered], 0, &POLICY);
        assert_eq!(settlement.position, Some(1));
    }

    #[test]
    fn waits_grow_obey_the_sink_and_are_capped() {
        assert_eq!(POLICY.delay(1, None), Duration::from_secs(1));
        assert_eq!(POLICY.delay(4, None), Duration::from_secs(8));
        assert_eq!(
            POLICY.delay(1, Some(Duration::from_secs(20))),
            Duration::from_secs(20)
        );
        assert_eq!(
            POLICY.delay(60, Some(Duration::from_secs(9_000))),
            Duration::from_secs(300)
        );
    }

    #[test]
    fn a_record_that_breaks_its_instance_ends_as_a_dead_letter() {
        let one = sent(1)[0];
        assert_eq!(
            settle_broken(one, "trap", "t".into(), 0, &POLICY).position,
            None
        );
        let settlement = settle_broken(one, "trap", "t".into(), 2, &POLICY);
        assert_eq!(
            (settlement.position, settlement.dead[0].code.as_str()),
            (Some(1), "trap")
        );
    }
}
