//! The token source: one access token per user and scope set, kept until shortly before it
//! ends, asked for once however many calls wait. Whose word it comes from is chosen here; how it is
//! asked for is in `wire`. Retries are not here: a failure is told to all who wait, and remembered
//! for a moment so that they do not ask one after the other.

use super::credentials::{Consents, Credentials, Signer};
use super::grant::Grant;
use super::keyless::SCOPES_WORKLOAD;
use super::{AuthError, Scopes, Wire};
use crate::Limits;
use nuncio_model::Secret;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

/// A token is not used in its last minute: it must outlast the wait for a permit and the call.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// A user whom the delegation does not cover, and who has a consent, is tried with the delegation
/// again after so long: a grant takes up to a day to reach every user.
const UNCOVERED_MEMORY: Duration = Duration::from_secs(15 * 60);

/// An access token. Never printed: [`Secret`] redacts its Debug.
pub(crate) type Bearer = Arc<Secret>;

/// On whose word a user's tokens are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantedBy {
    /// The domain's delegation.
    Delegation,
    /// The user's own consent.
    Consent,
}

impl GrantedBy {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delegation => "delegation",
            Self::Consent => "consent",
        }
    }
}

/// A user who stays on the own consent, since the delegation does not cover it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncovered {
    /// The code of Google's refusal.
    pub code: &'static str,
    /// Google's refusal.
    pub message: String,
}

/// Gets and keeps tokens.
pub(crate) struct Tokens {
    wire: Wire,
    refusal_memory: Duration,
    state: RwLock<Arc<State>>,
}

/// The credentials in force, and all that came of them.
struct State {
    credentials: Credentials,
    slots: Mutex<HashMap<SlotName, Arc<tokio::sync::Mutex<Slot>>>>,
    /// Users who are served by their own consent, though the delegation is asked first.
    uncovered: Mutex<HashMap<Box<str>, Uncovered>>,
}

/// The user, or none for the workload itself; the scopes, or none for all that the user consented to.
type SlotName = (Option<Box<str>>, Option<Scopes>);

/// What is known for one user and scope set. Its lock is held while a token is asked for, which
/// makes everyone else wait for that one request.
#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Held {
        bearer: Bearer,
        /// As the answer tells them.
        scopes: Arc<[String]>,
        until: Instant,
    },
    Failed {
        error: AuthError,
        until: Instant,
    },
}

impl Tokens {
    pub(crate) fn new(credentials: Credentials, wire: Wire, limits: &Limits) -> Self {
        Self {
            wire,
            refusal_memory: limits.refusal_memory,
            state: RwLock::new(State::new(credentials)),
        }
    }

