//! Drafts, where they are wanted: one item each, whatever is behind it, from its beginning until it
//! is sent or discarded.

use nuncio_tests::{World, is_idle};
use serde_json::{Value, json};

const LIST: &str = "gmail.users.drafts.list";

/// A world with one user whose drafts are wanted.
async fn one_user(seed: u64) -> (World, String) {
    let world = World::start(1, 30, seed).await;
    world.configure();
    world.change_config("[sync]", "[sync]\ninclude_drafts = true");
    let user = world.users().remove(0);
    (world, user)
}

/// Makes a draft, or puts another message behind one: its id.
fn save(world: &World, user: &str, id: Option<&str>, subject: &str) -> String {
    let text =
        format!("From: <{user}>\r\nTo: <a@b.example>\r\nSubject: {subject}\r\n\r\nOffer\r\n");
    let mut question = json!({ "user": user, "text": text });
    if let Some(id) = id {
        question["id"] = json!(id);
    }
    let saved = world.google("gmail.draft", &question);
    saved["id"].as_str().unwrap().to_owned()
}

/// The message behind a draft.
fn behind(world: &World, user: &str, id: &str) -> String {
    let truth = world.google("truth", &json!({ "user": user }));
    let drafts = truth["drafts"].as_array().unwrap();
    let draft = drafts.iter().find(|draft| draft["id"] == id).unwrap();
    draft["message"]["id"].as_str().unwrap().to_owned()
}

fn discard(world: &World, user: &str, id: &str) {
    world.google("gmail.draft.delete", &json!({ "user": user, "id": id }));
}

