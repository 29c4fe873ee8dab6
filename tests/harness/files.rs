//! Files: what scenarios do to Drive at Google, what the sink `jsonl` holds of it, and the exact
//! comparison with Google's truth, a fresh full listing out of the fake Workspace's store.

use crate::{World, plugins, sinks};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long feeds and sinks may take to come to rest; only a broken one takes it.
const SETTLE_TIME: Duration = Duration::from_secs(120);

/// Differences that a failing test prints.
const N_EXAMPLES: usize = 8;

/// Roles of a shared drive's members, most rights first.
const ROLES: [&str; 5] = [
    "organizer",
    "fileOrganizer",
    "writer",
    "commenter",
    "reader",
];

/// Members of a record that differ from one revision to the next although nothing changed.
const OF_THE_REVISION: [&str; 5] = [
    "revision",
    "source_version",
    "change",
    "origin",
    "observed_at",
];

/// Snapshots of the names of other items.
const SNAPSHOTS: [&str; 2] = ["path", "drive_name"];

/// What the sink `jsonl` holds of files.
#[derive(Debug, Default)]
pub struct Held {
    /// The last record of each key that is not deleted.
    pub files: BTreeMap<String, Value>,
    /// Every key that there ever was a record of.
    pub ever: BTreeSet<String>,
    /// Breaches of a rule: a revision that shrinks or changes nothing, a change that does not
    /// fit what was there.
    pub broken: Vec<String>,
}

impl World {
    /// Writes a config that syncs these users' files to the sink `jsonl`. `sync` is more of the
    /// section `[sync]`.
    pub fn configure_files(&self, users: &[String], sync: &str) {
        let mut text = format!(
            "[google]\nservice_account_key = \"file:{}\"\nendpoint = \"{}\"\n\
             [sync]\nsources = [\"drive\"]\npoll_interval = \"200ms\"\n{sync}\n\
             [plugins]\ndir = \"{}\"\n\
             [sinks.jsonl]\nplugin = \"jsonl.wasm\"\n[sinks.jsonl.grants]\n\
             dirs = [{{ guest = \"/out\", host = \"{}\", mode = \"rw\" }}]\n",
            self.workspace.key_path().display(),
            self.workspace.base(),
            plugins().display(),
            self.path("jsonl").display(),
        );
        for user in users {
            text.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
        }
        self.write_config(&text);
    }

    /// Creates a file with a line of text: its id. `more` is more of what `drive.create` takes.
    pub fn create_file(&self, user: &str, name: &str, more: Value) -> String {
        let mut question = more;
        question["user"] = json!(user);
        question["name"] = json!(name);
        if question["mimeType"].is_null() {
            question["content"] = json!(format!("{name}\n"));
        }
        let file = self.google("drive.create", &question);
        file["id"].as_str().expect("a new file has an id").into()
    }

    /// Creates a folder: its id.
    pub fn create_folder(&self, user: &str, name: &str, parent: Option<&str>) -> String {
        let mut more = json!({ "mimeType": "application/vnd.google-apps.folder" });
        if let Some(parent) = parent {
            more["parents"] = json!([parent]);
        }
        self.create_file(user, name, more)
    }

    /// Creates a shared drive with these members and roles: its id. The first is its creator.
    pub fn create_shared_drive(&self, name: &str, members: &[(&str, &str)]) -> String {
        let (creator, others) = members.split_first().expect("a drive has a member");
        let drive = self.google(
            "drive.shared.create",
            &json!({ "name": name, "user": creator.0 }),
        );
        let id = drive["id"].as_str().expect("a drive has an id").to_owned();
        for (email, role) in others {
            self.google(
                "drive.shared.member.add",
                &json!({ "driveId": id, "email": email, "role": role }),
            );
        }
        id
    }

    /// Every line of the sink that is of a file or its deletion, in order per feed.
    pub fn file_lines(&self) -> Vec<Value> {
        sinks::all_records(self)
            .into_iter()
            .filter(|line| line["source"] == "drive")
            .collect()
    }

    /// The lines of one file under whatever key, in order.
    pub fn lines_of_file(&self, id: &str) -> Vec<Value> {
        self.file_lines()
            .into_iter()
            .filter(|line| {
                line["key"]
                    .as_str()
                    .is_some_and(|key| key.ends_with(&format!("/{id}")))
            })
            .collect()
    }

