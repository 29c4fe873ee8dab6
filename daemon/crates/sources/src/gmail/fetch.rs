//! Carries out planned reads, several at a time, and tells one bad message from a bad mailbox.

use super::plan::Job;
use crate::error::is_not_found;
use futures_util::StreamExt;
use nuncio_google::{Error, Fault, FullMessage, Gmail, MessagePart, RawMessage};
use nuncio_model::{ItemId, Next, ThreadId};
use std::collections::HashMap;

/// Calls asked for at once; how many really run is up to the governor.
const N_AT_ONCE: usize = 16;

/// Past so many bytes of raw mail a batch is cut, so that memory stays bounded.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// So many failures without one success mean that the mailbox has a problem, not the message.
const N_ROW: usize = 3;

/// After so many fetches in a row that got nowhere, failures are taken as the messages' own.
const N_PATIENT: u32 = 5;

/// Whose fault a connection is that breaks off or stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The network's, as nearly always: the feed waits.
    Network,
    /// Perhaps the message's: one whose answer always breaks off must not hold up the others.
    Message,
}

impl Blame {
    /// By how often in a row nothing was got, and whether these messages have failed before.
    pub(crate) fn new(judged: Judged, n_halts: u32) -> Self {
        match judged {
            Judged::Together if n_halts < N_PATIENT => Self::Network,
            Judged::Together | Judged::OneByOne => Self::Message,
        }
    }
}

/// What became of one message.
pub(crate) enum Fetched {
    /// Its bytes are here; of a draft those of the message behind it.
    Message(Box<RawMessage>),
    /// It came with its thread, in parts.
    Parts(Box<FullMessage>),
    /// It does not exist any more.
    Gone,
    /// It could not be had although others could.
    Failed(Error),
}

/// The first messages of those asked for, in order.
pub(crate) struct Batch {
    /// One for each id, a prefix of what was asked for.
    pub fetched: Vec<(ItemId, Fetched)>,
    /// What else was in the threads.
    pub others: Vec<FullMessage>,
    /// Threads that could not be had as a whole; their messages were read alone.
    pub refused: Vec<ThreadId>,
    /// Of each thread that was read, how many of those asked for it had.
    pub n_of_threads: Vec<usize>,
    /// Why it went no further, where that is the mailbox's or the network's fault.
    pub halted: Option<Error>,
}

/// What came of one job.
struct Done {
    answers: Vec<(ItemId, Result<Fetched, Error>)>,
    others: Vec<FullMessage>,
    /// Whether a thread was read.
    n_of_thread: Option<usize>,
    refused: Option<ThreadId>,
    n_bytes: usize,
    /// Whether there is an answer for each item, so that the next job's may follow.
    is_whole: bool,
}

/// Carries out `jobs` in order until all is there, memory is used up, or the mailbox as a whole
/// fails.
pub(crate) async fn fetch(gmail: &Gmail, jobs: Vec<Job>, blame: Blame) -> Batch {
    let mut batch = Batch {
        fetched: Vec::with_capacity(jobs.len()),
        others: Vec::new(),
        refused: Vec::new(),
        n_of_threads: Vec::new(),
        halted: None,
    };
    let mut n_bytes = 0;
    let mut calls = futures_util::stream::iter(jobs)
        .map(|job| {
            let gmail = gmail.clone();
            async move { read(&gmail, job).await }
        })
        .buffered(N_AT_ONCE);
    'jobs: while let Some(done) = calls.next().await {
        n_bytes += done.n_bytes;
        batch.others.extend(done.others);
        batch.refused.extend(done.refused);
        batch.n_of_threads.extend(done.n_of_thread);
        for (id, answer) in done.answers {
            let fetched = match answer {
                Ok(fetched) => fetched,
                Err(error) if is_of_one_message(&error) => Fetched::Failed(error),
                Err(error) if blame == Blame::Message && is_doubtful(&error) => {
                    Fetched::Failed(error)
                }
                Err(error) => {
                    batch.halted = Some(error);
                    break 'jobs;
                }
            };
            batch.fetched.push((id, fetched));
            if blame == Blame::Message && batch.is_row() {
                break 'jobs;
            }
        }
        if n_bytes > MAX_BATCH_BYTES || !done.is_whole {
            break;
        }
    }
    drop(calls);
    if batch.is_doubtful()
        && let Err(error) = gmail.profile().await
    {
        batch.fetched.clear();
        batch.halted = Some(error);
    }
    batch
}

