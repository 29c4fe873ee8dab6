//! `nuncio plan` and `nuncio reload`: what a config would change, and carrying it out.

use super::{Common, client, print, say};
use crate::admin::wire;
use crate::exit::{CHANGES, CONFIG, FAILURE, Failure};
use crate::reload::{History, Outcome, Reloaded, why_held};
use clap::Args;
use hyper::Method;
use nuncio_config::{Config, Diff, Files, HELD};
use nuncio_model::untrusted;
use serde_json::json;

/// Show what the config would change against the one that runs, or, where no daemon runs, against
/// the last good one. Exit code 3 if it changes something.
#[derive(Args)]
pub(super) struct Plan {
    /// As JSON; the form is stable.
    #[arg(long)]
    json: bool,
}

/// Let the daemon take the config up now, instead of when it notices the change.
#[derive(Args)]
pub(super) struct Reload {
    /// Wait until it is over and tell how it went; fails unless the config is in force.
    #[arg(long)]
    wait: bool,
    /// Carry out the config with this hash although it is held.
    #[arg(long, value_name = "HASH")]
    approve: Option<String>,
    /// As JSON; the form is stable.
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let files = match Config::load(&common.config) {
            Ok((_, files)) => files,
            Err(errors) => {
                if self.json {
                    print_json(&Reloaded::refused_for(&errors))?;
                }
                return Err(Failure::new(CONFIG, errors.to_string()));
            }
        };
        let planned = match client::is_there(common).await {
            true => {
                let question = json!(wire::Plan { files });
                client::ask(common, Method::POST, "/v1/plan", Some(&question)).await?
            }
            false => alone(common, &files)?,
        };
        self.tell(&planned)
    }

    fn tell(&self, planned: &Reloaded) -> Result<(), Failure> {
        if self.json {
            print_json(planned)?;
        } else {
            let mut changes = planned.diff.to_string();
            if let Some(change) = &planned.credentials {
                changes.push_str(&format!("~ {change}\n"));
            }
            for overlay in &planned.overlays {
                changes.push_str(&format!("= {overlay}\n"));
            }
            if !changes.is_empty() {
                print(&escaped(&changes))?;
            }
            say(&planned.summary);
            for reason in &planned.held_because {
                let hash = planned.hash.as_deref().unwrap_or_default();
                say(&format!("it would be held, since it {}", untrusted(reason)));
                say(&format!(
                    "  to carry it out: nuncio reload --approve {hash}"
                ));
            }
        }
        match planned.outcome {
            Outcome::Refused => Err(Failure::new(CONFIG, planned.shown.clone())),
            _ if planned.diff.is_empty() && planned.credentials.is_none() => Ok(()),
            _ => Err(Failure::silent(CHANGES)),
        }
    }
}

/// The plan where no daemon runs.
fn alone(common: &Common, files: &Files) -> Result<Reloaded, Failure> {
    let last = History::of(&common.state_dir).newest();
    let old = last.and_then(|last| Config::of(&last.files).ok());
    match old {
        Some(_) => say("no daemon runs; compared with the last config that was in force"),
        None => say("no daemon runs, and none ran with this state folder; compared with nothing"),
    }
    let new = Config::of(files).map_err(|errors| Failure::new(CONFIG, errors.to_string()))?;
    let diff = Diff::between(old.as_ref(), &new);
    let users = old.iter().flat_map(|old| &old.users);
    let n_synced = users.filter(|user| user.sync).count();
    let because = why_held(&diff, n_synced);
    // A start changes everything.
    let mut startable = diff.clone();
    for setting in &mut startable.settings {
        setting.needs_restart = false;
    }
    Ok(Reloaded::judged(files.hash(), &startable, Vec::new()).planned(because))
}

impl Reload {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let question = json!(wire::Reload {
            approve: self.approve.clone(),
            wait: self.wait || self.approve.is_some(),
        });
        let answer: wire::ReloadAnswer =
            client::ask(common, Method::POST, "/v1/reload", Some(&question)).await?;
        let Some(done) = answer.done else {
            say("asked for; `nuncio status` tells how it went");
            return Ok(());
        };
        if self.json {
            print_json(&done)?;
        } else {
            let changes = done.diff.to_string();
            if !changes.is_empty() {
                print(&escaped(&changes))?;
            }
            say(&untrusted(&done.summary).to_string());
        }
        match done.outcome {
            Outcome::Applied | Outcome::Unchanged | Outcome::Planned => Ok(()),
            Outcome::Refused => Err(Failure::new(CONFIG, done.shown)),
            Outcome::Held => {
                let hash = done.hash.unwrap_or_default();
                let hint = format!("if this is meant: nuncio reload --approve {hash}");
                let what = "the config is held; the one of before goes on";
                Err(Failure::coded(FAILURE, HELD.as_str(), what, &hint))
            }
        }
    }
}

fn print_json(answer: &Reloaded) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(answer).map_err(anyhow::Error::from)?)
}

/// Lines of text that may hold what others wrote.
fn escaped(lines: &str) -> String {
    let lines: Vec<String> = lines
        .lines()
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            format!("{}{}", &line[..indent], untrusted(line.trim_start()))
        })
        .collect();
    lines.join("\n")
}
