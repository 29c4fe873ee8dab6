//! The sink `archive`: a Maildir for each account and a sidecar for each message, compared file
//! by file. File names are message ids as they are, for Google's need no escape but for the colon
//! of drafts.

use super::{Differences, Labels, Mailbox, Message, mailbox_of};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A message in the archive.
struct Mail {
    file: String,
    sha256: String,
    sidecar: Option<Value>,
}

/// Compares the whole archive under `root`.
pub(super) fn compare(root: &Path, mailboxes: &[Mailbox], found: &mut Differences) {
    let accounts = names(root);
    for account in &accounts {
        let mails = read(&root.join(account), account, found);
        let none = BTreeMap::new();
        let messages = mailbox_of(mailboxes, account).map_or(&none, |mailbox| &mailbox.messages);
        let ids: BTreeSet<&String> = messages.keys().chain(mails.keys()).collect();
        for id in ids {
            let name = format!("archive {account}/{id}");
            found.compare(&name, messages.get(id), mails.get(id), differs);
        }
    }
    for mailbox in mailboxes {
        if !accounts.iter().any(|name| mailbox.keys.contains(name)) {
            let lost = mailbox.messages.keys();
            let account = mailbox.keys.join(" or ");
            found
                .lost
                .extend(lost.map(|id| format!("archive {account}/{id}")));
        }
    }
}

/// How a mail differs from what Google has.
fn differs(message: &Message, mail: &Mail) -> Option<String> {
    if mail.sha256 != message.sha256 {
        return Some("other bytes".to_owned());
    }
    let flags = mail.file.split_once(":2,").map(|(_, flags)| flags);
    if flags != Some(&message.labels.maildir_flags()) {
        let wanted = message.labels.maildir_flags();
        return Some(format!("flags of {} are to be `{wanted}`", mail.file));
    }
    // Told as broken already.
    let sidecar = mail.sidecar.as_ref()?;
    let labels = Labels::told(sidecar);
    if labels != message.labels {
        return Some(format!("sidecar {labels:?}, Google {:?}", message.labels));
    }
    (sidecar["thread_id"] != message.thread.as_str()).then(|| "another thread".to_owned())
}

/// Reads an account's Maildir and tells what breaks its rules.
fn read(folder: &Path, account: &str, found: &mut Differences) -> BTreeMap<String, Mail> {
    for part in names(folder) {
        if !["cur", "new", "tmp", "labels"].contains(&part.as_str()) {
            let stray = format!("archive {account}: stray file {part}");
            found.broken.push(stray);
        }
    }
    for part in ["new", "tmp"] {
        for name in names(&folder.join(part)) {
            let stray = format!("archive {account}: stray file {part}/{name}");
            found.broken.push(stray);
        }
    }
    let mut sidecars = sidecars(folder, account, found);
    let mut mails: BTreeMap<String, Mail> = BTreeMap::new();
    for file in names(&folder.join("cur")) {
        let id = id_of(file.split(':').next().unwrap_or_default());
        let Ok(bytes) = std::fs::read(folder.join("cur").join(&file)) else {
            let broken = format!("archive {account}: cur/{file} cannot be read");
            found.broken.push(broken);
            continue;
        };
        let sidecar = sidecars.remove(&id);
        if sidecar.as_ref().map(|sidecar| &sidecar["file"]) != Some(&Value::from(file.as_str())) {
            let broken = format!("archive {account}: cur/{file} has not its sidecar");
            found.broken.push(broken);
        }
        let digest = Sha256::digest(&bytes);
        let mail = Mail {
            file,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            sidecar,
        };
        if let Some(twin) = mails.insert(id, mail) {
            let broken = format!("archive {account}: a second file of cur/{}", twin.file);
            found.broken.push(broken);
        }
    }
    for id in sidecars.keys() {
        let stray = format!("archive {account}: labels/{id}.json has no mail");
        found.broken.push(stray);
    }
    mails
}

/// The id that a name in the archive stands for.
fn id_of(name: &str) -> String {
    name.replace("=3A", ":")
}

/// The sidecars of an account by message.
fn sidecars(folder: &Path, account: &str, found: &mut Differences) -> BTreeMap<String, Value> {
    let folder = folder.join("labels");
    let mut sidecars = BTreeMap::new();
    for file in names(&folder) {
        let bytes = std::fs::read(folder.join(&file)).unwrap_or_default();
        let sidecar = serde_json::from_slice(&bytes);
        match (file.strip_suffix(".json"), sidecar) {
            (Some(id), Ok(sidecar)) => {
                sidecars.insert(id_of(id), sidecar);
            }
            _ => {
                let broken = format!("archive {account}: labels/{file} is no sidecar");
                found.broken.push(broken);
            }
        }
    }
    sidecars
}

/// The names in a folder; none where it is missing.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
