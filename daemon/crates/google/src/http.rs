//! The transport: one plain loop that every API call goes through. Outermost first: deadline,
//! repeats, token, permit, one exchange. It is no tower stack, since there is one order and one
//! client, and a loop shows both. Whether an error is worth a repeat is its `next()`; how long
//! to wait is `retry.rs`. Calls and their types are in `api/`.

use crate::auth::{Bearer, Scopes, Tokens};
use crate::client::{self, Client};
use crate::endpoint::Api;
use crate::limits::LONGEST_WAIT_IN_CALL;
use crate::quota::{Ask, Governor, Governors, PauseCause, Paused, Purpose, Spent};
use crate::{Endpoint, Error, Limits, Status, retry};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use nuncio_model::{Clock, Next};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

/// Sent with everything. Google answers in gzip only if this says so too.
/// <https://developers.google.com/workspace/gmail/api/guides/performance>
pub(crate) const USER_AGENT: &str = "nuncio/0.1 (gzip)";

/// All but unreserved characters (RFC 3986 section 2.3): an id cannot leave its path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// Google's ids are far shorter; calendar ids, the longest, are addresses.
const LONGEST_ID_BYTES: usize = 1024;
/// 32 hex digits; Google takes at most 40 characters of `quotaUser`.
const QUOTA_USER_BYTES: usize = 16;

/// Who calls what.
pub(crate) struct CallContext<'a> {
    /// Google's name of the method, such as `gmail.users.messages.get`.
    pub(crate) method: &'static str,
    /// Whose budget is used: the account's key.
    pub(crate) mailbox: &'a str,
    /// For whom a token is needed; none is the service account itself.
    pub(crate) subject: Option<&'a str>,
    pub(crate) scopes: Scopes,
    /// Who goes first where the budget is short.
    pub(crate) purpose: Purpose,
}

impl CallContext<'_> {
    fn ask(&self) -> Ask<'_> {
        Ask {
            method: self.method,
            user: self.mailbox,
            purpose: self.purpose,
        }
    }
}

/// A read of one resource.
pub(crate) struct Get<'a> {
    pub(crate) api: Api,
    /// Without a slash in front; made of literals and [`segment`]s.
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(&'static str, &'a str)],
}

/// An id from outside as one path segment; none if it cannot be one.
pub(crate) fn segment(id: &str) -> Option<String> {
    // Dots are not encodable: proxies normalize `%2E%2E` as well.
    let usable = !matches!(id, "" | "." | "..") && id.len() <= LONGEST_ID_BYTES;
    usable.then(|| utf8_percent_encode(id, SEGMENT).to_string())
}

/// Carries calls to Google.
pub(crate) struct Transport {
    client: Client,
    endpoint: Endpoint,
    tokens: Tokens,
    governors: Arc<Governors>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// Holders of large messages.
    large: Arc<Semaphore>,
    random: Mutex<fastrand::Rng>,
}

impl Transport {
    pub(crate) fn new(
        client: Client,
        endpoint: Endpoint,
        tokens: Tokens,
        governors: Arc<Governors>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let random = Mutex::new(fastrand::Rng::with_seed(limits.seed));
        let large = Arc::new(Semaphore::new(limits.large_slots.max(1)));
        Self {
            client,
            endpoint,
            tokens,
            governors,
            clock,
            limits,
            large,
            random,
        }
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The budgets in force.
    pub(crate) fn governor(&self) -> Arc<Governor> {
        self.governors.now()
    }

    pub(crate) fn governors(&self) -> &Governors {
        &self.governors
    }

    /// Waits for the right to hold a large message.
    pub(crate) async fn large_slot(&self) -> OwnedSemaphorePermit {
        let slot = Arc::clone(&self.large).acquire_owned().await;
        slot.expect("the semaphore is never closed")
    }

    /// Carries out a read and gives the body of its success.
    ///
    /// # Errors
    /// The last failure, once `next()` says that a repeat is useless, or the wait before it is
    /// longer than a call may last.
    /// # Cancel safety
    /// Dropped early, nothing remains in flight; reads change nothing at Google.
    pub(crate) async fn get(
        &self,
        context: &CallContext<'_>,
        get: &Get<'_>,
    ) -> Result<Bytes, Error> {
        let uri = self.uri(context, get)?;
        // Waits for the budget do not count: they are our own, and as long as it takes.
        let mut deadline = Instant::now() + self.limits.deadline;
        let mut can_renew = true;
        let mut n_failed = 0;
        loop {
            let attempt = self.attempt(context, &uri, &mut deadline, &mut can_renew);
            let error = match attempt.await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            n_failed += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = self
                .wait_before_repeat(n_failed, &error)
                .filter(|wait| *wait < left);
            let Some(wait) = wait else { return Err(error) };
            tracing::debug!(
                account = context.mailbox,
                method = context.method,
                code = error.code(),
                error = %nuncio_model::Chain(&error),
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "call failed, trying again"
            );
            sleep(wait).await;
        }
    }

    /// The one place that decides on a repeat; none is: give the error to the caller.
    fn wait_before_repeat(&self, n_failed: u32, error: &Error) -> Option<Duration> {
        if n_failed >= self.limits.max_attempts {
            return None;
        }
        match error.next() {
            Next::RetryAfter(wait) => (wait <= LONGEST_WAIT_IN_CALL).then_some(wait),
            Next::Backoff => {
                let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
                let limits = &self.limits;
                Some(retry::backoff(
                    n_failed,
                    limits.backoff_floor,
                    limits.backoff_ceiling,
                    &mut random,
                ))
            }
            Next::Reauthorize | Next::Resync | Next::Reject | Next::Stop => None,
        }
    }

    /// One attempt. A 401 drops the token and sends once more with a fresh one, once per call:
    /// if Google refuses a fresh token too, it is not about the token.
    async fn attempt(
        &self,
        context: &CallContext<'_>,
        uri: &Uri,
        deadline: &mut Instant,
        can_renew: &mut bool,
    ) -> Result<Bytes, Error> {
        let bearer = self.token(context, *deadline).await?;
        let result = self.send(context, uri, &bearer, deadline).await;
        let is_refused = matches!(&result, Err(Error::Status(status)) if status.status == StatusCode::UNAUTHORIZED);
        if !is_refused || !*can_renew {
            return result;
        }
        *can_renew = false;
        self.tokens
            .invalidate(context.subject, context.scopes, &bearer)
            .await;
        let fresh = self.token(context, *deadline).await?;
        self.send(context, uri, &fresh, deadline).await
    }

    async fn token(&self, context: &CallContext<'_>, deadline: Instant) -> Result<Bearer, Error> {
        let token = self.tokens.token(context.subject, context.scopes);
        let token = timeout_at(deadline, token)
            .await
            .map_err(|_| self.timeout(context))?;
        token.map_err(|source| Error::Auth {
            method: context.method,
            source,
        })
    }

    async fn send(
        &self,
        context: &CallContext<'_>,
        uri: &Uri,
        bearer: &Bearer,
        deadline: &mut Instant,
    ) -> Result<Bytes, Error> {
        let method = context.method;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()))
            .expect("tokens were checked to be graphic ASCII");
        authorization.set_sensitive(true);
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri.clone();
        request.headers_mut().insert(AUTHORIZATION, authorization);
        request.headers_mut().insert(
            http::header::USER_AGENT,
            HeaderValue::from_static(USER_AGENT),
        );
        if self.limits.gzip {
            let gzip = HeaderValue::from_static("gzip");
            request.headers_mut().insert(ACCEPT_ENCODING, gzip);
        }

