//! The fake from outside, over HTTP, as a client sees it. Rules of single parts are tested in their files.

mod binary;
mod client;
mod directory;
mod drive;
mod faults;
mod gmail;
mod history;
mod token;
