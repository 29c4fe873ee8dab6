//! `nuncio check`: are the config file, the key and the plugins right? Nothing is contacted and
//! nothing is changed.

use super::{Common, print, say};
use crate::counted::counted;
use crate::exit::{CONFIG, Failure};
use crate::{credentials, sinks};
use clap::Args;
use nuncio_config::Config;
use serde_json::json;

/// Check the config file, the key that it names and the plugins: all errors at once.
#[derive(Args)]
pub(super) struct Check {
    /// As JSON: `{ok, errors: [{code, message, hint, ..}]}`, with file, line and col where there
    /// is a place.
    #[arg(long)]
    json: bool,
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
        let source = &config.google.service_account_key;
        let is_judged = credentials::is_reachable(source);
        let mut problems = Vec::new();
        if is_judged && let Err(problem) = credentials::read(&config.google) {
            problems.push(problem);
        }
        if let Err(of_sinks) = sinks::check(&config).await {
            problems.extend(of_sinks);
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
        if !is_judged {
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
