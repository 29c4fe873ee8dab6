//! A domain with all three sources at once: its config, and the exact comparison of everything
//! that the sinks hold with everything that Google holds. What is to happen to it is in the
//! scenarios; what each source compares is in `sinks`, `events` and `files`.

use crate::{Differences, World, plugins};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long feeds and sinks may stand still before they come to rest; only broken ones do.
const SETTLE_TIME: Duration = Duration::from_secs(120);

/// How long they may take however busy they are: what goes round in circles is broken too.
const LONGEST_SETTLE_TIME: Duration = Duration::from_secs(20 * 60);

/// Differences of each kind whose records a failing test prints.
const N_TOLD: usize = 3;

impl World {
    /// Writes a config that syncs everything of these users, mail into the sink `archive` and all
    /// kinds into `jsonl`, with a log that tells moments.
    pub fn configure_domain(&self, users: &[String], poll_interval: &str) {
        let mut text = format!(
            "[google]\nservice_account_key = \"file:{}\"\nendpoint = \"{}\"\nquota = \"off\"\n\
             [sync]\nsince = \"all\"\npoll_interval = \"{poll_interval}\"\n\
             [plugins]\ndir = \"{}\"\n[log]\nformat = \"json\"\n",
            self.workspace.key_path().display(),
            self.workspace.base(),
            plugins().display(),
        );
        for user in users {
            text.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
        }
        for sink in ["archive", "jsonl"] {
            text.push_str(&self.sink_lines(sink));
        }
        self.write_config(&text);
    }

    /// How the sinks differ from Google in any source; what nobody can read any more is left
    /// out, since nothing may be said of it.
    pub fn domain_differences(&self, users: &[String], status: &Value) -> Differences {
        let mut found = self.differences();
        let calendars = self.calendar_differences(users);
        found.lost.extend(calendars.lost);
        found.stale.extend(calendars.stale);
        found.left_over.extend(calendars.left_over);
        found.broken.extend(calendars.broken);
        for difference in self.file_differences(users) {
            let list = match difference.split_once(": ") {
                Some(("lost", _)) => &mut found.lost,
                Some(("stale", _)) => &mut found.stale,
                Some(("left over", _)) => &mut found.left_over,
                _ => &mut found.broken,
            };
            list.push(difference);
        }
        let orphans: Vec<String> = domain_feeds(status)
            .filter(|feed| feed["state"] == "orphaned")
            .filter_map(|feed| {
                let (source, of) = (feed["source"].as_str()?, feed["collection"].as_str()?);
                Some(format!("{source}/shared:{of}/"))
            })
            .collect();
        for list in [&mut found.lost, &mut found.stale, &mut found.left_over] {
            list.retain(|entry| !orphans.iter().any(|orphan| entry.contains(orphan)));
        }
        found
    }

    /// Waits until every feed is live or has nobody to read it, all is delivered, no item fails
    /// and the sinks are exact; the status then. What is held is accepted, as an operator does
    /// who has looked: should it have been wrong, the comparison shows it.
    ///
    /// # Panics
    /// With the differences, if it comes to rest with some or does not come to rest.
    pub async fn wait_domain(&self, users: &[String]) -> Value {
        let last = Instant::now() + LONGEST_SETTLE_TIME;
        let mut progress = String::new();
        let mut deadline = Instant::now() + SETTLE_TIME;
        loop {
            let status = self.status().unwrap_or_default();
            let at_rest = is_at_rest(&status);
            // The comparison takes long where there is much, so it waits for rest.
            let differences = at_rest.then(|| self.domain_differences(users, &status));
            if differences.as_ref().is_some_and(Differences::is_empty) {
                return status;
            }
            let found = differences
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let now = format!("{found} {}", status["sinks"]);
            if now != progress {
                (progress, deadline) = (now, last.min(Instant::now() + SETTLE_TIME));
            }
            assert!(
                Instant::now() < deadline,
                "{found}\nlast status: {:#}\nrecords: {:#}\nlog:\n{}",
                unwell(&status),
                json!(differences.map(|found| self.told_of(&found))),
                self.log_tail()
            );
            if is_held(&status) {
                for user in users {
                    self.run(&["user", "resync", user, "--accept-deletes"]);
                }
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

impl World {
    /// What was told of the items that differ, for a failing test: revision, change, origin.
    fn told_of(&self, found: &Differences) -> Vec<Value> {
        let entries = [&found.lost, &found.stale, &found.left_over];
        let names = entries
            .into_iter()
            .flat_map(|list| list.iter().take(N_TOLD));
        // An entry ends with a key, or goes on after it with a colon.
        let ids: Vec<&str> = names
            .filter_map(|entry| {
                entry
                    .split(['/', ':', ' ', '_'])
                    .find(|part| part.len() >= 16 && !part.contains('@'))
            })
            .collect();
        let lines = crate::sinks::all_records(self).into_iter();
        lines
            .filter(|line| {
                ids.iter()
                    .any(|id| line["key"].as_str().is_some_and(|key| key.contains(id)))
            })
            .map(|line| {
                json!([
                    line["key"],
                    line["revision"],
                    line["change"],
                    line["origin"],
                    line["observed_at"],
                    line["event"]["status"],
                    line["deleted"]
                ])
            })
            .collect()
    }
}

fn domain_feeds(status: &Value) -> impl Iterator<Item = &Value> {
    status["domain_feeds"].as_array().into_iter().flatten()
}

fn is_at_rest(status: &Value) -> bool {
    let domain = domain_feeds(status)
        .all(|feed| matches!(feed["state"].as_str(), Some("live" | "orphaned")));
    crate::is_idle(status) && domain && status["failed_items"] == 0
}

/// All feeds, whoever's they are.
fn feeds(status: &Value) -> Vec<&Value> {
    let users = inner(vec![status], "users");
    let own = inner(inner(users, "accounts"), "feeds");
    own.into_iter().chain(domain_feeds(status)).collect()
}

/// The entries of the lists of this name in all of `values`.
fn inner<'a>(values: Vec<&'a Value>, list: &str) -> Vec<&'a Value> {
    let lists = values.into_iter().map(|value| value[list].as_array());
    lists.flatten().flatten().collect()
}

fn is_held(status: &Value) -> bool {
    feeds(status).iter().any(|feed| feed["state"] == "held")
}

/// What of a status is not as it is to be in the end.
fn unwell(status: &Value) -> Value {
    let mut shown = json!({ "sinks": status["sinks"], "failed_items": status["failed_items"] });
    let unwell: Vec<&Value> = feeds(status)
        .into_iter()
        .filter(|feed| feed["state"] != "live")
        .collect();
    shown["feeds"] = json!(unwell);
    shown
}
