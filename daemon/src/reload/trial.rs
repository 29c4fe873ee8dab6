//! Other credentials are tried before they come into force: a token is asked for, for a few users.
//! What is tried is in `nuncio-google`; what becomes of the outcome is in `app`.

use super::too_many;
use crate::admin::wire;
use crate::consents::ConsentDir;
use nuncio_config::{Config, Mode, User};
use nuncio_google::{
    AuthError, Credentials, Google, Refusal, SCOPES_CALENDAR, SCOPES_CALENDAR_WHOLE, SCOPES_DRIVE,
    SCOPES_GMAIL, Scopes,
};
use nuncio_model::{Address, Chain, Next, Source};
use std::path::Path;

/// Users for whom a token is asked for; the first that gets one settles it.
const MOST_TRIED: usize = 3;

/// How other credentials do.
#[derive(Debug)]
pub(crate) enum Trial {
    /// They open what they should.
    Good,
    /// They are no good at all.
    Broken(wire::Error),
    /// It cannot be said now; they may be good later.
    Unknown(wire::Error),
    /// They are good, but open too little; why, for an operator to judge.
    Doubtful(String),
}

/// The scopes of a source.
pub(crate) fn scopes(source: Source) -> Scopes {
    match source {
        Source::Gmail => SCOPES_GMAIL,
        Source::Calendar => SCOPES_CALENDAR,
        Source::Drive => SCOPES_DRIVE,
    }
}

/// Asks for tokens with `credentials` for some users of `config`; nothing is kept.
pub(crate) async fn trial(
    google: &Google,
    credentials: &Credentials,
    config: &Config,
    state_dir: &Path,
) -> Trial {
    let synced = config.users.iter().filter(|user| user.sync);
    let mut users: Vec<&User> = synced.collect();
    let n_synced = users.len();
    if config.google.mode == Mode::PerUser {
        let consents = ConsentDir::of(state_dir);
        users.retain(|user| consents.has(user.email.as_str()));
        let n_lost = n_synced - users.len();
        if too_many(n_lost, n_synced) {
            return Trial::Doubtful(format!(
                "leaves {n_lost} of {n_synced} users without access, who have not logged in (nuncio login ADDRESS)"
            ));
        }
        if users.is_empty() {
            return Trial::Good;
        }
    }
    let mut asks: Vec<(Option<&Address>, Scopes)> = Vec::new();
    for user in users.iter().take(MOST_TRIED) {
        let source = user.sources.first().copied().unwrap_or(Source::Gmail);
        asks.push((Some(&user.email), scopes(source)));
        if source == Source::Calendar {
            asks.push((Some(&user.email), SCOPES_CALENDAR_WHOLE));
        }
    }
    if asks.is_empty() {
        // Nobody to act for: whether Google knows the key at all.
        asks.push((None, SCOPES_GMAIL));
    }
    let mut last = None;
    for (subject, scopes) in asks {
        let tried = google.try_credentials(credentials.clone(), subject, scopes);
        match tried.await {
            Ok(()) => return Trial::Good,
            Err(error) if is_of_credentials(&error) => return Trial::Broken(told(&error)),
            Err(error) if error.next() != Next::Reauthorize => {
                return Trial::Unknown(told(&error));
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        None => Trial::Good,
        Some(error) => Trial::Doubtful(format!(
            "shows Google other credentials, which opened none of the users that were tried: {error}"
        )),
    }
}

/// Whether it says that the credentials are no good for anybody.
fn is_of_credentials(error: &AuthError) -> bool {
    match error {
        AuthError::Denied(denied) => matches!(
            denied.refusal,
            Refusal::BadSignature | Refusal::ClientUnusable
        ),
        AuthError::Signing(_) | AuthError::NotSigned { .. } => true,
        _ => false,
    }
}

fn told(error: &AuthError) -> wire::Error {
    wire::Error {
        code: error.code().to_owned(),
        message: format!(
            "the new credentials were tried: {}; those of before go on",
            Chain(error)
        ),
        hint: error.hint().to_owned(),
    }
}
