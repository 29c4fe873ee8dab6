//! `cargo xtask`: builds, demo and tests, one command each. Runs cargo and the binaries; knows
//! nothing of their insides.

mod build;
mod clients;
mod counterparts;
mod demo;
mod progress;
mod test;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Builds, demo and tests.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build target/release/nuncio, target/release/fake-workspace and target/plugins/*.wasm.
    Build,
    /// Show real mail flowing from a fake Workspace through the daemon into files.
    Demo(demo::Demo),
    /// Run clients that others wrote for Google's APIs against the fake Workspace; needs Python, Node and notmuch.
    Clients(clients::Clients),
    /// Build all and run every test, with the clients of others where their programs are there.
    Test(test::Test),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Build => build::all(),
        Command::Clients(clients) => clients.run(),
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the person. A closed stderr is nobody's loss.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
