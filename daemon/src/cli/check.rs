//! `nuncio check`: is the config file right? Nothing is contacted and nothing is changed.

use super::{Common, print, say};
use crate::exit::{CONFIG, Failure};
use clap::Args;
use nuncio_config::Config;
use serde_json::json;

/// Check the config file: all errors at once.
#[derive(Args)]
pub(super) struct Check {
    /// As JSON: `{ok, errors: [{code, file, line, col, message, hint}]}`.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let problems = match Config::load(&common.config) {
            Ok(config) => crate::sinks::check(&config).await.map(|()| config),
            Err(errors) => {
                return if self.json {
                    print(&json!({ "ok": false, "errors": errors }).to_string())?;
                    Err(Failure::new(
                        CONFIG,
                        format!("{} error(s)", errors.iter().len()),
                    ))
                } else {
                    Err(Failure::new(CONFIG, errors.to_string()))
                };
            }
        };
        match problems {
            Ok(config) => {
                if self.json {
                    return print(&json!({ "ok": true, "errors": [] }).to_string());
                }
                say(&format!(
                    "{}: good ({} user(s), {} sink(s))",
                    common.config.display(),
                    config.users.len(),
                    config.sinks.len()
                ));
                Ok(())
            }
            Err(problems) => {
                if self.json {
                    print(&json!({ "ok": false, "errors": problems }).to_string())?;
                    return Err(Failure::new(CONFIG, format!("{} error(s)", problems.len())));
                }
                let text: Vec<String> = problems
                    .iter()
                    .map(|p| format!("error[{}]: {}\n  hint: {}", p.code, p.message, p.hint))
                    .collect();
                Err(Failure::new(CONFIG, text.join("\n\n")))
            }
        }
    }
}
