//! `nuncio user verify`: what is wrong on purpose is found exactly and mended, what is right is
//! never called wrong, also while everything changes.

use nuncio_tests::{World, domain_is_live, is_idle};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long sinks may take to hold what was repaired.
const SETTLE_TIME: Duration = Duration::from_secs(120);

/// A domain of all sources, everything read.
async fn settled(users: usize, seed: u64) -> (World, Vec<String>) {
    let mut world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (users, 60, seed);
        (options.events, options.files) = (60, 40);
    })
    .await;
    let users = world.users();
    configure(&world, &users);
    world.start_daemon();
    exact(&world, &users).await;
    (world, users)
}

/// A config of all sources, with mail in the sink `archive` and everything in `jsonl`.
pub(crate) fn configure(world: &World, users: &[String]) {
    let plain = world.config_without_users("");
    let mut text = plain.replace(
        "sources = [\"gmail\"]",
        "sources = [\"gmail\", \"calendar\", \"drive\"]",
    );
    assert_ne!(text, plain, "the plain config is for mail");
    for user in users {
        text.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
    }
    text.push_str(&world.sink_lines("jsonl"));
    let archive = world.sink_lines("archive");
    text.push_str(&archive.replacen('\n', "\nrecords = [\"email\"]\n", 1));
    world.write_config(&text);
}

/// How the sinks differ from Google's truth.
fn differences(world: &World, users: &[String]) -> Vec<String> {
    let mut found = world.file_differences(users);
    let mail = world.archive_differences();
    if !mail.is_empty() {
        found.push(mail.to_string());
    }
    match world.calendar_sink() {
        Ok(events) if events == world.calendar_truth(users) => {}
        Ok(_) => found.push("calendars differ".to_owned()),
        Err(broken) => found.push(broken),
    }
    found
}