        let asked_at = Instant::now();
        let left = deadline.saturating_duration_since(asked_at);
        let patience = left.min(LONGEST_WAIT_IN_CALL);
        // Held until the body is read: Google counts a call that is being answered.
        let governor = self.governors.now();
        let permit = governor.permit(context.ask(), patience).await;
        let _permit = permit.map_err(|Paused { left, cause }| match cause {
            PauseCause::Google => Error::Paused { method, left },
            PauseCause::Day => Error::DayUsed { method, left },
        })?;
        *deadline += asked_at.elapsed();
        let max_bytes = self.limits.max_body_bytes;
        let patience = self.limits.answer_timeout;
        let exchange = client::exchange(&self.client, request, max_bytes, patience);
        let answer = timeout_at(*deadline, exchange)
            .await
            .map_err(|_| self.timeout(context))?
            .map_err(|error| Error::exchange(method, error, max_bytes))?;
        if answer.status.is_success() {
            governor.good(context.ask());
            return Ok(answer.body);
        }
        let status = Status::read(method, &answer, self.now(), bearer.expose());
        match (status.spent, status.retry_after) {
            (Some(spent), hint) => governor.refused(context.ask(), spent, hint),
            // Whatever it is, Google asks to be left alone.
            (None, Some(_)) => {
                let hint = status.retry_after;
                governor.refused(context.ask(), Spent::Failing, hint);
            }
            (None, None) => {}
        }
        Err(Error::Status(Box::new(status)))
    }

    fn timeout(&self, context: &CallContext<'_>) -> Error {
        Error::Timeout {
            method: context.method,
            after: self.limits.deadline,
        }
    }

    fn uri(&self, context: &CallContext<'_>, get: &Get<'_>) -> Result<Uri, Error> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(get.query);
        query.append_pair("prettyPrint", "false");
        query.append_pair("quotaUser", &self.quota_user(context.mailbox));
        let url = self
            .endpoint
            .url(get.api, &format!("{}?{}", get.path, query.finish()));
        url.parse().map_err(|_| Error::Request {
            method: context.method,
            what: "its URL would be too long",
        })
    }

    /// Without it Google may count a whole domain as one user, the service account. Hashed with
    /// the name by which Google knows us, so that it tells outsiders nothing.
    /// <https://developers.google.com/workspace/calendar/api/guides/quota>
    fn quota_user(&self, mailbox: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.tokens.name());
        hasher.update([0]);
        hasher.update(mailbox);
        let mut hex = String::with_capacity(2 * QUOTA_USER_BYTES);
        for byte in &hasher.finalize()[..QUOTA_USER_BYTES] {
            write!(hex, "{byte:02x}").expect("a String takes all that is written");
        }
        hex
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unusable_ids_are_refused_and_others_are_encoded() {
        for bad in ["", ".", "..", &"x".repeat(1025)] {
            assert_eq!(segment(bad), None);
        }
        assert_eq!(
            segment("a/../b?c#d%e ä").as_deref(),
            Some("a%2F..%2Fb%3Fc%23d%25e%20%C3%A4")
        );
    }

    proptest! {
        #[test]
        fn a_segment_never_breaks_out(id in ".{1,50}") {
            if let Some(segment) = segment(&id) {
                let clean = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%".contains(&b));
                prop_assert!(clean);
                let back = percent_encoding::percent_decode_str(&segment).decode_utf8_lossy();
                prop_assert_eq!(&*back, id.as_str());
            }
        }
    }
}
