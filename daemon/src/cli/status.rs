//! `nuncio status`: what the daemon does, for a person or a script.

use super::{Common, client, print};
use crate::admin::wire::{Account, Credentials, Feed, Overlay, Quota, Status as Wire};
use crate::counted::counted;
use crate::exit::Failure;
use clap::Args;
use hyper::Method;
use nuncio_model::untrusted;

/// Show what the daemon does.
#[derive(Args)]
pub(super) struct Status {
    /// As JSON; the form is stable.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        if self.json {
            let status: serde_json::Value =
                client::ask(common, Method::GET, "/v1/status", None).await?;
            return print(&serde_json::to_string_pretty(&status).map_err(anyhow::Error::from)?);
        }
        let status: Wire = client::ask(common, Method::GET, "/v1/status", None).await?;
        print(&human(&status))
    }
}

/// What is to be said of the config: nothing where the files on disk are in force.
fn config_notice(status: &Wire) -> Option<String> {
    let config = &status.config;
    let why = config.last_reload.error.as_deref();
    let why = why.map(|why| untrusted(why).to_string());
    match (why, config.held, config.stale) {
        (Some(why), true, _) => Some(format!("config held: {why}; see `nuncio plan`")),
        (Some(why), false, _) => Some(format!("config error: {why}; see `nuncio check`")),
        (None, _, true) => Some("the config on disk is not in force yet".to_owned()),
        (None, _, false) => None,
    }
}

/// The text for a person.
fn human(status: &Wire) -> String {
    let mut lines = vec![status.summary.clone()];
    lines.extend(config_notice(status));
    lines.push(credentials_line(&status.config.credentials));
    lines.extend([String::new(), "USERS".to_owned()]);
    for user in &status.users {
        lines.push(format!("  {}  {}", user.email, user.state));
        lines.extend(user.stopped.as_ref().map(stopped));
        for account in &user.accounts {
            lines.extend(grant(account));
            for feed in &account.feeds {
                push_feed(&mut lines, &account.address, feed);
            }
        }
    }
    if !status.domain_feeds.is_empty() {
        lines.push(String::new());
        lines.push("DOMAIN".to_owned());
        for feed in &status.domain_feeds {
            let name = feed.name.as_deref().unwrap_or(&feed.collection);
            push_feed(&mut lines, &untrusted(name).to_string(), feed);
        }
    }
    lines.push(String::new());
    lines.push("SINKS".to_owned());
    for sink in &status.sinks {
        lines.push(format!(
            "  {}  {}  {} delivered{}, {} pending, {}",
            sink.name,
            sink.state,
            sink.delivered,
            sink.rate
                .map_or_else(String::new, |rate| format!(" ({rate:.1}/s)")),
            sink.pending,
            counted(sink.dead_letters, "dead letter")
        ));
        if let Some(error) = &sink.error {
            lines.push(format!("    {}: {}", error.code, untrusted(&error.message)));
            lines.push(format!("    hint: {}", untrusted(&error.hint)));
        }
    }
    if !status.quota.is_empty() {
        lines.push(String::new());
        lines.push("QUOTA".to_owned());
        lines.extend(status.quota.iter().map(quota_line));
    }
    if status.failed_items > 0 {
        lines.push(String::new());
        lines.push(format!(
            "{}, tried again without being asked",
            counted(status.failed_items, "failed item")
        ));
    }
    lines.join("\n")
}

fn credentials_line(credentials: &Credentials) -> String {
    let mut line = format!("Google is asked as {}", untrusted(&credentials.line()));
    if let Some(at) = &credentials.key_changed_at {
        line.push_str(&format!("; the key's file is of {at}"));
    }
    line
}

/// Why a user is stopped.
pub(super) fn stopped(stopped: &Overlay) -> String {
    let mut line = format!(
        "    stopped by {} at {}",
        untrusted(&stopped.by),
        stopped.at
    );
    if let Some(why) = &stopped.why {
        line.push_str(&format!(": {}", untrusted(why)));
    }
    line
}

/// Why an account is read by its user's own consent, where the delegation is asked first.
pub(super) fn grant(account: &Account) -> Option<String> {
    let why = account.not_delegated.as_ref()?;
    Some(format!(
        "    {}  read by the user's own consent, since {}: {}",
        account.address,
        why.code,
        untrusted(&why.message)
    ))
}

fn quota_line(quota: &Quota) -> String {
    let mut line = format!("  {}  {}  {}", quota.api, quota.scope, quota.used);
    if let Some(limit) = quota.limit {
        line.push_str(&format!(" of {limit}"));
    }
    line.push_str(if quota.limit.unwrap_or(quota.used) == 1 {
        " unit"
    } else {
        " units"
    });
    if let Some(forecast) = quota.forecast {
        line.push_str(&format!(", {forecast} by the end of the day if it goes on"));
    }
    line
}

pub(super) fn push_feed(lines: &mut Vec<String>, name: &str, feed: &Feed) {
    lines.push(format!("    {name}  {}  {}", feed.source, feed_line(feed)));
    if let Some(error) = &feed.error {
        let message = untrusted(&error.message);
        lines.push(format!("      {}: {message}", error.code));
        lines.push(format!("      hint: {}", untrusted(&error.hint)));
    }
}

fn feed_line(feed: &Feed) -> String {
    let mut line = feed.state.clone();
    if let Some(walk) = &feed.walk {
        match walk.total {
            Some(total) => line.push_str(&format!("  {} of about {total}", walk.done)),
            None => line.push_str(&format!("  {}", walk.done)),
        }
    }
    line.push_str(&format!("  {}", counted(feed.items, "item")));
    if let Some(lag) = feed.lag_seconds {
        line.push_str(&format!("  heard from Google {lag} s ago"));
    }
    line
}
