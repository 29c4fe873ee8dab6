//! The one error of all calls. Nothing in it, shown or debugged, holds a token or mail content:
//! texts from outside are escaped and cut, and decode errors name places, not values.

use crate::client::ExchangeError;
use crate::{AuthError, Status, codes};
use nuncio_model::Next;
use std::time::Duration;

/// Why a call failed. `method` is Google's name of it, such as `gmail.users.messages.get`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Google answered with an error status.
    #[error(transparent)]
    Status(Box<Status>),
    /// There is no token for the call.
    #[error("{method} has no token")]
    Auth {
        /// The method.
        method: &'static str,
        /// Why.
        #[source]
        source: AuthError,
    },
    /// Google cannot be reached, or the connection broke before an answer.
    #[error("{method} does not reach Google")]
    Network {
        /// The method.
        method: &'static str,
        /// Why.
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// The answer's body broke off.
    #[error("{method}: the answer broke off")]
    CutBody {
        /// The method.
        method: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No answer in time.
    #[error("{method} is not answered within {after:?}")]
    Timeout {
        /// The method.
        method: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The answer is longer than allowed.
    #[error("{method}: the answer is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The method.
        method: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
    /// Google asked to leave this mailbox alone; nothing was sent.
    #[error("{method} waits: Google asked to pause this mailbox for another {left:?}")]
    Paused {
        /// The method.
        method: &'static str,
        /// Until the pause ends.
        left: Duration,
    },
    /// The project's budget of the day is used up; nothing was sent. Walks leave a part of it to
    /// live calls, so they stop first.
    #[error("{method} waits: the day's budget of this API is used up for another {left:?}")]
    DayUsed {
        /// The method.
        method: &'static str,
        /// Until the next day begins.
        left: Duration,
    },
    /// The answer is not what the API promises.
    #[error("{method}: the answer cannot be read: {what}")]
    Decode {
        /// The method.
        method: &'static str,
        /// Which part, and where; never its content.
        what: String,
    },
    /// The request cannot be made, such as with an empty id; nothing was sent.
    #[error("{method} cannot be called: {what}")]
    Request {
        /// The method.
        method: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// The machine's root certificates cannot be read.
    #[error("cannot read this machine's root certificates")]
    RootCertificates(#[source] std::io::Error),
}

impl Error {
    pub(crate) fn exchange(method: &'static str, error: ExchangeError, limit_bytes: usize) -> Self {
        match error {
            ExchangeError::Network(source) => Self::Network { method, source },
            ExchangeError::CutBody(source) => Self::CutBody { method, source },
            ExchangeError::Timeout(after) => Self::Timeout { method, after },
            ExchangeError::TooLarge => Self::TooLarge {
                method,
                limit_bytes,
            },
        }
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        match self {
            Self::Status(status) => status.next(),
            Self::Auth { source, .. } => source.next(),
            Self::Paused { left, .. } | Self::DayUsed { left, .. } => Next::RetryAfter(*left),
            Self::Network { .. }
            | Self::CutBody { .. }
            | Self::Timeout { .. }
            | Self::Decode { .. } => Next::Backoff,
            Self::TooLarge { .. } | Self::Request { .. } => Next::Reject,
            Self::RootCertificates(_) => Next::Stop,
        }
    }

    /// The stable code for operators.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Status(status) => status.code(),
            Self::Auth { source, .. } => source.code(),
            Self::Network { .. } => "GGL020",
            Self::CutBody { .. } => "GGL021",
            Self::Timeout { .. } => "GGL022",
            Self::TooLarge { .. } => "GGL023",
            Self::Paused { .. } => "GGL024",
            Self::Decode { .. } => "GGL025",
            Self::Request { .. } => "GGL026",
            Self::RootCertificates(_) => "GGL027",
            Self::DayUsed { .. } => "GGL028",
        }
    }

    /// What an operator can do.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}
