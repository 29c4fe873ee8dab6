//! A test double of Google Workspace: OAuth for service accounts, Directory, Gmail and Drive over plain HTTP.
//!
//! It behaves as Google documents, not as our client would like. [`Server::start`] runs one inside a test;
//! the binary `fake-workspace` runs one beside a daemon. README.md lists endpoints, admin operations
//! and deliberate differences.

mod activity;
mod admin;
mod call;
mod directory;
mod drive;
mod error;
mod faults;
mod fields;
mod generate;
mod gmail;
mod keys;
mod oauth;
mod routes;
mod server;
mod stats;
mod store;
mod workspace;

pub use admin::Error as AdminError;
pub use server::{Error, Options, Server};
