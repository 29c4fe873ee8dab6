//! What the authorization server has given out: access tokens, refresh tokens, authorization codes.
//! Who gets one is decided in the other files of this module.

use super::{Refusal, TOKEN_LIFE_SECS, assertion};
use crate::call::Call;
use crate::error::ApiError;
use crate::workspace::{UserIndex, Workspace};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How long an authorization code is good.
const CODE_LIFE_MS: i64 = 10 * 60 * 1000;
/// Live refresh tokens of one user for one client; the oldest goes silently when there is one more.
/// See <https://developers.google.com/identity/protocols/oauth2#expiration> (read 2026-11).
const MAX_REFRESH_TOKENS: usize = 100;
/// A refresh token that nobody used for six months is dead.
const MAX_IDLE_MS: i64 = 183 * 86_400_000;
/// Tokens of a client whose consent screen is still in testing end after a week.
pub(super) const TESTING_LIFE_MS: i64 = 7 * 86_400_000;

/// On whose word a token was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantedBy {
    /// A signed assertion of the service account.
    Assertion,
    /// The consent of the user to the installed client.
    Consent,
    /// The metadata server: the workload that runs on the machine, not a user.
    Workload,
}

/// Who a token acts for, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// Absent for a token of the service account or the workload itself.
    pub(crate) user: Option<UserIndex>,
    pub(crate) scopes: Arc<[String]>,
    pub(crate) by: GrantedBy,
    pub(crate) expires_ms: i64,
}

/// A refresh token, bound to the account and not to its address.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) user: UserIndex,
    /// The Directory id at the time of consent: a re-created account is another one.
    user_id: String,
    pub(crate) scopes: Vec<String>,
    issued_ms: i64,
    used_ms: i64,
    dies_ms: Option<i64>,
}

/// An authorization code that waits to be exchanged, once.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) user: UserIndex,
    pub(super) redirect_uri: String,
    pub(super) scopes: Vec<String>,
    pub(super) challenge: Option<(super::consent::ChallengeMethod, String)>,
    pub(super) offline: bool,
    pub(super) nonce: Option<String>,
    expires_ms: i64,
}

impl Code {
    pub(super) fn new(user: UserIndex, now_ms: i64) -> Self {
        Self {
            user,
            redirect_uri: String::new(),
            scopes: Vec::new(),
            challenge: None,
            offline: true,
            nonce: None,
            expires_ms: now_ms + CODE_LIFE_MS,
        }
    }
}