    /// What the sink holds by the last record of each key.
    pub fn held_files(&self) -> Held {
        let mut held = Held::default();
        let mut revisions: BTreeMap<String, BTreeMap<u64, Value>> = BTreeMap::new();
        for line in self.file_lines() {
            let key = line["key"].as_str().unwrap_or_default().to_owned();
            let revision = line["revision"].as_u64().unwrap_or_default();
            let before = revisions.entry(key.clone()).or_default();
            if let Some(same) = before.get(&revision) {
                // What was not acknowledged before a kill comes again as it was.
                if *same != line {
                    held.broken
                        .push(format!("{key}: {revision} came again, otherwise"));
                }
                continue;
            }
            if let Some((newest, _)) = before.last_key_value().filter(|(n, _)| **n > revision) {
                held.broken.push(format!("{key}: {newest} then {revision}"));
            }
            before.insert(revision, line.clone());
            let change = line["change"].as_str().unwrap_or_default().to_owned();
            let is_there = held.files.contains_key(&key);
            if (change == "created") == is_there {
                held.broken
                    .push(format!("{key} is `{change}`, there: {is_there}"));
            }
            held.ever.insert(key.clone());
            if change == "deleted" {
                held.files.remove(&key);
                continue;
            }
            let content = content(&line);
            let before = held.files.insert(key.clone(), line);
            if before.is_some_and(|before| self::content(&before) == content) {
                held.broken
                    .push(format!("{key}: {revision} changes nothing"));
            }
        }
        held
    }

    /// What the sink would hold if it were exact, for these users; and the shared drives that
    /// none of them is a member of, whose records stay as they were.
    fn wanted_files(&self, users: &[String]) -> BTreeMap<String, Value> {
        let mut wanted = BTreeMap::new();
        let mut drives: BTreeMap<String, (usize, String, Value)> = BTreeMap::new();
        for user in users {
            let truth = self.google("truth", &json!({ "user": user, "source": "drive" }));
            for file in list(&truth["files"]) {
                let key = format!("drive/{user}/{}", text(&file["id"]));
                wanted.insert(key, told(file, Whose::Account));
            }
            for (id, drive) in truth["drives"].as_object().into_iter().flatten() {
                let role = text(&drive["role"]);
                let rank = ROLES.iter().position(|known| *known == role);
                let rank = rank.unwrap_or(ROLES.len());
                let seen = (rank, user.clone(), drive["files"].clone());
                let best = drives.entry(id.clone()).or_insert_with(|| seen.clone());
                if (seen.0, &seen.1) < (best.0, &best.1) {
                    *best = seen;
                }
            }
        }
        for (drive, (_, _, files)) in &drives {
            for file in list(files) {
                let key = format!("drive/shared:{drive}/{}", text(&file["id"]));
                wanted.insert(key, told(file, Whose::Drive));
            }
        }
        wanted
    }

    /// The ids of these users' top folders.
    fn roots(&self, users: &[String]) -> BTreeSet<String> {
        let root = |user: &String| {
            let truth = self.google("truth", &json!({ "user": user, "source": "drive" }));
            text(&truth["root"])
        };
        users.iter().map(root).collect()
    }

    /// How the sink differs from Google's truth; empty if it is exact.
    pub fn file_differences(&self, users: &[String]) -> Vec<String> {
        let held = self.held_files();
        let mut wanted = self.wanted_files(users);
        let mut found = held.broken;
        let roots = self.roots(users);
        // A folder that is seen by its link only shows as a parent, but no log tells when that
        // ends. Such a folder never was an item of the view.
        let is_item = |key: &str, parent: &Value| {
            let (view, _) = key.rsplit_once('/').unwrap_or_default();
            let parent = text(parent);
            view.ends_with(&parent)
                || roots.contains(&parent)
                || held.ever.contains(&format!("{view}/{parent}"))
        };
        for (key, file) in &mut wanted {
            if let Some(line) = held.files.get(key) {
                let hides = |file: &Value| list(&file["parents"]).iter().any(|p| !is_item(key, p));
                if hides(file) || hides(&line["file"]) {
                    file["parents"] = line["file"]["parents"].clone();
                }
            }
        }
        let keys: BTreeSet<&String> = wanted.keys().chain(held.files.keys()).collect();
        for key in keys {
            match (wanted.get(key), held.files.get(key)) {
                (Some(_), None) => found.push(format!("lost: {key}")),
                (None, Some(_)) => found.push(format!("left over: {key}")),
                (Some(file), Some(line)) => found.extend(
                    differences(file, &line["file"], is_rooted(&wanted, &roots, key))
                        .into_iter()
                        .map(|how| format!("stale: {key}: {how}")),
                ),
                (None, None) => {}
            }
        }
        found
    }

