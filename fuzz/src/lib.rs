//! What must hold of whatever is read from outside, one module for each fuzz target. A check
//! panics where a promise is broken. How the bytes are found is libFuzzer's business, and how it
//! is run stands in README.md.

pub mod answers;
pub mod batch;
pub mod events;
pub mod mail;
mod mailbox;
pub mod parts;
pub mod times;

#[cfg(test)]
mod tests;
