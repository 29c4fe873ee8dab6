//! history.list: a client that follows it alone ends with the truth.

use crate::client::{Fake, Mailbox, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type State = BTreeMap<String, BTreeSet<String>>;

fn labels(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn truth(mailbox: &Mailbox<'_>) -> State {
    mailbox.truth(true)["messages"]
        .as_array()
        .expect("truth has messages")
        .iter()
        .map(|message| (text(&message["id"]), labels(&message["labelIds"])))
        .collect()
}

/// All records after `start`, through small pages, and the id to go on from.
async fn follow(mailbox: &Mailbox<'_>, start: &str, parameters: &str) -> (Vec<Value>, String) {
    let mut records = Vec::new();
    let mut token = String::new();
    loop {
        let page = mailbox
            .json(&format!(
                "history?startHistoryId={start}{parameters}{token}"
            ))
            .await;
        records.extend(page["history"].as_array().into_iter().flatten().cloned());
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={next}"),
            None => return (records, text(&page["historyId"])),
        }
    }
}

fn fold(state: &mut State, record: &Value) {
    let list = |name: &str| record[name].as_array().cloned().unwrap_or_default();
    for added in list("messagesAdded") {
        state.insert(
            text(&added["message"]["id"]),
            labels(&added["message"]["labelIds"]),
        );
    }
    for change in list("labelsAdded") {
        let own = state
            .get_mut(&text(&change["message"]["id"]))
            .expect("labels go onto known mail");
        own.extend(labels(&change["labelIds"]));
    }
    for change in list("labelsRemoved") {
        let own = state
            .get_mut(&text(&change["message"]["id"]))
            .expect("labels go off known mail");
        own.retain(|label| !labels(&change["labelIds"]).contains(label));
    }
    for deleted in list("messagesDeleted") {
        state
            .remove(&text(&deleted["message"]["id"]))
            .expect("deleted mail was known");
    }
}

#[tokio::test]
async fn history_alone_leads_to_the_truth() {
    let fake = Fake::with(|options| options.messages = 120).await;
    let mailbox = fake.mailbox(1).await;
    let mut cursor = mailbox.history_id().await;
    let mut state = truth(&mailbox);
    let mut n_typeless = 0;
    for seed in 0..12 {
        let rounds = 1 + seed * 7;
        fake.admin(
            "churn",
            json!({ "user": mailbox.address, "seed": seed, "rounds": rounds }),
        );
        let page = [1, 3, 50, 500][seed % 4];
        let (records, next) = follow(&mailbox, &cursor, &format!("&maxResults={page}")).await;
        let mut last: u64 = cursor.parse().unwrap();
        for record in &records {
            let id: u64 = text(&record["id"]).parse().unwrap();
            assert!(id > last, "ids grow");
            last = id;
            assert!(record["messages"][0]["id"].is_string());
            n_typeless += usize::from(record.as_object().unwrap().len() == 2);
            fold(&mut state, record);
        }
        assert!(next.parse::<u64>().unwrap() >= last);
        cursor = next;
        assert_eq!(state, truth(&mailbox), "seed {seed}");
    }
    assert!(n_typeless > 0, "typeless records occur");
    // Nothing new: no `history` at all, and the same id.
    let page = mailbox
        .json(&format!("history?startHistoryId={cursor}"))
        .await;
    assert_eq!(page, json!({ "historyId": cursor }));
}

#[tokio::test]
async fn filters_leave_out_other_types_and_labels() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let cursor = mailbox.history_id().await;
    let id = mailbox.insert("Subject: a\r\n\r\nb\r\n", &["INBOX"]).await;
    let other = mailbox.insert("Subject: c\r\n\r\nd\r\n", &["SENT"]).await;
    mailbox
        .post(
            &format!("messages/{id}/modify"),
            &json!({ "addLabelIds": ["STARRED"], "removeLabelIds": ["INBOX"] }),
        )
        .await;
    assert_eq!(
        mailbox
            .call("DELETE", &format!("messages/{other}"), "")
            .await
            .status,
        204
    );
    for (filter, expected) in [
        (
            "&historyTypes=messageAdded",
            vec!["messagesAdded", "messagesAdded"],
        ),
        ("&historyTypes=messageDeleted", vec!["messagesDeleted"]),
        ("&historyTypes=labelAdded", vec!["labelsAdded"]),
        (
            "&historyTypes=labelAdded&historyTypes=labelRemoved",
            vec!["labelsAdded+labelsRemoved"],
        ),
        (
            "&labelId=SENT&historyTypes=messageAdded&historyTypes=messageDeleted",
            vec!["messagesAdded", "messagesDeleted"],
        ),
        (
            "&labelId=STARRED&historyTypes=labelAdded",
            vec!["labelsAdded"],
        ),
        ("&labelId=Label_1", vec![]),
    ] {
        let (records, _) = follow(&mailbox, &cursor, &format!("{filter}&maxResults=1")).await;
        let kinds: Vec<String> = records
            .iter()
            .map(|record| {
                let members = record.as_object().unwrap().keys().map(String::as_str);
                let typed: Vec<&str> = members
                    .filter(|name| !["id", "messages"].contains(name))
                    .collect();
                typed.join("+")
            })
            .collect();
        assert_eq!(kinds, expected, "{filter}");
    }
}

#[tokio::test]
async fn expired_start_is_not_found_and_the_new_one_works() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let old = mailbox.history_id().await;
    assert_eq!(
        mailbox
            .get(&format!("history?startHistoryId={old}"))
            .await
            .status,
        200
    );
    let start =
        text(&fake.admin("history.expire", json!({ "user": mailbox.address }))["startHistoryId"]);
    let answer = mailbox.get(&format!("history?startHistoryId={old}")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (404, "notFound"));
    assert_eq!(
        answer.json()["error"]["message"],
        "Requested entity was not found."
    );
    assert_eq!(mailbox.history_id().await, start);
    let id = mailbox.insert("Subject: a\r\n\r\nb\r\n", &["INBOX"]).await;
    let (records, _) = follow(&mailbox, &start, "").await;
    assert_eq!(records[0]["messagesAdded"][0]["message"]["id"], id);
}

#[tokio::test]
async fn garbled_parameters_are_refused() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let start = mailbox.history_id().await;
    for (query, message) in [
        (String::new(), "Missing/invalid parameter: startHistoryId"),
        (
            "startHistoryId=abc".to_owned(),
            "Missing/invalid parameter: startHistoryId",
        ),
        (
            "startHistoryId=-1".to_owned(),
            "Missing/invalid parameter: startHistoryId",
        ),
        (
            "startHistoryId=99999999999999999999999".to_owned(),
            "Missing/invalid parameter: startHistoryId",
        ),
        (
            format!("startHistoryId={start}&pageToken=xx"),
            "Invalid pageToken",
        ),
        (
            format!("startHistoryId={start}&historyTypes=everything"),
            "Invalid value at 'history_types'",
        ),
        (
            format!("startHistoryId={start}&maxResults=-3"),
            "Invalid value at 'max_results'",
        ),
    ] {
        let answer = mailbox.get(&format!("history?{query}")).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "invalidArgument"),
            "{query}"
        );
        let actual = text(&answer.json()["error"]["message"]);
        assert!(actual.starts_with(message), "{query}: {actual}");
    }
    assert_eq!(mailbox.get("history?startHistoryId=1").await.status, 404);
    assert_eq!(
        mailbox
            .get("history?startHistoryId=18446744073709551615")
            .await
            .status,
        404
    );
}