/// Everything that is out.
#[derive(Debug)]
pub(crate) struct Tokens {
    grants: HashMap<String, Grant>,
    refresh: HashMap<String, Refresh>,
    codes: HashMap<String, Code>,
    /// What each user has consented to.
    consented: HashMap<UserIndex, BTreeSet<String>>,
    rng: fastrand::Rng,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            grants: HashMap::new(),
            refresh: HashMap::new(),
            codes: HashMap::new(),
            consented: HashMap::new(),
            rng: fastrand::Rng::with_seed(seed ^ 0x746f_6b65_6e73),
        }
    }

    fn secret(&mut self, prefix: &str, length: usize) -> String {
        let mut text = prefix.to_owned();
        text.extend((0..length).map(|_| self.rng.alphanumeric()));
        text
    }

    /// Gives out an access token.
    pub(super) fn issue(
        &mut self,
        user: Option<UserIndex>,
        scopes: Vec<String>,
        by: GrantedBy,
        now_ms: i64,
    ) -> String {
        let prefix = match by {
            GrantedBy::Consent => "ya29.a0",
            GrantedBy::Assertion | GrantedBy::Workload => "ya29.c.c0",
        };
        let token = self.secret(prefix, 100);
        // Looking at all of them is dear, so it is done when there are many.
        if self.grants.len().is_power_of_two() {
            self.grants.retain(|_, grant| grant.expires_ms > now_ms);
        }
        let grant = Grant {
            user,
            scopes: scopes.into(),
            by,
            expires_ms: now_ms + TOKEN_LIFE_SECS * 1000,
        };
        self.grants.insert(token.clone(), grant);
        token
    }

    /// The grant behind an access token that is still good.
    pub(crate) fn grant(&self, token: &str, now_ms: i64) -> Option<&Grant> {
        self.grants
            .get(token)
            .filter(|grant| grant.expires_ms > now_ms)
    }

    /// Gives out a refresh token; the user's oldest one dies if there are too many.
    pub(super) fn issue_refresh(
        &mut self,
        user: UserIndex,
        user_id: &str,
        scopes: Vec<String>,
        now_ms: i64,
        dies_ms: Option<i64>,
    ) -> String {
        let own = |refresh: &&Refresh| refresh.user == user;
        if self.refresh.values().filter(own).count() >= MAX_REFRESH_TOKENS {
            let oldest = self
                .refresh
                .iter()
                .filter(|(_, refresh)| refresh.user == user)
                .min_by_key(|(token, refresh)| (refresh.issued_ms, (*token).clone()))
                .map(|(token, _)| token.clone());
            if let Some(oldest) = oldest {
                self.refresh.remove(&oldest);
            }
        }
        let token = self.secret("1//0", 90);
        let refresh = Refresh {
            user,
            user_id: user_id.to_owned(),
            scopes,
            issued_ms: now_ms,
            used_ms: now_ms,
            dies_ms,
        };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    /// Looks a refresh token up and notes its use.
    pub(super) fn use_refresh(&mut self, token: &str, now_ms: i64) -> Result<Refresh, Refusal> {
        const DEAD: Refusal = Refusal(400, "invalid_grant", "Token has been expired or revoked.");
        let Some(refresh) = self.refresh.get_mut(token) else {
            let known_form = token.starts_with("1//0");
            let malformed = Refusal(400, "invalid_grant", "Bad Request");
            return Err(if known_form { DEAD } else { malformed });
        };
        let idle = now_ms - refresh.used_ms > MAX_IDLE_MS;
        if idle || refresh.dies_ms.is_some_and(|end| end <= now_ms) {
            self.refresh.remove(token);
            return Err(DEAD);
        }
        refresh.used_ms = now_ms;
        Ok(refresh.clone())
    }

    /// Whose refresh token this is; for counting and faults only.
    pub(super) fn refresh_owner(&self, token: &str) -> Option<UserIndex> {
        self.refresh.get(token).map(|refresh| refresh.user)
    }

    pub(super) fn issue_code(&mut self, code: Code) -> String {
        let text = self.secret("4/0A", 68);
        self.consented
            .entry(code.user)
            .or_default()
            .extend(code.scopes.iter().cloned());
        self.codes.insert(text.clone(), code);
        text
    }

    /// Takes a code out: good or not, it cannot be used again.
    pub(super) fn take_code(&mut self, text: &str, now_ms: i64) -> Option<Code> {
        self.codes
            .remove(text)
            .filter(|code| code.expires_ms > now_ms)
    }

    /// The scopes that `user` has consented to so far.
    pub(super) fn consented(&self, user: UserIndex) -> BTreeSet<String> {
        self.consented.get(&user).cloned().unwrap_or_default()
    }

    /// Ends all access tokens of one user, or of everybody; returns how many.
    pub(crate) fn expire(&mut self, user: Option<UserIndex>) -> usize {
        let before = self.grants.len();
        self.grants
            .retain(|_, grant| user.is_some() && grant.user != user);
        before - self.grants.len()
    }

    /// Takes the user's consent to the client back, and all that came of it; returns how many tokens died.
    pub(crate) fn revoke_consent(&mut self, user: UserIndex) -> usize {
        let before = self.grants.len() + self.refresh.len();
        self.grants
            .retain(|_, grant| grant.user != Some(user) || grant.by != GrantedBy::Consent);
        self.refresh.retain(|_, refresh| refresh.user != user);
        self.codes.retain(|_, code| code.user != user);
        self.consented.remove(&user);
        before - self.grants.len() - self.refresh.len()
    }

    /// A new password kills the refresh tokens that reach into Gmail; returns how many died.
    pub(crate) fn change_password(&mut self, user: UserIndex) -> usize {
        let before = self.refresh.len();
        let gmail = |scope: &String| scope.contains("mail.google.com") || scope.contains("/gmail.");
        self.refresh
            .retain(|_, refresh| refresh.user != user || !refresh.scopes.iter().any(gmail));
        before - self.refresh.len()
    }

    /// `POST /revoke`: an access token ends alone, unless it came of a consent, which ends with it.
    pub(super) fn revoke(&mut self, token: &str) -> Option<()> {
        if let Some(refresh) = self.refresh.get(token) {
            let user = refresh.user;
            self.revoke_consent(user);
            return Some(());
        }
        let grant = self.grants.remove(token)?;
        if let (Some(user), GrantedBy::Consent) = (grant.user, grant.by) {
            self.revoke_consent(user);
        }
        Some(())
    }
}

impl Refresh {
    /// Whether the account with this Directory id is the one that consented.
    pub(super) fn is_of(&self, user_id: &str) -> bool {
        self.user_id == user_id
    }
}

/// Looks up the bearer token of a call.
pub(crate) fn authenticate(workspace: &Workspace, call: &Call) -> Result<Grant, ApiError> {
    let Some(header) = call.header("authorization") else {
        return Err(ApiError::login_required());
    };
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(ApiError::invalid_credentials()),
    };
    let known = workspace.tokens().grant(token, workspace.now_ms()).cloned();
    known
        .or_else(|| assertion::self_signed(workspace, token))
        .ok_or_else(ApiError::invalid_credentials)
}
