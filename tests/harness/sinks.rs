//! The exact comparison of what the sinks `archive` and `jsonl` hold with Google's truth: a fresh
//! full listing out of the fake Workspace's store. How each sink's files are read is in `sinks/`.

mod archive;
mod jsonl;

use crate::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// How long feeds and sinks may stand still before they come to rest; only broken ones do.
const SETTLE_TIME: Duration = Duration::from_secs(120);

/// How long they may take however busy they are: what goes round in circles is broken too.
const LONGEST_SETTLE_TIME: Duration = Duration::from_secs(15 * 60);

/// Examples that are printed of each kind of difference.
const N_EXAMPLES: usize = 5;

/// Gmail's system labels that a record tells as flags.
const FLAGS: [&str; 8] = [
    "UNREAD",
    "STARRED",
    "IMPORTANT",
    "INBOX",
    "SENT",
    "DRAFT",
    "SPAM",
    "TRASH",
];

/// What the sinks hold otherwise than Google does. Each entry names the sink and the item.
#[derive(Debug, Default)]
pub struct Differences {
    /// At Google, but not in the sink.
    pub lost: Vec<String>,
    /// In both, with other bytes, labels or thread.
    pub stale: Vec<String>,
    /// In the sink, but not at Google.
    pub left_over: Vec<String>,
    /// Breaches of a rule, whatever Google holds: a record that changes nothing, a revision that
    /// shrinks, a redelivered line that differs, a line that cannot be read, stray files.
    pub broken: Vec<String>,
}

impl Differences {
    /// Whether the sinks are exact.
    pub fn is_empty(&self) -> bool {
        [&self.lost, &self.stale, &self.left_over, &self.broken]
            .iter()
            .all(|list| list.is_empty())
    }

    /// Compares what a sink has of one message with what Google has.
    fn compare<T>(
        &mut self,
        name: &str,
        google: Option<&Message>,
        sink: Option<&T>,
        differs: impl Fn(&Message, &T) -> Option<String>,
    ) {
        match (google, sink) {
            (Some(_), None) => self.lost.push(name.to_owned()),
            (None, Some(_)) => self.left_over.push(name.to_owned()),
            (Some(message), Some(held)) => {
                if let Some(how) = differs(message, held) {
                    self.stale.push(format!("{name}: {how}"));
                }
            }
            (None, None) => {}
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("lost", &self.lost),
            ("stale", &self.stale),
            ("left over", &self.left_over),
            ("broken", &self.broken),
        ];
        for (at, (kind, list)) in kinds.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{} {kind}", list.len())?;
        }
        for (kind, list) in kinds {
            for example in list.iter().take(N_EXAMPLES) {
                write!(f, "\n  {kind}: {example}")?;
            }
        }
        Ok(())
    }
}

/// A mailbox as Google has it.
struct Mailbox {
    /// What may stand for it in a record key: its addresses and its Directory id.
    keys: Vec<String>,
    messages: BTreeMap<String, Message>,
}

/// A message as Google has it.
struct Message {
    sha256: String,
    size: u64,
    thread: String,
    internal_date: i64,
    labels: Labels,
}

/// Labels in the words of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Labels {
    flags: BTreeSet<String>,
    category: String,
    own: BTreeSet<String>,
}

impl Labels {
    /// Of a record's payload or of a sidecar.
    fn told(value: &Value) -> Self {
        Self {
            flags: texts(&value["flags"]).collect(),
            category: value["category"].as_str().unwrap_or_default().to_owned(),
            own: texts(&value["labels"]).collect(),
        }
    }

    /// Of label ids as Google tells them.
    fn of(ids: &Value, names: &Value) -> Self {
        let mut labels = Self {
            category: "none".to_owned(),
            ..Self::default()
        };
        for id in texts(ids) {
            if FLAGS.contains(&id.as_str()) {
                labels.flags.insert(id.to_lowercase());
            } else if let Some(category) = id.strip_prefix("CATEGORY_") {
                labels.category = category.to_lowercase();
            } else {
                let name = names[&id].as_str().unwrap_or(&id).to_owned();
                labels.own.insert(name);
            }
        }
        labels
    }

    /// The flags in the name of a Maildir file.
    fn maildir_flags(&self) -> String {
        let has = |flag: &str| self.flags.contains(flag);
        let letters = [
            ('D', has("draft")),
            ('F', has("starred")),
            ('S', !has("unread")),
            ('T', has("trash")),
        ];
        letters
            .iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(letter, _)| letter)
            .collect()
    }
}

/// The texts of a list.
fn texts(list: &Value) -> impl Iterator<Item = String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.into_iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
}

impl World {
    /// Compares both sinks, `archive` and `jsonl`, with Google's truth over all its users.
    pub fn differences(&self) -> Differences {
        self.differences_since(None)
    }

    /// As [`World::differences`], where only messages from `since` (milliseconds since 1970) on
    /// are to be there.
    pub fn differences_since(&self, since: Option<i64>) -> Differences {
        let mailboxes = self.mailboxes(since);
        let mut found = Differences::default();
        archive::compare(&self.path("archive"), &mailboxes, &mut found);
        jsonl::compare(&self.path("jsonl"), &mailboxes, &mut found);
        found
    }

