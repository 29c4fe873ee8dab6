//! `nuncio user`: see a user's feeds and act on them.

use super::{Common, client, print, say, status, verify};
use crate::admin::wire::{ResyncAnswer, ShownUser, Status, Switch, Switched};
use crate::counted::counted;
use crate::exit::Failure;
use clap::Subcommand;
use hyper::Method;
use nuncio_model::untrusted;
use serde_json::json;

/// See and act on a user.
#[derive(Subcommand)]
pub(super) enum User {
    /// All users of the config and how they are.
    List {
        /// As JSON; the form is stable.
        #[arg(long)]
        json: bool,
    },
    /// One user: accounts and their keys, feeds, failed items.
    Show {
        /// The user's email.
        email: String,
        /// As JSON; the form is stable.
        #[arg(long)]
        json: bool,
    },
    /// Stop reading a user until it is started again, also over restarts.
    Stop {
        /// The user's email.
        email: String,
        /// Why, for those who look at it later.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Start a user that was stopped, and try at once what Google refused.
    Start {
        /// The user's email.
        email: String,
    },
    /// Compare the user's mailboxes with Google, item by item, and deliver what differs.
    Resync {
        /// The user's email.
        email: String,
        /// Carry out the deletions that a held resync waits with.
        #[arg(long)]
        accept_deletes: bool,
    },
    /// Tell whether what is known of the user is what Google has. Reads only, unless to repair.
    Verify(verify::Verify),
}

impl User {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        match self {
            User::List { json } => list(common, json).await,
            User::Show { email, json } => show(common, &email, json).await,
            User::Resync {
                email,
                accept_deletes,
            } => resync(common, &email, accept_deletes).await,
            User::Stop { email, why } => stop(common, email, why).await,
            User::Start { email } => start(common, email).await,
            User::Verify(verify) => verify.run(common).await,
        }
    }
}

async fn list(common: &Common, is_json: bool) -> Result<(), Failure> {
    let status: Status = client::ask(common, Method::GET, "/v1/status", None).await?;
    if is_json {
        let users = serde_json::to_string_pretty(&status.users).map_err(anyhow::Error::from)?;
        return print(&users);
    }
    for user in &status.users {
        let addresses: Vec<&str> = user
            .accounts
            .iter()
            .map(|account| account.address.as_str())
            .collect();
        let line = format!("{}  {}  {}", user.email, user.state, addresses.join(" "));
        print(line.trim_end())?;
    }
    Ok(())
}

async fn show(common: &Common, email: &str, is_json: bool) -> Result<(), Failure> {
    let query: String = email.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/v1/users/show?email={query}");
    let user: ShownUser = client::ask(common, Method::GET, &path, None).await?;
    if is_json {
        return print(&serde_json::to_string_pretty(&user).map_err(anyhow::Error::from)?);
    }
    print(&human(&user))
}

async fn stop(common: &Common, email: String, why: Option<String>) -> Result<(), Failure> {
    let told = match switch(common, "/v1/users/stop", &email, why).await? {
        true => format!("{email} was stopped already"),
        false => format!("{email} is stopped, also over restarts, until `nuncio user start`"),
    };
    say(&told);
    Ok(())
}

async fn start(common: &Common, email: String) -> Result<(), Failure> {
    let told = match switch(common, "/v1/users/start", &email, None).await? {
        true => format!("{email} is started again"),
        false => format!("{email} was not stopped; what Google refused is tried again now"),
    };
    say(&told);
    Ok(())
}

/// Whether the user had been stopped.
async fn switch(
    common: &Common,
    path: &str,
    email: &str,
    why: Option<String>,
) -> Result<bool, Failure> {
    let question = json!(Switch {
        email: email.to_owned(),
        by: super::who(),
        why,
        only_retry: false,
    });
    let answer: Switched = client::ask(common, Method::POST, path, Some(&question)).await?;
    Ok(answer.was_stopped)
}

/// The text for a person.
fn human(user: &ShownUser) -> String {
    let mut lines = vec![format!("{}  {}", user.email, user.state)];
    lines.extend(user.stopped.as_ref().map(status::stopped));
    for account in &user.accounts {
        let key = account.key.as_deref().unwrap_or("not known yet");
        lines.push(format!("  {}  key {}", account.address, untrusted(key)));
        lines.extend(status::grant(account));
        for feed in &account.feeds {
            status::push_feed(&mut lines, &feed.collection, feed);
        }
    }
    if !user.domain_feeds.is_empty() {
        lines.push("  of the domain".to_owned());
        for feed in &user.domain_feeds {
            let name = feed.name.as_deref().unwrap_or(&feed.collection);
            status::push_feed(&mut lines, &untrusted(name).to_string(), feed);
        }
    }
    for parked in &user.parked {
        lines.push(format!(
            "  parked: key {} had {} from {} on; another account has that address now",
            untrusted(&parked.key),
            parked.address,
            parked.since
        ));
    }
    for alias in &user.aliases {
        lines.push(format!(
            "  alias {}  {}",
            alias.address,
            untrusted(&alias.place)
        ));
    }
    for contest in &user.contests {
        let claims: Vec<String> = contest
            .claims
            .iter()
            .map(|claim| format!("{} by {}", claim.email, untrusted(&claim.place)))
            .collect();
        lines.push(format!(
            "  {} is claimed by several users and counts as {}: {}",
            contest.address,
            contest.holder.as_deref().unwrap_or("nobody's"),
            claims.join(", ")
        ));
    }
    if !user.failed_items.is_empty() {
        lines.push(
            "  failed items, tried again by themselves; at once by `user verify --repair`"
                .to_owned(),
        );
    }
    for item in &user.failed_items {
        lines.push(format!(
            "    {}  {}  {}: {}",
            item.source,
            untrusted(&item.item),
            item.code,
            untrusted(&item.message)
        ));
        lines.push(format!(
            "      since {}, {}, next {}",
            item.first_seen,
            counted(item.attempts, "attempt"),
            item.next_try
        ));
    }
    lines.join("\n")
}

async fn resync(common: &Common, email: &str, accept_deletes: bool) -> Result<(), Failure> {
    let body = json!({ "email": email, "accept_deletes": accept_deletes });
    let answer: ResyncAnswer =
        client::ask(common, Method::POST, "/v1/users/resync", Some(&body)).await?;
    let what = if accept_deletes {
        "deletions accepted"
    } else {
        "resync begun"
    };
    say(&format!(
        "{what} for {email}: {}",
        counted(answer.n_feeds, "feed")
    ));
    Ok(())
}
