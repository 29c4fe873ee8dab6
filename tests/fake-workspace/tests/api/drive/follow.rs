//! The change logs tell the truth: a client that keeps its state only through them ends with what a fresh listing gives.

use super::{ALL, FOLDER, Person, with};
use crate::client::{Fake, encode, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROUNDS: u64 = 60;
const MASK: &str = "kind,id,name,mimeType,parents,driveId,trashed,explicitlyTrashed,starred,size,md5Checksum,\
    modifiedTime,createdTime,description,ownedByMe,shortcutDetails,inheritedPermissionsDisabled";

/// What a client knows, kept by one log.
struct Mirror {
    /// What selects the log and its listing.
    feed: String,
    corpora: String,
    token: String,
    files: BTreeMap<String, Value>,
}

impl Mirror {
    async fn start(person: &Person<'_>, drive: Option<&str>) -> Self {
        let (feed, corpora) = match drive {
            None => (ALL.to_owned(), format!("corpora=user&{ALL}")),
            Some(drive) => (
                format!("driveId={drive}&{ALL}"),
                format!("corpora=drive&driveId={drive}&{ALL}"),
            ),
        };
        let token = person.start_token(&feed).await;
        let mut mirror = Self {
            feed,
            corpora,
            token,
            files: BTreeMap::new(),
        };
        mirror.files = mirror.listing(person, "").await;
        mirror
    }

    /// A complete listing, or what fits a search.
    async fn listing(&self, person: &Person<'_>, q: &str) -> BTreeMap<String, Value> {
        let path = format!(
            "files?pageSize=37&fields=nextPageToken,files({MASK})&{}&q={}",
            self.corpora,
            encode(q)
        );
        let mut files = person.pages(&path, "files").await;
        self.drop_stars(&mut files);
        files
            .into_iter()
            .map(|file| (text(&file["id"]), file))
            .collect()
    }

    /// A star is one user's own affair, so the log of a shared drive does not tell of it.
    fn drop_stars<'a>(&self, files: impl IntoIterator<Item = &'a mut Value>) {
        if self.feed.starts_with("driveId") {
            for file in files {
                if let Some(members) = file.as_object_mut() {
                    members.remove("starred");
                }
            }
        }
    }

    /// Reads the log to its end.
    async fn follow(&mut self, person: &Person<'_>) {
        let mask = format!(
            "nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,file({MASK}))"
        );
        let mut again = BTreeSet::new();
        loop {
            let path = format!(
                "changes?pageSize=7&pageToken={}&{}&fields={mask}",
                encode(&self.token),
                self.feed
            );
            let page = person.json(&path).await;
            for change in page["changes"].as_array().expect("changes") {
                if change["changeType"] == "file" {
                    self.take(change, &mut again);
                } else if !self.feed.starts_with("driveId") {
                    // What was shared one by one may show through now that the drive is gone, or not any more.
                    again.extend(self.files.keys().cloned());
                }
            }
            match page["nextPageToken"]
                .as_str()
                .or(page["newStartPageToken"].as_str())
            {
                Some(next) => next.clone_into(&mut self.token),
                None => panic!("a page leads on"),
            }
            if page["newStartPageToken"].is_string() {
                break;
            }
        }
        self.look_again(person, again).await;
    }

    /// Applies one change. What lies below a folder has no entries of its own when access to the folder changes.
    fn take(&mut self, change: &Value, again: &mut BTreeSet<String>) {
        let id = text(&change["fileId"]);
        let file = &change["file"];
        let known = self.files.get(&id);
        // Members may see what they do in a shared drive in their own log; that is the affair of the drive's log.
        let is_other =
            !self.feed.starts_with("driveId") && file["driveId"].is_string() && known.is_none();
        let was_folder = known.is_some_and(|known| known["mimeType"] == FOLDER);
        if was_folder || file["mimeType"] == FOLDER {
            again.insert(id.clone());
        }
        if change["removed"] == true {
            self.files.remove(&id);
        } else {
            if is_other {
                again.insert(id.clone());
            }
            let mut file = file.clone();
            self.drop_stars([&mut file]);
            self.files.insert(id, file);
        }
    }

    /// Reads everything below these items anew, as a client has to whose folder has changed.
    async fn look_again(&mut self, person: &Person<'_>, folders: BTreeSet<String>) {
        let mut waiting: Vec<String> = folders.into_iter().collect();
        let mut done = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if !done.insert(id.clone()) {
                continue;
            }
            let below: Vec<String> = self
                .files
                .iter()
                .filter(|(_, file)| file["parents"][0] == json!(id))
                .map(|(id, _)| id.clone())
                .collect();
            waiting.extend(below);
            let found = self.listing(person, &format!("'{id}' in parents")).await;
            waiting.extend(found.keys().cloned());
            self.files.extend(found);
            match person
                .get(&format!("files/{id}?supportsAllDrives=true&fields={MASK}"))
                .await
            {
                answer if answer.status == 200 => {
                    // Being able to open it by a link does not make it one's own.
                    if self.holds(person, &id).await {
                        let mut file = answer.json();
                        self.drop_stars([&mut file]);
                        self.files.insert(id, file);
                    } else {
                        self.files.remove(&id);
                    }
                }
                answer => {
                    assert_eq!(answer.status, 404, "{}", answer.text);
                    self.files.remove(&id);
                }
            }
        }
    }

    /// Whether one file is in the corpus.
    async fn holds(&self, person: &Person<'_>, id: &str) -> bool {
        let file = person.file(id).await;
        let name = text(&file["name"])
            .replace('\\', r"\\")
            .replace('\'', r"\'");
        let q = format!("name = '{name}'");
        self.listing(person, &q).await.contains_key(id)
    }

    async fn compare(&self, person: &Person<'_>, round: u64) {
        let fresh = self.listing(person, "").await;
        let ids = |files: &BTreeMap<String, Value>| files.keys().cloned().collect::<BTreeSet<_>>();
        let (known, real) = (ids(&self.files), ids(&fresh));
        assert_eq!(
            (
                known.difference(&real).collect::<Vec<_>>(),
                real.difference(&known).collect::<Vec<_>>()
            ),
            (Vec::new(), Vec::new()),
            "round {round}, {}: known but gone, there but unknown",
            self.feed
        );
        for (id, file) in &fresh {
            assert_eq!(&self.files[id], file, "round {round}, {}", self.feed);
        }
    }
}

