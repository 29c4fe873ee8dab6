//! Write a nuncio sink plugin: implement [`Sink`], call [`export_sink!`], build for
//! `wasm32-wasip2`.
//!
//! Here: the bindings of the contract, the trait, typed settings, JSON, logging, blobs,
//! names that are safe as file names, and an allocator for the guest. Not here: anything
//! that decides when a record comes; that is the daemon's, and the contract says what a
//! plugin may rely on (`wit/v0/sink.wit`).
//!
//! ```
//! use nuncio_sdk::{Content, Info, Kind, LabelChanges, OpenError, Outcome, Record, Sink, WriteError};
//!
//! /// What the operator writes under `settings`.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// A word put before each message.
//!     prefix: String,
//! }
//!
//! struct Teller(Settings);
//!
//! impl Sink for Teller {
//!     type Settings = Settings;
//!
//!     fn describe() -> Info {
//!         Info {
//!             name: "teller",
//!             version: env!("CARGO_PKG_VERSION"),
//!             description: "Logs the key of each record",
//!             kinds: &[Kind::Email],
//!             content: Content::Metadata,
//!             label_changes: LabelChanges::None,
//!             rights: Vec::new(),
//!         }
//!     }
//!
//!     fn open(settings: Settings) -> Result<Self, OpenError> {
//!         Ok(Self(settings))
//!     }
//!
//!     fn write(&mut self, batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError> {
//!         for record in &batch {
//!             nuncio_sdk::log::info(&self.0.prefix, &[("key", &record.key)]);
//!         }
//!         Ok(batch.iter().map(|_| Outcome::Delivered).collect())
//!     }
//! }
//!
//! # mod exported { use super::Teller;
//! nuncio_sdk::export_sink!(Teller);
//! # }
//! # fn main() {}
//! ```

mod allocator;
pub mod bindings;
pub mod blob;
pub mod clock;
#[doc(hidden)]
pub mod export;
mod info;
pub mod json;
pub mod key;
pub mod log;
mod outcome;
mod panic;
mod settings;
mod sink;

pub use bindings::nuncio::sink::attachments::{Blob, Error as BlobError};
pub use bindings::nuncio::sink::records::{
    Attachment, Attendee, AttendeeFlags, Change, Conference, DeleteCause, Deleted, Direction,
    Email, Event, EventAttachment, EventStatus, EventTime, Failure, File, FileFlags, GuestRights,
    LabelChange, MailCategory, MailFlags, OpenError, Origin, OtherPayload, Participant, Payload,
    Permission, Record, Response, SettingProblem, Shortcut, Source, Timestamp, Visibility, Wait,
    Who, WriteError, ZonedTime,
};
pub use bindings::nuncio::sink::records::{Extra, Outcome};
pub use info::{Content, Info, Kind, LabelChanges, Right};
pub use sink::Sink;
