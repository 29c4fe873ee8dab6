//! Token requests on their way: each kind of proof is sent, once, and its answer read. What is kept,
//! and which kind a user's token comes from, is in `tokens`.

use super::consent::{Consent, IDENTITY_SCOPES, Login, OAuthClient};
use super::credentials::Signer;
use super::grant::{self, Grant};
use super::keyless::{Keyless, Workload};
use super::{AuthError, Key, Refusal, Scopes};
use crate::client::{self, Answer, Client, ExchangeError};
use crate::limits::LONGEST_WAIT_IN_CALL;
use crate::quota::{Ask, Governors, Purpose, Spent};
use crate::{Endpoint, retry};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use nuncio_model::{Clock, Secret, untrusted};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

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

/// Sends token requests. Clones share everything.
#[derive(Clone)]
pub(crate) struct Wire {
    client: Client,
    endpoint: Endpoint,
    governors: Arc<Governors>,
    clock: Arc<dyn Clock>,
    signing: Arc<Semaphore>,
    /// Google's clock minus ours, in seconds.
    clock_offset_secs: Arc<AtomicI64>,
}

/// What a finished login gave.
#[derive(Debug)]
pub struct NewConsent {
    /// What is to be kept.
    pub consent: Consent,
    /// The account's id at Google.
    pub id: String,
    /// The scopes that the person granted, which may be fewer than were asked for.
    pub scopes: Vec<String>,
}

/// Whose a token is.
#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    pub(super) sub: String,
    pub(super) email: String,
}

