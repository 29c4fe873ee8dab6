//! Resyncs as a whole: what an expired history costs and delivers, and the hold on mass deletions.

use crate::state;
use nuncio_tests::{World, is_idle};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const GET: &str = "gmail.users.messages.get";
const LIST: &str = "gmail.users.messages.list";

/// Missing messages that a resync looks up before it deletes any.
const N_SAMPLE: u64 = 10;

/// A world with one user.
async fn one_user(messages: usize, seed: u64) -> (World, String) {
    let world = World::start(1, messages, seed).await;
    world.configure();
    let user = world.users().remove(0);
    (world, user)
}

/// Message ids to the changes that lines from `from` on tell of them.
fn changes(world: &World, user: &str, from: usize) -> BTreeMap<String, Vec<Value>> {
    let mut changes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in world.lines(user).split_off(from) {
        let key = line["key"].as_str().unwrap();
        let (_, id) = key.rsplit_once('/').unwrap();
        let change = changes.entry(id.to_owned()).or_default();
        change.push(json!([line["change"], line["origin"]]));
    }
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_history_finds_just_what_changed_in_the_gap() {
    let (mut world, user) = one_user(700, 31).await;
    world.start_daemon();
    world.wait_settled().await;
    world.kill_daemon();
    let n_lines = world.lines(&user).len();
    let ids = world.ids(&user);
    let mut wanted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut want = |id: &str, change: &str| {
        wanted.insert(id.to_owned(), vec![json!([change, "resync"])]);
    };
    let label = world.google("gmail.label", &json!({ "user": user, "name": "Gap" }));
    let label = label["id"].as_str().unwrap();
    for n in 0..3 {
        want(&world.insert(&user, &format!("gap-{n}")), "created");
    }
    for id in &ids[10..14] {
        world.relabel(&user, id, &[label, "STARRED"], &[]);
        want(id, "labels");
    }
    // There and back: nothing changed.
    world.relabel(&user, &ids[20], &[label], &[]);
    world.relabel(&user, &ids[20], &[], &[label]);
    for id in &ids[600..605] {
        world.delete(&user, id);
        want(id, "deleted");
    }
    world.google("gmail.trash", &json!({ "user": user, "id": ids[30] }));
    want(&ids[30], "deleted");
    world.google("history.expire", &json!({ "user": user }));
    world.forget_calls();
    world.start_daemon();
    world.wait_settled().await;
    assert_eq!(changes(&world, &user, n_lines), wanted);
    let n_gets = world.calls(&user, GET);
    assert!(
        n_gets <= 3 + N_SAMPLE,
        "{n_gets} gets for 3 new mails and a sample of deletions"
    );

    // With nothing missed, a resync delivers nothing and reads nothing.
    let n_lines = world.lines(&user).len();
    world.forget_calls();
    let (code, _, said) = world.run(&["user", "resync", &user]);
    assert_eq!(code, 0, "{said}");
    world
        .wait("the resync is over", |status| {
            is_idle(status) && world.calls(&user, LIST) > 2
        })
        .await;
    world.wait_settled().await;
    assert_eq!(world.lines(&user).len(), n_lines);
    assert_eq!(world.calls(&user, GET), 0);
}

/// A mailbox that was made anew and got its mail back: Google knows the stored position as little
/// as an expired one, and all its orders are below those in the index.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_starts_over_loses_no_change() {
    let (mut world, user) = one_user(60, 34).await;
    world.start_daemon();
    world.wait_settled().await;
    world.kill_daemon();
    let n_lines = world.lines(&user).len();
    let ids = world.ids(&user);
    let mut wanted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut want = |id: &str, change: &str, origin: &str| {
        wanted.insert(id.to_owned(), vec![json!([change, origin])]);
    };
    world.relabel(&user, &ids[0], &["STARRED", "IMPORTANT"], &["INBOX"]);
    want(&ids[0], "labels", "resync");
    world.delete(&user, &ids[1]);
    want(&ids[1], "deleted", "resync");
    want(&world.insert(&user, "gap"), "created", "resync");
    world.google("history.restart", &json!({ "user": user }));
    world.start_daemon();
    world.wait_settled().await;
    world.relabel(&user, &ids[2], &["STARRED", "IMPORTANT"], &["INBOX"]);
    want(&ids[2], "labels", "live");
    world.delete(&user, &ids[3]);
    want(&ids[3], "deleted", "live");
    world.wait_settled().await;
    assert_eq!(changes(&world, &user, n_lines), wanted);
}

