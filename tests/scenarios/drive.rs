//! The Drive feeds as a whole: what walks, live changes, lost positions and lost memberships
//! deliver and cost. The sink `jsonl` is compared with Google's own state each time.

use nuncio_tests::{World, domain_is_live, soak};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LIST: &str = "drive.files.list";
const GET: &str = "drive.files.get";
const PERMISSIONS: &str = "drive.permissions.list";

/// A world whose users have no mail, and so many generated files.
async fn world(users: usize, files: usize, seed: u64) -> (World, Vec<String>) {
    let world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (users, 0, seed);
        options.files = files;
    })
    .await;
    let users = world.users();
    (world, users)
}

/// A world of these many users with a config for all of them, and its daemon running.
async fn running(users: usize, files: usize, seed: u64) -> (World, Vec<String>) {
    let (mut world, users) = world(users, files, seed).await;
    world.configure_files(&users, "");
    world.start_daemon();
    world.wait_files(&users).await;
    (world, users)
}

/// The last record of a file, whatever its key is.
fn last(world: &World, id: &str) -> Value {
    world.lines_of_file(id).pop().unwrap_or_default()
}

/// `change` and `deleted.cause` of a file's lines under keys with this beginning.
fn told(world: &World, id: &str, key: &str) -> Vec<String> {
    let lines = world.lines_of_file(id);
    let own = lines
        .iter()
        .filter(|line| line["key"].as_str().unwrap().starts_with(key));
    own.map(|line| {
        let cause = line["deleted"]["cause"].as_str().unwrap_or_default();
        format!("{} {cause}", line["change"].as_str().unwrap())
            .trim_end()
            .to_owned()
    })
    .collect()
}

