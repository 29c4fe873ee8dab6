//! One bad message, event or file costs exactly that item: the feeds go on, it is listed with its
//! cause, and it is repaired once Google gives it again.

use crate::verify::{configure, counts, verify};
use nuncio_tests::{World, domain_is_live, is_idle};
use serde_json::{Value, json};

fn shown(world: &World, user: &str) -> Value {
    let (code, out, said) = world.run(&["user", "show", user, "--json"]);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&out).unwrap()
}

/// Source and item of each failed item.
fn failed(shown: &Value) -> Vec<[String; 2]> {
    let items = shown["failed_items"].as_array().unwrap().iter();
    let mut items: Vec<_> = items
        .map(|item| ["source", "item"].map(|name| item[name].as_str().unwrap().to_owned()))
        .collect();
    items.sort();
    items
}

fn attempts(shown: &Value) -> u64 {
    let items = shown["failed_items"].as_array().unwrap().iter();
    items.map(|item| item["attempts"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_items_of_each_source_are_listed_and_repaired() {
    let mut world = World::start(2, 60, 91).await;
    let users = world.users();
    let ana = users[0].as_str();
    configure(&world, &users);
    // A bad file gives a record with notes. It fails where its permissions cannot be had.
    let config = std::fs::read_to_string(world.path("nuncio.toml")).unwrap();
    let full = config.replace("[sync]\n", "[sync]\ndrive_permissions = \"full\"\n");
    assert_ne!(full, config);
    std::fs::write(world.path("nuncio.toml"), full).unwrap();
    let drive = world.create_shared_drive("Work", &[(ana, "organizer")]);
    world.start_daemon();
    let event = |name: &str| json!({ "summary": name, "start": { "date": "2027-04-01" }, "end": { "date": "2027-04-02" } });
    let bad_event = world.insert_event(ana, "primary", &event("bad"));
    let bad_file = world.create_file(ana, "bad", json!({ "parents": [drive] }));
    world
        .wait("all is read", |status| {
            let feeds = status["domain_feeds"].as_array().unwrap();
            let is_there = feeds.iter().any(|feed| feed["collection"] == drive);
            is_there && is_idle(status) && domain_is_live(status)
        })
        .await;
    let listed: Vec<Value> = {
        let (code, out, said) = world.run(&["user", "list", "--json"]);
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["email"], ana);
    assert_eq!(failed(&shown(&world, ana)), Vec::<[String; 2]>::new());

    let spoil_file = || {
        world.google(
            "fault.on",
            &json!({ "id": bad_file, "method": "drive.permissions.list", "status": 500 }),
        );
    };
    spoil_file();
    world.google("fault.on", &json!({ "id": bad_event, "body": "bad_item" }));
    world.patch_event(
        ana,
        "primary",
        &bad_event,
        &json!({ "summary": "bad, changed" }),
    );
    world.google(
        "drive.update",
        &json!({ "user": ana, "id": bad_file, "name": "bad, changed" }),
    );
    // A message has its id only when it is there.
    world.google(
        "fault.on",
        &json!({ "user": ana, "method": "gmail.users.messages.get", "status": 500 }),
    );
    let bad_message = world.insert(ana, "bad");
    world
        .wait("the message fails, too", |status| {
            status["failed_items"] == 3
        })
        .await;
    world.google("fault.off", &json!({}));
    for id in [&bad_event, &bad_message] {
        world.google("fault.on", &json!({ "id": id, "body": "bad_item" }));
    }
    spoil_file();
    // The feeds go on beside them.
    let good = world.insert(ana, "good");
    world
        .wait("another message arrives", |_| {
            world.maildir(ana).iter().any(|(id, _)| *id == good)
        })
        .await;
    let told = shown(&world, ana);
    let mut expected = [
        ["calendar", &bad_event],
        ["drive", &bad_file],
        ["gmail", &bad_message],
    ]
    .map(|item| item.map(str::to_owned));
    expected.sort();
    assert_eq!(failed(&told), expected, "{told:#}");
    for item in told["failed_items"].as_array().unwrap() {
        assert!(item["code"].as_str().unwrap().len() >= 6, "{item}");
        assert!(!item["message"].as_str().unwrap().is_empty(), "{item}");
        assert!(item["first_seen"].as_str().unwrap().contains('T'), "{item}");
        assert!(item["next_try"].as_str().unwrap().contains('T'), "{item}");
    }
    assert_eq!(failed(&shown(&world, &users[1])).len(), 0);
    let (code, out, _) = world.run(&["user", "show", ana]);
    assert_eq!(code, 0);
    assert!(
        out.contains(&bad_message) && out.contains("failed items"),
        "{out}"
    );

    // As long as Google does not give them, trying again at once costs attempts and mends nothing.
    let before = attempts(&shown(&world, ana));
    let (code, answer) = verify(&world, ana, &["--repair"]);
    assert_eq!(code, 1, "{answer:#}");
    for (source, collection) in [("gmail", ""), ("calendar", "primary"), ("drive", &drive)] {
        assert_eq!(
            counts(&answer, source, collection),
            [0, 0, 0, 1, 0],
            "{answer:#}"
        );
    }
    let named = answer["feeds"][0]["wrong"]["failed"].clone();
    assert_eq!(named, json!([bad_message]));
    let told = shown(&world, ana);
    assert_eq!(failed(&told), expected);
    assert_eq!(attempts(&told), before + 3, "{told:#}");

    world.google("fault.off", &json!({}));
    let (code, answer) = verify(&world, ana, &["--repair"]);
    assert_eq!(code, 0, "{answer:#}");
    for (source, collection) in [("gmail", ""), ("calendar", "primary"), ("drive", &drive)] {
        assert_eq!(
            counts(&answer, source, collection),
            [0, 0, 0, 1, 1],
            "{answer:#}"
        );
    }
    assert_eq!(failed(&shown(&world, ana)).len(), 0);
    world
        .wait("the sink holds all mail", |_| {
            world.archive_differences().is_empty()
        })
        .await;
    let (code, answer) = verify(&world, ana, &[]);
    assert_eq!(code, 0, "{answer:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_tries_failed_items_at_once() {
    let mut world = World::start(1, 20, 92).await;
    world.configure();
    let user = world.users().remove(0);
    world.start_daemon();
    world.wait_settled().await;
    world.google(
        "fault.on",
        &json!({ "user": user, "method": "gmail.users.messages.get", "status": 500 }),
    );
    let bad = world.insert(&user, "bad");
    world
        .wait("one failed item", |status| status["failed_items"] == 1)
        .await;
    assert_eq!(failed(&shown(&world, &user)), [["gmail".to_owned(), bad]]);
    world.google("fault.off", &json!({}));
    let (code, _, said) = world.run(&["user", "resync", &user]);
    assert_eq!(code, 0, "{said}");
    world
        .wait("it is repaired", |status| {
            status["failed_items"] == 0 && world.is_settled(status)
        })
        .await;
}
