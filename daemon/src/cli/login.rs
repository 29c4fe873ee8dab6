//! `nuncio login`: a person consents at Google's page, and what comes of it is kept for the daemon,
//! which itself never asks anybody. With a browser on this machine the answer comes back over
//! loopback; without one the person pastes the address that Google leads to.

use super::{Common, client, print, say};
use crate::admin::wire;
use crate::consents::ConsentDir;
use crate::exit::{CONFIG, FAILURE, Failure, USAGE};
use crate::reload::scopes;
use crate::{codes, credentials, quota};
use anyhow::Context;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Html;
use clap::Args;
use hyper::Method;
use nuncio_config::{Config, Mode, User};
use nuncio_google::{
    Consents, Credentials, Endpoint, Google, Limits, Login as Dialog, NewConsent, RedirectError,
};
use nuncio_model::{Address, Chain, Clock, Secret, SystemClock, untrusted};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A person has so long at Google's page.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Where Google leads a browser on another machine, on which nothing listens: its address is all
/// that is needed. Installed apps may use any port.
const HEADLESS: &str = "http://127.0.0.1:8085/";

/// Let a user consent to be read, for `mode = "per_user"` and for the fallback.
#[derive(Args)]
pub(super) struct Login {
    /// The user's email, or the address of one of the accounts.
    address: String,
    /// No browser on this machine: paste the address that Google leads to.
    #[arg(long)]
    headless: bool,
    /// The port on 127.0.0.1 to which Google's page leads back; any free one by default.
    #[arg(long, conflicts_with = "headless", default_value_t = 0)]
    port: u16,
    /// As JSON: `{email, id, scopes}`.
    #[arg(long)]
    json: bool,
}

impl Login {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let config = match Config::load(&common.config) {
            Ok((config, _)) => config,
            Err(errors) => return Err(Failure::new(CONFIG, errors.to_string())),
        };
        let (user, address) = find(&config, &self.address)?;
        let (client, endpoint) = credentials::oauth_client(&config.google)
            .map_err(|e| Failure::coded(CONFIG, &e.code, &e.message, &e.hint))?;
        let dir = ConsentDir::of(&common.state_dir);
        let consents = Consents {
            client: client.clone(),
            store: Arc::new(dir.clone()),
        };
        let google = open(&config, consents, endpoint)?;
        let wanted: Vec<_> = user.sources.iter().map(|source| scopes(*source)).collect();
        let (dialog, code) = match self.headless {
            true => {
                let dialog = Arc::new(Dialog::new(client, HEADLESS.to_owned()));
                let url = dialog.url(address.as_str(), &wanted);
                let code = pasted(&dialog, &url).await?;
                (dialog, code)
            }
            false => {
                let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
                let listener = listener.context("no port on 127.0.0.1 to listen at")?;
                let port = listener.local_addr().context("the own port")?.port();
                let dialog = Dialog::new(client, format!("http://127.0.0.1:{port}/"));
                let url = dialog.url(address.as_str(), &wanted);
                let dialog = Arc::new(dialog);
                let code = sent_back(listener, Arc::clone(&dialog), &url).await?;
                (dialog, code)
            }
        };
        let new = google.finish_login(&dialog, &code).await.map_err(|error| {
            let text = Chain(&error).to_string();
            Failure::coded(FAILURE, error.code(), &text, error.hint())
        })?;
        judge(&new, &address, &wanted)?;
        let now = SystemClock.now_ms();
        dir.keep(&address, &new.consent, now)
            .context("the consent cannot be kept in the state folder")?;
        self.tell(common, &config, user, &address, &new).await
    }

    async fn tell(
        &self,
        common: &Common,
        config: &Config,
        user: &User,
        address: &Address,
        new: &NewConsent,
    ) -> Result<(), Failure> {
        say(&format!("{address} has logged in"));
        let is_used = config.google.mode == Mode::PerUser || config.google.falls_back;
        if !is_used {
            say(
                "note: nothing uses it yet; write `mode = \"per_user\"` or `fallback = \"per_user\"` in [google]",
            );
        }
        if client::is_there(common).await {
            let question = json!(wire::Switch {
                email: user.email.to_string(),
                by: super::who(),
                why: None,
                only_retry: true,
            });
            let told: Result<wire::Switched, Failure> =
                client::ask(common, Method::POST, "/v1/users/start", Some(&question)).await;
            if let Err(failure) = told {
                say(&format!(
                    "note: the daemon takes it up by itself later: {failure}"
                ));
            }
        }
        if self.json {
            let scopes = &new.scopes;
            let told = json!({ "email": address.as_str(), "id": new.id, "scopes": scopes });
            return print(&told.to_string());
        }
        Ok(())
    }
}

