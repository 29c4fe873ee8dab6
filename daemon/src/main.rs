//! The `nuncio` program: parses arguments, runs one command, and turns what became of it into an
//! exit code. Everything else is in the modules below.

mod admin;
mod app;
mod cli;
mod codes;
mod consents;
mod counted;
mod credentials;
mod exit;
mod feeds;
mod notify;
mod overlays;
mod private_file;
mod quota;
mod reload;
mod retired;
mod sinks;
mod store;
mod supervisor;
mod telemetry;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            cli::say(&format!(
                "error[ADM008]: the runtime could not be started: {error}"
            ));
            return exit::FAILURE.into();
        }
    };
    let code = match runtime.block_on(cli::run(arguments)) {
        Ok(()) => exit::OK,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                cli::say(&text);
            }
            failure.code()
        }
    };
    // Blocking work that is still under way must not keep a stopped daemon alive.
    runtime.shutdown_background();
    code.into()
}