    /// As whom we ask: the service account's address, or the OAuth client's id.
    pub(crate) fn name(&self) -> String {
        self.state().credentials.name().to_owned()
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Puts others in force; all tokens are asked for anew when they are needed.
    pub(crate) fn replace(&self, credentials: Credentials) {
        let new = State::new(credentials);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Forgets what is known of a user, so that the next call asks anew.
    pub(crate) fn forget(&self, subject: &str) {
        let state = self.state();
        let mut slots = state.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|(user, _), _| user.as_deref() != Some(subject));
    }

    /// On whose word the user's tokens are given; why it is not the delegation's where that is
    /// asked first.
    pub(crate) fn granted_by(&self, subject: &str) -> (GrantedBy, Option<Uncovered>) {
        let state = self.state();
        if let Credentials::PerUser(_) = state.credentials {
            return (GrantedBy::Consent, None);
        }
        let uncovered = state.uncovered.lock();
        let uncovered = uncovered.unwrap_or_else(PoisonError::into_inner);
        match uncovered.get(subject) {
            Some(why) => (GrantedBy::Consent, Some(why.clone())),
            None => (GrantedBy::Delegation, None),
        }
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
        let state = self.state();
        match &state.credentials {
            Credentials::PerUser(consents) => {
                self.by_consent(&state, consents, subject, scopes).await
            }
            Credentials::Delegated {
                signer,
                fallback: None,
            } => self.by_delegation(&state, signer, subject, scopes).await,
            Credentials::Delegated {
                signer,
                fallback: Some(consents),
            } => {
                let refused = match self.by_delegation(&state, signer, subject, scopes).await {
                    Ok(bearer) => {
                        state.note(subject, None);
                        return Ok(bearer);
                    }
                    Err(error) if error.is_uncovered() => error,
                    Err(error) => return Err(error),
                };
                match self.by_consent(&state, consents, subject, scopes).await {
                    Ok(bearer) => {
                        state.keep_refusal(subject, scopes).await;
                        state.note(subject, Some(&refused));
                        Ok(bearer)
                    }
                    // Nobody logged in: what has to be done is to grant the delegation.
                    Err(AuthError::NoConsent { .. }) => Err(refused),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Forgets `refused` after a 401. If another caller already got a newer one, that one stays.
    pub(crate) async fn invalidate(&self, subject: Option<&str>, scopes: Scopes, refused: &Bearer) {
        let state = self.state();
        for scopes in [Some(scopes), None] {
            let slot = state.slot(subject, scopes);
            let mut slot = slot.lock().await;
            if matches!(&*slot, Slot::Held { bearer, .. } if Arc::ptr_eq(bearer, refused)) {
                *slot = Slot::Empty;
            }
        }
    }

    async fn by_delegation(
        &self,
        state: &State,
        signer: &Signer,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<Bearer, AuthError> {
        let ask = async {
            let workload = match signer {
                Signer::Key(_) => None,
                Signer::Keyless(keyless) => {
                    let ask = self.wire.workload(keyless);
                    Some(self.held(state, None, Some(SCOPES_WORKLOAD), ask).await?.0)
                }
            };
            let wire = &self.wire;
            wire.delegated(signer, workload.as_deref(), subject, scopes)
                .await
        };
        let (bearer, _) = self.held(state, subject, Some(scopes), ask).await?;
        Ok(bearer)
    }

    async fn by_consent(
        &self,
        state: &State,
        consents: &Consents,
        subject: Option<&str>,
        scopes: Scopes,
    ) -> Result<Bearer, AuthError> {
        let user = subject.unwrap_or("the service account").to_owned();
        let Some(subject) = subject else {
            return Err(AuthError::NoConsent { user });
        };
        let ask = async {
            let (store, email) = (Arc::clone(&consents.store), subject.to_owned());
            let load = tokio::task::spawn_blocking(move || store.load(&email));
            let loaded = load.await.expect("reading a file does not panic");
            let loaded = loaded.map_err(|what| AuthError::ConsentUnreadable {
                user: user.clone(),
                what,
            })?;
            let consent = loaded.ok_or_else(|| AuthError::NoConsent { user: user.clone() })?;
            let wire = &self.wire;
            wire.consented(&consents.client, &consent, subject).await
        };
        let (bearer, granted) = self.held(state, Some(subject), None, ask).await?;
        let missing = |scope: &&&str| !granted.iter().any(|granted| granted == **scope);
        // Where the answer names none, the call itself shows what is granted.
        match scopes.urls().iter().find(missing) {
            Some(scope) if !granted.is_empty() => Err(AuthError::MissingScope {
                user: Some(user),
                scope,
            }),
            _ => Ok(bearer),
        }
    }

    /// The token of a slot; `ask` begins only where there is none.
    async fn held(
        &self,
        state: &State,
        subject: Option<&str>,
        scopes: Option<Scopes>,
        ask: impl Future<Output = Result<Grant, AuthError>>,
    ) -> Result<(Bearer, Arc<[String]>), AuthError> {
        let slot = state.slot(subject, scopes);
        let mut slot = slot.lock().await;
        let now = Instant::now();
        match &*slot {
            Slot::Held {
                bearer,
                scopes,
                until,
            } if now < *until => return Ok((Arc::clone(bearer), Arc::clone(scopes))),
            Slot::Failed { error, until } if now < *until => return Err(error.clone()),
            Slot::Empty | Slot::Held { .. } | Slot::Failed { .. } => {}
        }
        match ask.await {
            Ok(grant) => {
                let bearer = Arc::new(grant.token);
                let scopes: Arc<[String]> = grant.scopes.into();
                let margin = EXPIRY_MARGIN.min(grant.lifetime / 4);
                *slot = Slot::Held {
                    bearer: Arc::clone(&bearer),
                    scopes: Arc::clone(&scopes),
                    until: Instant::now() + (grant.lifetime - margin),
                };
                Ok((bearer, scopes))
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

    fn state(&self) -> Arc<State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }
}

impl State {
    fn new(credentials: Credentials) -> Arc<Self> {
        Arc::new(Self {
            credentials,
            slots: Mutex::default(),
            uncovered: Mutex::default(),
        })
    }

    fn slot(&self, subject: Option<&str>, scopes: Option<Scopes>) -> Arc<tokio::sync::Mutex<Slot>> {
        // No panic can leave the map half-written.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((subject.map(Box::from), scopes)).or_default())
    }

    /// Leaves the delegation alone for a while, since the user has a consent.
    async fn keep_refusal(&self, subject: Option<&str>, scopes: Scopes) {
        let slot = self.slot(subject, Some(scopes));
        let mut slot = slot.lock().await;
        if let Slot::Failed { until, .. } = &mut *slot
            && *until < Instant::now() + UNCOVERED_MEMORY / 2
        {
            *until = Instant::now() + UNCOVERED_MEMORY;
        }
    }

    /// Notes, and tells once, on whose word a user's tokens are given.
    fn note(&self, subject: Option<&str>, refused: Option<&AuthError>) {
        let Some(subject) = subject else { return };
        let mut uncovered = self
            .uncovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match refused {
            None => {
                if uncovered.remove(subject).is_some() {
                    tracing::info!(user = subject, "the delegation covers this user now");
                }
            }
            Some(error) => {
                let why = Uncovered {
                    code: error.code(),
                    message: error.to_string(),
                };
                let before = uncovered.insert(subject.into(), why);
                if before.is_none() {
                    tracing::warn!(
                        user = subject,
                        code = error.code(),
                        error = %error,
                        "the delegation does not cover this user, whose own consent is used"
                    );
                }
            }
        }
    }
}