    /// As [`World::differences`], of the sink `archive` alone.
    pub fn archive_differences(&self) -> Differences {
        let mut found = Differences::default();
        archive::compare(&self.path("archive"), &self.mailboxes(None), &mut found);
        found
    }

    /// Whether every feed is live, every record delivered, and both sinks are exact.
    pub fn is_settled(&self, status: &Value) -> bool {
        is_idle(status) && self.differences().is_empty()
    }

    /// Waits until [`World::is_settled`]; the status then.
    ///
    /// # Panics
    /// With the differences, if feeds and lanes come to rest with some or do not come to rest.
    pub async fn wait_settled(&self) -> Value {
        self.wait_settled_since(None).await
    }

    /// As [`World::wait_settled`], by [`World::differences_since`].
    ///
    /// # Panics
    /// As it does.
    pub async fn wait_settled_since(&self, since: Option<i64>) -> Value {
        // On a loaded machine a long way is a long way: what is not allowed is to stand still.
        let last = Instant::now() + LONGEST_SETTLE_TIME;
        let mut progress = String::new();
        let mut deadline = Instant::now() + SETTLE_TIME;
        loop {
            let status = self.status().unwrap_or_default();
            let differences = self.differences_since(since);
            if is_idle(&status) && differences.is_empty() {
                return status;
            }
            let now = format!("{differences} {}", status["sinks"]);
            if now != progress {
                (progress, deadline) = (now, last.min(Instant::now() + SETTLE_TIME));
            }
            assert!(
                Instant::now() < deadline,
                "{differences}\nlast status: {status:#}\nlog:\n{}",
                self.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The lines of a user's mailbox in the sink `jsonl`, in order.
    ///
    /// # Panics
    /// On a line that cannot be read.
    pub fn lines(&self, user: &str) -> Vec<Value> {
        jsonl::lines(&self.path("jsonl"))
            .into_iter()
            .map(|line| serde_json::from_str(&line).expect("a line is JSON"))
            .filter(|line: &Value| line["user"] == user)
            .collect()
    }

    fn mailboxes(&self, since: Option<i64>) -> Vec<Mailbox> {
        let config = std::fs::read_to_string(self.path("nuncio.toml")).unwrap_or_default();
        let has_drafts = config.contains("include_drafts = true");
        let users = self.google("users", &json!({}));
        let users = users["users"].as_array().cloned().unwrap_or_default();
        users
            .iter()
            .map(|user| {
                let mut keys: Vec<String> = texts(&user["aliases"]).collect();
                keys.extend(texts(&json!([user["email"], user["id"]])));
                let truth = self.google(
                    "truth",
                    &json!({ "user": user["email"], "since": since.map(|since| since.to_string()) }),
                );
                let messages = truth["messages"].as_array().cloned().unwrap_or_default();
                let messages = messages
                    .iter()
                    .map(|message| message_of(message, &truth["labels"]));
                let drafts = truth["drafts"].as_array().cloned().unwrap_or_default();
                let drafts = drafts.iter().filter(|_| has_drafts).map(|draft| {
                    let (_, message) = message_of(&draft["message"], &truth["labels"]);
                    (format!("draft:{}", draft["id"].as_str().unwrap_or_default()), message)
                });
                let messages = messages.chain(drafts).collect();
                Mailbox { keys, messages }
            })
            .collect()
    }
}

/// All lines of all files of a sink `jsonl`.
pub(crate) fn all_lines(root: &std::path::Path) -> Vec<String> {
    jsonl::lines(root)
}

/// All lines of the sink `jsonl`, each feed's in its order. One that is being written just now
/// is left out.
pub(crate) fn all_records(world: &World) -> Vec<Value> {
    jsonl::lines(&world.path("jsonl"))
        .into_iter()
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect()
}

/// Whether every feed is live and no record waits.
pub fn is_idle(status: &Value) -> bool {
    let all = |list: &str, holds: &dyn Fn(&Value) -> bool| {
        status[list]
            .as_array()
            .is_some_and(|list| list.iter().all(holds))
    };
    all("users", &|user| user["state"] == "live") && all("sinks", &|sink| sink["pending"] == 0)
}

fn message_of(message: &Value, names: &Value) -> (String, Message) {
    let text = |name: &str| {
        message[name]
            .as_str()
            .expect("truth tells it of each message")
            .to_owned()
    };
    let (id, internal_date) = (text("id"), text("internalDate"));
    let message = Message {
        sha256: text("sha256"),
        size: message["raw_size"].as_u64().expect("truth tells the size"),
        thread: text("threadId"),
        internal_date: internal_date.parse().expect("a date is a number"),
        labels: Labels::of(&message["labelIds"], names),
    };
    (id, message)
}

/// The mailbox that an account key stands for.
fn mailbox_of<'a>(mailboxes: &'a [Mailbox], account: &str) -> Option<&'a Mailbox> {
    mailboxes
        .iter()
        .find(|mailbox| mailbox.keys.iter().any(|key| key == account))
}
