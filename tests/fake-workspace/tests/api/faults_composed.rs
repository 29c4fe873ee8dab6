//! Faults that meet, repeat by seed, begin later, and forms of failure beyond a status.

use crate::client::{Fake, Mailbox, text};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use std::time::{Duration, Instant};

/// Statuses of so many calls of getProfile.
async fn statuses(mailbox: &Mailbox<'_>, n_calls: usize) -> Vec<u16> {
    let mut found = Vec::new();
    for _ in 0..n_calls {
        found.push(mailbox.get("profile").await.status);
    }
    found
}

#[tokio::test]
async fn latency_and_an_empty_page_come_together() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    fake.admin(
        "fault.on",
        json!({ "latency_ms": 30, "method": "gmail.users.messages.*" }),
    );
    fake.admin("fault.on", json!({ "latency_ms": 20 }));
    fake.admin("fault.on", json!({ "body": "empty_page", "count": 1 }));
    let start = Instant::now();
    let page = mailbox.json("messages").await;
    assert!(
        start.elapsed() >= Duration::from_millis(50),
        "delays add up"
    );
    assert!(page.get("messages").is_none() && page["nextPageToken"].is_string());
    assert!(mailbox.json("messages").await["messages"].is_array());
    assert_eq!(
        fake.admin("stats", json!({}))["faults"],
        2,
        "a call is hit once however many faults meet"
    );
}

#[tokio::test]
async fn of_two_refusals_the_older_comes_first_and_the_other_waits() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    fake.admin("fault.on", json!({ "status": 429, "count": 2 }));
    fake.admin("fault.on", json!({ "status": 503, "count": 1 }));
    assert_eq!(statuses(&mailbox, 4).await, [429, 429, 503, 200]);
}

#[tokio::test]
async fn faults_begin_after_n_calls_and_repeat_by_seed() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    fake.admin("fault.on", json!({ "status": 500, "after": 3, "count": 2 }));
    assert_eq!(
        statuses(&mailbox, 7).await,
        [200, 200, 200, 500, 500, 200, 200]
    );
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let fault = fake.admin(
            "fault.on",
            json!({ "status": 500, "probability": 0.5, "seed": seed }),
        );
        runs.push(statuses(&mailbox, 40).await);
        fake.admin("fault.off", fault);
    }
    assert_eq!(runs[0], runs[1], "the same seed, the same calls");
    assert_ne!(runs[0], runs[2]);
    let n_hit = runs[0].iter().filter(|status| **status == 500).count();
    assert!((8..=32).contains(&n_hit), "{n_hit}");
    for bad in [
        json!({ "probability": 2 }),
        json!({ "probability": "often" }),
        json!({ "after": -1 }),
        json!({ "count": 1.5 }),
    ] {
        assert!(fake.server.admin("fault.on", &bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn expired_cursor_hits_only_calls_that_have_one() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let start = mailbox.history_id().await;
    let token = text(&mailbox.json("messages?maxResults=1").await["nextPageToken"]);
    fake.admin("fault.on", json!({ "body": "expired_cursor", "count": 2 }));
    assert_eq!(mailbox.get("messages?maxResults=1").await.status, 200);
    let answer = mailbox
        .get(&format!("history?startHistoryId={start}"))
        .await;
    assert_eq!((answer.status, answer.reason().as_str()), (404, "notFound"));
    let answer = mailbox.get(&format!("messages?pageToken={token}")).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "invalidArgument")
    );
    assert_eq!(
        mailbox
            .get(&format!("history?startHistoryId={start}"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn reset_connection_has_done_what_it_was_asked() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    fake.admin(
        "fault.on",
        json!({ "body": "reset", "method": "gmail.users.messages.insert", "count": 1 }),
    );
    let body = json!({ "raw": "U3ViamVjdDogb25jZQ0KDQp4DQo", "labelIds": ["INBOX"] }).to_string();
    let request = Request::post(format!("{}/gmail/v1/users/me/messages", fake.server.base()))
        .header("authorization", format!("Bearer {}", mailbox.token))
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    assert!(fake.request(request).await.is_err());
    assert_eq!(mailbox.list("q=subject:once").await.len(), 1);
    assert_eq!(statuses(&mailbox, 1).await, [200]);
}

#[tokio::test]
async fn bad_item_is_unreadable_wherever_it_shows() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let ids = mailbox.list("").await;
    let thread = text(&mailbox.json(&format!("messages/{}", ids[0])).await["threadId"]);
    let fault = fake.admin("fault.on", json!({ "body": "bad_item", "id": ids[0] }));
    let get = async |id: &str, format: &str| {
        mailbox
            .json(&format!("messages/{id}?format={format}"))
            .await
    };
    let bad = get(&ids[0], "raw").await;
    assert_eq!(
        (text(&bad["id"]), text(&bad["threadId"])),
        (ids[0].clone(), thread.clone())
    );
    assert_eq!(bad["raw"], "%%not base64%%");
    assert_eq!(bad["internalDate"], "not a time");
    assert_eq!(
        get(&ids[0], "full").await["payload"]["headers"],
        json!([null])
    );
    let good = get(&ids[1], "full").await;
    assert!(text(&good["internalDate"]).parse::<i64>().is_ok());
    let in_thread = mailbox
        .json(&format!("threads/{thread}?format=minimal"))
        .await;
    let mut messages = in_thread["messages"].as_array().unwrap().iter();
    let spoiled = messages.find(|message| message["id"] == ids[0]).unwrap();
    assert_eq!(spoiled["internalDate"], "not a time");
    fake.admin("fault.off", fault);
    assert!(get(&ids[0], "raw").await["raw"].as_str().unwrap().len() > 20);
}
