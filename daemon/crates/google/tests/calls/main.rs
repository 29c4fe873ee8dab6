//! Calls against a small HTTP server in this process that answers as Google was seen to: tokens,
//! transport, Gmail, Drive, Directory. What the whole daemon makes of the answers is tested elsewhere.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod auth;
mod bodies;
mod calendar;
mod consent;
mod drive;
mod fixture;
mod gzip;
mod server;
mod transport;
