//! The trait that a plugin implements. How its methods become exports of the component
//! stands in `export.rs`.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Info, OpenError, Outcome, Record, WriteError};

/// A sink: what a plugin is made of. One value of it lives in each instance; nuncio makes
/// one call at a time into an instance and runs several instances of a sink in parallel.
pub trait Sink: Sized + 'static {
    /// What stands under `settings` in the sink's config. Its JSON Schema goes into
    /// `describe`: doc comments of the fields become the descriptions that operators see.
    /// Use `#[serde(deny_unknown_fields)]`, so that a misspelt setting is refused.
    type Settings: DeserializeOwned + JsonSchema;

    /// What the plugin is and asks for. Must be pure: no import works here but `log`.
    fn describe() -> Info;

    /// Starts an instance. See here whether the target answers. Several instances open in
    /// parallel, so whatever is set up at the target must be set up idempotently.
    ///
    /// # Errors
    /// `invalid-settings` refuses the config, `unavailable` is tried again, `fatal` stops
    /// the sink until an operator acts.
    fn open(settings: Self::Settings) -> Result<Self, OpenError>;

    /// Takes a batch and answers with exactly one outcome for each record, in the batch's
    /// order. `Outcome::Delivered` promises that the record survives a crash of everything.
    ///
    /// # Errors
    /// The call as a whole: no record counts as delivered, and the batch comes again.
    fn write(&mut self, batch: Vec<Record>) -> Result<Vec<Outcome>, WriteError>;

    /// The end of an instance in order. May never be called, so nothing may depend on it.
    fn close(self) {}
}
