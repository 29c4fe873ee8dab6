//! Whether Google charges the service account in place of the users. Its pages can be read both
//! ways for Gmail; the calls themselves tell: refusals by the user's limit that hit many users
//! although each of them is held below its own budget.
//! <https://developers.google.com/workspace/calendar/api/guides/quota#proper_accounting_with_service_accounts>

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// So many users must have been refused.
const N_USERS: usize = 4;

/// Within this time.
const WITHIN: Duration = Duration::from_secs(60);

/// Who was refused of late.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    refused: HashMap<Box<str>, Instant>,
}

impl Suspicion {
    /// Notes a refusal of `user` by the user's limit; whether that is proof enough. Every user is
    /// kept below its budget, so a single one that is refused shares its mailbox with another
    /// client; several at once share a budget.
    pub(crate) fn note(&mut self, user: &str, now: Instant) -> bool {
        self.refused
            .retain(|_, at| now.saturating_duration_since(*at) < WITHIN);
        self.refused.insert(user.into(), now);
        self.refused.len() >= N_USERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn several_users_within_a_minute_are_proof_and_one_often_is_not() {
        let mut suspicion = Suspicion::default();
        let start = Instant::now();
        for second in 0..600 {
            assert!(!suspicion.note("ana", start + Duration::from_secs(second)));
        }
        let later = start + Duration::from_secs(1_000);
        for (n, user) in ["ana", "ben", "cem"].into_iter().enumerate() {
            assert!(!suspicion.note(user, later + Duration::from_secs(25 * n as u64)));
        }
        // The first one is a minute old by now.
        assert!(!suspicion.note("dan", later + Duration::from_secs(61)));
        assert!(suspicion.note("eva", later + Duration::from_secs(62)));
    }
}