async fn domain(seed: u64) -> Fake {
    with(|options| {
        options.users = 4;
        options.files = 60;
        options.seed = seed;
    })
    .await
}

/// Every member's view of a shared drive that stays one for the whole run.
async fn stays_member(fake: &Fake, person: &Person<'_>) -> String {
    let drive = fake.admin("drive.shared.create", json!({ "name": "Followed" }));
    let id = text(&drive["id"]);
    fake.admin(
        "drive.shared.member.add",
        json!({ "driveId": id, "email": person.address, "role": "organizer" }),
    );
    id
}

/// A burst of changes; what was done is added to `deeds`.
fn churn(
    fake: &Fake,
    person: &Person<'_>,
    seed: u64,
    rounds: u64,
    deeds: &mut BTreeMap<String, u64>,
) {
    let burst = fake.admin(
        "churn",
        json!({ "source": "drive", "user": person.address, "seed": seed, "rounds": rounds }),
    );
    for (deed, count) in burst["counts"].as_object().expect("counts") {
        *deeds.entry(deed.clone()).or_insert(0) += count.as_u64().expect("a count");
    }
}

#[tokio::test]
async fn a_state_kept_through_the_logs_is_what_a_fresh_listing_gives() {
    for seed in [1, 2, 3] {
        let fake = domain(seed).await;
        keep_up(&fake, seed).await;
    }
}

#[tokio::test]
async fn the_logs_are_as_true_when_every_page_may_fail() {
    for seed in [4, 5] {
        let fake = domain(seed).await;
        let methods = ["drive.changes.*", "drive.files.list", "drive.files.get"];
        fake.trouble(&methods, seed);
        keep_up(&fake, seed).await;
        assert!(fake.n_hits() > 500, "{} faults", fake.n_hits());
    }
}

async fn keep_up(fake: &Fake, seed: u64) {
    let person = fake.person(0).await;
    let drive = stays_member(fake, &person).await;
    let mut user = Mirror::start(&person, None).await;
    let mut shared = Mirror::start(&person, Some(&drive)).await;
    let mut deeds = BTreeMap::new();
    for round in 0..ROUNDS {
        churn(
            fake,
            &person,
            seed * 1_000 + round,
            1 + round % 9,
            &mut deeds,
        );
        user.follow(&person).await;
        user.compare(&person, round).await;
        shared.follow(&person).await;
        shared.compare(&person, round).await;
    }
    // The run is worth something only if all kinds of change were in it.
    for deed in [
        "created", "edited", "renamed", "moved", "trashed", "deleted", "shared", "unshared",
        "starred", "members",
    ] {
        assert!(
            deeds.get(deed).is_some_and(|count| *count > 0),
            "seed {seed}: no {deed} in {deeds:?}"
        );
    }
    assert!(
        !shared.files.is_empty(),
        "seed {seed}: nothing happened in the shared drive"
    );
}

/// Not an organizer: joins and leaves shared drives, and stands before closed folders.
#[tokio::test]
async fn the_log_of_a_plain_member_is_as_true() {
    for seed in [11, 12, 13] {
        let fake = domain(seed).await;
        let person = fake.person(1).await;
        let mut user = Mirror::start(&person, None).await;
        let mut deeds = BTreeMap::new();
        for round in 0..ROUNDS {
            churn(
                &fake,
                &person,
                seed * 1_000 + round,
                1 + round % 9,
                &mut deeds,
            );
            user.follow(&person).await;
            user.compare(&person, round).await;
        }
        assert!(!user.files.is_empty());
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_changes() {
    let mut outlines = Vec::new();
    for _ in 0..2 {
        let fake = domain(5).await;
        let person = fake.person(1).await;
        fake.admin(
            "drive.churn",
            json!({ "user": person.address, "seed": 9, "rounds": 80 }),
        );
        let truth = fake.admin("drive.truth", json!({ "user": person.address }));
        let files: Vec<(Value, Value)> = truth["files"]
            .as_array()
            .expect("files")
            .iter()
            .map(|file| (file["id"].clone(), file["name"].clone()))
            .collect();
        outlines.push(files);
    }
    assert!(!outlines[0].is_empty());
    assert_eq!(outlines[0], outlines[1]);
}
