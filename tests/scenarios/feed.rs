//! The Gmail feed as a whole: what a walk, live changes, faults and restarts cost and deliver.
//! Resyncs are in `resync.rs`, kills at chosen moments in `crash.rs`.

use crate::state;
use nuncio_tests::{World, is_idle};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const GET: &str = "gmail.users.messages.get";
const LIST: &str = "gmail.users.messages.list";

/// A world with one user.
async fn one_user(messages: usize, seed: u64) -> (World, String) {
    let world = World::start(1, messages, seed).await;
    world.configure();
    let user = world.users().remove(0);
    (world, user)
}

/// Slows each get down, so that a walk lasts until [`World::google`] switches the fault off.
fn slow_gets(world: &World, milliseconds: u64) {
    world.google(
        "fault.on",
        &json!({ "method": GET, "latency_ms": milliseconds }),
    );
}

fn faults_off(world: &World) {
    world.google("fault.off", &json!({}));
}

/// How far the walk of the first user's feed is; none if there is none.
fn walked(status: &Value) -> Option<u64> {
    status["users"][0]["accounts"][0]["feeds"][0]["walk"]["done"].as_u64()
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap()
}

/// The keys of lines.
fn keys(lines: &[Value]) -> BTreeSet<String> {
    lines
        .iter()
        .map(|line| text(line, "key").to_owned())
        .collect()
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_the_middle_of_a_walk_arrive_before_its_end() {
    let (mut world, user) = one_user(1_000, 21).await;
    slow_gets(&world, 100);
    world.start_daemon();
    world
        .wait("the walk is on its way", |status| {
            walked(status) >= Some(50)
        })
        .await;
    let new = world.insert(&user, "amid");
    let ids = world.ids(&user);
    // The newest are read by now, but for the one that came just now.
    world.relabel(&user, &ids[1], &["STARRED", "IMPORTANT"], &["UNREAD"]);
    world.delete(&user, &ids[2]);
    let arrived = |id: &str, change: &str| {
        world
            .lines(&user)
            .iter()
            .any(|line| text(line, "key").ends_with(id) && line["change"] == change)
    };
    let status = world
        .wait("the changes are delivered", |_| {
            arrived(&new, "created") && arrived(&ids[1], "labels") && arrived(&ids[2], "deleted")
        })
        .await;
    assert_eq!(state(&status, &user), "walking", "{status:#}");
    faults_off(&world);
    world.wait_settled().await;
    let origins: Vec<Value> = world
        .lines(&user)
        .iter()
        .map(|line| line["origin"].clone())
        .collect();
    let first_live = origins.iter().position(|origin| origin == "live").unwrap();
    let after = &origins[first_live..];
    assert!(
        after.iter().filter(|origin| *origin == "backfill").count() > 100,
        "the walk went on after the changes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn label_changes_cost_no_get() {
    let (mut world, user) = one_user(60, 22).await;
    world.start_daemon();
    world.wait_settled().await;
    let n_lines = world.lines(&user).len();
    world.forget_calls();
    let ids = world.ids(&user);
    let label = world.google(
        "gmail.label",
        &json!({ "user": user, "name": "Clients/Acme" }),
    );
    let label = label["id"].as_str().unwrap();
    for id in &ids[..40] {
        world.relabel(&user, id, &["STARRED"], &["INBOX"]);
        world.relabel(&user, id, &["UNREAD", label], &[]);
        world.relabel(&user, id, &["IMPORTANT"], &["UNREAD"]);
    }
    world.wait_settled().await;
    assert_eq!(world.calls(&user, GET), 0, "gets for label changes");
    assert_eq!(world.calls(&user, LIST), 0, "listings for label changes");
    let lines = world.lines(&user).split_off(n_lines);
    assert!(lines.iter().all(|line| line["change"] == "labels"));
    assert_eq!(keys(&lines).len(), 40);
    assert!(
        lines.iter().any(|line| line["labels"]["labels"]
            .as_array()
            .unwrap()
            .contains(&json!("Clients/Acme"))),
        "a label made a moment ago has its name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_is_newest_first_and_goes_on_at_its_page_after_a_kill() {
    let (mut world, user) = one_user(1_800, 23).await;
    let n_messages = world.ids(&user).len() as u64;
    slow_gets(&world, 10);
    world.start_daemon();
    let status = world
        .wait("the walk is past its first page", |status| {
            walked(status) > Some(600)
        })
        .await;
    world.kill_daemon();
    let done = walked(&status).unwrap();
    assert!(done < n_messages, "killed in the middle: {done}");
    faults_off(&world);
    world.forget_calls();
    world.start_daemon();
    world.wait_settled().await;
    let n_gets = world.calls(&user, GET);
    assert!(
        n_gets <= n_messages - done,
        "{done} of {n_messages} were done, yet {n_gets} were read"
    );
    let n_pages = n_messages.div_ceil(500);
    assert!(
        world.calls(&user, LIST) <= n_pages - done / 500 + 1,
        "listed from the page on, not from the beginning; and what is large once more"
    );
    let dates: Vec<i64> = world
        .lines(&user)
        .iter()
        .map(|line| line["email"]["internal_date"].as_i64().unwrap())
        .collect();
    // What was written and not yet acknowledged comes again.
    let mut newest_first = dates.clone();
    newest_first.sort_by_key(|date| std::cmp::Reverse(*date));
    newest_first.dedup();
    let mut seen = BTreeSet::new();
    let mut first_seen: Vec<i64> = dates
        .into_iter()
        .filter(|date| seen.insert(*date))
        .collect();
    assert_eq!(first_seen.len(), newest_first.len());
    let mixed = first_seen
        .iter()
        .zip(&newest_first)
        .position(|(a, b)| a != b);
    assert_eq!(
        mixed,
        None,
        "{:?}",
        first_seen.split_off(mixed.unwrap_or(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_history_and_the_mail_that_it_tells_of_loses_nothing() {
    let (mut world, user) = one_user(20, 30).await;
    world.start_daemon();
    world.wait_settled().await;
    slow_gets(&world, 60_000);
    world.forget_calls();
    world.insert(&user, "told-and-not-read");
    world
        .wait("the mail is being read", |_| world.calls(&user, GET) > 0)
        .await;
    world.kill_daemon();
    faults_off(&world);
    world.start_daemon();
    world.wait_settled().await;
}

/// The key of the first user's account, as status shows it.
fn account_key(status: &Value) -> &str {
    text(&status["users"][0]["accounts"][0], "key")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_keeps_the_key_of_its_first_connection() {
    let (mut world, user) = one_user(20, 35).await;
    world.start_daemon();
    let status = world.wait_settled().await;
    assert_eq!(account_key(&status), user, "no Directory, so the address");
    world.kill_daemon();
    let admin = world.workspace.admin_user();
    world.change_config("[sync]", &format!("admin = \"{admin}\"\n[sync]"));
    let n_lines = world.lines(&user).len();
    world.forget_calls();
    world.start_daemon();
    world.insert(&user, "later");
    let status = world.wait_settled().await;
    assert_eq!(account_key(&status), user, "the Directory changes no key");
    assert_eq!(world.calls(&user, GET), 1);
    assert_eq!(world.lines(&user).len(), n_lines + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_as_account_is_the_mailbox_of_its_user() {
    let (mut world, user) = one_user(20, 36).await;
    let users = world.google("users", &json!({}));
    let user_at_google = &users["users"][0];
    let alias = user_at_google["aliases"][0].as_str().unwrap();
    let admin = world.workspace.admin_user();
    world.change_config("[sync]", &format!("admin = \"{admin}\"\n[sync]"));
    world.change_config(
        &format!("email = \"{user}\""),
        &format!("email = \"{user}\"\naliases = [\"{alias}\"]\naccounts = [\"{alias}\"]"),
    );
    world.start_daemon();
    let status = world.wait_settled().await;
    assert_eq!(account_key(&status), text(user_at_google, "id"));
    let lines = world.lines(&user);
    assert!(lines.iter().all(|line| line["account"] == user.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floor_stays_where_the_first_walk_put_it() {
    const HOUR: i64 = 60 * 60 * 1_000;
    const DAY: i64 = 24 * HOUR;
    let (mut world, user) = one_user(0, 24).await;
    world.change_config("since = \"all\"", "since = \"30d\"");
    let floor = now_ms() - 30 * DAY;
    let insert = |subject: &str, date: i64| {
        world.insert_with(&user, subject, json!({ "internalDate": date }));
    };
    insert("far-below", floor - 10 * DAY);
    insert("below", floor - HOUR);
    insert("above", floor + HOUR);
    insert("far-above", floor + 20 * DAY);
    world.start_daemon();
    world.wait_settled_since(Some(floor)).await;
    // Live too: an old mail that is imported today does not belong.
    let insert = |subject: &str, date: i64| {
        world.insert_with(&user, subject, json!({ "internalDate": date }));
    };
    insert("imported", floor - DAY);
    insert("new", floor + 30 * DAY);
    world.wait_settled_since(Some(floor)).await;
    assert_eq!(keys(&world.lines(&user)).len(), 3);

    world.kill_daemon();
    world.change_config("since = \"30d\"", "since = \"90d\"");
    world.forget_calls();
    world.start_daemon();
    world.wait("the start", is_idle).await;
    let (code, _, said) = world.run(&["user", "resync", &user]);
    assert_eq!(code, 0, "{said}");
    world
        .wait("the resync is over", |status| {
            is_idle(status) && world.calls(&user, LIST) > 1
        })
        .await;
    world.wait_settled_since(Some(floor)).await;
    assert_eq!(keys(&world.lines(&user)).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_always_fails_is_a_failed_item_until_it_heals() {
    let (mut world, user) = one_user(30, 25).await;
    world.start_daemon();
    world.wait_settled().await;
    world.kill_daemon();
    let faults = [
        json!({ "status": 500 }),
        json!({ "status": 200, "body": "html" }),
    ];
    for (n, mut fault) in faults.into_iter().enumerate() {
        let bad = world.insert(&user, &format!("bad-{n}"));
        world.insert(&user, &format!("good-{n}"));
        fault["method"] = json!(GET);
        fault["id"] = json!(bad);
        world.google("fault.on", &fault);
    }
    world.start_daemon();
    let two_lost = || {
        let found = world.differences();
        let others = found.stale.len() + found.left_over.len() + found.broken.len();
        // In both sinks.
        found.lost.len() == 4 && others == 0
    };
    let status = world
        .wait("two failed items, all else delivered", |status| {
            is_idle(status) && status["failed_items"] == 2 && two_lost()
        })
        .await;
    assert_eq!(state(&status, &user), "live");
    world.insert(&user, "later");
    world
        .wait("the feed goes on", |status| is_idle(status) && two_lost())
        .await;
    world.kill_daemon();
    world.start_daemon();
    let status = world.wait("the restart", is_idle).await;
    assert_eq!(status["failed_items"], 2, "a restart forgets none");
    faults_off(&world);
    let status = world.wait_settled().await;
    assert_eq!(status["failed_items"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_answer_always_breaks_off_does_not_hold_up_the_others() {
    let (mut world, user) = one_user(30, 27).await;
    let bad = world.insert(&user, "bad");
    world.google(
        "fault.on",
        &json!({ "method": GET, "id": bad, "body": "reset" }),
    );
    world.start_daemon();
    let status = world
        .wait("one failed item, all else delivered", |status| {
            is_idle(status) && status["failed_items"] == 1 && world.differences().lost.len() == 2
        })
        .await;
    assert_eq!(state(&status, &user), "live");
    faults_off(&world);
    let status = world.wait_settled().await;
    assert_eq!(status["failed_items"], 0, "it heals by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_never_makes_a_failed_item() {
    let (mut world, user) = one_user(30, 26).await;
    let limited = world.insert(&user, "limited");
    let faults = [
        json!({ "method": GET, "status": 429, "retry_after": 1, "count": 5 }),
        json!({ "method": GET, "status": 403, "reason": "userRateLimitExceeded", "count": 5 }),
        json!({ "method": GET, "status": 403, "reason": "rateLimitExceeded", "id": limited }),
    ];
    for fault in &faults {
        world.google("fault.on", fault);
    }
    world.start_daemon();
    let status = world
        .wait("the feed waits", |status| {
            status["failed_items"] != 0 || state(status, &user) == "waiting"
        })
        .await;
    assert_eq!(status["failed_items"], 0, "{status:#}");
    let error = &status["users"][0]["accounts"][0]["feeds"][0]["error"];
    assert_eq!(error["code"], "GGL001", "{error}");
    faults_off(&world);
    let status = world.wait_settled().await;
    assert_eq!(status["failed_items"], 0);
    let stats = world.google("stats", &json!({}));
    let refused = |what: &str| stats["refusals"][&user][format!("{GET} {what}")].as_u64();
    assert!(
        refused("429") >= Some(1) && refused("403") >= Some(6),
        "{stats:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_user_reads_only_what_changed_meanwhile() {
    let mut world = World::start(2, 100, 27).await;
    world.configure();
    world.start_daemon();
    world.wait_settled().await;
    let users = world.users();
    let (away, other) = (&users[1], &users[0]);
    world.google("user.suspend", &json!({ "user": away }));
    world.forget_calls();
    let n_lines = world.lines(away).len();
    let ids = world.ids(away);
    for n in 0..3 {
        world.insert(away, &format!("meanwhile-{n}"));
    }
    world.relabel(away, &ids[0], &["STARRED", "IMPORTANT"], &["INBOX"]);
    world.delete(away, &ids[1]);
    world
        .wait("the user is refused", |status| {
            state(status, away) == "disabled"
        })
        .await;
    let new = world.insert(other, "elsewhere");
    world
        .wait("the other user goes on", |_| {
            world.maildir(other).contains_key(&new)
        })
        .await;
    world.google("user.restore", &json!({ "user": away }));
    let status = world.wait_settled().await;
    assert_eq!(status["failed_items"], 0);
    assert_eq!(world.lines(away).len(), n_lines + 5);
    assert_eq!(world.calls(away, LIST), 0);
    let stats = world.google("stats", &json!({}));
    let n_refused = stats["refusals"][away][format!("{GET} 403")].as_u64();
    assert_eq!(
        world.calls(away, GET) - n_refused.unwrap_or(0),
        3,
        "only the new mails are read: {stats:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_users_records_stay_and_coming_back_refetches_nothing() {
    let mut world = World::start(2, 100, 28).await;
    world.configure();
    world.start_daemon();
    world.wait_settled().await;
    let users = world.users();
    let (away, other) = (users[1].clone(), users[0].clone());
    let lines = world.lines(&away);
    let mails = world.maildir(&away);
    assert!(!lines.is_empty() && !mails.is_empty());

    world.kill_daemon();
    world.configure_for(std::slice::from_ref(&other));
    world.start_daemon();
    let new = world.insert(&other, "elsewhere");
    let status = world
        .wait("the other user goes on", |status| {
            is_idle(status) && world.maildir(&other).contains_key(&new)
        })
        .await;
    assert_eq!(status["users"].as_array().unwrap().len(), 1);
    assert!(world.lines(&away) == lines && world.maildir(&away) == mails);

    world.kill_daemon();
    world.forget_calls();
    let ids = world.ids(&away);
    world.insert(&away, "meanwhile");
    world.relabel(&away, &ids[0], &["STARRED"], &[]);
    world.delete(&away, &ids[1]);
    world.configure();
    world.start_daemon();
    world.wait_settled().await;
    assert_eq!(world.calls(&away, GET), 1, "the new mail");
    assert_eq!(world.calls(&away, LIST), 0);
    assert_eq!(world.lines(&away).len(), lines.len() + 3);
}

/// The files of the corpora by the hash of their bytes.
fn corpora(folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            corpora(&path, files);
        } else if path
            .extension()
            .is_some_and(|end| end == "eml" || end == "msg")
        {
            let digest = Sha256::digest(std::fs::read(&path).unwrap());
            let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            files.insert(hash, path.file_name().unwrap().to_string_lossy().into());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mail_of_the_corpora_is_archived_byte_for_byte_and_becomes_a_record() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mail");
    let mut files = BTreeMap::new();
    corpora(&folder, &mut files);
    assert!(files.len() > 80, "{} files", files.len());
    let mut world = World::start_with(|options| {
        (options.users, options.messages, options.seed) = (2, 0, 29);
        options.mail = Some(folder.clone());
    })
    .await;
    world.configure();
    world.start_daemon();
    let status = world.wait_settled().await;
    assert_eq!(status["failed_items"], 0);
    let mut notes: BTreeMap<String, Value> = BTreeMap::new();
    for user in world.users() {
        let mut hashes = BTreeMap::new();
        for (id, bytes) in world.maildir(&user) {
            let digest = Sha256::digest(bytes);
            let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            hashes.insert(id, hash);
        }
        for line in world.lines(&user) {
            let hash = &hashes[text(&line["email"], "id")];
            notes.insert(files[hash].clone(), line["notes"].clone());
        }
    }
    assert_eq!(notes.len(), files.len(), "each file is a record");
    for (file, note) in [
        (
            "thirdparty-004.eml",
            "transfer encoding \"6bit\" is not known",
        ),
        ("malformed-001.eml", "the message ends within a multipart"),
        ("bad_date_header.eml", "Date is not a date"),
        (
            "x-gzip64.msg",
            "transfer encoding \"x-gzip64\" is not known",
        ),
    ] {
        let told = notes[file].to_string();
        let told = told.replace("\\\"", "\"");
        assert!(told.contains(note), "{file}: {told}");
    }
}

/// The listing of what is large is of several pages here, and none of its page tokens works: it
/// begins anew instead of holding up the walk.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_page_of_the_large_listing_does_not_hold_up_the_walk() {
    let (mut world, _) = one_user(40, 37).await;
    world.google(
        "fault.on",
        &json!({ "method": LIST, "body": "empty_page", "count": 1 }),
    );
    world.google(
        "fault.on",
        &json!({ "method": LIST, "body": "expired_cursor" }),
    );
    world.start_daemon();
    world.wait_settled().await;
}
