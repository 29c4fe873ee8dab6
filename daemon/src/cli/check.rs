//! `nuncio check`: are the config file, the key and the plugins right? Nothing is changed, and
//! nothing is contacted unless that is asked for.

use super::{Common, online, print, say};
use crate::counted::counted;
use crate::exit::{CONFIG, Failure};
use crate::{credentials, sinks};
use clap::Args;
use nuncio_config::Config;
use serde_json::json;
use std::path::PathBuf;

/// Check the config file, the key that it names and the plugins: all errors at once.
#[derive(Args)]
pub(super) struct Check {
    /// As JSON: `{ok, errors: [{code, message, hint, ..}]}`, with file, line and col where there
    /// is a place.
    #[arg(long)]
    json: bool,
    /// Ask Google too, for every synced account and source: who would fail, and why. As JSON:
    /// `{ok, findings: [{address, api, ok, granted_by, error}]}`.
    #[arg(long)]
    online: bool,
    /// Ask with the service account's key in this file, such as before a rotation.
    #[arg(long, value_name = "FILE", requires = "online")]
    key: Option<PathBuf>,
    /// Ask for this user only; may be given several times.
    #[arg(long, value_name = "EMAIL", requires = "online")]
    user: Vec<String>,
}

impl Check {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let config = match Config::load(&common.config) {
            Ok((config, _)) => config,
            Err(errors) if self.json => {
                let n_errors = errors.iter().len();
                return self.refuse(&json!(errors), n_errors);
            }
            Err(errors) => return Err(Failure::new(CONFIG, errors.to_string())),
        };
        let unreachable = credentials::unreachable(&config.google);
        let mut problems = Vec::new();
        if unreachable.is_empty()
            && let Err(problem) = credentials::read(&config.google, &common.state_dir)
        {
            problems.push(problem);
        }
        if let Err(of_sinks) = sinks::check(&config).await {
            problems.extend(of_sinks);
        }
        if self.online && self.key.is_some() {
            // The config's own key is not what this is about.
            problems.retain(|problem| !problem.code.starts_with("AUTH"));
        }
        if !problems.is_empty() && self.json {
            return self.refuse(&json!(problems), problems.len());
        }
        if !problems.is_empty() {
            let text: Vec<String> = problems
                .iter()
                .map(|p| format!("error[{}]: {}\n  hint: {}", p.code, p.message, p.hint))
                .collect();
            return Err(Failure::new(CONFIG, text.join("\n\n")));
        }
        if self.online {
            let key = self.key.as_deref();
            return online::run(common, config, key, &self.user, self.json).await;
        }
        for source in unreachable {
            say(&format!(
                "note: {source} is handed over by systemd and was not looked at"
            ));
        }
        if self.json {
            return print(&json!({ "ok": true, "errors": [] }).to_string());
        }
        say(&format!(
            "{}: good ({}, {})",
            common.config.display(),
            counted(config.users.len(), "user"),
            counted(config.sinks.len(), "sink")
        ));
        Ok(())
    }

    /// The errors as JSON, and the exit code.
    fn refuse(&self, errors: &serde_json::Value, n_errors: usize) -> Result<(), Failure> {
        print(&json!({ "ok": false, "errors": errors }).to_string())?;
        Err(Failure::new(CONFIG, counted(n_errors, "error")))
    }
}
