//! Every method of Pub/Sub and the signing of service accounts. The client checks each answer.

use super::Person;
use crate::client::{Fake, now_secs, text};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

const TOPIC: &str = "/v1/projects/fake-workspace/topics/news";
const SUBSCRIPTION: &str = "/v1/projects/fake-workspace/subscriptions/reader";

#[tokio::test]
async fn every_method_of_pubsub_answers_as_described() {
    let fake = Fake::start().await;
    let account = Person::account(&fake, "https://www.googleapis.com/auth/pubsub").await;
    account.json("PUT", TOPIC, json!({})).await;
    account.get(TOPIC).await;
    let policy = json!({ "policy": { "bindings": [{
        "role": "roles/pubsub.publisher",
        "members": ["serviceAccount:gmail-api-push@system.gserviceaccount.com"],
    }] } });
    account.post(&format!("{TOPIC}:setIamPolicy"), policy).await;
    let body = json!({ "topic": "projects/fake-workspace/topics/news", "ackDeadlineSeconds": 30 });
    account.json("PUT", SUBSCRIPTION, body).await;
    account.get(SUBSCRIPTION).await;
    account
        .post(
            &format!("{SUBSCRIPTION}:pull"),
            json!({ "maxMessages": 10 }),
        )
        .await;
    let me = Person::gmail(&fake).await;
    let watch = json!({ "topicName": "projects/fake-workspace/topics/news" });
    me.post("/gmail/v1/users/me/watch", watch).await;
    let pulled = account
        .post(
            &format!("{SUBSCRIPTION}:pull"),
            json!({ "maxMessages": 10 }),
        )
        .await;
    let ids = json!([pulled["receivedMessages"][0]["ackId"]]);
    assert!(ids[0].is_string());
    account
        .post(
            &format!("{SUBSCRIPTION}:modifyAckDeadline"),
            json!({ "ackIds": ids, "ackDeadlineSeconds": 60 }),
        )
        .await;
    account
        .post(
            &format!("{SUBSCRIPTION}:acknowledge"),
            json!({ "ackIds": ids }),
        )
        .await;
    account.json("DELETE", SUBSCRIPTION, json!(null)).await;
    account.json("DELETE", TOPIC, json!(null)).await;
    fake.seen.assert_complete("pubsub");
}

#[tokio::test]
async fn signing_answers_as_described() {
    let fake = Fake::start().await;
    let url = format!(
        "{}/computeMetadata/v1/instance/service-accounts/default/token",
        fake.server.base()
    );
    let request = Request::get(url)
        .header("metadata-flavor", "Google")
        .body(Full::new(Bytes::new()))
        .expect("the request is well-formed");
    let token = fake.request(request).await.expect("an answer").json();
    let workload = Person {
        fake: &fake,
        address: String::new(),
        token: text(&token["access_token"]),
    };
    let email = text(&fake.key_file["client_email"]);
    let payload = json!({ "iss": email, "exp": now_secs() + 600 }).to_string();
    let path = format!("/v1/projects/-/serviceAccounts/{email}:signJwt");
    workload.post(&path, json!({ "payload": payload })).await;
    workload
        .call("POST", &path, "application/json", b"{}")
        .await;
    fake.seen.assert_complete("iamcredentials");
}