fn domain_feed<'a>(status: &'a Value, drive: &str) -> &'a Value {
    let feeds = status["domain_feeds"].as_array().unwrap();
    let found = feeds.iter().find(|feed| feed["collection"] == drive);
    found.unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_and_live_changes_of_every_kind_end_exact() {
    let (world, users) = running(3, 240, 41).await;
    let (ana, ben) = (users[0].as_str(), users[1].as_str());
    let mine = format!("drive/{ana}/");
    let folder = world.create_folder(ana, "Plans/2026", None);
    let file = world.create_file(ana, "a.txt", json!({ "parents": [folder] }));
    world.wait_files(&users).await;
    let line = last(&world, &file);
    assert_eq!(line["file"]["path"], "Plans%2F2026/a.txt");
    assert_eq!(line["user"], ana);
    assert_eq!(line["collection"], "my-drive");
    assert_eq!(line["origin"], "live");

    let act = |op: &str, more: Value| {
        let mut question = more;
        question["user"] = json!(ana);
        question["id"] = json!(file);
        world.google(op, &question);
    };
    act("drive.update", json!({ "name": "b.txt", "starred": true }));
    world.wait_files(&users).await;
    act("drive.move", json!({ "parent": "root" }));
    world.wait_files(&users).await;
    assert_eq!(last(&world, &file)["file"]["path"], "b.txt");
    act("drive.trash", json!({}));
    world.wait_files(&users).await;
    act("drive.untrash", json!({}));
    world.wait_files(&users).await;
    assert_eq!(told(&world, &file, &mine).len(), 5, "one record each");

    act("drive.share", json!({ "email": ben, "role": "writer" }));
    world.wait_files(&users).await;
    let theirs = format!("drive/{ben}/");
    assert_eq!(told(&world, &file, &theirs), ["created"]);
    act("drive.unshare", json!({ "email": ben }));
    world.wait_files(&users).await;
    act("drive.share", json!({ "email": ben, "role": "reader" }));
    world.wait_files(&users).await;
    assert_eq!(
        told(&world, &file, &theirs),
        ["created", "deleted removed", "created"]
    );
    act("drive.delete", json!({}));
    world.wait_files(&users).await;
    for key in [mine, theirs] {
        assert_eq!(
            told(&world, &file, &key).last().map(String::as_str),
            Some("deleted removed")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_drive_is_read_once_whoever_is_in_it() {
    let (mut world, users) = world(3, 0, 42).await;
    let (ana, ben, cleo) = (&users[0], &users[1], &users[2]);
    let drive = world.create_shared_drive(
        "Team",
        &[(ana, "organizer"), (ben, "writer"), (cleo, "reader")],
    );
    let folder = world.create_folder(ana, "Sub", Some(&drive));
    for n in 0..20 {
        let more = json!({ "parents": [folder] });
        world.create_file(ben, &format!("{n}.txt"), more);
    }
    world.configure_files(&users, "");
    world.start_daemon();
    world.wait_files(&users).await;
    let lines = world.file_lines();
    let keys: BTreeSet<&str> = lines.iter().map(|l| l["key"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), keys.len()), (21, 21));
    let of_drive = |line: &Value| {
        line["user"] == "" && line["account"] == "" && line["collection"] == drive.as_str()
    };
    assert!(lines.iter().all(of_drive));
    let child = lines.iter().find(|line| line["file"]["name"] == "7.txt");
    assert_eq!(child.unwrap()["file"]["path"], "Sub/7.txt");

    // A name is only told by a change of the drive; and what two users see does not come twice.
    world.google(
        "drive.shared.rename",
        &json!({ "driveId": drive, "name": "Our team" }),
    );
    let named = |status: &Value| domain_feed(status, &drive)["name"] == "Our team";
    let status = world.wait("the drive has its name", named).await;
    assert_eq!(domain_feed(&status, &drive)["state"], "live");
    assert_eq!(domain_feed(&status, &drive)["items"], 21);
    let new = world.create_file(ben, "new.txt", json!({ "parents": [drive] }));
    world.wait_files(&users).await;
    assert_eq!(world.lines_of_file(&new).len(), 1);
    assert_eq!(last(&world, &new)["file"]["drive_name"], "Our team");

    // By the one with most rights, after a restart as well, and without another search.
    world.kill_daemon();
    world.forget_calls();
    world.start_daemon();
    world.wait_files(&users).await;
    assert_eq!(world.file_lines().len(), 22);
    for user in &users {
        assert_eq!(world.calls(user, LIST), 0, "{user}");
        assert_eq!(world.calls(user, "drive.drives.list"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_member_is_followed_by_another_and_the_last_leaves_everything() {
    let (mut world, users) = world(3, 0, 43).await;
    let (ana, ben, cleo) = (&users[0], &users[1], &users[2]);
    let drive = world.create_shared_drive("Team", &[(ana, "organizer"), (ben, "writer")]);
    let file = world.create_file(ana, "a.txt", json!({ "parents": [drive] }));
    world.configure_files(&users, "");
    world.start_daemon();
    world.wait_files(&users).await;
    let remove = |email: &str| {
        world.google(
            "drive.shared.member.remove",
            &json!({ "driveId": drive, "email": email }),
        );
    };
    world.forget_calls();
    remove(ana);
    world.google(
        "drive.update",
        &json!({ "user": ben, "id": file, "name": "b.txt" }),
    );
    world.wait_files(&users).await;
    assert_eq!(last(&world, &file)["file"]["name"], "b.txt");
    assert_eq!(world.calls(ben, LIST), 0, "the position is good for all");

    remove(ben);
    let orphaned = |status: &Value| domain_feed(status, &drive)["state"] == "orphaned";
    let status = world.wait("nobody is left", orphaned).await;
    assert_eq!(domain_feed(&status, &drive)["error"]["code"], "SRC005");
    assert!(
        world.file_lines().iter().all(|l| l["change"] != "deleted"),
        "nothing is deleted"
    );

    world.google(
        "drive.shared.member.add",
        &json!({ "driveId": drive, "email": cleo, "role": "writer" }),
    );
    world.google(
        "drive.update",
        &json!({ "user": cleo, "id": file, "name": "c.txt" }),
    );
    world.wait_files(&users).await;
    assert_eq!(last(&world, &file)["file"]["name"], "c.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_readers_one_member_alone_proves_nothing() {
    let (mut world, users) = world(3, 0, 44).await;
    let (ana, ben, cleo) = (&users[0], &users[1], &users[2]);
    let drive = world.create_shared_drive("Team", &[(ana, "organizer"), (ben, "writer")]);
    let file = world.create_file(ana, "a.txt", json!({ "parents": [drive] }));
    let kept = world.create_file(ana, "b.txt", json!({ "parents": [drive] }));
    world.configure_files(&users, "");
    world.start_daemon();
    world.wait_files(&users).await;
    world.kill_daemon();
    world.google("drive.delete", &json!({ "user": ana, "id": file }));
    world.google(
        "drive.shared.member.remove",
        &json!({ "driveId": drive, "email": ana }),
    );
    world.google(
        "drive.expire",
        &json!({ "changes": true, "driveId": drive }),
    );
    world.start_daemon();
    let held = |status: &Value| domain_feed(status, &drive)["state"] == "held";
    world.wait("the deletion is held", held).await;
    assert_eq!(told(&world, &file, "drive/shared:"), ["created"]);

    // A second member confirms it.
    world.google(
        "drive.shared.member.add",
        &json!({ "driveId": drive, "email": cleo, "role": "reader" }),
    );
    world.kill_daemon();
    world.google(
        "drive.expire",
        &json!({ "changes": true, "driveId": drive }),
    );
    world.start_daemon();
    world.wait_files(&users).await;
    assert_eq!(
        told(&world, &file, "drive/shared:"),
        ["created", "deleted removed"]
    );
    assert_eq!(told(&world, &kept, "drive/shared:"), ["created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_position_finds_just_what_changed_in_the_gap() {
    let (mut world, users) = world(2, 0, 45).await;
    let ana = users[0].as_str();
    let ids: Vec<String> = (0..30)
        .map(|n| world.create_file(ana, &format!("{n}.txt"), json!({})))
        .collect();
    world.configure_files(&users, "");
    world.start_daemon();
    world.wait_files(&users).await;
    world.kill_daemon();
    let n_lines = world.file_lines().len();
    for id in &ids[..3] {
        world.google("drive.delete", &json!({ "user": ana, "id": id }));
    }
    for id in &ids[3..5] {
        world.google(
            "drive.update",
            &json!({ "user": ana, "id": id, "name": "renamed" }),
        );
    }
    world.create_file(ana, "new.txt", json!({}));
    world.google("drive.expire", &json!({ "changes": true, "user": ana }));
    world.forget_calls();
    world.start_daemon();
    world.wait_files(&users).await;
    let mut changes: Vec<(String, String)> = world.file_lines()[n_lines..]
        .iter()
        .map(|line| (line["change"].to_string(), line["origin"].to_string()))
        .collect();
    changes.sort();
    let of = |change: &str| (format!("\"{change}\""), "\"resync\"".to_owned());
    let wanted = [
        of("created"),
        of("deleted"),
        of("deleted"),
        of("deleted"),
        of("updated"),
        of("updated"),
    ];
    assert_eq!(changes, wanted);
    // The root, and one look at each that is missing.
    assert_eq!(world.calls(ana, GET), 1 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_folder_opens_or_closes_reaches_everything_in_it() {
    let (world, users) = running(2, 0, 46).await;
    let (ana, ben) = (users[0].as_str(), users[1].as_str());
    let top = world.create_folder(ana, "Top", None);
    let mid = world.create_folder(ana, "Mid", Some(&top));
    let deep: Vec<String> = (0..5)
        .map(|n| {
            let more = json!({ "parents": [mid] });
            world.create_file(ana, &format!("{n}.txt"), more)
        })
        .collect();
    // One that Ben sees by itself, too, and one to which a link leads.
    let shared = json!({ "user": ana, "id": deep[0], "email": ben, "role": "reader" });
    world.google("drive.share", &shared);
    world.google("drive.share", &json!({ "user": ana, "id": deep[1] }));
    world.wait_files(&users).await;
    let n_before = world.file_lines().len();
    world.google(
        "drive.share",
        &json!({ "user": ana, "id": top, "email": ben, "role": "writer" }),
    );
    world.wait_files(&users).await;
    let theirs = format!("drive/{ben}/");
    assert_eq!(told(&world, &deep[4], &theirs), ["created"]);
    // Ana's own records tell the new permissions, down to the last file.
    let owner = last_of(&world, &deep[4], &format!("drive/{ana}/"));
    let grantees: Vec<&str> = owner["file"]["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|permission| permission["grantee"].as_str())
        .collect();
    assert!(grantees.contains(&ben), "{grantees:?}");
    // Seven records each: two folders and five files, as both see them.
    assert_eq!(world.file_lines().len() - n_before, 14);

    world.google(
        "drive.unshare",
        &json!({ "user": ana, "id": top, "email": ben }),
    );
    world.wait_files(&users).await;
    assert_eq!(
        told(&world, &deep[4], &theirs),
        ["created", "deleted removed"]
    );
    assert_eq!(
        told(&world, &deep[1], &theirs),
        ["created", "deleted out_of_scope"],
        "it can be opened by its link, but is in no view"
    );
    assert!(!told(&world, &deep[0], &theirs).contains(&"deleted removed".to_owned()));
}

/// The last record of a file under a key with this beginning.
fn last_of(world: &World, id: &str, key: &str) -> Value {
    let lines = world.lines_of_file(id);
    let own = |line: &Value| line["key"].as_str().unwrap().starts_with(key);
    lines.into_iter().rfind(own).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_closes_takes_what_is_in_it_out_of_view() {
    let (world, users) = running(2, 0, 47).await;
    let (ana, ben) = (users[0].as_str(), users[1].as_str());
    let top = world.create_folder(ana, "Top", None);
    let mid = world.create_folder(ana, "Mid", Some(&top));
    let file = world.create_file(ana, "a.txt", json!({ "parents": [mid] }));
    world.google(
        "drive.share",
        &json!({ "user": ana, "id": top, "email": ben, "role": "writer" }),
    );
    world.wait_files(&users).await;
    let theirs = format!("drive/{ben}/");
    assert_eq!(told(&world, &file, &theirs), ["created"]);
    world.google("drive.restrict", &json!({ "user": ana, "id": mid }));
    world.wait_files(&users).await;
    assert_eq!(told(&world, &file, &theirs), ["created", "deleted removed"]);
    world.google(
        "drive.restrict",
        &json!({ "user": ana, "id": mid, "disabled": false }),
    );
    world.wait_files(&users).await;
    assert_eq!(told(&world, &file, &theirs).last().unwrap(), "created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_between_drives_ends_one_key_and_begins_another() {
    let (mut world, users) = world(2, 0, 48).await;
    let (ana, ben) = (&users[0], &users[1]);
    let drive = world.create_shared_drive("Team", &[(ana, "organizer")]);
    let folder = world.create_folder(ana, "Folder", None);
    let file = world.create_file(ana, "a.txt", json!({ "parents": [folder] }));
    world.create_file(ana, "stays.txt", json!({ "parents": [drive] }));
    world.configure_files(&users, "");
    world.start_daemon();
    world.wait_files(&users).await;
    let go = |parent: &str| {
        world.google(
            "drive.move",
            &json!({ "user": ana, "id": folder, "parent": parent }),
        )
    };
    go(&drive);
    world.wait_files(&users).await;
    let (mine, shared) = (format!("drive/{ana}/"), format!("drive/shared:{drive}/"));
    for id in [&folder, &file] {
        assert_eq!(told(&world, id, &mine), ["created", "deleted out_of_scope"]);
        assert_eq!(told(&world, id, &shared), ["created"]);
    }
    // Who is no member of the drive sees a file of it in their own view.
    world.google(
        "drive.share",
        &json!({ "user": ana, "id": file, "email": ben, "role": "reader" }),
    );
    world.wait_files(&users).await;
    assert_eq!(told(&world, &file, &format!("drive/{ben}/")), ["created"]);
    go("root");
    world.wait_files(&users).await;
    assert_eq!(
        told(&world, &file, &mine),
        ["created", "deleted out_of_scope", "created"]
    );
    assert_eq!(
        told(&world, &file, &shared),
        ["created", "deleted out_of_scope"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_of_one_file_between_two_polls_are_one_record() {
    let (mut world, users) = running(1, 0, 49).await;
    let ana = users[0].as_str();
    let file = world.create_file(ana, "0.txt", json!({}));
    let brief = world.create_file(ana, "brief.txt", json!({}));
    world.wait_files(&users).await;
    world.kill_daemon();
    for n in 0..50 {
        world.google(
            "drive.update",
            &json!({ "user": ana, "id": file, "name": format!("{n}.txt") }),
        );
    }
    world.google("drive.trash", &json!({ "user": ana, "id": brief }));
    world.google("drive.untrash", &json!({ "user": ana, "id": brief }));
    let never = world.create_file(ana, "never.txt", json!({}));
    world.google("drive.delete", &json!({ "user": ana, "id": never }));
    world.start_daemon();
    world.wait_files(&users).await;
    assert_eq!(world.lines_of_file(&file).len(), 2);
    assert_eq!(last(&world, &file)["file"]["name"], "49.txt");
    assert_eq!(world.lines_of_file(&brief).len(), 1, "as it was before");
    assert_eq!(world.lines_of_file(&never).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_permissions_tell_who_may_see_what_is_in_a_shared_drive() {
    let (mut world, users) = world(3, 0, 50).await;
    let (ana, ben, cleo) = (&users[0], &users[1], &users[2]);
    let drive = world.create_shared_drive("Team", &[(ana, "organizer"), (ben, "writer")]);
    let folder = world.create_folder(ana, "Folder", Some(&drive));
    let file = world.create_file(ana, "a.txt", json!({ "parents": [folder] }));
    let own = world.create_file(ana, "own.txt", json!({}));
    world.configure_files(&users, "drive_permissions = \"full\"");
    world.start_daemon();
    let grantees = |id: &str| -> BTreeSet<String> {
        let line = last(&world, id);
        let all = line["file"]["permissions"].as_array().cloned();
        let all = all.unwrap_or_default();
        let of = |p: &Value| format!("{} {}", p["grantee"].as_str().unwrap(), p["role"]);
        all.iter().map(of).collect()
    };
    let has = |email: &str| grantees(&file).iter().any(|one| one.starts_with(email));
    world
        .wait("the permissions are told", |_| has(ana) && has(ben))
        .await;
    assert_eq!(grantees(&own).len(), 1);
    // One permission of a folder reaches what is in it.
    world.google(
        "drive.share",
        &json!({ "user": ana, "id": folder, "email": cleo, "role": "reader" }),
    );
    world.wait("the new reader is told", |_| has(cleo)).await;
    assert!(world.calls(ana, PERMISSIONS) >= 3);
    world.google(
        "drive.unshare",
        &json!({ "user": ana, "id": folder, "email": cleo }),
    );
    world.wait("and taken back", |_| !has(cleo)).await;
    let idle = |status: &Value| nuncio_tests::is_idle(status) && domain_is_live(status);
    world.wait("all is live", idle).await;
    assert_eq!(world.held_files().broken, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_costs_itself_only() {
    let (world, users) = running(1, 0, 51).await;
    let ana = users[0].as_str();
    // Bad values give a record with notes.
    let noted = world.create_file(ana, "noted.txt", json!({}));
    world.google("fault.on", &json!({ "body": "bad_item", "id": noted }));
    world.google(
        "drive.update",
        &json!({ "user": ana, "id": noted, "name": "again.txt" }),
    );
    let other = world.create_file(ana, "other.txt", json!({}));
    world
        .wait("both are delivered", |_| {
            last(&world, &other)["change"] == "created"
                && last(&world, &noted)["file"]["name"] == "again.txt"
        })
        .await;
    let notes = last(&world, &noted)["notes"].to_string();
    assert!(notes.contains("createdTime could not be read"), "{notes}");
    world.google("fault.off", &json!({}));
    world.google(
        "drive.update",
        &json!({ "user": ana, "id": noted, "name": "well.txt" }),
    );
    world.wait_files(&users).await;
    assert_eq!(last(&world, &noted)["notes"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_page_tokens_and_incomplete_searches_lose_nothing() {
    let (mut world, users) = world(2, 2_600, 52).await;
    let (ana, ben) = (&users[0], &users[1]);
    let drive = world.create_shared_drive("Team", &[(ben, "organizer"), (ana, "reader")]);
    world.create_file(ben, "a.txt", json!({ "parents": [drive] }));
    world.google("drive.incomplete", &json!({ "on": true }));
    world.google("fault.on", &json!({ "method": LIST, "latency_ms": 300 }));
    world.configure_files(&users, "");
    world.start_daemon();
    let is_on_its_way = |status: &Value| {
        let walk = &status["users"][0]["accounts"][0]["feeds"][0]["walk"];
        walk["done"].as_u64() >= Some(1_000)
    };
    world.wait("the walk is on its way", is_on_its_way).await;
    world.google("drive.expire", &json!({}));
    world.kill_daemon();
    world.google("fault.off", &json!({}));
    world.start_daemon();
    // What the search left out is found when it changes.
    let drives = world.google("truth", &json!({ "user": ana, "source": "drive" }));
    let names: Vec<String> = drives["drives"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for drive in names {
        world.google(
            "drive.shared.rename",
            &json!({ "driveId": drive, "name": "Renamed" }),
        );
    }
    world.wait_files(&users).await;
}

/// Random changes by everybody, with kills, lost positions and stale pages in between: whatever
/// the order in which listings and logs tell of them, the sink ends at Google's state.
#[tokio::test(flavor = "multi_thread")]
async fn any_interleaving_ends_at_googles_state() {
    let n_seeds = soak(2, 6, 60);
    for seed in 0..n_seeds {
        let (mut world, users) = world(4, 160, 100 + seed).await;
        world.configure_files(&users, "");
        let mut rng = fastrand::Rng::with_seed(seed);
        world.start_daemon();
        for round in 0..soak(8, 20, 40) {
            for user in &users {
                let question = json!({ "user": user, "source": "drive", "seed": rng.u32(..),
                    "rounds": rng.u8(1..25) });
                world.google("churn", &question);
            }
            match rng.u8(..6) {
                0 => {
                    world.kill_daemon();
                    world.start_daemon();
                }
                1 => {
                    let user = rng.choice(&users).unwrap();
                    let question = json!({ "changes": true, "user": user });
                    world.google("drive.expire", &question);
                }
                2 => {
                    world.google("drive.expire", &json!({}));
                }
                _ => {}
            }
            if round % 3 == 0 {
                world.wait_files(&users).await;
            }
        }
        world.wait_files(&users).await;
    }
}
