//! `cargo xtask test`: builds all, runs every test there is and then the clients of others, as far as
//! this machine has what these need. With `CI` set what is missing is a failure. Ends with one line.

use crate::build::{all, cargo, plugins, target, test_plugins};
use crate::clients::run_suites;
use crate::counterparts::{is_strict, passed_tests};
use crate::say;
use anyhow::{Context, bail};
use clap::Args;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Run every test.
#[derive(Args)]
pub(crate) struct Test {
    /// Only tests and suites of clients whose name contains this.
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
        let passed = count(&mut tests)?;
        say("running the clients of others against the fake Workspace");
        let strict = is_strict(std::env::var_os("CI"));
        let report = run_suites(self.filter.as_deref())?;
        let what = if passed == 1 { "test" } else { "tests" };
        let summary = format!(
            "{passed} {what} passed; clients of others: {}",
            report.summary(strict)
        );
        if !report.is_good(strict) {
            bail!("{summary}");
        }
        say(&summary);
        Ok(())
    }
}

/// Runs the tests, passes on what they print, and says how many passed if none failed.
fn count(tests: &mut Command) -> anyhow::Result<u64> {
    let name = format!("{tests:?}");
    let mut running = tests
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let mut passed = 0;
    if let Some(out) = running.stdout.take() {
        let mut out = BufReader::new(out);
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line)? > 0 {
            passed += passed_tests(&String::from_utf8_lossy(&line));
            std::io::stdout().write_all(&line)?;
            line.clear();
        }
    }
    let status = running.wait()?;
    if !status.success() {
        bail!("{passed} tests passed, others failed ({status}); the clients of others did not run");
    }
    Ok(passed)
}
