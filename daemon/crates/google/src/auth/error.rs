//! Why there is no token, in the words of Google's table of OAuth errors, and what to do.
//! <https://developers.google.com/identity/protocols/oauth2/service-account#error-codes>

use crate::codes;
use nuncio_model::Next;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use yup_oauth2::error::AuthErrorCode;

/// Why there is no token. Cheap to clone: all calls that wait for one request get the same.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// Google refuses.
    #[error(transparent)]
    Denied(Arc<Denied>),
    /// Google's token endpoint has too much to do or fails.
    #[error("Google's token endpoint is busy (status {status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// An answer that is neither a token nor a refusal.
    #[error("Google's token endpoint gives an answer without a token (status {status}): {what}")]
    Malformed {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The token endpoint cannot be reached.
    #[error("Google's token endpoint cannot be reached")]
    Network(#[source] Arc<hyper_util::client::legacy::Error>),
    /// The token endpoint's answer broke off.
    #[error("the answer of Google's token endpoint broke off")]
    CutBody(#[source] Arc<std::io::Error>),
    /// The token endpoint does not answer in time.
    #[error("Google's token endpoint does not answer within {0:?}")]
    Timeout(Duration),
    /// Google asked to leave the token endpoint alone; nothing was sent.
    #[error("Google asked not to ask for tokens for another {0:?}")]
    Paused(Duration),
    /// The key cannot sign.
    #[error("the service account's key cannot sign")]
    Signing(#[source] Arc<rustls::Error>),
    /// Google does not sign for the service account.
    #[error("Google does not sign for {service_account}: {message}")]
    NotSigned {
        /// The service account.
        service_account: String,
        /// Google's sentence, escaped.
        message: String,
    },
    /// The token of the other identity provider cannot be read.
    #[error("the token in {file} cannot be read: {what}")]
    SubjectToken {
        /// The file that the external-account file names.
        file: String,
        /// Why.
        what: String,
    },
    /// The user did not log in.
    #[error("{user} has not logged in")]
    NoConsent {
        /// The user.
        user: String,
    },
    /// The user's consent cannot be read.
    #[error("the consent of {user} cannot be read: {what}")]
    ConsentUnreadable {
        /// The user.
        user: String,
        /// Why.
        what: String,
    },
    /// The consent is for another OAuth client than the config names now.
    #[error("the consent of {user} is for another OAuth client")]
    OtherClient {
        /// The user.
        user: String,
    },
    /// The consent opens another account than the one that is asked for.
    #[error("the consent of {user} opens the account of {mailbox}")]
    OtherMailbox {
        /// The user.
        user: String,
        /// Whose account it is, escaped.
        mailbox: String,
    },
    /// The user left a scope out of the consent.
    #[error("the consent{} does not include {scope}", user.as_ref().map(|user| format!(" of {user}")).unwrap_or_default())]
    MissingScope {
        /// The user, where it is known.
        user: Option<String>,
        /// The scope.
        scope: &'static str,
    },
}

/// A refusal of the token endpoint. Texts are escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The user that was asked for; none is the service account itself.
    pub subject: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// OAuth's word for it.
    pub error: AuthErrorCode,
    /// Google's sentence; may be empty.
    pub description: String,
    /// What it means.
    pub refusal: Refusal,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.subject.as_deref().unwrap_or("the service account");
        write!(
            f,
            "Google refuses a token for {who}: {} {}",
            self.status,
            self.error.as_str()
        )?;
        if !self.description.is_empty() {
            write!(f, ": {}", self.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Denied {}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Domain-wide delegation is not granted, or has not reached this user yet (up to a day).
    NotDelegated,
    /// A scope is not granted, or the service is restricted for the user.
    AccessDenied,
    /// The domain's app-access policy blocks the scope.
    AdminPolicy,
    /// The client is deleted, disabled, internal to another domain, or not the key's.
    ClientUnusable,
    /// Google does not know a scope.
    BadScope,
    /// No such user: deleted, renamed or misspelled.
    NoSuchUser,
    /// The address is no primary address: an alias or an old name.
    NotPrimaryAddress,
    /// Our clock and Google's differ, and the difference could not be learned.
    Clock,
    /// The key is deleted, disabled or another account's.
    BadSignature,
    /// A failure of Google in the form of a refusal.
    Transient,
    /// A user's consent that is no longer good: revoked, expired, or ended by a new password.
    Revoked,
    /// Any other.
    Other,
}

impl Refusal {
    /// Judges an error word and its description; the raw texts of the answer.
    pub(crate) fn judge(error: &AuthErrorCode, description: &str) -> Self {
        let says = |text: &str| description.to_ascii_lowercase().contains(text);
        match error {
            AuthErrorCode::UnauthorizedClient => Self::NotDelegated,
            AuthErrorCode::AccessDenied => Self::AccessDenied,
            AuthErrorCode::InvalidScope => Self::BadScope,
            AuthErrorCode::InvalidClient => Self::ClientUnusable,
            AuthErrorCode::InvalidGrant if says("short-lived token") => Self::Clock,
            AuthErrorCode::InvalidGrant if says("signature") || says("no valid verifier") => {
                Self::BadSignature
            }
            AuthErrorCode::InvalidGrant
                if says("not a valid email")
                    || says("invalid email or user id")
                    || says("account has been deleted") =>
            {
                Self::NoSuchUser
            }
            AuthErrorCode::InvalidGrant if says("expired or revoked") => Self::Revoked,
            AuthErrorCode::InvalidRequest if says("impersonation") => Self::NotPrimaryAddress,
            AuthErrorCode::Other(word) => match word.as_str() {
                "admin_policy_enforced" => Self::AdminPolicy,
                "deleted_client" | "disabled_client" | "org_internal" => Self::ClientUnusable,
                "internal_failure" => Self::Transient,
                _ => Self::Other,
            },
            AuthErrorCode::InvalidGrant
            | AuthErrorCode::InvalidRequest
            | AuthErrorCode::UnsupportedGrantType
            | AuthErrorCode::ExpiredToken => Self::Other,
        }
    }
}

impl AuthError {
    /// The same, where a refresh token was refused: Google has several sentences for one that is
    /// no longer good.
    pub(super) fn of_consent(self) -> Self {
        match self {
            Self::Denied(denied)
                if denied.refusal == Refusal::Other
                    && denied.error == AuthErrorCode::InvalidGrant =>
            {
                Self::Denied(Arc::new(Denied {
                    refusal: Refusal::Revoked,
                    ..Denied::clone(&denied)
                }))
            }
            other => other,
        }
    }

    /// Whether it says that the delegation does not cover a user, or not yet.
    pub(super) fn is_uncovered(&self) -> bool {
        let Self::Denied(denied) = self else {
            return false;
        };
        matches!(
            denied.refusal,
            Refusal::NotDelegated | Refusal::AccessDenied | Refusal::AdminPolicy
        )
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        match self {
            Self::Denied(denied) if denied.refusal == Refusal::Transient => Next::Backoff,
            Self::Denied(_) => Next::Reauthorize,
            Self::Busy {
                retry_after: Some(wait),
                ..
            }
            | Self::Paused(wait) => Next::RetryAfter(*wait),
            Self::Busy {
                retry_after: None, ..
            }
            | Self::Malformed { .. }
            | Self::Network(_)
            | Self::CutBody(_)
            | Self::SubjectToken { .. }
            | Self::Timeout(_) => Next::Backoff,
            Self::Signing(_)
            | Self::NotSigned { .. }
            | Self::NoConsent { .. }
            | Self::ConsentUnreadable { .. }
            | Self::OtherClient { .. }
            | Self::OtherMailbox { .. }
            | Self::MissingScope { .. } => Next::Reauthorize,
        }
    }

    /// The stable code for operators. Codes of key files are in [`crate::KeyError`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) => match denied.refusal {
                Refusal::NotDelegated => "AUTH010",
                Refusal::AccessDenied => "AUTH011",
                Refusal::AdminPolicy => "AUTH012",
                Refusal::ClientUnusable => "AUTH013",
                Refusal::BadScope => "AUTH014",
                Refusal::NoSuchUser => "AUTH015",
                Refusal::NotPrimaryAddress => "AUTH016",
                Refusal::Clock => "AUTH017",
                Refusal::BadSignature => "AUTH018",
                Refusal::Transient => "AUTH019",
                Refusal::Other => "AUTH020",
                Refusal::Revoked => "AUTH028",
            },
            Self::Busy { .. } => "AUTH021",
            Self::Malformed { .. } => "AUTH022",
            Self::Network(_) => "AUTH023",
            Self::CutBody(_) => "AUTH024",
            Self::Timeout(_) => "AUTH025",
            Self::Paused(_) => "AUTH026",
            Self::Signing(_) => "AUTH027",
            Self::NoConsent { .. } => "AUTH029",
            Self::ConsentUnreadable { .. } => "AUTH030",
            Self::OtherClient { .. } => "AUTH031",
            Self::OtherMailbox { .. } => "AUTH032",
            Self::MissingScope { .. } => "AUTH033",
            Self::NotSigned { .. } => "AUTH034",
            Self::SubjectToken { .. } => "AUTH035",
        }
    }

    /// What an operator can do; `ADDRESS` in it stands for the account.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_table_is_understood() {
        let cases = [
            (
                "unauthorized_client",
                "Unauthorized client or scope in request.",
                Refusal::NotDelegated,
            ),
            (
                "access_denied",
                "Requested client not authorized",
                Refusal::AccessDenied,
            ),
            ("admin_policy_enforced", "", Refusal::AdminPolicy),
            ("invalid_client", "", Refusal::ClientUnusable),
            ("deleted_client", "", Refusal::ClientUnusable),
            (
                "disabled_client",
                "The OAuth client was disabled.",
                Refusal::ClientUnusable,
            ),
            ("org_internal", "", Refusal::ClientUnusable),
            (
                "invalid_scope",
                "Invalid OAuth scope or ID token audience provided.",
                Refusal::BadScope,
            ),
            ("invalid_grant", "Not a valid email", Refusal::NoSuchUser),
            (
                "invalid_grant",
                "Invalid email or User ID",
                Refusal::NoSuchUser,
            ),
            (
                "invalid_grant",
                "The account has been deleted",
                Refusal::NoSuchUser,
            ),
            (
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
                Refusal::Clock,
            ),
            (
                "invalid_grant",
                "Invalid JWT Signature.",
                Refusal::BadSignature,
            ),
            (
                "invalid_grant",
                "Invalid JWT: No valid verifier found for issuer",
                Refusal::BadSignature,
            ),
            ("invalid_grant", "Bad Request", Refusal::Other),
            (
                "invalid_grant",
                "Token has been expired or revoked.",
                Refusal::Revoked,
            ),
            (
                "invalid_request",
                "Invalid impersonation prn email address",
                Refusal::NotPrimaryAddress,
            ),
            (
                "invalid_request",
                "Invalid impersonation \"sub\" field",
                Refusal::NotPrimaryAddress,
            ),
            ("internal_failure", "Backend Error", Refusal::Transient),
            ("invalid_account", "Forbidden", Refusal::Other),
        ];
        for (error, description, refusal) in cases {
            assert_eq!(
                Refusal::judge(&AuthErrorCode::from(error), description),
                refusal,
                "{error} {description}"
            );
        }
    }
}
