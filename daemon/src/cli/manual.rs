//! `nuncio completions` and `nuncio man`: what a package installs beside the program, made from
//! the command line's own definition so that it cannot be out of date.

use super::{Arguments, print, say};
use crate::exit::Failure;
use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print the completions of a shell.
#[derive(Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "nuncio", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}

/// Print the manual page.
#[derive(Args)]
pub(super) struct Man {
    /// Write the pages of the program and of each command into this folder instead.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .context("the manual page cannot be made")?;
            return print(&String::from_utf8_lossy(&page));
        };
        clap_mangen::generate_to(Arguments::command(), &dir)
            .with_context(|| format!("the manual pages cannot be written to {}", dir.display()))?;
        say(&format!("the manual pages are in {}", dir.display()));
        Ok(())
    }
}