/// The user of the config that an address is about, and the mailbox.
fn find<'a>(config: &'a Config, text: &str) -> Result<(&'a User, Address), Failure> {
    let address = Address::parse(text).ok_or_else(|| {
        let text = untrusted(text);
        Failure::new(USAGE, format!("error: {text} is not an address"))
    })?;
    let is_of = |user: &&User| {
        let mut accounts = user.accounts.iter();
        user.email == address || accounts.any(|account| account.address == address)
    };
    let user = config.users.iter().find(is_of);
    let user = user.ok_or_else(|| {
        Failure::coded(
            FAILURE,
            "ADM010",
            &format!("{address} is no user of the config, nor one of their accounts"),
            &format!("add `[[users]]` with `email = \"{address}\"` first"),
        )
    })?;
    Ok((user, address))
}

fn open(config: &Config, consents: Consents, endpoint: Endpoint) -> Result<Google, Failure> {
    let credentials = Credentials::PerUser(consents);
    let clock = Arc::new(SystemClock);
    let quota = quota::options(&config.google);
    let google = Google::open(credentials, endpoint, clock, Limits::default(), quota, &[]);
    google.map_err(|error| {
        let text = Chain(&error).to_string();
        Failure::coded(FAILURE, error.code(), &text, error.hint())
    })
}

/// Whether it is the consent that was asked for. One of another mailbox must never be used in this
/// one's place, and one that lacks a scope would stop a source later.
fn judge(
    new: &NewConsent,
    address: &Address,
    wanted: &[nuncio_google::Scopes],
) -> Result<(), Failure> {
    let email = &new.consent.email;
    if !email.eq_ignore_ascii_case(address.as_str()) {
        return Err(Failure::coded(
            FAILURE,
            "AUTH032",
            &format!(
                "the consent is of {}, but {address} was asked for; nothing is kept",
                untrusted(email)
            ),
            &format!("log in again, and choose {address} at Google's page"),
        ));
    }
    let urls = wanted.iter().flat_map(|scopes| scopes.urls());
    let missing: Vec<&str> = urls
        .copied()
        .filter(|url| !new.scopes.iter().any(|granted| granted == url))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::coded(
        FAILURE,
        "AUTH033",
        &format!(
            "the consent does not include {}; nothing is kept",
            missing.join(" ")
        ),
        "log in again and leave every box ticked, or take the source out of the user's `sources`",
    ))
}

/// Shows the page's address and waits for the person to paste where it led.
async fn pasted(dialog: &Dialog, url: &str) -> Result<Secret, Failure> {
    say("Open this address in any browser, consent, and paste the address that it leads to");
    say("(the browser will say that it cannot be reached; that is as it should be):\n");
    say(&format!("  {url}\n"));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.map_err(|_| gave_up())?.context("stdin")?;
        let Some(line) = line else {
            return Err(came_to_nothing("no address was pasted"));
        };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let query = line.split_once('?').map_or(line, |(_, query)| query);
        match dialog.code(query) {
            Ok(code) => return Ok(code),
            Err(error @ RedirectError::Refused(_)) => return Err(refused(&error)),
            Err(error) => say(&format!("{error}; paste the whole address")),
        }
    }
}

/// Shows the page's address and waits for the browser to come back.
async fn sent_back(
    listener: TcpListener,
    dialog: Arc<Dialog>,
    url: &str,
) -> Result<Secret, Failure> {
    say("Open this address in a browser on this machine and consent");
    say("(elsewhere: stop this and use --headless):\n");
    say(&format!("  {url}\n"));
    let (sender, mut answers) = mpsc::channel(1);
    let answered = |State((dialog, answers)): State<(Arc<Dialog>, mpsc::Sender<_>)>,
                    RawQuery(query): RawQuery| async move {
        let code = dialog.code(&query.unwrap_or_default());
        let page = match &code {
            Ok(_) => (
                StatusCode::OK,
                Html("<!DOCTYPE html><title>nuncio</title><p>Thank you; go back to the terminal."),
            ),
            Err(RedirectError::Refused(_)) => (
                StatusCode::OK,
                Html("<!DOCTYPE html><title>nuncio</title><p>Google says no; see the terminal."),
            ),
            // A stranger's, or a second look of the browser: the person may still come.
            Err(_) => {
                return (
                    StatusCode::BAD_REQUEST,
                    Html("<!DOCTYPE html><title>nuncio</title><p>Not the answer to this login."),
                );
            }
        };
        // Only the first one counts.
        drop(answers.try_send(code));
        page
    };
    let router = axum::Router::new()
        .route("/", axum::routing::get(answered))
        .with_state((dialog, sender));
    let stop = CancellationToken::new();
    let served =
        axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let waited = async {
        let answer = tokio::time::timeout(PATIENCE, answers.recv()).await;
        // The browser gets its page before this ends.
        stop.cancel();
        answer
    };
    let (served, answer) = tokio::join!(served, waited);
    served.context("the page for the way back")?;
    let answer = answer.map_err(|_| gave_up())?;
    answer
        .context("the page for the way back ended early")?
        .map_err(|error| refused(&error))
}

fn refused(error: &RedirectError) -> Failure {
    came_to_nothing(&format!("no consent: {error}"))
}

fn gave_up() -> Failure {
    came_to_nothing("nobody consented in time; nothing is kept")
}

fn came_to_nothing(why: &str) -> Failure {
    Failure::coded(FAILURE, "ADM010", why, codes::remedy("ADM010"))
}
