//! Delivery: takes records from the spool to sinks, lane by lane, and takes back what became of
//! them. What a sink is made of (plugins) is not here.

mod codes;
mod health;
mod lanes;
mod run;
mod settle;
mod sink;
mod throughput;

pub use codes::CODES;
pub use health::{Health, State};
pub use run::{Dispatch, Options, Wants};
pub use settle::RetryPolicy;
pub use sink::{Blobs, Sink};
pub use throughput::Throughput;