/// Puts `n` small mails into a mailbox.
fn fill(world: &World, user: &str, n: usize) {
    for n in 0..n {
        world.insert(user, &format!("fill-{n}"));
    }
}

/// Deletes the oldest `n` messages; the ids.
fn delete_oldest(world: &World, user: &str, n: usize) -> BTreeSet<String> {
    let ids = world.ids(user);
    let gone = &ids[ids.len() - n..];
    for id in gone {
        world.delete(user, id);
    }
    gone.iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mass_deletions_in_a_gap_are_held_until_accepted() {
    let (mut world, user) = one_user(0, 32).await;
    fill(&world, &user, 1_500);
    world.start_daemon();
    world.wait_settled().await;
    let (code, _, said) = world.run(&["user", "resync", &user, "--accept-deletes"]);
    assert_eq!(code, 1, "nothing is held yet");
    assert!(said.contains("no resync of this user waits"), "{said}");

    world.kill_daemon();
    let n_lines = world.lines(&user).len();
    let gone = delete_oldest(&world, &user, 1_001);
    world.google("history.expire", &json!({ "user": user }));
    world.start_daemon();
    let held = |status: &Value| state(status, &user) == "held";
    let status = world.wait("the deletions are held", held).await;
    let error = &status["users"][0]["accounts"][0]["feeds"][0]["error"];
    let (message, hint) = (error["message"].to_string(), error["hint"].to_string());
    assert!(message.contains("1001"), "{message}");
    assert!(hint.contains("--accept-deletes"), "{hint}");

    // Live goes on meanwhile, and a restart changes nothing.
    let new = world.insert(&user, "while-held");
    let arrived = |status: &Value| {
        held(status)
            && status["sinks"][0]["pending"] == 0
            && world.maildir(&user).contains_key(&new)
    };
    world.wait("a new mail arrives", arrived).await;
    world.kill_daemon();
    world.start_daemon();
    world.wait("still held", held).await;
    let after = changes(&world, &user, n_lines);
    assert_eq!(after.keys().collect::<Vec<_>>(), [&new]);
    assert_eq!(world.maildir(&user).len(), 1_501);

    let (code, _, said) = world.run(&["user", "resync", &user, "--accept-deletes"]);
    assert_eq!(code, 0, "{said}");
    world.wait_settled().await;
    let deleted: BTreeSet<String> = changes(&world, &user, n_lines).into_keys().collect();
    assert_eq!(deleted, &gone | &BTreeSet::from([new]));
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_deletions_and_those_of_the_history_are_not_held() {
    let mut world = World::start(2, 0, 33).await;
    world.configure();
    let users = world.users();
    // Two thirds, but not above 1,000; above 1,000, but less than a third.
    let (small, large) = (&users[0], &users[1]);
    fill(&world, small, 1_500);
    fill(&world, large, 3_400);
    world.start_daemon();
    world.wait_settled().await;
    world.kill_daemon();
    delete_oldest(&world, small, 1_000);
    delete_oldest(&world, large, 1_010);
    for user in &users {
        world.google("history.expire", &json!({ "user": user }));
    }
    world.start_daemon();
    let was_held = std::cell::Cell::new(false);
    let watch = |status: &Value| {
        let held = users.iter().any(|user| state(status, user) == "held");
        was_held.set(was_held.get() || held);
        held || world.is_settled(status)
    };
    world.wait("the resyncs are over", watch).await;
    assert!(!was_held.get(), "a resync was held");

    // Deletions that Google tells one by one are beyond doubt, however many.
    delete_oldest(&world, large, 1_500);
    world.wait("the deletions are delivered", watch).await;
    assert!(!was_held.get(), "live deletions were held");
}
