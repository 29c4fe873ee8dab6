//! The bodies of Google's answers, read without a call: for whoever has them already, as
//! recordings and fuzzing do. The calls read their answers by the same functions; which call
//! gives which answer is in the files of the APIs.

use super::calendar::{self, EventPage};
use super::drive::{self, ChangePage, FilePage};
use super::full::{self, FullMessage, Thread};
use super::gmail::{self, MessagePage};
use super::history::{self, HistoryPage};
use super::message::{self, RawMessage};
use crate::Error;

/// A page of messages (`messages.list`).
///
/// # Errors
/// [`Error::Decode`] if the page as a whole cannot be read.
pub fn message_page(body: &[u8]) -> Result<MessagePage, Error> {
    gmail::read_page(body)
}

/// A page of Gmail's changes (`history.list`).
///
/// # Errors
/// [`Error::Decode`] if the page as a whole cannot be read.
pub fn history_page(body: &[u8]) -> Result<HistoryPage, Error> {
    history::read(gmail::HISTORY, body)
}

/// A message with its bytes (`messages.get` with `format=raw`).
///
/// # Errors
/// [`Error::Decode`] if it cannot be read.
pub fn raw_message(body: &[u8]) -> Result<RawMessage, Error> {
    message::read_raw(gmail::MESSAGE, body)
}

/// A message in parts (`messages.get` with `format=full`).
///
/// # Errors
/// [`Error::Decode`] if it cannot be read.
pub fn full_message(body: &[u8]) -> Result<FullMessage, Error> {
    full::read_full(gmail::MESSAGE, body)
}

/// A thread with its messages in parts (`threads.get` with `format=full`).
///
/// # Errors
/// [`Error::Decode`] if the thread as a whole cannot be read.
pub fn thread(body: &[u8]) -> Result<Thread, Error> {
    full::read_thread(gmail::THREAD, body)
}

/// A page of events (`events.list`).
///
/// # Errors
/// [`Error::Decode`] if the page as a whole cannot be read.
pub fn event_page(body: &[u8]) -> Result<EventPage, Error> {
    calendar::read_page(body)
}

/// A page of files (`files.list`).
///
/// # Errors
/// [`Error::Decode`] if the page as a whole cannot be read.
pub fn file_page(body: &[u8]) -> Result<FilePage, Error> {
    drive::read_files(body)
}

/// A page of Drive's changes (`changes.list`).
///
/// # Errors
/// [`Error::Decode`] if the page as a whole cannot be read, or does not say how to go on.
pub fn change_page(body: &[u8]) -> Result<ChangePage, Error> {
    drive::read_changes(body)
}