/// What was told of a draft: changes and subjects, or causes of deletions.
fn told(world: &World, user: &str, id: &str) -> Vec<String> {
    let key = format!("/draft:{id}");
    let lines = world.lines(user).into_iter();
    lines
        .filter(|line| line["key"].as_str().unwrap().ends_with(&key))
        .map(|line| {
            let change = line["change"].as_str().unwrap();
            let what = match change {
                "deleted" => &line["deleted"]["cause"],
                _ => {
                    assert_eq!(line["email"]["draft_id"], id);
                    &line["email"]["subject"]
                }
            };
            format!("{change} {}", what.as_str().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_one_item_until_it_is_sent_or_discarded() {
    let (mut world, user) = one_user(61).await;
    let early = save(&world, &user, None, "Early");
    world.start_daemon();
    world.wait_settled().await;
    assert_eq!(told(&world, &user, &early), ["created Early"]);

    // Each step is seen, so that none is skipped over.
    let draft = save(&world, &user, None, "First");
    world.wait_settled().await;
    save(&world, &user, Some(&draft), "First");
    world.wait_settled().await;
    save(&world, &user, Some(&draft), "Another thread");
    world.wait_settled().await;
    let message = behind(&world, &user, &draft);
    world.relabel(&user, &message, &["STARRED"], &[]);
    world.wait_settled().await;
    assert_eq!(
        told(&world, &user, &draft),
        [
            "created First",
            "updated First",
            "updated Another thread",
            "updated Another thread"
        ]
    );
    let sent = world.google("gmail.draft.send", &json!({ "user": user, "id": draft }));
    let sent = sent["id"].as_str().unwrap();
    discard(&world, &user, &early);
    world.wait_settled().await;
    assert_eq!(
        told(&world, &user, &draft).pop().unwrap(),
        "deleted removed"
    );
    assert_eq!(
        told(&world, &user, &early),
        ["created Early", "deleted removed"]
    );
    let lines = world.lines(&user);
    let of_sent: Vec<&Value> = lines
        .iter()
        .filter(|line| line["key"].as_str().unwrap().ends_with(sent))
        .collect();
    let [of_sent] = of_sent.as_slice() else {
        panic!("the sent mail is told once: {of_sent:?}")
    };
    assert_eq!(of_sent["change"], "created");
    assert_eq!(of_sent["email"]["draft_id"], Value::Null);

    // Without drafts in the history none are listed.
    world.forget_calls();
    world.insert(&user, "no-draft");
    world.wait_settled().await;
    assert_eq!(world.calls(&user, LIST), 0);
    save(&world, &user, None, "Last");
    world.wait_settled().await;
    assert_eq!(world.calls(&user, LIST), 1, "one for the page of history");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_drafts_in_a_gap_comes_with_the_resync() {
    let (mut world, user) = one_user(62).await;
    let drafts: Vec<String> = ["Edited", "Discarded", "Starred", "Same", "Sent"]
        .into_iter()
        .map(|subject| save(&world, &user, None, subject))
        .collect();
    world.start_daemon();
    world.wait_settled().await;
    world.kill_daemon();
    save(&world, &user, Some(&drafts[0]), "Edited in the gap");
    discard(&world, &user, &drafts[1]);
    let starred = behind(&world, &user, &drafts[2]);
    world.relabel(&user, &starred, &["STARRED"], &[]);
    world.google(
        "gmail.draft.send",
        &json!({ "user": user, "id": drafts[4] }),
    );
    let new = save(&world, &user, None, "New");
    world.google("history.expire", &json!({ "user": user }));
    world.start_daemon();
    world.wait_settled().await;
    for (id, expected) in [
        (
            &drafts[0],
            &["created Edited", "updated Edited in the gap"][..],
        ),
        (&drafts[1], &["created Discarded", "deleted removed"]),
        (&drafts[2], &["created Starred", "updated Starred"]),
        (&drafts[3], &["created Same"]),
        (&drafts[4], &["created Sent", "deleted removed"]),
        (&new, &["created New"]),
    ] {
        assert_eq!(told(&world, &user, id), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_come_and_go_with_the_config() {
    let (mut world, user) = one_user(63).await;
    let draft = save(&world, &user, None, "Wanted");
    world.change_config("include_drafts = true", "include_drafts = false");
    world.start_daemon();
    world.wait_settled().await;
    assert!(told(&world, &user, &draft).is_empty());
    assert_eq!(world.calls(&user, LIST), 0);
    for (from, to) in [("false", "true"), ("true", "false")] {
        assert_eq!(world.stop_daemon().await, 0);
        let key = "include_drafts = ";
        world.change_config(&format!("{key}{from}"), &format!("{key}{to}"));
        world.start_daemon();
        world.wait_settled().await;
    }
    let expected = ["created Wanted", "deleted out_of_scope"];
    assert_eq!(told(&world, &user, &draft), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_cannot_be_read_is_listed_and_stops_no_other() {
    let (mut world, user) = one_user(64).await;
    world.start_daemon();
    world.wait_settled().await;
    let bad = save(&world, &user, None, "Bad");
    let id = json!({ "method": "gmail.users.drafts.get", "id": bad, "status": 500 });
    world.google("fault.on", &id);
    let good = save(&world, &user, None, "Good");
    let status = |status: &Value| status["failed_items"] == 1 && is_idle(status);
    world.wait("one failed item", status).await;
    world
        .wait("the other draft", |_| {
            told(&world, &user, &good) == ["created Good"]
        })
        .await;
    let (code, said, _) = world.run(&["user", "show", &user]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("draft:{bad}")), "{said}");
    world.google("fault.off", &json!({}));
    let (code, _, said) = world.run(&["user", "resync", &user]);
    assert_eq!(code, 0, "{said}");
    world.wait_settled().await;
    assert_eq!(told(&world, &user, &bad), ["created Bad"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_finds_what_is_wrong_with_drafts_and_mends_it() {
    let (mut world, user) = one_user(65).await;
    let drafts: Vec<String> = ["Edited", "Discarded", "Starred", "Same"]
        .into_iter()
        .map(|subject| save(&world, &user, None, subject))
        .collect();
    world.start_daemon();
    world.wait_settled().await;
    // Changes that no change log tells.
    let hidden = |op: &str, mut question: Value| {
        question["op"] = json!(op);
        question["user"] = json!(user);
        world.google("feed.hide", &question)
    };
    let text = "Subject: Edited unseen\r\n\r\n";
    hidden("gmail.draft", json!({ "id": drafts[0], "text": text }));
    hidden("gmail.draft.delete", json!({ "id": drafts[1] }));
    let starred = behind(&world, &user, &drafts[2]);
    hidden(
        "gmail.modify",
        json!({ "id": starred, "addLabelIds": ["STARRED"] }),
    );
    let new = hidden("gmail.draft", json!({ "text": "Subject: New\r\n\r\n" }));
    let new = new["id"].as_str().unwrap();
    let verify = |more: &[&str]| {
        let mut arguments = vec!["user", "verify", &user, "--source", "gmail", "--json"];
        arguments.extend(more);
        let (code, said, error) = world.run(&arguments);
        let report: Value = serde_json::from_str(&said).expect(&error);
        let feed = &report["feeds"][0];
        (
            code,
            [
                feed["missing"].clone(),
                feed["extra"].clone(),
                feed["stale"].clone(),
            ],
        )
    };
    assert_eq!(verify(&[]), (1, [json!(1), json!(1), json!(2)]));
    verify(&["--repair"]);
    world.wait_settled().await;
    assert_eq!(verify(&[]), (0, [json!(0), json!(0), json!(0)]));
    assert_eq!(told(&world, &user, new), ["created New"]);
    assert_eq!(told(&world, &user, &drafts[3]), ["created Same"]);
}
