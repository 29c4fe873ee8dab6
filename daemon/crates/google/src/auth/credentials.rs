//! What nuncio shows Google to act for users: the service account that the domain delegated to, the
//! consents of single users, or the first with the second to fall back on. How a token is got with
//! them is in `tokens`.

use super::consent::{ConsentStore, OAuthClient};
use super::{Key, Keyless};
use std::fmt;
use std::sync::Arc;

/// On whose word nuncio acts for users. Clones are cheap.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The domain's delegation to a service account.
    Delegated {
        /// Signs for it.
        signer: Signer,
        /// For users whom the delegation does not cover.
        fallback: Option<Consents>,
    },
    /// Each user's own consent.
    PerUser(Consents),
}

/// Signs assertions in the name of a service account.
#[derive(Debug, Clone)]
pub enum Signer {
    /// With its key.
    Key(Key),
    /// Google signs, asked by the workload that runs here; there is no key to steal.
    Keyless(Box<Keyless>),
}

/// The consents of users, and the client that they were given to.
#[derive(Clone)]
pub struct Consents {
    /// The OAuth client.
    pub client: OAuthClient,
    /// Where the consents are kept.
    pub store: Arc<dyn ConsentStore>,
}

impl fmt::Debug for Consents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = &self.client;
        f.debug_struct("Consents")
            .field("client", client)
            .finish_non_exhaustive()
    }
}

impl From<Key> for Credentials {
    fn from(key: Key) -> Self {
        Self::Delegated {
            signer: Signer::Key(key),
            fallback: None,
        }
    }
}

impl Credentials {
    /// The name by which Google knows who asks: the service account's address, or the client's id.
    pub fn name(&self) -> &str {
        match self {
            Self::Delegated { signer, .. } => signer.service_account(),
            Self::PerUser(consents) => consents.client.id(),
        }
    }
}

impl Signer {
    /// The service account's address.
    pub fn service_account(&self) -> &str {
        match self {
            Self::Key(key) => key.client_email(),
            Self::Keyless(keyless) => keyless.service_account(),
        }
    }

    /// The id of the key; none where Google signs with a key of its own.
    pub fn key_id(&self) -> Option<&str> {
        match self {
            Self::Key(key) => key.key_id(),
            Self::Keyless(_) => None,
        }
    }
}
