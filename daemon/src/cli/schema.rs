//! `nuncio schema`: the JSON Schema of the config file, for editors and for who makes configs by
//! program.

use super::print;
use crate::exit::Failure;
use clap::Args;

/// Print the JSON Schema (draft-07) of the config file.
#[derive(Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(self) -> Result<(), Failure> {
        let schema =
            serde_json::to_string_pretty(&nuncio_config::schema()).map_err(anyhow::Error::from)?;
        print(&schema)
    }
}
