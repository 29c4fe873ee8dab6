//! Who we are to Google, and the tokens got with it for each user: the service account's key, a
//! workload that has Google sign for the service account, or the consents of single users.

mod consent;
mod credentials;
mod error;
mod grant;
mod key;
mod keyless;
mod tokens;
mod wire;

pub use consent::{
    Consent, ConsentStore, IDENTITY_SCOPES, Login, OAuthClient, OAuthClientError, RedirectError,
};
pub use credentials::{Consents, Credentials, Signer};
pub use error::{AuthError, Denied, Refusal};
pub use key::{Key, KeyError};
pub use keyless::{ExternalAccount, ExternalAccountError, Keyless, Workload};
pub(crate) use tokens::{Bearer, Tokens};
pub use tokens::{GrantedBy, Uncovered};
pub use wire::NewConsent;
pub(crate) use wire::Wire;

/// The scopes of one API, asked for together and always the same, so that a user has one token
/// per API and a missing grant for one API does not stop another: Google refuses a token if one
/// of its scopes is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(pub(crate) &'static [&'static str]);

impl Scopes {
    /// The scopes' URLs, as the Admin console wants them.
    pub fn urls(self) -> &'static [&'static str] {
        self.0
    }
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .expect("the system gives random bytes");
    bytes
}
