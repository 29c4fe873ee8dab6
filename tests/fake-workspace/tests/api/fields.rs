//! The parameter `fields` as it goes for all APIs: what is kept, and what is refused before anything is done.

use crate::client::{Answer, DIRECTORY, FULL, Fake};
use serde_json::json;

const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
const DRIVE: &str = "https://www.googleapis.com/auth/drive";

/// The answer to a GET with a mask, its path written in full.
async fn get(fake: &Fake, token: &str, path: &str, mask: &str) -> Answer {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("fields", mask)
        .append_pair("customer", "my_customer")
        .finish();
    fake.send("GET", &format!("{path}?{query}"), Some(token), "")
        .await
}

#[tokio::test]
async fn names_that_an_answer_does_not_have_are_refused_in_all_apis() {
    let fake = Fake::start().await;
    let admin = fake.server.admin_user();
    for (scope, path, good, bad, named) in [
        (
            FULL,
            "/gmail/v1/users/me/messages",
            "messages(id, threadId), nextPageToken",
            "messages/subject",
            "subject",
        ),
        (
            CALENDAR,
            "/calendar/v3/calendars/primary/events",
            "items(start/dateTime,*/email)",
            "items(id,start,dateTime)",
            "dateTime",
        ),
        (
            DRIVE,
            "/drive/v3/files",
            "files(id,capabilities/canAddChildren)",
            "files(id,capabilities,canAddChildren)",
            "canAddChildren",
        ),
        (
            DIRECTORY,
            "/admin/directory/v1/users",
            "users(primaryEmail,name/*)",
            "users(primaryEmail",
            "users(primaryEmail",
        ),
    ] {
        fake.admin("delegation.grant", json!({ "scope": scope }));
        let token = fake.token(&admin, scope).await;
        let answer = get(&fake, &token, path, good).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let kept = answer.json();
        assert!(!kept.as_object().expect("an object").is_empty(), "{path}");
        let answer = get(&fake, &token, path, bad).await;
        let message = format!("Invalid field selection {named}");
        assert_eq!(
            answer.json(),
            json!({ "error": {
                "code": 400,
                "message": message,
                "errors": [{
                    "domain": "global",
                    "reason": "invalidParameter",
                    "message": message,
                    "locationType": "parameter",
                    "location": "fields",
                }],
                "status": "INVALID_ARGUMENT",
            } }),
            "{path}"
        );
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn a_whole_member_is_kept_whatever_else_is_said_of_its_parts() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(1).await;
    let id = mailbox.list("").await.remove(0);
    let whole = mailbox.json(&format!("messages/{id}?fields=payload")).await;
    for mask in [
        "payload,payload/headers",
        "payload/headers,payload",
        "payload(headers/name),payload/*",
    ] {
        let answer = mailbox.json(&format!("messages/{id}?fields={mask}")).await;
        let (answer, whole) = (&answer["payload"], &whole["payload"]);
        // Ids of attachments are new at each look.
        assert_eq!(answer["headers"], whole["headers"], "{mask}");
        assert_eq!(answer["mimeType"], whole["mimeType"], "{mask}");
        assert!(answer.get("body").is_some(), "{mask}");
    }
}

#[tokio::test]
async fn nothing_is_done_for_a_mask_that_is_refused() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(1).await;
    let labels = mailbox.json("labels").await;
    let answer = fake
        .send(
            "POST",
            "/gmail/v1/users/me/labels?fields=id,nonsense",
            Some(&mailbox.token),
            r#"{ "name": "new" }"#,
        )
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(mailbox.json("labels").await, labels);
}
