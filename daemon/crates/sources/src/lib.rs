//! Feeds: what to ask Google, in which order, and what to make of the answers. Each feed is one
//! task with two positions (live cursor and walk) that writes through the port [`Store`].
//!
//! How Google is called is in `nuncio-google`; how records are kept and delivered is behind the
//! port and not known here.

pub mod gmail;
mod health;
mod store;

pub use health::{FeedError, FeedHealth, FeedState, WalkProgress};
pub use store::Store;
