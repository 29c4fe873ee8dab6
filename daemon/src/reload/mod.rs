//! Changes of the config while the daemon runs: who may order one, what holds one back, how the
//! outcome is told. How it is carried out is in `app`, what differs in `nuncio_config::Diff`.

mod history;
mod shown;
mod trial;
mod watch;

pub(crate) use history::{Entry, History};
pub(crate) use shown::{ConfigState, LastReload, Shown, ShownUser};
pub(crate) use trial::{Trial, scopes, trial};
pub(crate) use watch::{Watched, watch};

use crate::admin::wire;
use crate::feeds::FeedChanges;
use crate::overlays::Stopped;
use nuncio_config::{
    Config, Diff, Errors, Files, HELD, NEEDS_RESTART, SettingChange, SinkChangeKind, UserChangeKind,
};
use nuncio_model::{Address, untrusted};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// A change that takes more than this part of the synced users away is held, in percent.
const MOST_LOST_PERCENT: usize = 5;

/// So many users may always be taken away.
const MOST_LOST_ALWAYS: usize = 5;

/// What a start begins with.
pub(crate) struct StartConfig {
    /// The config.
    pub config: Config,
    /// Its files.
    pub files: Files,
    /// Why these are not the files on disk.
    pub problem: Option<String>,
}

/// What is asked of the daemon about its config.
pub(crate) enum Order {
    /// Carry out what the files on disk say.
    Reload {
        /// A config with this hash is carried out whatever it does.
        approved: Option<String>,
        /// Where the outcome goes; none where nobody waits for it.
        reply: Option<oneshot::Sender<Reloaded>>,
    },
    /// Look after sinks that left the config.
    LookAfterRetired,
    /// Stop a user until it is started.
    Stop {
        /// The user's email.
        email: Address,
        /// Who, when, why.
        stopped: Stopped,
        /// Where it goes how it went.
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Start a user that was stopped, and try what Google refused again at once.
    Start {
        /// The user's email.
        email: Address,
        /// One that was stopped stays so.
        only_retry: bool,
        /// Whether it had been stopped.
        reply: oneshot::Sender<Result<bool, String>>,
    },
    /// Tell what other files would change.
    Plan {
        /// The files.
        files: Files,
        /// Where the answer goes.
        reply: oneshot::Sender<Reloaded>,
    },
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The config is in force.
    Applied,
    /// It is the one in force.
    Unchanged,
    /// It waits for an operator's approval; the old one goes on.
    Held,
    /// It is wrong or cannot be carried out; the old one goes on.
    Refused,
    /// It was only looked at.
    Planned,
}

/// What became, or would become, of a config.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// How it went.
    pub outcome: Outcome,
    /// SHA-256 over the files; none where they cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// One line.
    pub summary: String,
    /// What it changes.
    pub diff: Diff,
    /// That what Google is shown is other than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// What operators ordered beside the config, and stays so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// Why it needs an approval.
    pub held_because: Vec<String>,
    /// What is wrong.
    pub errors: Vec<wire::Error>,
    /// The errors as a terminal shows them, with their places.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shown: String,
}

impl Reloaded {
    fn new(outcome: Outcome, hash: Option<String>, summary: String) -> Self {
        Self {
            outcome,
            hash,
            summary,
            diff: Diff::default(),
            credentials: None,
            overlays: Vec::new(),
            held_because: Vec::new(),
            errors: Vec::new(),
            shown: String::new(),
        }
    }

    /// The files are wrong.
    pub(crate) fn refused_for(errors: &Errors) -> Self {
        let n = errors.len();
        let plural = if n == 1 { "" } else { "s" };
        let summary = format!("the config has {n} error{plural}; the one of before goes on");
        let errors_of = errors.iter().map(|problem| wire::Error {
            code: problem.code.to_string(),
            message: match (problem.line, problem.col) {
                (Some(line), Some(col)) => {
                    format!("{}:{line}:{col}: {}", problem.file, problem.message)
                }
                _ => format!("{}: {}", problem.file, problem.message),
            },
            hint: problem.hint.clone(),
        });
        Self {
            errors: errors_of.collect(),
            shown: errors.to_string(),
            ..Self::new(Outcome::Refused, None, summary)
        }
    }

