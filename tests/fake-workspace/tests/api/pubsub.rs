//! watch, stop and the pull subscription that hears of changes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::client::{Fake, Mailbox, now_secs, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const PUBSUB: &str = "https://www.googleapis.com/auth/pubsub";
const TOPIC: &str = "projects/fake-workspace/topics/mail";
const SUBSCRIPTION: &str = "/v1/projects/fake-workspace/subscriptions/nuncio";

/// The service account with its own identity, as it pulls.
struct Account<'a> {
    fake: &'a Fake,
    token: String,
}

impl<'a> Account<'a> {
    async fn new(fake: &'a Fake) -> Self {
        let mut claims = fake.claims("", PUBSUB);
        claims.as_object_mut().unwrap().remove("sub");
        let answer = fake.exchange(&fake.assertion(&claims)).await;
        let token = text(&answer.json()["access_token"]);
        Self { fake, token }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let answer = self
            .fake
            .send(method, path, Some(&self.token), &body.to_string())
            .await;
        (answer.status, answer.json())
    }

    /// Ack ids with what was told: address and history id.
    async fn pull(&self, most: u64) -> Vec<(String, String, u64)> {
        let (status, answer) = self
            .call(
                "POST",
                &format!("{SUBSCRIPTION}:pull"),
                json!({ "maxMessages": most }),
            )
            .await;
        assert_eq!(status, 200, "{answer}");
        let received = answer["receivedMessages"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        received
            .iter()
            .map(|one| {
                assert!(text(&one["message"]["publishTime"]).ends_with('Z'));
                let data = STANDARD.decode(text(&one["message"]["data"])).unwrap();
                let data: Value = serde_json::from_slice(&data).unwrap();
                (
                    text(&one["ackId"]),
                    text(&data["emailAddress"]),
                    text(&data["historyId"]).parse().unwrap(),
                )
            })
            .collect()
    }

    async fn ack(&self, ids: Vec<String>) {
        if ids.is_empty() {
            return;
        }
        let (status, _) = self
            .call(
                "POST",
                &format!("{SUBSCRIPTION}:acknowledge"),
                json!({ "ackIds": ids }),
            )
            .await;
        assert_eq!(status, 200);
    }
}

async fn watch(mailbox: &Mailbox<'_>, body: Value) -> Value {
    let answer = mailbox.post("watch", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn watch_needs_a_topic_that_gmail_may_publish_to() {
    let fake = Fake::start().await;
    let (account, mailbox) = (Account::new(&fake).await, fake.mailbox(0).await);
    let body = json!({ "topicName": TOPIC });
    let refused = async |body: &Value| {
        let answer = mailbox.post("watch", body).await;
        (answer.status, text(&answer.json()["error"]["message"]))
    };
    assert_eq!(
        refused(&body).await,
        (
            404,
            format!(
                "Error sending test message to Cloud PubSub {TOPIC} : Resource not found (resource=mail)."
            )
        )
    );
    let path = format!("/v1/{TOPIC}");
    assert_eq!(
        account.call("PUT", &path, json!({})).await,
        (200, json!({ "name": TOPIC }))
    );
    assert_eq!(
        account.call("GET", &path, json!({})).await,
        (200, json!({ "name": TOPIC }))
    );
    let again = account.call("PUT", &path, json!({})).await;
    assert_eq!(
        (again.0, text(&again.1["error"]["status"])),
        (409, "ALREADY_EXISTS".to_owned())
    );
    assert_eq!(
        refused(&body).await,
        (
            403,
            format!(
                "Error sending test message to Cloud PubSub {TOPIC} : User not authorized to perform this action."
            )
        )
    );
    let policy = json!({ "policy": { "bindings": [{
        "role": "roles/pubsub.publisher", "members": ["serviceAccount:gmail-api-push@system.gserviceaccount.com"],
    }] } });
    assert_eq!(
        account
            .call("POST", &format!("{path}:setIamPolicy"), policy)
            .await
            .0,
        200
    );
    let watched = watch(&mailbox, body.clone()).await;
    assert_eq!(watched["historyId"], mailbox.history_id().await);
    let left = text(&watched["expiration"]).parse::<i64>().unwrap() / 1000 - now_secs();
    assert!((7 * 86_400 - 60..=7 * 86_400).contains(&left), "{left}");
    watch(&mailbox, body).await;

    fake.admin("pubsub.setup", json!({ "topic": "other" }));
    for (body, message) in [
        (
            json!({ "topicName": "projects/fake-workspace/topics/other" }),
            "Only one user push notification client allowed per developer",
        ),
        (
            json!({ "topicName": "projects/elsewhere/topics/mail" }),
            "Invalid topicName does not match projects/fake-workspace/topics/*",
        ),
        (json!({}), "Invalid topicName"),
        (
            json!({ "topicName": TOPIC, "labelIds": ["NOPE"] }),
            "Invalid label: NOPE",
        ),
        (
            json!({ "topicName": TOPIC, "labelFilterBehavior": "some" }),
            "Invalid value at 'labelFilterBehavior'",
        ),
    ] {
        let (status, actual) = refused(&body).await;
        assert_eq!(status, 400, "{body}");
        assert!(actual.starts_with(message), "{actual}");
    }
    assert_eq!(mailbox.post("stop", &json!({})).await.status, 204);
    watch(
        &mailbox,
        json!({ "topicName": "projects/fake-workspace/topics/other" }),
    )
    .await;
}

#[tokio::test]
async fn changes_are_told_until_stop_and_come_again_without_an_ack() {
    let fake = Fake::start().await;
    let (account, mailbox) = (Account::new(&fake).await, fake.mailbox(0).await);
    fake.admin(
        "pubsub.setup",
        json!({ "topic": "mail", "subscription": "nuncio" }),
    );
    assert!(account.pull(10).await.is_empty());
    let start = watch(&mailbox, json!({ "topicName": TOPIC })).await;
    let first = account.pull(10).await;
    assert_eq!(first.len(), 1, "a watch tells at once");
    assert_eq!(first[0].1, mailbox.address);
    assert_eq!(first[0].2.to_string(), text(&start["historyId"]));
    account.ack(vec![first[0].0.clone()]).await;

    mailbox.insert("Subject: a\r\n\r\nb\r\n", &["INBOX"]).await;
    let news = account.pull(10).await;
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].2.to_string(), mailbox.history_id().await);
    assert!(
        account.pull(10).await.is_empty(),
        "handed out, and not yet late"
    );
    // Google's own clients leave the zero out.
    let back = json!({ "ackIds": [news[0].0] });
    assert_eq!(
        account
            .call("POST", &format!("{SUBSCRIPTION}:modifyAckDeadline"), back)
            .await
            .0,
        200
    );
    let again = account.pull(10).await;
    assert_eq!((again.len(), again[0].2), (1, news[0].2), "it comes again");
    assert_ne!(again[0].0, news[0].0);
    account
        .ack(vec![again[0].0.clone(), "unknown".to_owned()])
        .await;

    assert_eq!(mailbox.post("stop", &json!({})).await.status, 204);
    mailbox.insert("Subject: c\r\n\r\nd\r\n", &["INBOX"]).await;
    assert!(account.pull(10).await.is_empty());
}

#[tokio::test]
async fn label_filter_includes_or_excludes() {
    let fake = Fake::start().await;
    let (account, mailbox) = (Account::new(&fake).await, fake.mailbox(0).await);
    fake.admin(
        "pubsub.setup",
        json!({ "topic": "mail", "subscription": "nuncio" }),
    );
    for (behavior, label, told) in [
        ("include", "INBOX", true),
        ("include", "SENT", false),
        ("EXCLUDE", "INBOX", false),
        ("exclude", "SENT", true),
    ] {
        watch(
            &mailbox,
            json!({ "topicName": TOPIC, "labelIds": [label], "labelFilterBehavior": behavior }),
        )
        .await;
        let first = account.pull(10).await;
        account
            .ack(first.into_iter().map(|one| one.0).collect())
            .await;
        mailbox.insert("Subject: a\r\n\r\nb\r\n", &["INBOX"]).await;
        assert_eq!(
            account.pull(10).await.len(),
            usize::from(told),
            "{behavior} {label}"
        );
    }
}

#[tokio::test]
async fn unreliable_delivery_repeats_and_loses_as_its_seed_says() {
    let fake = Fake::with(|options| options.users = 4).await;
    let account = Account::new(&fake).await;
    fake.admin(
        "pubsub.setup",
        json!({ "topic": "mail", "subscription": "nuncio" }),
    );
    let mut counts = Vec::new();
    for faults in [
        json!({}),
        json!({ "duplicate": 1 }),
        json!({ "lose": 1 }),
        json!({ "duplicate": 0.5, "reorder": 0.5, "seed": 3 }),
        json!({ "duplicate": 0.5, "reorder": 0.5, "seed": 3 }),
    ] {
        fake.admin("pubsub.unreliable", faults);
        for number in 0..4 {
            watch(&fake.mailbox(number).await, json!({ "topicName": TOPIC })).await;
        }
        let got = account.pull(100).await;
        account
            .ack(got.iter().map(|one| one.0.clone()).collect())
            .await;
        counts.push(got.into_iter().map(|one| one.1).collect::<Vec<_>>());
    }
    assert_eq!(
        (counts[0].len(), counts[1].len(), counts[2].len()),
        (4, 8, 0)
    );
    assert!(counts[3].len() > 4, "{:?}", counts[3]);
    assert_ne!(counts[3], counts[0]);
    assert_eq!(counts[3], counts[4], "the same seed does the same");
    assert!(
        fake.server
            .admin("pubsub.unreliable", &json!({ "lose": 2 }))
            .is_err()
    );
}

#[tokio::test]
async fn pubsub_refuses_strangers_and_garbage() {
    let fake = Fake::start().await;
    let (account, mailbox) = (Account::new(&fake).await, fake.mailbox(0).await);
    fake.admin(
        "pubsub.setup",
        json!({ "topic": "mail", "subscription": "nuncio" }),
    );
    assert_eq!(
        fake.send("GET", SUBSCRIPTION, Some(&mailbox.token), "")
            .await
            .status,
        403
    );
    assert_eq!(fake.send("GET", SUBSCRIPTION, None, "").await.status, 401);
    let made = "/v1/projects/fake-workspace/subscriptions/more";
    let body = json!({ "topic": TOPIC, "ackDeadlineSeconds": 30 });
    let (status, answer) = account.call("PUT", made, body.clone()).await;
    assert_eq!((status, &answer["ackDeadlineSeconds"]), (200, &json!(30)));
    assert_eq!(account.call("GET", made, json!({})).await, (200, answer));
    for (method, path, body, expected) in [
        ("PUT", made, body.clone(), 409),
        (
            "PUT",
            "/v1/projects/fake-workspace/subscriptions/x",
            body.clone(),
            400,
        ),
        (
            "PUT",
            "/v1/projects/fake-workspace/subscriptions/goog-x",
            body,
            400,
        ),
        (
            "PUT",
            "/v1/projects/fake-workspace/subscriptions/new",
            json!({ "topic": "no" }),
            404,
        ),
        (
            "PUT",
            "/v1/projects/fake-workspace/subscriptions/new",
            json!({ "topic": TOPIC, "ackDeadlineSeconds": 601 }),
            400,
        ),
        (
            "GET",
            "/v1/projects/fake-workspace/topics/none",
            json!({}),
            404,
        ),
        ("GET", "/v1/projects/elsewhere/topics/mail", json!({}), 403),
        (
            "POST",
            "/v1/projects/fake-workspace/subscriptions/none:pull",
            json!({ "maxMessages": 1 }),
            404,
        ),
        (
            "POST",
            "/v1/projects/fake-workspace/subscriptions/nuncio:pull",
            json!({}),
            400,
        ),
        (
            "POST",
            "/v1/projects/fake-workspace/subscriptions/nuncio:acknowledge",
            json!({}),
            400,
        ),
        (
            "POST",
            "/v1/projects/fake-workspace/subscriptions/nuncio:acknowledge",
            json!({ "ackIds": [7] }),
            400,
        ),
        (
            "POST",
            "/v1/projects/fake-workspace/subscriptions/nuncio:fly",
            json!({}),
            404,
        ),
        (
            "POST",
            "/v1/projects/fake-workspace/subscriptions/:pull",
            json!({}),
            404,
        ),
        ("DELETE", made, json!({}), 200),
        ("DELETE", made, json!({}), 404),
        (
            "DELETE",
            "/v1/projects/fake-workspace/topics/mail",
            json!({}),
            200,
        ),
        (
            "DELETE",
            "/v1/projects/fake-workspace/topics/mail",
            json!({}),
            404,
        ),
    ] {
        let (status, answer) = account.call(method, path, body).await;
        assert_eq!(status, expected, "{method} {path} {answer}");
    }
    let (_, left) = account.call("GET", SUBSCRIPTION, json!({})).await;
    assert_eq!(left["topic"], "_deleted-topic_");
}

#[tokio::test]
async fn the_account_may_sign_for_itself_instead_of_asking_for_a_token() {
    let fake = Fake::start().await;
    fake.admin(
        "pubsub.setup",
        json!({ "topic": "mail", "subscription": "nuncio" }),
    );
    let own = |change: &dyn Fn(&mut Value)| {
        let now = now_secs();
        let email = &fake.key_file["client_email"];
        let mut claims = json!({ "iss": email, "sub": email, "iat": now, "exp": now + 3600 });
        change(&mut claims);
        fake.assertion(&claims)
    };
    let status = async |token: String| {
        let token = Some(token.as_str());
        fake.send("GET", SUBSCRIPTION, token, "").await.status
    };
    let audience = |claims: &mut Value| claims["aud"] = json!("https://pubsub.googleapis.com/");
    assert_eq!(status(own(&audience)).await, 200);
    let scope = |claims: &mut Value| claims["scope"] = json!(PUBSUB);
    assert_eq!(status(own(&scope)).await, 200);
    let other = |claims: &mut Value| claims["aud"] = json!("https://gmail.googleapis.com/");
    assert_eq!(status(own(&other)).await, 401);
    let narrow = |claims: &mut Value| claims["scope"] = json!(crate::client::READONLY);
    assert_eq!(status(own(&narrow)).await, 403);
    // Nobody else's name, no old one, and nothing that another key signed.
    let user = json!(fake.server.users()[0]);
    let delegated = |claims: &mut Value| {
        scope(claims);
        claims["sub"] = user.clone();
    };
    assert_eq!(status(own(&delegated)).await, 401);
    let past = |claims: &mut Value| {
        audience(claims);
        claims["iat"] = json!(now_secs() - 3700);
        claims["exp"] = json!(now_secs() - 100);
    };
    assert_eq!(status(own(&past)).await, 401);
    let good = own(&audience);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let signature: String = signature.chars().rev().collect();
    assert_eq!(status(format!("{signed}.{signature}")).await, 401);
}
