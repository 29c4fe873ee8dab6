//! A test double of Google Workspace: OAuth, Directory, Gmail, Calendar, Drive and a little Pub/Sub over HTTP and TLS.
//!
//! It behaves as Google documents, not as our client would like. [`Server::start`] runs one inside a test;
//! the binary `fake-workspace` runs one beside a daemon. README.md lists endpoints, admin operations
//! and deliberate differences.

mod activity;
mod admin;
mod batch;
mod calendar;
mod call;
mod directory;
mod discovery;
mod drive;
mod error;
mod faults;
mod fields;
mod generate;
mod gmail;
mod gzip;
mod hidden;
mod keys;
mod multipart;
mod oauth;
pub mod parsers;
mod pubsub;
mod quota;
mod resumable;
mod routes;
mod server;
mod stats;
mod store;
mod users;
mod wire;
mod workspace;

pub use admin::Error as AdminError;
pub use quota::{ChargeTo, PriceList};
pub use routes::{Served, operations};
pub use server::{Error, Options, Server};
