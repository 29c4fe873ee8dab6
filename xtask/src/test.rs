//! `cargo xtask test`: builds all and runs every test there is.

use crate::build::{all, cargo, plugins, run, target, test_plugins};
use crate::say;
use clap::Args;

/// Run every test.
#[derive(Args)]
pub(crate) struct Test {
    /// Only tests whose name contains this.
    filter: Option<String>,
}

impl Test {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        all()?;
        say("running unit, property, tidy and process-level tests");
        let mut tests = cargo();
        tests
            .args(["test", "--release", "--workspace"])
            .env("NUNCIO_PLUGINS_DIR", plugins())
            .env("NUNCIO_TEST_PLUGINS_DIR", test_plugins())
            .env("NUNCIO_BIN_DIR", target().join("release"));
        if let Some(filter) = &self.filter {
            tests.arg("--").arg(filter);
        }
        run(&mut tests)?;
        say("all tests passed");
        Ok(())
    }
}
