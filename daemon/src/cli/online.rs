//! `nuncio check --online`: the doctor. Asks Google for a token and one small read for every synced
//! account and source, as the config says, and tells who fails and why. Good before a first start,
//! a key rotation and a mode switch, since it needs no daemon and changes nothing.

use super::{Common, print, say};
use crate::admin::wire;
use crate::counted::counted;
use crate::exit::{CONFIG, FAILURE, Failure};
use crate::{codes, credentials, quota};
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use nuncio_config::{Config, SecretSource, ServiceAccount};
use nuncio_google::{Gmail, Google, Limits, ListMessages};
use nuncio_model::{AccountKey, Address, Chain, Source, SystemClock, untrusted};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Accounts that are asked for at once.
const AT_ONCE: usize = 8;

/// Failures of one kind that are listed by name; `--json` has all.
const MOST_NAMED: usize = 5;

/// What was asked, and how it went.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// The account; for the Directory the administrator.
    address: String,
    /// `gmail`, `calendar`, `drive` or `directory`.
    api: &'static str,
    ok: bool,
    /// Whose word opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<wire::Error>,
}

/// Runs it. `key` stands in for the config's key; `only` are the users that it is about.
pub(super) async fn run(
    common: &Common,
    mut config: Config,
    key: Option<&Path>,
    only: &[String],
    is_json: bool,
) -> Result<(), Failure> {
    if let Some(key) = key {
        let path = std::path::absolute(key).map_err(anyhow::Error::from)?;
        config.google.service_account = Some(ServiceAccount::Key(SecretSource::File(path)));
        config.google.mode = nuncio_config::Mode::ServiceAccount;
        config.google.falls_back = false;
    }
    let loaded = credentials::read(&config.google, &common.state_dir)
        .map_err(|e| Failure::coded(CONFIG, &e.code, &e.message, &e.hint))?;
    if !is_json {
        say(&format!(
            "asking Google as {}",
            untrusted(&loaded.told.line())
        ));
    }
    let google = Google::open(
        loaded.credentials,
        loaded.endpoint,
        Arc::new(SystemClock),
        Limits::default(),
        quota::options(&config.google),
        &[],
    );
    let google = google.map_err(|error| {
        let text = Chain(&error).to_string();
        Failure::coded(FAILURE, error.code(), &text, error.hint())
    })?;
    let asks = asks(&config, only)?;
    let findings = ask_all(&google, asks, is_json).await;
    tell(&findings, is_json)
}

/// Account and source pairs; the Directory has no source.
fn asks(config: &Config, only: &[String]) -> Result<Vec<(Address, Option<Source>)>, Failure> {
    let is_meant = |email: &Address| {
        only.is_empty()
            || only
                .iter()
                .any(|text| text.eq_ignore_ascii_case(email.as_str()))
    };
    for text in only {
        let mut users = config.users.iter();
        if !users.any(|user| text.eq_ignore_ascii_case(user.email.as_str())) {
            let text = untrusted(text);
            return Err(Failure::coded(
                FAILURE,
                "ADM011",
                &format!("there is no user {text} in the config"),
                "name a user by the email that the config has",
            ));
        }
    }
    let users = config.users.iter();
    let users = users.filter(|user| (user.sync || !only.is_empty()) && is_meant(&user.email));
    let mut asks: Vec<(Address, Option<Source>)> = users
        .flat_map(|user| {
            let accounts = user.accounts.iter();
            accounts.flat_map(|account| {
                let sources = user.sources.iter();
                sources.map(|source| (account.address.clone(), Some(*source)))
            })
        })
        .collect();
    asks.extend(config.google.admin.clone().map(|admin| (admin, None)));
    Ok(asks)
}

async fn ask_all(
    google: &Google,
    asks: Vec<(Address, Option<Source>)>,
    is_json: bool,
) -> Vec<Finding> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    let bar = ProgressBar::new(u64::try_from(asks.len()).unwrap_or(u64::MAX));
    if let Ok(style) = style {
        bar.set_style(style);
    }
    if is_json {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let answers = asks.into_iter().map(|(address, source)| async move {
        let asked = ask(google, &address, source).await;
        let granted_by = google.granted_by(address.as_str()).0;
        Finding {
            address: address.to_string(),
            api: source.map_or("directory", Source::as_str),
            ok: asked.is_ok(),
            granted_by: asked.is_ok().then(|| granted_by.as_str()),
            error: asked.err(),
        }
    });
    let mut answers = futures_util::stream::iter(answers).buffered(AT_ONCE);
    let mut findings = Vec::new();
    while let Some(finding) = answers.next().await {
        bar.inc(1);
        findings.push(finding);
    }
    bar.finish_and_clear();
    findings
}

