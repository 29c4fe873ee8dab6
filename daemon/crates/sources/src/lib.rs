//! Feeds: what to ask Google, in which order, and what to make of the answers. Each feed is one
//! task with two positions (live cursor and walk) that writes through the port [`Store`].
//!
//! How Google is called is in `nuncio-google`; how records are kept and delivered is behind the
//! port and not known here.

mod account;
pub mod calendar;
mod codes;
mod commons;
mod desk;
pub mod drive;
mod error;
pub mod gmail;
mod health;
mod identity;
mod pace;
mod store;
mod task;
mod verify;

pub use account::{AccountOptions, Accounts};
pub use codes::CODES;
pub use commons::{Commons, Member};
pub use health::{FeedError, FeedHealth, FeedState, WalkProgress};
pub use identity::Identity;
pub use pace::Pace;
pub use store::Store;
pub use task::FeedCommand;
pub use verify::{Verified, VerifyOrder, VerifyPhase, WrongKind};

use nuncio_google::{Directory, Google};
use nuncio_model::Clock;
use std::sync::Arc;

/// What all feeds share. Clones are cheap.
#[derive(Clone)]
pub struct Shared {
    /// Google.
    pub google: Google,
    /// The Directory, if an administrator is configured.
    pub directory: Option<Directory>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Who is who.
    pub identity: Arc<Identity>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The accounts, and which address reads which feed.
    pub accounts: Arc<Accounts>,
    /// How many feeds poll, which decides how often.
    pub pace: Arc<Pace>,
    /// What the accounts see of what belongs to the domain.
    pub commons: Arc<Commons>,
}
