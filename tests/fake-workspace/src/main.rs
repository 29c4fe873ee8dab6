//! The command line of the fake Workspace: `serve` runs one, `admin` talks to the control port of a running one.

use clap::{Args, Parser, Subcommand};
use fake_workspace::{ChargeTo, Options, PriceList, Server};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::fmt::Display;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

const FAILURE: u8 = 1;
const UNKNOWN_OPERATION: u8 = 3;
/// More calendar events than this have to be asked for; so many cost about 1.2 GB once all have been looked at.
const MAX_USUAL_EVENTS: usize = 100_000;

/// A test double of Google Workspace.
#[derive(Debug, Parser)]
#[command(name = "fake-workspace", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a generated domain until SIGTERM or SIGINT; prints one JSON line when it is ready
    Serve(Box<Serve>),
    /// Send one JSON object from stdin to the control port and print the answer
    Admin {
        /// Name of the operation, such as `gmail.insert` or `truth`
        operation: String,
        /// The `admin` URL that `serve` printed
        #[arg(long)]
        url: String,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Address of the APIs; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8087")]
    listen: SocketAddr,
    /// Folder for service-account.json
    #[arg(long)]
    dir: PathBuf,
    /// Users of the domain, the administrator included
    #[arg(long, default_value_t = 20)]
    users: usize,
    /// How many of them are suspended
    #[arg(long, default_value_t = 0)]
    suspended: usize,
    /// Generated messages over all mailboxes
    #[arg(long, default_value_t = 2000)]
    messages: usize,
    /// Generated calendar events over all users [default: 30 for each user, at most 100000]
    #[arg(long)]
    events: Option<usize>,
    /// Generated files over all of Drive, folders included
    #[arg(long, default_value_t = 500)]
    files: usize,
    /// The same seed gives the same domain
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of .eml and .msg files to spread over the mailboxes as well
    #[arg(long)]
    mail: Option<PathBuf>,
    /// Folder of discovery documents (API.VERSION.json) for clients that ask for them
    #[arg(long)]
    discovery: Option<PathBuf>,
    /// Changes per second over the whole domain
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Delay before each answer of an API
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration)]
    latency: Duration,
    /// Price list of the project: 2026-05, legacy or off
    #[arg(long, default_value = "off", value_parser = price_list)]
    quota: PriceList,
    /// Whom Gmail charges for delegated calls: mailbox or service-account
    #[arg(long, default_value = "mailbox", value_parser = charge)]
    charge: ChargeTo,
    /// Divides the length of all quota windows
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// HTTP/2 only
    #[arg(long)]
    h2: bool,
    /// TLS with a generated authority, whose certificate is DIR/ca.pem
    #[arg(long)]
    tls: bool,
}

fn price_list(text: &str) -> Result<PriceList, &'static str> {
    PriceList::parse(text).ok_or("known are 2026-05, legacy and off")
}

fn charge(text: &str) -> Result<ChargeTo, &'static str> {
    ChargeTo::parse(text).ok_or("known are mailbox and service-account")
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(FAILURE, &error),
    };
    match cli.command {
        Command::Serve(options) => runtime.block_on(serve(*options)),
        Command::Admin { operation, url } => runtime
            .block_on(admin(&operation, &url))
            .unwrap_or_else(|error| fail(FAILURE, &error)),
    }
}

impl Serve {
    /// What was asked for, or what a large domain still has memory for.
    fn events(&self) -> usize {
        let usual = self.users.saturating_mul(30).min(MAX_USUAL_EVENTS);
        self.events.unwrap_or(usual)
    }
}

async fn serve(options: Serve) -> ExitCode {
    let started = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let events = options.events();
        let server = Server::start(Options {
            listen: options.listen,
            dir: options.dir,
            users: options.users,
            suspended: options.suspended,
            messages: options.messages,
            events,
            files: options.files,
            seed: options.seed,
            mail: options.mail,
            discovery: options.discovery,
            rate: options.rate,
            latency: options.latency,
            quota: options.quota,
            charge: options.charge,
            time_scale: options.time_scale,
            h2: options.h2,
            tls: options.tls,
        })
        .await?;
        print(&server.describe().to_string())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok::<_, Box<dyn Error>>(())
    };
    match started.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE, &chain(&*error)),
    }
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn admin(operation: &str, url: &str) -> Result<ExitCode, Box<dyn Error>> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    let request = http::Request::post(format!("{}/{operation}", url.trim_end_matches('/')))
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from(input)))?;
    let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    Ok(match status {
        200 => {
            print(&text)?;
            ExitCode::SUCCESS
        }
        404 => fail(UNKNOWN_OPERATION, &text),
        _ => fail(FAILURE, &text),
    })
}

fn print(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn fail(code: u8, error: &impl Display) -> ExitCode {
    // Without a standard error there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "fake-workspace: {error}"));
    ExitCode::from(code)
}