/// A small read, which needs a token and that the API is on.
async fn ask(
    google: &Google,
    address: &Address,
    source: Option<Source>,
) -> Result<(), wire::Error> {
    let key = AccountKey::new(address.as_str());
    let asked = match source {
        Some(Source::Gmail) => {
            let gmail = google.gmail(&key, address);
            mailbox(&gmail).await.map(Some)
        }
        Some(Source::Calendar) => {
            let page = google.calendar(&key, address).calendars(None).await;
            page.map(|_| None)
        }
        Some(Source::Drive) => google.drive(&key, address).about().await.map(Some),
        None => {
            let user = google.directory(address).user(address.as_str()).await;
            user.map(|_| None)
        }
    };
    match asked {
        Ok(Some(mailbox)) if !mailbox.eq_ignore_ascii_case(address.as_str()) => Err(wire::Error {
            code: "SRC002".to_owned(),
            message: format!("{address} opens the account of {}", untrusted(&mailbox)),
            hint: "name the primary address in the config".to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(error) => Err(wire::Error {
            code: error.code().to_owned(),
            message: Chain(&error).to_string(),
            hint: error.hint().replace("ADDRESS", address.as_str()),
        }),
    }
}

/// Whose mailbox it is. One message is read as well: of a suspended user Google still gives the
/// profile and the listing.
async fn mailbox(gmail: &Gmail) -> Result<String, nuncio_google::Error> {
    let profile = gmail.profile().await?;
    let newest = ListMessages {
        max_results: 1,
        ..ListMessages::default()
    };
    let page = gmail.list_messages(&newest).await?;
    if let Some(message) = page.messages.first() {
        gmail.message_minimal(&message.id).await?;
    }
    Ok(profile.email_address)
}

fn tell(findings: &[Finding], is_json: bool) -> Result<(), Failure> {
    let n_bad = findings.iter().filter(|finding| !finding.ok).count();
    if is_json {
        let told = serde_json::json!({ "ok": n_bad == 0, "findings": findings });
        print(&serde_json::to_string_pretty(&told).map_err(anyhow::Error::from)?)?;
    } else {
        for line in lines(findings) {
            print(&line)?;
        }
    }
    match n_bad {
        0 => Ok(()),
        _ => Err(Failure::coded(
            FAILURE,
            "ADM011",
            &format!(
                "{} of {} failed",
                n_bad,
                counted(findings.len(), "question")
            ),
            codes::remedy("ADM011"),
        )),
    }
}

/// For a person: a line for each API, and what failed, grouped by cause.
fn lines(findings: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    for api in ["gmail", "calendar", "drive", "directory"] {
        let of_api: Vec<&Finding> = findings.iter().filter(|f| f.api == api).collect();
        let bad: Vec<&Finding> = of_api.iter().copied().filter(|f| !f.ok).collect();
        if of_api.is_empty() {
            continue;
        }
        let n_good = of_api.len() - bad.len();
        lines.push(match bad.len() {
            0 => format!("PASS  {api}  {}", counted(n_good, "account")),
            n_bad => format!(
                "FAIL  {api}  {n_bad} of {}",
                counted(of_api.len(), "account")
            ),
        });
        let mut codes: Vec<&str> = Vec::new();
        for error in bad.iter().filter_map(|finding| finding.error.as_ref()) {
            if !codes.contains(&error.code.as_str()) {
                codes.push(&error.code);
            }
        }
        for code in codes {
            let is_of = |f: &&&Finding| f.error.as_ref().is_some_and(|e| e.code == code);
            let same: Vec<&&Finding> = bad.iter().filter(is_of).collect();
            for finding in same.iter().take(MOST_NAMED) {
                let message = finding.error.as_ref().map_or("", |error| &error.message);
                lines.push(format!(
                    "      {}  {code}: {}",
                    finding.address,
                    untrusted(message)
                ));
            }
            if same.len() > MOST_NAMED {
                let n_more = same.len() - MOST_NAMED;
                lines.push(format!("      and {n_more} more; --json names all"));
            }
            let hint = same.first().and_then(|finding| finding.error.as_ref());
            lines.extend(hint.map(|error| format!("      hint: {}", untrusted(&error.hint))));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_grouped_by_cause_and_few_are_named() {
        let finding = |n: usize, error: Option<&str>| Finding {
            address: format!("user{n}@example.com"),
            api: "gmail",
            ok: error.is_none(),
            granted_by: None,
            error: error.map(|code| wire::Error {
                code: code.to_owned(),
                message: "no".to_owned(),
                hint: format!("do {code}"),
            }),
        };
        let mut findings = vec![finding(0, None), finding(1, Some("AUTH011"))];
        findings.extend((2..9).map(|n| finding(n, Some("AUTH010"))));
        let lines = lines(&findings);
        assert_eq!(lines[0], "FAIL  gmail  8 of 9 accounts");
        assert_eq!(lines[1], "      user1@example.com  AUTH011: no");
        assert_eq!(lines[2], "      hint: do AUTH011");
        assert_eq!(lines[8], "      and 2 more; --json names all");
        assert_eq!(lines[9], "      hint: do AUTH010");
        assert_eq!(lines.len(), 10);
    }
}
