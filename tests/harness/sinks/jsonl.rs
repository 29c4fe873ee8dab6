//! Mail in the sink `jsonl`: lines of records, carried out in their order as an idempotent reader would,
//! with the rules of revisions checked on the way.

use super::{Differences, Labels, Mailbox, Message, mailbox_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Members of a record that differ from one revision to the next although nothing changed.
const OF_THE_REVISION: [&str; 5] = [
    "revision",
    "source_version",
    "change",
    "origin",
    "observed_at",
];

/// Members of a mail that a `labels` record tells anew.
const OF_THE_LABELS: [&str; 3] = ["flags", "category", "labels"];

/// Compares the whole folder of lines under `root`.
pub(super) fn compare(root: &Path, mailboxes: &[Mailbox], found: &mut Differences) {
    let mut keys: BTreeMap<String, History> = BTreeMap::new();
    for file in files(root) {
        let text = std::fs::read(root.join(&file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if !text.is_empty() && !text.ends_with('\n') {
            let torn = format!("jsonl {file}: the last line is torn");
            found.broken.push(torn);
        }
        for (at, line) in text.lines().enumerate() {
            if let Err(why) = take(&mut keys, line) {
                let broken = format!("jsonl {file}:{}: {why}", at + 1);
                found.broken.push(broken);
            }
        }
    }
    for mailbox in mailboxes {
        compare_mailbox(&keys, mailbox, found);
    }
    for (key, history) in &keys {
        if owner(key, mailboxes).is_none() && history.mail.is_some() {
            found.left_over.push(format!("jsonl {key}"));
        }
    }
}

/// All lines of all files.
pub(super) fn lines(root: &Path) -> Vec<String> {
    files(root)
        .iter()
        .map(|file| std::fs::read_to_string(root.join(file)).unwrap_or_default())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// What the lines of one key say.
#[derive(Default)]
struct History {
    /// Each revision's line.
    revisions: BTreeMap<u64, String>,
    /// The state by the newest revision; none after a deletion.
    mail: Option<Mail>,
}

/// A mail by its records.
#[derive(Clone, PartialEq)]
struct Mail {
    /// The full record without labels and what belongs to a revision.
    content: Value,
    thread: Value,
    labels: Labels,
}

/// Takes in one line.
fn take(keys: &mut BTreeMap<String, History>, line: &str) -> Result<(), String> {
    let record: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if record["source"] != "gmail" {
        return Ok(());
    }
    let key = record["key"].as_str().ok_or("no key")?;
    let revision = record["revision"].as_u64().ok_or("no revision")?;
    let history = keys.entry(key.to_owned()).or_default();
    if let Some(before) = history.revisions.get(&revision) {
        return (before == line)
            .then_some(())
            .ok_or_else(|| format!("{key} came again with revision {revision}, otherwise"));
    }
    let newest = history
        .revisions
        .last_key_value()
        .map(|(newest, _)| *newest);
    if newest.is_some_and(|newest| revision < newest) {
        return Err(format!("{key} shrank from {newest:?} to {revision}"));
    }
    history.revisions.insert(revision, line.to_owned());
    let after = applied(history.mail.as_ref(), &record).map_err(|why| format!("{key} {why}"))?;
    if newest.is_some() && after == history.mail {
        return Err(format!(
            "{key} has a revision {revision} that changes nothing"
        ));
    }
    history.mail = after;
    Ok(())
}

/// The state after a record.
fn applied(before: Option<&Mail>, record: &Value) -> Result<Option<Mail>, String> {
    let change = record["change"].as_str().unwrap_or_default();
    match (change, before) {
        ("created", None) | ("updated", Some(_)) => full(record).map(Some),
        ("labels", Some(mail)) => Ok(Some(Mail {
            thread: record["labels"]["thread_id"].clone(),
            labels: Labels::told(&record["labels"]),
            content: mail.content.clone(),
        })),
        ("deleted", Some(_)) => Ok(None),
        (_, None) => Err(format!("is `{change}` but not there")),
        (_, Some(_)) => Err(format!("is `{change}` but there already")),
    }
}

/// The state that a full record tells.
fn full(record: &Value) -> Result<Mail, String> {
    let email = &record["email"];
    let mut content = record.clone();
    let object = content.as_object_mut().ok_or("is no object")?;
    for name in OF_THE_REVISION {
        object.remove(name);
    }
    let stripped = object
        .get_mut("email")
        .and_then(Value::as_object_mut)
        .ok_or("is full but has no email")?;
    for name in OF_THE_LABELS {
        stripped.remove(name);
    }
    Ok(Mail {
        thread: email["thread_id"].clone(),
        labels: Labels::told(email),
        content,
    })
}

fn compare_mailbox(keys: &BTreeMap<String, History>, mailbox: &Mailbox, found: &mut Differences) {
    let mut mails: BTreeMap<String, &Mail> = BTreeMap::new();
    for (key, history) in keys {
        let (Some((account, id)), Some(mail)) = (parts(key), &history.mail) else {
            continue;
        };
        if mailbox.keys.iter().any(|own| own == account)
            && mails.insert(id.to_owned(), mail).is_some()
        {
            let twice = format!("jsonl {key}: the message is there under another key too");
            found.broken.push(twice);
        }
    }
    let account = mailbox.keys.join(" or ");
    let ids: BTreeSet<&String> = mailbox.messages.keys().chain(mails.keys()).collect();
    for id in ids {
        let name = format!("jsonl {account}/{id}");
        found.compare(&name, mailbox.messages.get(id), mails.get(id), |m, h| {
            differs(m, h)
        });
    }
}

/// How a mail differs from what Google has.
fn differs(message: &Message, mail: &Mail) -> Option<String> {
    let email = &mail.content["email"];
    let told = (&email["size"], &email["internal_date"], &mail.thread);
    let wanted = (
        &Value::from(message.size),
        &Value::from(message.internal_date),
        &Value::from(message.thread.as_str()),
    );
    if told != wanted {
        return Some(format!("size, date and thread {told:?}, Google {wanted:?}"));
    }
    (mail.labels != message.labels)
        .then(|| format!("labels {:?}, Google {:?}", mail.labels, message.labels))
}

/// The account and the message that a key names.
fn parts(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("gmail/")?.split_once('/')
}

fn owner<'a>(key: &str, mailboxes: &'a [Mailbox]) -> Option<&'a Mailbox> {
    mailbox_of(mailboxes, parts(key)?.0)
}

/// The names of all files, whatever they are called: a stray one is not JSON lines.
fn files(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut files: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    files
}