    /// The files are those in force. `note` is for who expected otherwise.
    pub(crate) fn unchanged(hash: String, note: Option<&str>) -> Self {
        let summary = Diff::default().summary();
        let summary = match note {
            Some(note) => format!("{summary}; {note}"),
            None => summary,
        };
        Self::new(Outcome::Unchanged, Some(hash), summary)
    }

    /// What Google is shown is other than before: `change` says how.
    pub(crate) fn with_credentials(self, change: String) -> Self {
        let summary = match self.diff.is_empty() {
            true => change.clone(),
            false => format!("{}, {change}", self.summary),
        };
        Self {
            summary,
            credentials: Some(change),
            ..self
        }
    }

    /// Something outside the files keeps it from being carried out.
    pub(crate) fn refused_by(self, error: wire::Error) -> Self {
        Self {
            outcome: Outcome::Refused,
            summary: "the config cannot be carried out; the one of before goes on".to_owned(),
            shown: format!(
                "error[{}]: {}\n  hint: {}",
                error.code, error.message, error.hint
            ),
            errors: vec![error],
            ..self
        }
    }

    /// Whether it may go better later though the files stay the same.
    pub(crate) fn may_pass(&self) -> bool {
        let of_files = |error: &wire::Error| {
            error.code.starts_with("CFG00")
                || error.code.starts_with("CFG01")
                || error.code.starts_with("CFG03")
                || error.code == NEEDS_RESTART.as_str()
        };
        self.outcome == Outcome::Refused && !self.errors.iter().any(of_files)
    }

    /// What `diff` means: refused where it cannot be carried out, or has problems with plugins.
    pub(crate) fn judged(hash: String, diff: &Diff, problems: Vec<wire::Error>) -> Self {
        let fixed = diff.settings.iter().filter(|setting| setting.needs_restart);
        let mut errors: Vec<wire::Error> = fixed.map(needs_restart).collect();
        errors.extend(problems);
        let outcome = match errors.is_empty() {
            true => Outcome::Planned,
            false => Outcome::Refused,
        };
        let shown: Vec<String> = errors
            .iter()
            .map(|e| format!("error[{}]: {}\n  hint: {}", e.code, e.message, e.hint))
            .collect();
        let summary = match errors.len() {
            0 => diff.summary(),
            _ => "the config cannot be carried out; the one of before goes on".to_owned(),
        };
        Self {
            diff: diff.clone(),
            errors,
            shown: shown.join("\n\n"),
            ..Self::new(outcome, Some(hash), summary)
        }
    }

    /// The spool has no room for a new sink.
    pub(crate) fn without_room(self, why: &str) -> Self {
        self.refused_by(wire::Error {
            code: "SPL010".to_owned(),
            message: format!("a new sink cannot be registered: {why}"),
            hint: "make room; it is tried again by itself, or at once by `nuncio reload`"
                .to_owned(),
        })
    }

    /// It waits for an approval.
    pub(crate) fn held(self, because: Vec<String>) -> Self {
        Self {
            outcome: Outcome::Held,
            summary: format!(
                "{}: held, since it {}",
                self.summary,
                because.join(", and ")
            ),
            held_because: because,
            ..self
        }
    }

    /// It was only looked at.
    pub(crate) fn planned(self, because: Vec<String>) -> Self {
        Self {
            held_because: because,
            ..self
        }
    }

    /// It is in force.
    pub(crate) fn applied(self, changes: FeedChanges) -> Self {
        let FeedChanges {
            n_started,
            n_restarted,
            n_stopped,
        } = changes;
        Self {
            outcome: Outcome::Applied,
            summary: format!(
                "{}; feeds: {n_started} started, {n_restarted} restarted where they stood, {n_stopped} stopped",
                self.summary
            ),
            ..self
        }
    }