    /// Waits until all feeds of files are live, all is delivered, and the sink is exact; the
    /// status then.
    ///
    /// # Panics
    /// With the differences, if it does not come to that.
    pub async fn wait_files(&self, users: &[String]) -> Value {
        let deadline = Instant::now() + SETTLE_TIME;
        loop {
            let status = self.status().unwrap_or_default();
            let is_idle = crate::is_idle(&status) && domain_is_live(&status);
            let found = self.file_differences(users);
            if is_idle && found.is_empty() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} differences: {:#?}\nlast status: {status:#}\nlog:\n{}",
                found.len(),
                &found[..found.len().min(N_EXAMPLES)],
                self.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Whether every feed of the domain is live.
pub fn domain_is_live(status: &Value) -> bool {
    list(&status["domain_feeds"])
        .iter()
        .all(|feed| feed["state"] == "live")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Account,
    Drive,
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A record without what belongs to the revision, and without snapshots.
fn content(line: &Value) -> Value {
    let mut content = line.clone();
    if let Some(members) = content.as_object_mut() {
        for name in OF_THE_REVISION {
            members.remove(name);
        }
    }
    if let Some(file) = content.get_mut("file").and_then(Value::as_object_mut) {
        for name in SNAPSHOTS {
            file.remove(name);
        }
    }
    content
}

/// A file in the words of a record, as a reader of the documentation would make it of Google's
/// answer; participants by address only.
fn told(google: &Value, whose: Whose) -> Value {
    let own = whose == Whose::Account;
    let time = |name: &str| {
        let time: Option<jiff::Timestamp> = google[name].as_str().and_then(|t| t.parse().ok());
        json!(time.map(jiff::Timestamp::as_millisecond))
    };
    let flag = |name: &str, counts: bool| counts && google[name] == json!(true);
    let flags = [
        ("trashed", flag("trashed", true)),
        ("starred", flag("starred", own)),
        ("shared", flag("shared", true)),
        ("owned_by_me", flag("ownedByMe", own)),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter_map(|(name, is_set)| is_set.then_some(*name))
        .collect();
    let who = |user: &Value| user["emailAddress"].clone();
    let mut permissions: Vec<Value> = list(&google["permissions"])
        .iter()
        .map(|permission| {
            let details = list(&permission["permissionDetails"]);
            let inherited =
                !details.is_empty() && details.iter().all(|d| d["inherited"] == json!(true));
            let grantee = match &permission["emailAddress"] {
                Value::Null => permission["domain"].clone(),
                address => address.clone(),
            };
            json!([
                permission["id"],
                permission["type"],
                permission["role"],
                grantee,
                inherited
            ])
        })
        .collect();
    permissions.sort_by_key(Value::to_string);
    let size = google["size"].as_str().and_then(|s| s.parse::<u64>().ok());
    let shortcut = &google["shortcutDetails"];
    json!({
        "id": google["id"],
        "name": google["name"],
        "mime_type": google["mimeType"],
        "description": google["description"],
        "parents": list(&google["parents"]),
        "owners": list(&google["owners"]).iter().map(who).collect::<Vec<_>>(),
        "last_modified_by": who(&google["lastModifyingUser"]),
        "sharing_user": if own { who(&google["sharingUser"]) } else { Value::Null },
        "created": time("createdTime"),
        "modified": time("modifiedTime"),
        "shared_with_me_at": if own { time("sharedWithMeTime") } else { Value::Null },
        "size": size,
        "md5": google["md5Checksum"],
        "sha256": google["sha256Checksum"],
        "flags": flags,
        "trashed_by": who(&google["trashingUser"]),
        "shortcut": [shortcut["targetId"], shortcut["targetMimeType"]],
        "link": google["webViewLink"],
        "permissions": permissions,
    })
}

/// Whether a view shows all folders above a file. What an unseen folder gives to what is in it
/// changes without a trace in the log.
fn is_rooted(wanted: &BTreeMap<String, Value>, roots: &BTreeSet<String>, key: &str) -> bool {
    let (view, _) = key.rsplit_once('/').unwrap_or_default();
    let mut at = key.to_owned();
    // No chain of folders is longer than there are files.
    for _ in 0..=wanted.len() {
        let parents = wanted
            .get(&at)
            .map_or(&[][..], |file| list(&file["parents"]));
        let Some(parent) = parents.first().map(text) else {
            return false;
        };
        if roots.contains(&parent) || view.ends_with(&parent) {
            return true;
        }
        at = format!("{view}/{parent}");
    }
    false
}

/// Members of the record's file that are not as they should be. Inherited permissions count only
/// where all that they can come from is seen.
fn differences(wanted: &Value, file: &Value, is_rooted: bool) -> Vec<String> {
    let mut wanted = wanted.clone();
    let mut held = file.clone();
    held["owners"] = list(&file["owners"])
        .iter()
        .map(|owner| owner["address"].clone())
        .collect();
    for name in ["last_modified_by", "sharing_user", "trashed_by"] {
        held[name] = file[name]["address"].clone();
    }
    let shortcut = &file["shortcut"];
    held["shortcut"] = json!([shortcut["target_id"], shortcut["target_mime_type"]]);
    let mut permissions: Vec<Value> = list(&file["permissions"])
        .iter()
        .map(|p| json!([p["id"], p["kind"], p["role"], p["grantee"], p["inherited"]]))
        .collect();
    permissions.sort_by_key(Value::to_string);
    held["permissions"] = json!(permissions);
    if !is_rooted {
        for side in [&mut wanted, &mut held] {
            if let Some(permissions) = side["permissions"].as_array_mut() {
                permissions.retain(|permission| permission[4] != json!(true));
            }
        }
    }
    let members = wanted.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| held[name.as_str()] != **value)
        .map(|(name, value)| format!("{name} is {}, Google: {value}", held[name.as_str()]))
        .collect()
}
