//! Mail that Gmail hides: spam and trash, which leave the feed unless they are included, and chats,
//! which never belong to it.

use nuncio_tests::{World, is_idle};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const GET: &str = "gmail.users.messages.get";

/// A world with one user, and a line more in `[sync]`.
async fn one_user(messages: usize, seed: u64, sync: &str) -> (World, String) {
    let world = World::start(1, messages, seed).await;
    world.configure();
    world.change_config("[sync]", &format!("[sync]\n{sync}"));
    let user = world.users().remove(0);
    (world, user)
}

/// Puts a mail under these labels into a mailbox: its id.
fn insert(world: &World, user: &str, subject: &str, labels: &[&str]) -> String {
    world.insert_with(user, subject, json!({ "labelIds": labels }))
}

/// What the lines from `from` on tell of one message: changes, and causes of deletions.
fn told(world: &World, user: &str, from: usize, id: &str) -> Vec<String> {
    let lines = world.lines(user).split_off(from);
    let of_message = lines
        .iter()
        .filter(|line| line["key"].as_str().unwrap().ends_with(id));
    of_message
        .map(|line| {
            let change = line["change"].as_str().unwrap();
            match line["deleted"]["cause"].as_str() {
                Some(cause) => format!("{change} {cause}"),
                None => change.to_owned(),
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spam_and_trash_leave_and_come_back_and_chats_are_never_seen() {
    let (mut world, user) = one_user(20, 41, "").await;
    let hidden: Vec<String> = ["SPAM", "TRASH", "CHAT"]
        .into_iter()
        .map(|label| insert(&world, &user, &format!("before-{label}"), &[label]))
        .collect();
    world.start_daemon();
    world.wait_settled().await;
    let n_lines = world.lines(&user).len();
    world.forget_calls();
    let ids = world.ids(&user);
    let new: Vec<String> = ["SPAM", "TRASH", "CHAT"]
        .into_iter()
        .map(|label| insert(&world, &user, &format!("live-{label}"), &[label]))
        .collect();
    // To spam, to the trash, and one of them away for good.
    world.relabel(&user, &ids[0], &["SPAM"], &["INBOX"]);
    world.google("gmail.trash", &json!({ "user": user, "id": ids[1] }));
    world.google("gmail.trash", &json!({ "user": user, "id": ids[2] }));
    world.wait_settled().await;
    world.delete(&user, &ids[2]);
    let later = world.insert(&user, "later");
    world.wait_settled().await;
    for id in &ids[..3] {
        assert_eq!(
            told(&world, &user, n_lines, id),
            ["deleted out_of_scope"],
            "also when the trash is emptied"
        );
    }
    assert_eq!(
        world.calls(&user, GET),
        1,
        "only the mail that can be seen is read"
    );
    // Back from all of it.
    world.relabel(&user, &ids[0], &["INBOX"], &["SPAM"]);
    world.google("gmail.untrash", &json!({ "user": user, "id": ids[1] }));
    world.relabel(&user, &new[0], &["INBOX"], &["SPAM"]);
    world.relabel(&user, &hidden[1], &[], &["TRASH"]);
    world.wait_settled().await;
    for id in &ids[..2] {
        let changes = ["deleted out_of_scope", "created"];
        assert_eq!(told(&world, &user, n_lines, id), changes);
    }
    for (id, expected) in [
        (&new[0], &["created"][..]),
        (&hidden[1], &["created"]),
        (&later, &["created"]),
        (&hidden[0], &[]),
        (&hidden[2], &[]),
        (&new[1], &[]),
        (&new[2], &[]),
    ] {
        assert_eq!(told(&world, &user, 0, id), expected);
    }
    // A comparison finds nothing of them either.
    let n_lines = world.lines(&user).len();
    let (code, _, said) = world.run(&["user", "resync", &user]);
    assert_eq!(code, 0, "{said}");
    let listed = |_: &Value| world.calls(&user, "gmail.users.messages.list") > 1;
    world
        .wait("the resync is over", |status| {
            is_idle(status) && listed(status)
        })
        .await;
    world.wait_settled().await;
    assert_eq!(world.lines(&user).len(), n_lines);
}

/// Message ids to flags, of all mail but drafts and chats, as Google has them.
fn whole_mailbox(world: &World, user: &str) -> BTreeMap<String, BTreeSet<String>> {
    let truth = world.google("truth", &json!({ "user": user, "all": true }));
    let messages = truth["messages"].as_array().unwrap().iter();
    messages
        .map(|message| {
            let labels = message["labelIds"].as_array().into_iter().flatten();
            let labels: BTreeSet<String> = labels
                .map(|label| label.as_str().unwrap().to_lowercase())
                .filter(|label| !label.starts_with("category_") && !label.starts_with("label_"))
                .collect();
            (message["id"].as_str().unwrap().to_owned(), labels)
        })
        .filter(|(_, labels)| !labels.contains("draft") && !labels.contains("chat"))
        .collect()
}

/// The same as a reader of the lines has it.
fn held(world: &World, user: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut held = BTreeMap::new();
    for line in world.lines(user) {
        let (_, id) = line["key"].as_str().unwrap().rsplit_once('/').unwrap();
        let flags = match line["kind"].as_str().unwrap() {
            "deleted" => {
                held.remove(id);
                continue;
            }
            kind => &line[kind]["flags"],
        };
        let flags = flags.as_array().unwrap().iter();
        let flags = flags.map(|flag| flag.as_str().unwrap().to_owned());
        held.insert(id.to_owned(), flags.collect());
    }
    held
}

/// Waits until the lines hold the whole mailbox.
async fn wait_for_all(world: &World, user: &str) {
    world
        .wait("all mail, the hidden included", |status| {
            is_idle(status) && held(world, user) == whole_mailbox(world, user)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn included_spam_and_trash_are_mail_with_a_flag() {
    let (mut world, user) = one_user(20, 42, "include_spam_trash = true").await;
    for label in ["SPAM", "TRASH", "CHAT"] {
        insert(&world, &user, &format!("before-{label}"), &[label]);
    }
    world.start_daemon();
    wait_for_all(&world, &user).await;
    assert!(held(&world, &user).values().any(|f| f.contains("spam")));
    let n_lines = world.lines(&user).len();
    world.forget_calls();
    let ids = world.ids(&user);
    for label in ["SPAM", "TRASH", "CHAT"] {
        insert(&world, &user, &format!("live-{label}"), &[label]);
    }
    world.relabel(&user, &ids[0], &["SPAM"], &["INBOX"]);
    for id in &ids[1..4] {
        world.google("gmail.trash", &json!({ "user": user, "id": id }));
    }
    wait_for_all(&world, &user).await;
    assert_eq!(world.calls(&user, GET), 2, "the new ones but for the chat");
    world.google("gmail.untrash", &json!({ "user": user, "id": ids[2] }));
    world.delete(&user, &ids[3]);
    wait_for_all(&world, &user).await;
    for (id, expected) in [
        (&ids[0], &["labels"][..]),
        (&ids[1], &["labels"]),
        (&ids[2], &["labels", "labels"]),
        (&ids[3], &["labels", "deleted removed"]),
    ] {
        assert_eq!(told(&world, &user, n_lines, id), expected);
    }

    // The same where the history cannot tell it.
    world.kill_daemon();
    let n_lines = world.lines(&user).len();
    world.google("gmail.trash", &json!({ "user": user, "id": ids[4] }));
    world.google("gmail.untrash", &json!({ "user": user, "id": ids[1] }));
    world.delete(&user, &ids[0]);
    world.google("history.expire", &json!({ "user": user }));
    world.start_daemon();
    wait_for_all(&world, &user).await;
    assert_eq!(world.lines(&user).len(), n_lines + 3);
}
