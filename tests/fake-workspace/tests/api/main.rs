//! The fake from outside, over HTTP, as a client sees it. Rules of single parts are tested in their files.

mod binary;
mod client;
mod directory;
mod faults;
mod gmail;
mod history;
mod oauth_accounts;
mod oauth_consent;
mod oauth_keys;
mod quota;
mod token;
mod transport;
