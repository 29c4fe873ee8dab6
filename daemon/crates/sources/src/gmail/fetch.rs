//! Reads messages by id, several at a time, and tells one bad message from a bad mailbox.

use super::error::is_not_found;
use futures_util::StreamExt;
use nuncio_google::{Error, Fault, Gmail, RawMessage};
use nuncio_model::{ItemId, Next};

/// Calls asked for at once; how many really run is up to the governor.
const N_AT_ONCE: usize = 16;

/// Past so many bytes of raw mail a batch is cut, so that memory stays bounded.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// So many failures without one success mean that the mailbox has a problem, not the message.
const N_ROW: usize = 3;

/// What became of one message.
pub(crate) enum Fetched {
    /// It is here.
    Message(Box<RawMessage>),
    /// It does not exist any more.
    Gone,
    /// It could not be had although others could.
    Failed(Error),
}

/// The first messages of those asked for, in order.
pub(crate) struct Batch {
    /// One for each id, a prefix of what was asked for.
    pub fetched: Vec<(ItemId, Fetched)>,
    /// Why it went no further, where that is the mailbox's or the network's fault.
    pub halted: Option<Error>,
}

/// Fetches `ids` in order until all are there, memory is used up, or the mailbox as a whole fails.
pub(crate) async fn fetch(gmail: &Gmail, ids: &[ItemId]) -> Batch {
    let mut batch = Batch {
        fetched: Vec::with_capacity(ids.len()),
        halted: None,
    };
    let mut n_bytes = 0;
    let mut calls = futures_util::stream::iter(ids.to_vec())
        .map(|id| {
            let gmail = gmail.clone();
            async move {
                let answer = gmail.message_raw(&id).await;
                (id, answer)
            }
        })
        .buffered(N_AT_ONCE);
    while let Some((id, answer)) = calls.next().await {
        let fetched = match answer {
            Ok(message) => {
                n_bytes += message.raw.len();
                Fetched::Message(Box::new(message))
            }
            Err(error) if is_not_found(&error) => Fetched::Gone,
            Err(error) if is_of_one_message(&error) => Fetched::Failed(error),
            Err(error) => {
                batch.halted = Some(error);
                break;
            }
        };
        batch.fetched.push((id, fetched));
        if n_bytes > MAX_BATCH_BYTES {
            break;
        }
    }
    drop(calls);
    halt_on_a_row(batch)
}

/// A message's own trouble: Google answered, but not with the message, and waiting for a rate
/// limit or a new token would not help. The transport has tried again before.
fn is_of_one_message(error: &Error) -> bool {
    match error {
        Error::Status(status) => match status.fault {
            Fault::Server | Fault::Refused | Fault::Forbidden => {
                !matches!(status.next(), Next::RetryAfter(_))
            }
            Fault::RateLimit
            | Fault::LongLimit
            | Fault::Unauthorized
            | Fault::MissingScope
            | Fault::ApiDisabled
            | Fault::DomainPolicy
            | Fault::NoService
            | Fault::NotFound
            | Fault::PositionLost => false,
        },
        Error::CutBody { .. }
        | Error::TooLarge { .. }
        | Error::Decode { .. }
        | Error::Request { .. } => true,
        Error::Auth { .. }
        | Error::Network { .. }
        | Error::Timeout { .. }
        | Error::Paused { .. }
        | Error::RootCertificates(_) => false,
    }
}

/// Several failures in a row without a success are a state of the feed (a suspended user's mails
/// are listed, yet each get is refused), so none of them becomes a failed item.
fn halt_on_a_row(mut batch: Batch) -> Batch {
    let n_failed = batch
        .fetched
        .iter()
        .filter(|(_, f)| matches!(f, Fetched::Failed(_)))
        .count();
    if batch.halted.is_none() && n_failed >= N_ROW && n_failed == batch.fetched.len() {
        batch.halted = batch
            .fetched
            .drain(..)
            .find_map(|(_, fetched)| match fetched {
                Fetched::Failed(error) => Some(error),
                Fetched::Message(_) | Fetched::Gone => None,
            });
    }
    batch
}
