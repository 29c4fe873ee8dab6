//! The token source: one access token per user and scope set, kept until shortly before it
//! ends, asked for once however many calls wait. Retries are not here: a failure is told to all
//! who wait, and remembered for a moment so that they do not ask one after the other.

use super::grant::{self, Grant};
use super::{AuthError, Key, Refusal, Scopes};
use crate::Limits;
use crate::client::{self, Answer, Client, ExchangeError};
use crate::limits::LONGEST_WAIT_IN_CALL;
use crate::quota::{Ask, Governor, Purpose, Spent};
use crate::retry;
use jiff::Timestamp;
use nuncio_model::{Clock, Secret};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A token is not used in its last minute: it must outlast the wait for a permit and the call.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);
/// Signing is CPU work of a millisecond or two; more at once would crowd out the other work at
/// the start of a domain with thousands of users.
const SIGNING_AT_ONCE: usize = 2;
/// Answers are some hundred bytes to a few KiB.
const LONGEST_ANSWER_BYTES: usize = 64 << 10;
/// For one token request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// A clock that is off by less is not why Google complains.
const SMALLEST_SKEW_SECS: i64 = 30;
/// Permits for the token endpoint are counted for the project, not per mailbox.
const TOKEN_ASK: Ask<'static> = Ask {
    method: "oauth2.token",
    user: "oauth2.token",
    purpose: Purpose::Live,
};

/// An access token. Never printed: [`Secret`] redacts its Debug.
pub(crate) type Bearer = Arc<Secret>;

/// Gets and keeps tokens.
pub(crate) struct Tokens {
    key: Key,
    client: Client,
    governor: Arc<Governor>,
    clock: Arc<dyn Clock>,
    refusal_memory: Duration,
    slots: Mutex<HashMap<SlotName, Arc<tokio::sync::Mutex<Slot>>>>,
    signing: Arc<Semaphore>,
    /// Google's clock minus ours, in seconds.
    clock_offset_secs: AtomicI64,
}

type SlotName = (Option<Box<str>>, Scopes);

/// What is known for one user and scope set. Its lock is held while a token is asked for, which
/// makes everyone else wait for that one request.
#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Held {
        bearer: Bearer,
        until: Instant,
    },
    Failed {
        error: AuthError,
        until: Instant,
    },
}

impl Tokens {
    pub(crate) fn new(
        key: Key,
        client: Client,
        governor: Arc<Governor>,
        clock: Arc<dyn Clock>,
        limits: &Limits,
    ) -> Self {
        Self {
            key,
            client,
            governor,
            clock,
            refusal_memory: limits.refusal_memory,
            slots: Mutex::default(),
            signing: Arc::new(Semaphore::new(SIGNING_AT_ONCE)),
            clock_offset_secs: AtomicI64::new(0),
        }
    }

    /// The service account's name.
    pub(crate) fn client_email(&self) -> &str {
        self.key.client_email()
    }