impl Wire {
    pub(crate) fn new(
        client: Client,
        endpoint: Endpoint,
        governors: Arc<Governors>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            client,
            endpoint,
            governors,
            clock,
            signing: Arc::new(Semaphore::new(SIGNING_AT_ONCE)),
            clock_offset_secs: Arc::default(),
        }
    }

    /// A token by a signed assertion; asked for a second time if it was our clock.
    pub(super) async fn delegated(
        &self,
        signer: &Signer,
        workload_token: Option<&Secret>,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<Grant, AuthError> {
        let (read, answer) = self
            .by_assertion(signer, workload_token, subject, scopes)
            .await?;
        match read {
            Err(AuthError::Denied(denied))
                if denied.refusal == Refusal::Clock && self.learn_clock(&answer) =>
            {
                let (read, _) = self
                    .by_assertion(signer, workload_token, subject, scopes)
                    .await?;
                self.hinted(read)
            }
            read => self.hinted(read),
        }
    }

    async fn by_assertion(
        &self,
        signer: &Signer,
        workload_token: Option<&Secret>,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<(Result<Grant, AuthError>, Answer), AuthError> {
        let (assertion, url) = match (signer, workload_token) {
            (Signer::Key(key), _) => {
                let assertion = self.sign(key, subject, scopes).await?;
                (assertion, key.token_url())
            }
            (Signer::Keyless(keyless), Some(token)) => {
                let request = keyless.sign_request(token, subject, scopes, self.now_secs())?;
                let answer = self.send(request).await?;
                (keyless.signed(&answer)?, keyless.token_url())
            }
            (Signer::Keyless(keyless), None) => {
                return Err(AuthError::NotSigned {
                    service_account: keyless.service_account().to_owned(),
                    message: "there is no token of the workload".to_owned(),
                });
            }
        };
        let form = [
            ("grant_type", grant::JWT_BEARER),
            ("assertion", assertion.expose()),
        ];
        let answer = self.send(grant::request(url, &form)).await?;
        let read = grant::read(&answer, subject, &assertion, self.now());
        Ok((read, answer))
    }

    /// The token of the workload that runs here.
    pub(super) async fn workload(&self, keyless: &Keyless) -> Result<Grant, AuthError> {
        let nothing = Secret::new(String::new());
        match keyless.workload() {
            Workload::Metadata => {
                let request = keyless.metadata_request()?;
                let answer = match self.endpoint.is_google() {
                    // Plain HTTP that never leaves the machine's host, which the client for
                    // Google refuses.
                    true => self.send_by(&client::plain(), request).await?,
                    false => self.send(request).await?,
                };
                self.hinted(grant::read(&answer, None, &nothing, self.now()))
            }
            Workload::External(account) => {
                let read = account.clone();
                let read = tokio::task::spawn_blocking(move || read.subject_token());
                let token = read.await.expect("reading a file does not panic")?;
                let request = grant::request(&keyless.sts_url()?, &account.form(&token));
                let answer = self.send(request).await?;
                self.hinted(grant::read(&answer, None, &token, self.now()))
            }
        }
    }

    /// A token by a user's consent, which is that user's beyond doubt: a consent stays with its
    /// account, while the address may have gone to another one.
    pub(super) async fn consented(
        &self,
        client: &OAuthClient,
        consent: &Consent,
        subject: &str,
    ) -> Result<Grant, AuthError> {
        if consent.client_id != client.id() {
            return Err(AuthError::OtherClient {
                user: subject.to_owned(),
            });
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client.id()),
            ("client_secret", client.secret().expose()),
            ("refresh_token", consent.refresh_token.expose()),
        ];
        let answer = self.send(grant::request(client.token_url(), &form)).await?;
        let read = grant::read(&answer, Some(subject), &consent.refresh_token, self.now());
        let grant = self.hinted(read).map_err(AuthError::of_consent)?;
        let identity = self.identity(&grant.token).await?;
        if !identity.email.eq_ignore_ascii_case(subject) {
            return Err(AuthError::OtherMailbox {
                user: subject.to_owned(),
                mailbox: untrusted(&identity.email).to_string(),
            });
        }
        Ok(grant)
    }

    /// Trades the code that came of a login for a consent, of whomever it is.
    pub(crate) async fn finish(
        &self,
        login: &Login,
        code: &Secret,
    ) -> Result<NewConsent, AuthError> {
        let client = login.client();
        let request = grant::request(client.token_url(), &login.form(code));
        let answer = self.send(request).await?;
        let grant = grant::read(&answer, None, code, self.now())?;
        let identity = self.identity(&grant.token).await?;
        let refresh_token = grant.refresh_token.ok_or(AuthError::Malformed {
            status: answer.status.as_u16(),
            what: "no refresh_token",
        })?;
        Ok(NewConsent {
            consent: Consent {
                email: identity.email,
                refresh_token,
                client_id: client.id().to_owned(),
            },
            id: identity.sub,
            scopes: grant.scopes,
        })
    }

    /// Whose token this is.
    /// <https://developers.google.com/identity/openid-connect/openid-connect#obtaininguserprofileinformation>
    async fn identity(&self, token: &Secret) -> Result<Identity, AuthError> {
        let origin = self
            .endpoint
            .origin_or("https://openidconnect.googleapis.com");
        let uri: Uri = format!("{origin}/v1/userinfo")
            .parse()
            .expect("an origin that was parsed takes a path");
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .expect("tokens were checked to be graphic ASCII");
        authorization.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, authorization);
        let answer = self.send(request).await?;
        let status = answer.status.as_u16();
        match status {
            200 => serde_json::from_slice(&answer.body).map_err(|_| AuthError::Malformed {
                status,
                what: "not the expected JSON of userinfo",
            }),
            401 | 403 => Err(AuthError::MissingScope {
                user: None,
                scope: IDENTITY_SCOPES.0[1],
            }),
            _ => Err(AuthError::Busy {
                status,
                retry_after: retry::hint(&answer.headers, "", self.now()),
            }),
        }
    }

    /// A server's wish to be left alone is obeyed by all token requests.
    fn hinted(&self, result: Result<Grant, AuthError>) -> Result<Grant, AuthError> {
        if let Err(AuthError::Busy {
            retry_after: Some(wait),
            ..
        }) = &result
        {
            self.governors
                .now()
                .refused(TOKEN_ASK, Spent::Failing, Some(*wait));
        }
        result
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, AuthError> {
        self.send_by(&self.client, request).await
    }

    async fn send_by(
        &self,
        client: &Client,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, AuthError> {
        let agent = HeaderValue::from_static(crate::http::USER_AGENT);
        let headers = request.headers_mut();
        headers.insert(http::header::USER_AGENT, agent);
        let governor = self.governors.now();
        let _permit = governor
            .permit(TOKEN_ASK, LONGEST_WAIT_IN_CALL)
            .await
            .map_err(|paused| AuthError::Paused(paused.left))?;
        let exchange = client::exchange(client, request, LONGEST_ANSWER_BYTES, ANSWER_TIMEOUT);
        exchange.await.map_err(|error| match error {
            ExchangeError::Network(source) => AuthError::Network(Arc::new(source)),
            ExchangeError::CutBody(source) => AuthError::CutBody(Arc::new(source)),
            ExchangeError::Timeout(after) => AuthError::Timeout(after),
            ExchangeError::TooLarge => AuthError::Malformed {
                status: 200,
                what: "far too long",
            },
        })
    }

    async fn sign(
        &self,
        key: &Key,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<Secret, AuthError> {
        let turn = Arc::clone(&self.signing).acquire_owned().await;
        let turn = turn.expect("the semaphore is never closed");
        let key = key.clone();
        let subject = subject.map(str::to_owned);
        let now_secs = self.now_secs();
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

    /// Google's time, as far as it is known.
    fn now_secs(&self) -> i64 {
        self.clock.now_ms() / 1_000 + self.clock_offset_secs.load(Ordering::Relaxed)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or(Timestamp::MAX)
    }
}
