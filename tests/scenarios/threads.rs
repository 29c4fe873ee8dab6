//! Mail that is read by threads, since no sink wants its bytes: what it costs, and that a thread
//! that cannot be had, or has a message that leaves a doubt, loses nothing. The records
//! themselves are compared in the package `benches`.

use nuncio_tests::{World, is_idle};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MESSAGE: &str = "gmail.users.messages.get";
const THREAD: &str = "gmail.users.threads.get";

/// One user whose mail goes to a sink that wants its text.
async fn world(messages: usize, seed: u64) -> (World, String) {
    let world = World::start(1, messages, seed).await;
    let user = world.users().remove(0);
    let mut config = world.config_without_users("");
    config.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
    config.push_str(&world.sink_lines("jsonl"));
    world.write_config(&config);
    (world, user)
}

/// Puts a thread of so many mails into the mailbox: its id.
fn insert_thread(world: &World, user: &str, n_mails: usize) -> String {
    let mut thread = None;
    for n in 0..n_mails {
        let more = match &thread {
            Some(thread) => json!({ "threadId": thread }),
            None => json!({}),
        };
        let id = world.insert_with(user, &format!("mail-{n}"), more);
        thread.get_or_insert(id);
    }
    thread.unwrap_or_default()
}

/// Waits until the sink has as many mails as Google, and nothing is under way.
async fn wait_delivered(world: &World, user: &str) {
    let is_there =
        |status: &Value| is_idle(status) && world.lines(user).len() >= world.ids(user).len();
    world.wait("all mail is delivered", is_there).await;
}

/// Each mail came once, and no other.
fn assert_all_once(world: &World, user: &str) {
    let lines = world.lines(user);
    let came: BTreeSet<String> = lines
        .iter()
        .map(|line| {
            let key = line["key"].as_str().unwrap_or_default();
            key.rsplit('/').next().unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(came.len(), lines.len(), "a mail came twice");
    assert_eq!(came, world.ids(user).into_iter().collect());
    assert!(lines.iter().all(|line| line["change"] == "created"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_reads_threads_and_loses_nothing() {
    let (mut world, user) = world(300, 61).await;
    for n_mails in [3, 5, 20] {
        insert_thread(&world, &user, n_mails);
    }
    world.start_daemon();
    wait_delivered(&world, &user).await;
    assert_all_once(&world, &user);
    let (n_threads, n_messages) = (world.calls(&user, THREAD), world.calls(&user, MESSAGE));
    let n_mails = world.ids(&user).len() as u64;
    assert!(n_threads >= 3, "{n_threads} threads were read");
    assert!(
        20 * n_messages + 40 * n_threads < 20 * n_mails,
        "{n_threads} threads and {n_messages} messages are dearer than {n_mails} messages"
    );
}

/// Of a thread, what is in the trash does not belong, and neither does what is out of age.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_brings_only_what_belongs() {
    let (mut world, user) = world(0, 62).await;
    insert_thread(&world, &user, 6);
    let trashed = world.ids(&user).remove(2);
    let question = json!({ "user": user, "id": trashed });
    world.google("gmail.trash", &question);
    world.start_daemon();
    wait_delivered(&world, &user).await;
    assert_eq!(world.calls(&user, THREAD), 1);
    assert_eq!(world.ids(&user).len(), 5, "one is in the trash");
    assert_all_once(&world, &user);
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_that_cannot_be_had_are_read_message_by_message() {
    let faults: [Value; 2] = [
        json!({ "status": 404 }),
        json!({ "status": 200, "body": "html" }),
    ];
    for (n, mut fault) in faults.into_iter().enumerate() {
        let (mut world, user) = world(0, 63 + n as u64).await;
        let thread = insert_thread(&world, &user, 5);
        insert_thread(&world, &user, 4);
        fault["method"] = json!(THREAD);
        fault["id"] = json!(thread);
        world.google("fault.on", &fault);
        world.start_daemon();
        wait_delivered(&world, &user).await;
        assert_all_once(&world, &user);
        assert_eq!(world.calls(&user, MESSAGE), 5, "the bad thread's mails");
    }
}

/// New mail of one thread that came while nobody looked is read as one, too.
#[tokio::test(flavor = "multi_thread")]
async fn live_mail_of_one_thread_is_read_at_once() {
    let (mut world, user) = world(10, 65).await;
    world.start_daemon();
    wait_delivered(&world, &user).await;
    world.kill_daemon();
    world.forget_calls();
    insert_thread(&world, &user, 7);
    world.start_daemon();
    wait_delivered(&world, &user).await;
    assert_all_once(&world, &user);
    assert_eq!(
        (world.calls(&user, THREAD), world.calls(&user, MESSAGE)),
        (1, 0)
    );
}

/// Somebody's encoded name holds a comma: once it is decoded, nobody can tell it from two people,
/// so the bytes are read.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_thread_that_leaves_a_doubt_is_read_from_its_bytes() {
    let (mut world, user) = world(0, 66).await;
    let thread = insert_thread(&world, &user, 4);
    let text = format!(
        "From: =?utf-8?q?Doe=2C_Jane?= <jane@b.example>\r\nTo: <{user}>\r\nSubject: doubt\r\n\
         Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMessage-ID: <doubt@b.example>\r\n\r\nhello\r\n"
    );
    let question = json!({ "user": user, "text": text, "threadId": thread });
    world.google("gmail.insert", &question);
    world.start_daemon();
    wait_delivered(&world, &user).await;
    assert_all_once(&world, &user);
    let calls = (world.calls(&user, THREAD), world.calls(&user, MESSAGE));
    assert_eq!(calls, (1, 1));
    let lines = world.lines(&user);
    let doubt = lines
        .iter()
        .find(|line| line["email"]["subject"] == "doubt");
    assert_eq!(doubt.unwrap()["email"]["from"]["name"], "Doe, Jane");
}
