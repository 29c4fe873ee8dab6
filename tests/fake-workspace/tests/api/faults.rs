//! Faults, counters and the trickle, as tests of a daemon use them.

use crate::client::{Fake, READONLY, text};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

#[tokio::test]
async fn fault_hits_what_it_names_and_only_so_often() {
    let fake = Fake::start().await;
    let (first, second) = (fake.mailbox(0).await, fake.mailbox(1).await);
    fake.admin(
        "fault.on",
        json!({
            "user": first.address, "method": "gmail.users.getProfile", "status": 429,
            "reason": "rateLimitExceeded", "retry_after": 7, "count": 2,
        }),
    );
    assert_eq!(second.get("profile").await.status, 200);
    assert_eq!(first.get("labels").await.status, 200);
    for _ in 0..2 {
        let answer = first.get("profile").await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (429, "rateLimitExceeded")
        );
        assert_eq!(answer.headers["retry-after"], "7");
        assert_eq!(answer.json()["error"]["errors"][0]["domain"], "usageLimits");
    }
    assert_eq!(first.get("profile").await.status, 200);
    assert_eq!(fake.admin("stats", json!({}))["faults"], 2);
}

#[tokio::test]
async fn fault_of_one_item_lasts_until_it_is_off() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let ids = mailbox.list("").await;
    let fault = fake.admin(
        "fault.on",
        json!({ "method": "gmail.users.messages.*", "id": ids[0], "status": 500 }),
    );
    for _ in 0..3 {
        assert_eq!(
            mailbox.get(&format!("messages/{}", ids[0])).await.status,
            500
        );
        assert_eq!(
            mailbox.get(&format!("messages/{}", ids[1])).await.status,
            200
        );
    }
    assert_eq!(fake.admin("fault.off", fault)["removed"], 1);
    assert_eq!(
        mailbox.get(&format!("messages/{}", ids[0])).await.status,
        200
    );
    assert!(
        fake.server
            .admin("fault.on", &json!({ "stauts": 500 }))
            .is_err()
    );
    assert!(
        fake.server
            .admin("fault.on", &json!({ "body": "torn" }))
            .is_err()
    );
    assert!(
        fake.server
            .admin("fault.on", &json!({ "status": 1000 }))
            .is_err()
    );
}

#[tokio::test]
async fn bodies_can_be_html_empty_or_cut() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    fake.admin(
        "fault.on",
        json!({ "body": "html", "status": 503, "count": 1 }),
    );
    let answer = mailbox.get("profile").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.starts_with("<!DOCTYPE html>"));
    fake.admin(
        "fault.on",
        json!({ "body": "empty", "status": 502, "count": 1 }),
    );
    let answer = mailbox.get("profile").await;
    assert_eq!((answer.status, answer.text.as_str()), (502, ""));
    fake.admin("fault.on", json!({ "body": "cut", "count": 1 }));
    let request = Request::get(format!("{}/gmail/v1/users/me/profile", fake.server.base()))
        .header("authorization", format!("Bearer {}", mailbox.token))
        .body(Full::new(Bytes::new()))
        .unwrap();
    assert!(fake.request(request).await.is_err());
    assert_eq!(mailbox.get("profile").await.status, 200);
}

#[tokio::test]
async fn empty_page_has_a_token_that_leads_on() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let expected = mailbox.list("maxResults=5").await;
    fake.admin(
        "fault.on",
        json!({ "method": "gmail.users.messages.list", "body": "empty_page", "count": 2 }),
    );
    let page = mailbox.json("messages?maxResults=5").await;
    assert!(page.get("messages").is_none());
    let token = text(&page["nextPageToken"]);
    assert_eq!(
        mailbox.list_from("maxResults=5", Some(token)).await,
        expected
    );
    assert_eq!(mailbox.list("maxResults=5").await, expected);
}

#[tokio::test]
async fn token_endpoint_fails_on_demand() {
    let fake = Fake::start().await;
    let users = fake.server.users();
    fake.admin("fault.on", json!({ "user": users[1], "method": "oauth.token", "status": 401, "reason": "unauthorized_client", "message": "no", "count": 1 }));
    assert_eq!(
        fake.exchange(&fake.assertion(&fake.claims(&users[0], READONLY)))
            .await
            .status,
        200
    );
    let answer = fake
        .exchange(&fake.assertion(&fake.claims(&users[1], READONLY)))
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json(),
        json!({ "error": "unauthorized_client", "error_description": "no" })
    );
    let calls = &fake.admin("stats", json!({}))["calls"];
    assert_eq!(calls[&users[1]]["oauth.token"], 1);
}

#[tokio::test]
async fn calls_are_counted_by_user_and_method() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(1).await;
    let id = mailbox.list("maxResults=500").await[0].clone();
    for _ in 0..3 {
        mailbox.get(&format!("messages/{id}")).await;
    }
    mailbox.get("messages/123").await;
    let stats = fake.admin("stats", json!({ "reset": true }));
    assert_eq!(
        stats["calls"][&mailbox.address],
        json!({ "gmail.users.messages.get": 4, "gmail.users.messages.list": 1, "oauth.token": 1 })
    );
    assert_eq!(
        stats["refusals"][&mailbox.address]["gmail.users.messages.get 404"],
        1
    );
    assert_eq!(stats["max_in_flight"][&mailbox.address], 1);
    assert_eq!(fake.admin("stats", json!({}))["calls"], json!({}));
}

#[tokio::test]
async fn trickle_changes_mailboxes_until_it_is_stopped() {
    let fake = Fake::with(|options| options.rate = 500.0).await;
    let states = || {
        let users = fake.server.users();
        users
            .iter()
            .map(|user| text(&fake.admin("truth", json!({ "user": user }))["historyId"]))
            .collect::<Vec<_>>()
    };
    let start = states();
    let moved = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while states().iter().zip(&start).any(|(now, then)| now == then) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    moved.await.expect("every mailbox changes");
    fake.admin("stop_rate", json!({}));
    let quiet = states();
    // At 500 a second a trickle that goes on would show within this time; a short one cannot fail wrongly.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(states(), quiet);
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_googles_envelope() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "//"),
        ("GET", "/gmail/v1/users/me/nothing"),
        ("PUT", "/gmail/v1/users/me/messages"),
        ("GET", "/gmail/v1/users//profile"),
        ("GET", "/gmail/v1/users/me/messages/%ff%00/modify"),
        ("GET", "/token"),
    ] {
        let answer = fake.send(method, path, Some(&mailbox.token), "").await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (404, "notFound"),
            "{method} {path}"
        );
    }
}
