//! Calendars as feeds: an account's primary calendar, read by its owner, and any other calendar,
//! read once for the domain by the member with most rights. Account feeds find the others.
//!
//! The rules are in `fold` and `times`; what an event becomes is in `normalize` and `scribe`.

mod discover;
mod feed;
pub mod fold;
pub mod normalize;
mod occurrence;
mod primary;
mod scribe;
mod shared;
pub mod times;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

use crate::AccountOptions;
use nuncio_model::Content;
use std::time::Duration;

pub use primary::run_primary;
pub use shared::run_shared;

/// Polls between two looks at an account's calendar list, and at who reads a calendar.
const LOOK_POLLS: u32 = 10;

/// Which calendars beside primary ones are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarWishes {
    /// Also those that no synced user owns.
    pub subscribed: bool,
    /// Also those that Google itself makes: holidays, birthdays of contacts and the like.
    pub holidays: bool,
}

/// What the feed of a primary calendar needs to know of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryOptions {
    /// Whose.
    pub account: AccountOptions,
    /// Time between polls.
    pub poll_interval: Duration,
    /// How far back the first walk goes; none: all.
    pub since: Option<Duration>,
    /// The most that any sink wants.
    pub content: Content,
    /// Which other calendars its account tells of.
    pub wishes: CalendarWishes,
}

/// What the feed of any other calendar needs to know of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedOptions {
    /// The calendar's id.
    pub calendar: String,
    /// Time between polls.
    pub poll_interval: Duration,
    /// How far back the first walk goes; none: all.
    pub since: Option<Duration>,
    /// The most that any sink wants.
    pub content: Content,
}