    /// Tells the log.
    pub(crate) fn log(&self) {
        let summary = self.summary.as_str();
        let hash = self.hash.as_deref().unwrap_or_default();
        match self.outcome {
            Outcome::Applied => {
                for line in self.diff.to_string().lines().take(MAX_LOGGED) {
                    tracing::info!(change = %untrusted(line), "the config changes");
                }
                if let Some(change) = &self.credentials {
                    tracing::info!(change = %untrusted(change), "Google is shown other credentials");
                }
                tracing::info!(hash, summary, "the config is in force");
            }
            Outcome::Held => {
                tracing::warn!(
                    code = HELD.as_str(),
                    hash,
                    summary,
                    hint = "look at it with `nuncio plan`, then `nuncio reload --approve HASH`",
                    "the config is held; the one of before goes on"
                );
            }
            Outcome::Refused => {
                for error in self.errors.iter().take(MAX_LOGGED) {
                    tracing::error!(
                        code = %error.code,
                        error = %error.message,
                        hint = %error.hint,
                        "the config is refused; the one of before goes on"
                    );
                }
            }
            Outcome::Unchanged | Outcome::Planned => {}
        }
    }
}

/// Lines of one reload in the log; `nuncio config history` has all.
const MAX_LOGGED: usize = 50;

fn needs_restart(setting: &SettingChange) -> wire::Error {
    wire::Error {
        code: NEEDS_RESTART.to_string(),
        message: format!(
            "`{}` cannot change while nuncio runs ({} -> {})",
            setting.key, setting.from, setting.to
        ),
        hint: "change it back, or restart nuncio".to_owned(),
    }
}

/// Whether so many of the synced users are more than may be lost without an approval.
fn too_many(n_lost: usize, n_synced: usize) -> bool {
    n_lost > MOST_LOST_ALWAYS && n_lost * 100 > n_synced * MOST_LOST_PERCENT
}

/// Why a change waits for an operator's approval; empty if it does not. `n_synced` users are
/// synced before it.
pub(crate) fn why_held(diff: &Diff, n_synced: usize) -> Vec<String> {
    let mut reasons = Vec::new();
    let n_lost = diff.n_users(UserChangeKind::Removed) + diff.n_users(UserChangeKind::Paused);
    if too_many(n_lost, n_synced) {
        reasons.push(format!("takes {n_lost} of {n_synced} users away"));
    }
    for sink in &diff.sinks {
        // What a new sink may is its own first grant, and as visible.
        if sink.change == SinkChangeKind::Changed && !sink.widened.is_empty() {
            reasons.push(format!(
                "widens the sink {}: {}",
                sink.name,
                sink.widened.join(", ")
            ));
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(users: usize, rest: &str) -> Config {
        let mut text = "[google]\nservice_account_key = \"file:/etc/nuncio/key.json\"\n".to_owned();
        for n in 0..users {
            text.push_str(&format!("[[users]]\nemail = \"user{n}@example.com\"\n"));
        }
        text.push_str(rest);
        Config::parse("nuncio.toml", &text).unwrap()
    }

    fn held(before: usize, after: usize) -> usize {
        let (before, after) = (config(before, ""), config(after, ""));
        let diff = Diff::between(Some(&before), &after);
        why_held(&diff, before.users.len()).len()
    }

    #[test]
    fn taking_many_users_away_is_held_and_a_few_are_not() {
        assert_eq!(held(10, 5), 0, "five may always go");
        assert_eq!(held(10, 4), 1);
        assert_eq!(held(200, 190), 0, "five in a hundred");
        assert_eq!(held(200, 189), 1);
        assert_eq!(held(0, 500), 0);
    }

    #[test]
    fn a_wider_sink_is_held_and_a_new_one_is_not() {
        let sink = |content: &str| {
            config(
                0,
                &format!("[sinks.a]\nplugin = \"a.wasm\"\ncontent = \"{content}\"\n"),
            )
        };
        let why =
            |before: &Config, after: &Config| why_held(&Diff::between(Some(before), after), 0);
        assert!(why(&config(0, ""), &sink("raw")).is_empty());
        assert!(why(&sink("raw"), &sink("text")).is_empty());
        assert_eq!(
            why(&sink("text"), &sink("raw")),
            ["widens the sink a: content text -> raw"]
        );
    }

    #[test]
    fn what_cannot_change_is_refused_by_name() {
        let (before, after) = (config(0, ""), config(0, "[log]\nformat = \"json\"\n"));
        let diff = Diff::between(Some(&before), &after);
        let answer = Reloaded::judged("h".into(), &diff, Vec::new());
        assert_eq!(answer.outcome, Outcome::Refused);
        assert!(answer.errors[0].message.contains("`[log] format`"));
    }
}