/// Carries out one job. A thread that cannot be had, and what is missing in one, is read message
/// by message, so that one bad message costs only itself.
async fn read(gmail: &Gmail, job: Job) -> Done {
    let mut done = Done {
        answers: Vec::new(),
        others: Vec::new(),
        n_of_thread: None,
        refused: None,
        n_bytes: 0,
        is_whole: false,
    };
    let (mut parts, items) = match job {
        Job::Message(item) => (HashMap::new(), vec![item]),
        // Where this way leads nowhere, the bytes tell why.
        Job::Parts(item) => match gmail.message_full(&item).await {
            Ok(message) => ([(item.clone(), message)].into(), vec![item]),
            Err(error) if is_of_one_message(&error) => (HashMap::new(), vec![item]),
            Err(error) => {
                let gone = is_not_found(&error);
                let answer = if gone { Ok(Fetched::Gone) } else { Err(error) };
                done.answers = vec![(item, answer)];
                done.is_whole = gone;
                return done;
            }
        },
        Job::Thread(thread, items) => match gmail.thread(&thread).await {
            Ok(thread) => {
                let messages = thread.messages.into_iter();
                let mut parts: HashMap<_, _> = messages.map(|m| (m.id.clone(), m)).collect();
                let wanted: HashMap<_, _> = items
                    .iter()
                    .filter_map(|item| parts.remove_entry(item))
                    .collect();
                done.others = parts.into_values().collect();
                done.n_of_thread = Some(wanted.len());
                (wanted, items)
            }
            Err(error) if is_not_found(&error) || is_of_one_message(&error) => {
                done.refused = Some(thread);
                (HashMap::new(), items)
            }
            Err(error) => {
                let first = items.into_iter().next();
                done.answers = first.map(|item| (item, Err(error))).into_iter().collect();
                return done;
            }
        },
    };
    done.n_bytes = parts
        .values()
        .chain(&done.others)
        .map(|m| n_bytes(&m.payload))
        .sum();
    for item in items {
        let answer = match parts.remove(&item) {
            Some(message) => Ok(Fetched::Parts(Box::new(message))),
            None if done.n_bytes > MAX_BATCH_BYTES => return done,
            None => match raw(gmail, &item).await {
                Ok(message) => {
                    done.n_bytes += message.raw.len();
                    Ok(Fetched::Message(Box::new(message)))
                }
                Err(error) if is_not_found(&error) => Ok(Fetched::Gone),
                Err(error) => Err(error),
            },
        };
        done.answers.push((item, answer));
    }
    done.is_whole = true;
    done
}

/// A message or the one behind a draft.
async fn raw(gmail: &Gmail, item: &ItemId) -> Result<RawMessage, Error> {
    match item.draft_id() {
        Some(draft) => gmail.draft_raw(draft).await,
        None => gmail.message_raw(item).await,
    }
}

/// Bytes of the content that came along.
fn n_bytes(part: &MessagePart) -> usize {
    let own = part.data.as_ref().map_or(0, Vec::len);
    own + part.parts.iter().map(n_bytes).sum::<usize>()
}

/// No answer, one that asks to wait, or a refusal: as likely the network's, Gmail's or the
/// user's trouble as that of the message.
fn is_doubtful(error: &Error) -> bool {
    match error {
        Error::Network { .. } | Error::Timeout { .. } => true,
        Error::Status(status) => matches!(
            status.fault,
            Fault::Server | Fault::Refused | Fault::Forbidden
        ),
        _ => false,
    }
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
        | Error::DayUsed { .. }
        | Error::RootCertificates(_) => false,
    }
}

/// Whether failures of several messages may mean that the mailbox has a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// New messages: a row of failures is a state of the feed.
    Together,
    /// Messages that have failed before: each for itself, or three of them that fail for ever
    /// would hold up the feed.
    OneByOne,
}

impl Batch {
    fn failed(&self) -> Vec<&Error> {
        self.fetched
            .iter()
            .filter_map(|(_, fetched)| match fetched {
                Fetched::Failed(error) => Some(error),
                Fetched::Message(_) | Fetched::Parts(_) | Fetched::Gone => None,
            })
            .collect()
    }

    /// Several failures and nothing else.
    fn is_row(&self) -> bool {
        self.fetched.len() >= N_ROW && self.failed().len() == self.fetched.len()
    }

    /// Nothing but failures, of which some may not be the messages' own.
    fn is_doubtful(&self) -> bool {
        let failed = self.failed();
        failed.len() == self.fetched.len() && failed.into_iter().any(is_doubtful)
    }

    /// Several failures without a success are a state of the feed, so none of them becomes a
    /// failed item: a suspended user's mails are listed, yet each get is refused. A refusal of
    /// the user is always taken so; a fault of Google's only for a while, since it may as well
    /// be that all of these messages are bad; a refusal of the request itself never.
    pub(crate) fn halt_on_a_row(&mut self, n_halts: u32) {
        let is_row = self.is_row();
        let is_state = self.failed().iter().any(|error| match error.next() {
            Next::Reauthorize => true,
            Next::Backoff => n_halts < N_PATIENT,
            Next::Reject | Next::RetryAfter(_) | Next::Resync | Next::Stop => false,
        });
        if self.halted.is_some() || !is_row || !is_state {
            return;
        }
        self.halted = self
            .fetched
            .drain(..)
            .find_map(|(_, fetched)| match fetched {
                Fetched::Failed(error) => Some(error),
                Fetched::Message(_) | Fetched::Parts(_) | Fetched::Gone => None,
            });
    }
}