/// Waits until all is read and delivered and the sinks hold the truth.
async fn exact(world: &World, users: &[String]) {
    let deadline = Instant::now() + SETTLE_TIME;
    loop {
        let status = world.status().unwrap_or_default();
        let found = differences(world, users);
        if is_idle(&status) && domain_is_live(&status) && found.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{found:#?}\n{status:#}\n{}",
            world.log_tail()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Verifies: exit code and answer.
pub(crate) fn verify(world: &World, user: &str, more: &[&str]) -> (i32, Value) {
    let mut arguments = vec!["user", "verify", user, "--json"];
    arguments.extend(more);
    let (code, out, said) = world.run(&arguments);
    let answer = serde_json::from_str(&out);
    (
        code,
        answer.unwrap_or_else(|_| panic!("{code} {out} {said}")),
    )
}

/// What is told of the feed of this source and collection: missing, extra, stale, failed,
/// repaired.
pub(crate) fn counts(answer: &Value, source: &str, collection: &str) -> [u64; 5] {
    let feeds = answer["feeds"].as_array().unwrap();
    let feed = feeds
        .iter()
        .find(|feed| feed["source"] == source && feed["collection"] == collection)
        .unwrap_or_else(|| panic!("no {source} {collection} in {answer:#}"));
    assert_eq!(feed["phase"], "done", "{feed:#}");
    ["missing", "extra", "stale", "failed", "repaired"].map(|name| feed[name].as_u64().unwrap())
}

fn all_counts(answer: &Value) -> Vec<[u64; 5]> {
    let feeds = answer["feeds"].as_array().unwrap();
    feeds
        .iter()
        .map(|feed| {
            let text = |name: &str| feed[name].as_str().unwrap().to_owned();
            counts(answer, &text("source"), &text("collection"))
        })
        .collect()
}

fn n_lines(world: &World) -> usize {
    let path = world.path("jsonl");
    let files = std::fs::read_dir(path).unwrap();
    files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default())
        .map(|text| text.lines().count())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_exactly_and_repaired() {
    let (world, users) = settled(3, 81).await;
    let ana = users[0].as_str();
    let team = world.share_calendar(ana, "Plans", &[]);
    let drive = world.create_shared_drive("Work", &[(ana, "organizer"), (&users[1], "reader")]);
    let event = |name: &str| json!({ "summary": name, "start": { "date": "2027-04-01" }, "end": { "date": "2027-04-02" } });
    let [changed, gone] = ["a", "b"].map(|name| world.insert_event(ana, "primary", &event(name)));
    let shared = world.insert_event(ana, &team, &event("c"));
    let [renamed, deleted] = ["a", "b"].map(|name| world.create_file(ana, name, json!({})));
    let in_drive = world.create_file(ana, "c", json!({ "parents": [drive] }));
    exact(&world, &users).await;
    // Until the shared calendar is found by a look at the list.
    world
        .wait("the domain's feeds are there", |status| {
            let feeds = status["domain_feeds"].as_array().unwrap();
            let is_there = |id: &str| feeds.iter().any(|feed| feed["collection"] == id);
            is_there(&team) && is_there(&drive) && domain_is_live(status)
        })
        .await;
    exact(&world, &users).await;
    let (code, healthy) = verify(&world, ana, &[]);
    assert_eq!(code, 0, "{healthy:#}");
    let feeds = all_counts(&healthy);
    assert!(feeds.len() >= 5, "{healthy:#}");
    assert!(feeds.iter().all(|counts| *counts == [0; 5]), "{healthy:#}");
    for feed in healthy["feeds"].as_array().unwrap() {
        assert!(feed["calls"].as_u64() > Some(0), "{feed:#}");
    }

    let hide = |op: &str, mut input: Value| {
        input["op"] = json!(op);
        input["user"] = json!(ana);
        world.google("feed.hide", &input)
    };
    let ids = world.ids(ana);
    let text = "From: a@b.example\r\nMessage-ID: <hidden@b.example>\r\n\r\nx\r\n";
    let new = hide("gmail.insert", json!({ "text": text }));
    for id in &ids[..2] {
        hide(
            "gmail.modify",
            json!({ "id": id, "addLabelIds": ["STARRED", "IMPORTANT"], "removeLabelIds": ["UNREAD"] }),
        );
    }
    hide("gmail.delete", json!({ "id": ids[3] }));
    hide("gmail.trash", json!({ "id": ids[4] }));
    hide("calendar.insert", json!({ "event": event("d") }));
    hide(
        "calendar.patch",
        json!({ "id": changed, "event": { "summary": "e" } }),
    );
    hide("calendar.delete", json!({ "id": gone }));
    hide(
        "calendar.patch",
        json!({ "calendarId": team, "id": shared, "event": { "summary": "f" } }),
    );
    let file = hide("drive.create", json!({ "name": "d", "content": "d" }));
    hide("drive.update", json!({ "id": renamed, "name": "e" }));
    hide("drive.delete", json!({ "id": deleted }));
    hide("drive.update", json!({ "id": in_drive, "name": "f" }));
    let before = n_lines(&world);

    let (code, wrong) = verify(&world, ana, &[]);
    assert_eq!(code, 1, "{wrong:#}");
    assert_eq!(counts(&wrong, "gmail", ""), [1, 2, 2, 0, 0], "{wrong:#}");
    assert_eq!(
        counts(&wrong, "calendar", "primary"),
        [1, 1, 1, 0, 0],
        "{wrong:#}"
    );
    assert_eq!(
        counts(&wrong, "calendar", &team),
        [0, 0, 1, 0, 0],
        "{wrong:#}"
    );
    assert_eq!(
        counts(&wrong, "drive", "my-drive"),
        [1, 1, 1, 0, 0],
        "{wrong:#}"
    );
    assert_eq!(
        counts(&wrong, "drive", &drive),
        [0, 0, 1, 0, 0],
        "{wrong:#}"
    );
    let feeds = wrong["feeds"].as_array().unwrap();
    let named = |source: &str, collection: &str| {
        let is_it = |feed: &&Value| feed["source"] == source && feed["collection"] == collection;
        feeds.iter().find(is_it).unwrap()["wrong"].clone()
    };
    assert_eq!(named("gmail", "")["missing"], json!([new["id"]]));
    assert_eq!(named("drive", "my-drive")["missing"], json!([file["id"]]));
    assert_eq!(named("drive", "my-drive")["extra"], json!([deleted]));
    // Another user's own feeds are right, and what is wrong is wrong for all who see it.
    let (code, other) = verify(&world, &users[1], &["--source", "drive"]);
    assert_eq!(code, 1, "{other:#}");
    assert_eq!(counts(&other, "drive", "my-drive"), [0; 5]);
    assert_eq!(counts(&other, "drive", &drive), [0, 0, 1, 0, 0]);
    let (code, other) = verify(&world, &users[1], &["--source", "gmail"]);
    assert_eq!((code, all_counts(&other)), (0, vec![[0; 5]]));
    assert_eq!(n_lines(&world), before, "verification writes nothing");

    let (code, mended) = verify(&world, ana, &["--repair"]);
    assert_eq!(code, 0, "{mended:#}");
    assert_eq!(counts(&mended, "gmail", ""), [1, 2, 2, 0, 5]);
    assert_eq!(counts(&mended, "calendar", "primary"), [1, 1, 1, 0, 3]);
    assert_eq!(counts(&mended, "calendar", &team), [0, 0, 1, 0, 1]);
    assert_eq!(counts(&mended, "drive", "my-drive"), [1, 1, 1, 0, 3]);
    assert_eq!(counts(&mended, "drive", &drive), [0, 0, 1, 0, 1]);
    exact(&world, &users).await;
    assert_eq!(
        n_lines(&world),
        before + 13,
        "one record for each wrong item"
    );
    let (code, again) = verify(&world, ana, &["--repair"]);
    assert_eq!(code, 0, "{again:#}");
    assert!(all_counts(&again).iter().all(|counts| *counts == [0; 5]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_called_wrong_while_everything_changes() {
    let (world, users) = settled(3, 82).await;
    world.google("rate", &json!({ "per_second": 40 }));
    for round in 0..4 {
        for user in &users {
            let (code, answer) = verify(&world, user, &[]);
            assert_eq!(code, 0, "round {round}: {answer:#}\n{}", world.log_tail());
            assert!(all_counts(&answer).iter().all(|counts| *counts == [0; 5]));
        }
    }
    world.google("stop_rate", &json!({}));
    exact(&world, &users).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deletions_are_held_by_a_repair_as_by_a_resync() {
    let mut world = World::start(1, 0, 83).await;
    let user = world.users().remove(0);
    world.configure();
    for n in 0..1_500 {
        world.insert(&user, &format!("fill-{n}"));
    }
    world.start_daemon();
    world.wait_settled().await;
    let ids = world.ids(&user);
    for id in &ids[..1_001] {
        world.google(
            "feed.hide",
            &json!({ "op": "gmail.delete", "user": user, "id": id }),
        );
    }
    let (code, answer) = verify(&world, &user, &["--repair"]);
    assert_eq!(code, 1, "{answer:#}");
    assert_eq!(counts(&answer, "gmail", ""), [0, 1_001, 0, 0, 0]);
    assert_eq!(answer["feeds"][0]["held"], 1_001);
    let held = |status: &Value| crate::state(status, &user) == "held";
    world.wait("the deletions are held", held).await;
    assert_eq!(world.maildir(&user).len(), 1_500);
    let (code, answer) = verify(&world, &user, &[]);
    assert_eq!(
        (code, &answer["feeds"][0]["phase"]),
        (1, &json!("unfinished"))
    );
    assert_eq!(answer["feeds"][0]["error"]["code"], "SRC010");
    let (code, _, said) = world.run(&["user", "resync", &user, "--accept-deletes"]);
    assert_eq!(code, 0, "{said}");
    world.wait_settled().await;
    let (code, answer) = verify(&world, &user, &[]);
    assert_eq!((code, all_counts(&answer)), (0, vec![[0; 5]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_verified_is_said_in_words() {
    let mut world = World::start(3, 40, 84).await;
    let users = world.users();
    world.configure_for(&users[..2]);
    let off = format!("[[users]]\nemail = \"{}\"\nsync = false\n", users[2]);
    world.append_config(&off);
    // One whose first walk stands still, and one that Google refuses.
    world.google(
        "fault.on",
        &json!({ "user": users[0], "method": "gmail.users.messages.list", "status": 503 }),
    );
    world.google("user.suspend", &json!({ "user": users[1] }));
    world.start_daemon();
    world
        .wait("one is refused, one has begun", |status| {
            let feed = &status["users"][0]["accounts"][0]["feeds"][0];
            crate::state(status, &users[1]) == "disabled" && feed["error"]["code"].is_string()
        })
        .await;
    world.google("fault.off", &json!({}));
    world.google(
        "fault.on",
        &json!({ "user": users[0], "method": "gmail.users.messages.get", "latency_ms": 3_000 }),
    );
    let (code, answer) = verify(&world, &users[0], &[]);
    assert_eq!(code, 1, "{answer:#}");
    let feed = &answer["feeds"][0];
    assert_eq!(feed["phase"], "unfinished", "{feed:#}");
    assert_eq!(feed["error"]["code"], "SRC011", "{feed:#}");
    assert_eq!(feed["missing"], 0);
    let (code, answer) = verify(&world, &users[1], &[]);
    assert_eq!(code, 1, "{answer:#}");
    let hint = answer["feeds"][0]["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("suspended"), "{answer:#}");
    for (arguments, words) in [
        (vec!["nobody@elsewhere.example"], "there is no user"),
        (vec![users[2].as_str()], "sync = false"),
        (
            vec![&users[0], "--source", "drive"],
            "nothing of this user is synced from drive",
        ),
    ] {
        let mut all = vec!["user", "verify"];
        all.extend(arguments);
        let (code, _, said) = world.run(&all);
        assert_eq!(code, 1);
        assert!(said.contains(words), "{said}");
    }
}
