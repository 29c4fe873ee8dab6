//! Who we are to Google: the service account's key and the tokens got with it for each user.
//! Consent of single users is not here yet.

mod error;
mod grant;
mod key;
mod tokens;

pub use error::{AuthError, Denied, Refusal};
pub use key::{Key, KeyError};
pub(crate) use tokens::{Bearer, Tokens};

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
