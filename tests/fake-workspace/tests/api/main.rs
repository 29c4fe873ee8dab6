//! The fake from outside, over HTTP, as a client sees it. Rules of single parts are tested in their files.

mod batch;
mod binary;
mod calendar;
mod client;
mod directory;
mod discovery;
mod drive;
mod faults;
mod faults_apis;
mod faults_composed;
mod fields;
mod gmail;
mod gmail_drafts;
mod gmail_feed;
mod gmail_full;
mod gmail_labels;
mod gmail_send;
mod gmail_threads;
mod history;
mod oauth_accounts;
mod oauth_consent;
mod oauth_keys;
mod pubsub;
mod quota;
mod token;
mod transport;
