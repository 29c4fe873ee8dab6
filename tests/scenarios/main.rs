//! Promises of the whole, kept by the real binary with the fake Workspace and real plugins.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod calendar;
mod crash;
mod credentials;
mod domain;
mod drafts;
mod drive;
mod explain;
mod failed_items;
mod fair;
mod feed;
mod hidden_mail;
mod identity;
mod memory;
mod odd_items;
mod operating;
mod reload;
mod resync;
mod secrecy;
mod systemd;
mod threads;
mod verify;

use nuncio_tests::World;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Message id to the hash of its bytes, as a fresh full listing gives it.
fn truth(world: &World, user: &str) -> BTreeMap<String, String> {
    let truth = world.google("truth", &json!({ "user": user }));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = truth["messages"].as_array().unwrap().iter();
    messages
        .map(|message| (text(&message["id"]), text(&message["sha256"])))
        .collect()
}

fn archived(world: &World, user: &str) -> BTreeMap<String, String> {
    world
        .maildir(user)
        .into_iter()
        .map(|(id, bytes)| (id, hex(&bytes)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_errors_in_a_config_are_three_messages() {
    let world = World::start(1, 1, 1).await;
    std::fs::write(
        world.path("nuncio.toml"),
        "[google]\nservice_acount_key = \"file:/k\"\nmode = \"per_user\"\n[sync]\nsince = \"soon\"\n",
    )
    .unwrap();
    let (code, _, said) = world.run(&["check"]);
    assert_eq!(code, 78, "{said}");
    assert!(said.matches("error[CFG").count() >= 3, "{said}");
}

/// The state of the user's feed.
fn state(status: &Value, user: &str) -> String {
    let users = status["users"].as_array().unwrap();
    let user = users.iter().find(|shown| shown["email"] == user).unwrap();
    user["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_user_stops_nobody_and_comes_back_whole() {
    let mut world = World::start(3, 150, 11).await;
    world.configure();
    let users: Vec<String> = world
        .workspace
        .users()
        .iter()
        .map(ToString::to_string)
        .collect();
    world.google("user.suspend", &json!({ "user": users[1] }));
    world.start_daemon();
    let others = [&users[0], &users[2]];
    let status = world
        .wait("the others are synced", |status| {
            state(status, &users[1]) == "disabled"
                && others
                    .iter()
                    .all(|user| archived(&world, user) == truth(&world, user))
        })
        .await;
    let error = &status["users"][1]["accounts"][0]["feeds"][0]["error"];
    assert!(
        error["hint"].as_str().unwrap().contains("suspended"),
        "{error}"
    );
    assert_eq!(
        status["failed_items"], 0,
        "a row of refusals is a state, not failed items"
    );
    world.google("user.restore", &json!({ "user": users[1] }));
    world
        .wait("all are synced", |status| world.is_settled(status))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_alone_in_a_page_do_not_hold_up_the_feed() {
    let mut world = World::start(1, 40, 12).await;
    world.configure();
    let user = world.workspace.users()[0].to_string();
    world.start_daemon();
    world
        .wait("the first sync", |status| world.is_settled(status))
        .await;
    world.google(
        "fault.on",
        &json!({ "user": user, "method": "gmail.users.messages.get", "status": 400, "reason": "invalidArgument" }),
    );
    for n in 0..3 {
        let text = format!("From: a@b.example\r\nMessage-ID: <{n}@b.example>\r\n\r\n{n}\r\n");
        world.google("gmail.insert", &json!({ "user": user, "text": text }));
    }
    let status = world
        .wait("three failed items", |status| status["failed_items"] == 3)
        .await;
    assert_eq!(state(&status, &user), "live");
}