    /// A token for `subject`, or for the service account itself, that is good for a minute at
    /// least.
    ///
    /// # Errors
    /// Why there is none; the same for all who waited.
    /// # Cancel safety
    /// Dropped early, the next caller asks anew.
    pub(crate) async fn token(
        &self,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<Bearer, AuthError> {
        let slot = self.slot(subject, scopes);
        let mut slot = slot.lock().await;
        let now = Instant::now();
        match &*slot {
            Slot::Held { bearer, until } if now < *until => return Ok(Arc::clone(bearer)),
            Slot::Failed { error, until } if now < *until => return Err(error.clone()),
            Slot::Empty | Slot::Held { .. } | Slot::Failed { .. } => {}
        }
        match self.ask(subject, scopes).await {
            Ok(Grant { token, lifetime }) => {
                let bearer = Arc::new(token);
                let margin = EXPIRY_MARGIN.min(lifetime / 4);
                let until = Instant::now() + (lifetime - margin);
                *slot = Slot::Held {
                    bearer: Arc::clone(&bearer),
                    until,
                };
                Ok(bearer)
            }
            Err(error) => {
                let until = Instant::now() + self.refusal_memory;
                *slot = Slot::Failed {
                    error: error.clone(),
                    until,
                };
                Err(error)
            }
        }
    }

    /// Forgets `refused` after a 401. If another caller already got a newer one, that one stays.
    pub(crate) async fn invalidate(&self, subject: Option<&str>, scopes: Scopes, refused: &Bearer) {
        let slot = self.slot(subject, scopes);
        let mut slot = slot.lock().await;
        if matches!(&*slot, Slot::Held { bearer, .. } if Arc::ptr_eq(bearer, refused)) {
            *slot = Slot::Empty;
        }
    }

    fn slot(&self, subject: Option<&str>, scopes: Scopes) -> Arc<tokio::sync::Mutex<Slot>> {
        // No panic can leave the map half-written.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((subject.map(Box::from), scopes)).or_default())
    }

    /// Asks Google, a second time if it was our clock.
    async fn ask(&self, subject: Option<&str>, scopes: Scopes) -> Result<Grant, AuthError> {
        let (answer, assertion) = self.post(subject, scopes).await?;
        match grant::read(&answer, subject, &assertion, self.now()) {
            Err(AuthError::Denied(denied))
                if denied.refusal == Refusal::Clock && self.learn_clock(&answer) =>
            {
                let (answer, assertion) = self.post(subject, scopes).await?;
                self.hinted(grant::read(&answer, subject, &assertion, self.now()))
            }
            result => self.hinted(result),
        }
    }

    /// A server's wish to be left alone is obeyed by all token requests.
    fn hinted(&self, result: Result<Grant, AuthError>) -> Result<Grant, AuthError> {
        if let Err(AuthError::Busy {
            retry_after: Some(wait),
            ..
        }) = &result
        {
            self.governor
                .refused(TOKEN_ASK, Spent::Failing, Some(*wait));
        }
        result
    }

    async fn post(
        &self,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<(Answer, Secret), AuthError> {
        let _permit = self
            .governor
            .permit(TOKEN_ASK, LONGEST_WAIT_IN_CALL)
            .await
            .map_err(|paused| AuthError::Paused(paused.left))?;
        let assertion = self.sign(subject, scopes).await?;
        let request = grant::request(self.key.token_url(), &assertion);
        let exchange =
            client::exchange(&self.client, request, LONGEST_ANSWER_BYTES, ANSWER_TIMEOUT);
        match exchange.await {
            Ok(answer) => Ok((answer, assertion)),
            Err(ExchangeError::Network(source)) => Err(AuthError::Network(Arc::new(source))),
            Err(ExchangeError::CutBody(source)) => Err(AuthError::CutBody(Arc::new(source))),
            Err(ExchangeError::Timeout(after)) => Err(AuthError::Timeout(after)),
            Err(ExchangeError::TooLarge) => Err(AuthError::Malformed {
                status: 200,
                what: "far too long",
            }),
        }
    }

    async fn sign(&self, subject: Option<&str>, scopes: Scopes) -> Result<Secret, AuthError> {
        let turn = Arc::clone(&self.signing).acquire_owned().await;
        let turn = turn.expect("the semaphore is never closed");
        let key = self.key.clone();
        let subject = subject.map(str::to_owned);
        let now_secs = self.clock.now_ms() / 1_000 + self.clock_offset_secs.load(Ordering::Relaxed);
        let signing = tokio::task::spawn_blocking(move || {
            let assertion = key.assertion(subject.as_deref(), scopes, now_secs);
            drop(turn);
            assertion
        });
        signing
            .await
            .expect("signing does not panic, and the runtime outlives its callers")
            .map_err(|error| AuthError::Signing(Arc::new(error)))
    }

    /// Takes Google's time from the answer that says that ours is wrong; whether that changed
    /// anything.
    fn learn_clock(&self, answer: &Answer) -> bool {
        let Some(date) = retry::date(&answer.headers) else {
            return false;
        };
        let offset = date.as_second() - self.clock.now_ms() / 1_000;
        let former = self.clock_offset_secs.swap(offset, Ordering::Relaxed);
        let has_changed = (offset - former).abs() >= SMALLEST_SKEW_SECS;
        if has_changed {
            tracing::warn!(
                offset_secs = offset,
                "this machine's clock differs from Google's; set it"
            );
        }
        has_changed
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or(Timestamp::MAX)
    }
}
