//! Why a feed could not take a step, and what follows from it.

use crate::{FeedState, codes};
use nuncio_google::Fault;
use nuncio_model::{Next, StoreError};
use std::time::Duration;

/// How long to wait for room in the spool before looking again.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// A step of a feed failed. Nothing of the step was kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Google refused or could not be reached.
    #[error(transparent)]
    Google(#[from] nuncio_google::Error),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Directory has no such user.
    #[error("Google knows no user {address}")]
    UnknownUser {
        /// The configured address.
        address: String,
    },
    /// The address is not the mailbox's primary one.
    #[error("{address} is not the primary address of a mailbox: Google opened {mailbox}")]
    OtherMailbox {
        /// The configured address.
        address: String,
        /// What Google says.
        mailbox: String,
    },
    /// Two configured addresses are one mailbox.
    #[error("{address} is the same mailbox as {other}, which is read already")]
    SameMailbox {
        /// The configured address.
        address: String,
        /// The one that reads the mailbox.
        other: String,
    },
    /// The address belongs to another account than before.
    #[error("{address} belongs to another account at Google now")]
    OtherAccount {
        /// The configured address.
        address: String,
    },
    /// Nobody is left who can read what belongs to the domain.
    #[error("nobody who is synced can read {collection} any more")]
    Orphaned {
        /// The calendar's or shared drive's id.
        collection: String,
    },
    /// A listing or history that cannot be read in part, so that going on would lose something.
    #[error("{what} of Google's answer could not be read")]
    Unreadable {
        /// What could not be read.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn next(&self) -> Next {
        match self {
            Error::Google(error) => error.next(),
            Error::Store(StoreError::Full(_)) => Next::RetryAfter(FULL_WAIT),
            Error::Store(StoreError::Failed(_) | StoreError::Closed) => Next::Stop,
            Error::UnknownUser { .. }
            | Error::OtherMailbox { .. }
            | Error::SameMailbox { .. }
            | Error::Orphaned { .. } => Next::Reauthorize,
            Error::Unreadable { .. } | Error::OtherAccount { .. } => Next::Backoff,
        }
    }

    /// Whether the account has to be looked up again: it may have been renamed, or be another one.
    pub(crate) fn is_of_account(&self) -> bool {
        matches!(self, Error::OtherAccount { .. }) || self.next() == Next::Reauthorize
    }

    /// The state of a feed that cannot go on for this reason.
    pub(crate) fn refused_state(&self) -> FeedState {
        match self {
            Error::Orphaned { .. } => FeedState::Orphaned,
            _ => FeedState::Disabled,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Error::Google(error) => error.code(),
            Error::Store(StoreError::Full(_)) => "SPL010",
            Error::Store(StoreError::Failed(_) | StoreError::Closed) => "SPL011",
            Error::UnknownUser { .. } => "SRC001",
            Error::OtherMailbox { .. } => "SRC002",
            Error::Unreadable { .. } => "SRC003",
            Error::SameMailbox { .. } => "SRC004",
            Error::OtherAccount { .. } => "SRC016",
            Error::Orphaned { .. } => "SRC005",
        }
    }

    pub(crate) fn hint(&self) -> String {
        match self {
            Error::Google(error) => error.hint().into(),
            Error::Store(StoreError::Full(_)) => {
                "nothing is lost; it goes on when sinks have taken records or there is more disk \
                 space ([spool] max_bytes)"
                    .into()
            }
            Error::Store(StoreError::Failed(_) | StoreError::Closed) => {
                "see the log; the daemon stops and continues where it was when started again".into()
            }
            Error::OtherMailbox { mailbox, .. } => {
                format!("name the primary address {mailbox} in `accounts`, this one in `aliases`")
            }
            Error::SameMailbox { address, .. } => {
                format!("take {address} out of `accounts`; as an alias it still names the user")
            }
            Error::UnknownUser { .. }
            | Error::Orphaned { .. }
            | Error::OtherAccount { .. }
            | Error::Unreadable { .. } => codes::remedy(self.code()).into(),
        }
    }
}

/// The HTTP status of an answer that Google gave.
pub(crate) fn status(error: &nuncio_google::Error) -> Option<&nuncio_google::Status> {
    match error {
        nuncio_google::Error::Status(status) => Some(status),
        _ => None,
    }
}

/// Whether Google says that there is no such thing.
pub(crate) fn is_not_found(error: &nuncio_google::Error) -> bool {
    status(error).is_some_and(|status| status.fault == Fault::NotFound)
}
