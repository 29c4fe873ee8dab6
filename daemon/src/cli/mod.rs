//! The command line: one file per command. Data goes to stdout, the rest to stderr.

mod check;
mod client;
mod config;
mod deadletters;
mod explain;
mod login;
mod manual;
mod online;
mod reload;
mod run;
mod schema;
mod setup;
mod status;
mod user;
mod verify;

use crate::exit::{Failure, USAGE};
use clap::{Args, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;

/// Commands of the design that a later release brings.
const NOT_BUILT: [&str; 9] = [
    "sink",
    "tap",
    "grants",
    "health",
    "support-bundle",
    "actions",
    "plugin",
    "backup",
    "restore",
];

/// Keeps a Google Workspace domain in sync and feeds sandboxed sinks.
#[derive(Parser)]
#[command(name = "nuncio", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The config file.
    #[arg(
        long,
        global = true,
        env = "NUNCIO_CONFIG",
        value_name = "FILE",
        default_value = "/etc/nuncio/nuncio.toml"
    )]
    pub(crate) config: PathBuf,
    /// Spool, caches and the admin socket.
    #[arg(
        long,
        global = true,
        env = "STATE_DIRECTORY",
        value_name = "DIR",
        default_value = "/var/lib/nuncio"
    )]
    pub(crate) state_dir: PathBuf,
    /// The admin socket. Default: /run/nuncio/admin.sock if that folder exists, else admin.sock
    /// in the state folder.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Common {
    /// Where the admin socket is.
    pub(crate) fn socket(&self) -> PathBuf {
        let runtime = std::path::Path::new("/run/nuncio");
        match &self.socket {
            Some(path) => path.clone(),
            None if runtime.is_dir() => runtime.join("admin.sock"),
            None => self.state_dir.join("admin.sock"),
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon.
    Run(run::Run),
    /// Check the config file: all errors at once.
    Check(check::Check),
    /// Show what has to be done at Google for this config.
    Setup(setup::Setup),
    /// Show what the config would change.
    Plan(reload::Plan),
    /// Take the config up now.
    Reload(reload::Reload),
    /// The configs that were in force.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Show what the daemon does.
    Status(status::Status),
    /// Let a user consent to be read.
    Login(login::Login),
    /// See and act on a user.
    #[command(subcommand)]
    User(user::User),
    /// Records that a sink refused.
    #[command(subcommand)]
    Deadletters(deadletters::DeadLetters),
    /// What an error code means, and what to do about it.
    Explain(explain::Explain),
    /// Print the JSON Schema of the config file.
    Schema(schema::Schema),
    /// Print the completions of a shell.
    Completions(manual::Completions),
    /// Print the manual page.
    Man(manual::Man),
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Runs one command.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { common, command } = arguments;
    match command {
        // The daemon itself: too large a future for a command beside it.
        Command::Run(run) => Box::pin(run.run(&common)).await,
        Command::Plan(plan) => plan.run(&common).await,
        Command::Reload(reload) => reload.run(&common).await,
        Command::Config(config) => config.run(&common),
        Command::Setup(setup) => setup.run(&common),
        Command::Check(check) => check.run(&common).await,
        Command::Status(status) => status.run(&common).await,
        Command::Login(login) => login.run(&common).await,
        Command::User(user) => user.run(&common).await,
        Command::Deadletters(letters) => letters.run(&common).await,
        Command::Explain(explain) => explain.run(),
        Command::Schema(schema) => schema.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Other(words) => Err(refuse(words.first().map_or("", String::as_str))),
    }
}

fn refuse(name: &str) -> Failure {
    let text = if NOT_BUILT.contains(&name) {
        format!("error: `nuncio {name}` is not built yet in this release")
    } else {
        format!(
            "error: there is no command `{}`\nhint: see `nuncio --help`",
            nuncio_model::untrusted(name)
        )
    };
    Failure::new(USAGE, text)
}

/// Who gives an order, for people who look at it later: not a proof.
fn who() -> String {
    let named = |name| std::env::var(name).ok().filter(|who| !who.is_empty());
    let who = named("SUDO_USER").or_else(|| named("USER"));
    who.or_else(|| named("LOGNAME"))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// A line for the person, on stderr. A closed stderr is nobody's loss.
pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Data, on stdout.
///
/// # Errors
/// If stdout cannot be written, other than by a reader that went away.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("stdout: {error}").into())
        }
        _ => Ok(()),
    }
}
