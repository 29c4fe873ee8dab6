//! The fake from outside, over HTTP, as a client sees it. Rules of single parts are tested in their files.

mod binary;
mod client;
mod directory;
mod faults;
mod gmail;
mod gmail_drafts;
mod gmail_labels;
mod gmail_send;
mod gmail_threads;
mod history;
mod token;
