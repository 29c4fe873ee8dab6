//! Labels of the user's own: made, changed, deleted, and what Gmail refuses.

use crate::client::{Fake, text};
use serde_json::{Value, json};

#[tokio::test]
async fn label_lives_through_create_patch_update_and_delete() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let color = json!({ "textColor": "#000000", "backgroundColor": "#fb4c2f" });
    let body = json!({ "name": " Work/Now ", "labelListVisibility": "labelHide", "color": color });
    let created = mailbox.post("labels", &body).await.json();
    let id = text(&created["id"]);
    let expected = json!({
        "id": id, "name": "Work/Now", "type": "user", "messageListVisibility": "show",
        "labelListVisibility": "labelHide", "color": color,
    });
    assert_eq!(created, expected);
    let path = format!("labels/{id}");
    let call = async |method: &str, body: Value| {
        let answer = mailbox.call(method, &path, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let patched = call("PATCH", json!({ "messageListVisibility": "hide" })).await;
    assert_eq!(patched["messageListVisibility"], "hide");
    assert_eq!(patched["color"], color, "a patch leaves the rest");
    let renamed = call("PUT", json!({ "id": id, "name": "work/NOW" })).await;
    assert_eq!(renamed["name"], "work/NOW", "its own name is not taken");
    assert!(renamed.get("color").is_none(), "an update replaces all");
    assert_eq!(renamed["labelListVisibility"], "labelShow");

    let mail = mailbox
        .insert("Subject: a\r\n\r\nb\r\n", &["INBOX", &id])
        .await;
    let start = mailbox.history_id().await;
    assert_eq!(
        mailbox.list("q=label:work-now").await,
        std::slice::from_ref(&mail)
    );
    assert_eq!(mailbox.call("DELETE", &path, "").await.status, 204);
    let minimal = mailbox
        .json(&format!("messages/{mail}?format=minimal"))
        .await;
    assert_eq!(minimal["labelIds"], json!(["INBOX"]));
    let history = mailbox
        .json(&format!("history?startHistoryId={start}"))
        .await;
    assert_eq!(
        history["history"][0]["labelsRemoved"][0]["labelIds"],
        json!([id])
    );
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let answer = mailbox
            .call(method, &path, &json!({ "name": "x" }).to_string())
            .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (404, "notFound"),
            "{method}"
        );
    }
    let again = mailbox
        .post("labels", &json!({ "name": "work/now" }))
        .await
        .json();
    assert_ne!(again["id"], id, "ids are not used again");
}

#[tokio::test]
async fn refusals_are_those_of_gmail() {
    let fake = Fake::start().await;
    let mailbox = fake.mailbox(0).await;
    let long = "x".repeat(226);
    for (method, path, body, status, reason, message) in [
        (
            "POST",
            "labels",
            json!({ "name": "cLIENTS" }),
            409,
            "aborted",
            "Label name exists or conflicts",
        ),
        (
            "PATCH",
            "labels/Label_4",
            json!({ "name": "Clients" }),
            409,
            "aborted",
            "Label name exists or conflicts",
        ),
        (
            "POST",
            "labels",
            json!({ "name": "Inbox" }),
            400,
            "invalidArgument",
            "Invalid label name",
        ),
        (
            "POST",
            "labels",
            json!({ "name": "Muted" }),
            400,
            "invalidArgument",
            "Invalid label name",
        ),
        (
            "POST",
            "labels",
            json!({ "name": "  " }),
            400,
            "invalidArgument",
            "Invalid label name",
        ),
        (
            "POST",
            "labels",
            json!({ "name": 7 }),
            400,
            "invalidArgument",
            "Invalid label name",
        ),
        (
            "POST",
            "labels",
            json!({}),
            400,
            "invalidArgument",
            "Invalid label name",
        ),
        (
            "POST",
            "labels",
            json!({ "name": long }),
            400,
            "invalidArgument",
            "Invalid label name",
        ),
        (
            "PUT",
            "labels/INBOX",
            json!({ "name": "x" }),
            400,
            "invalidArgument",
            "Invalid update request",
        ),
        (
            "PATCH",
            "labels/CATEGORY_SOCIAL",
            json!({ "name": "x" }),
            400,
            "invalidArgument",
            "Invalid update request",
        ),
        (
            "DELETE",
            "labels/SENT",
            json!({}),
            400,
            "invalidArgument",
            "Invalid delete request",
        ),
        (
            "DELETE",
            "labels/Label_99",
            json!({}),
            404,
            "notFound",
            "Requested entity was not found.",
        ),
        (
            "PATCH",
            "labels/Label_1",
            json!({ "id": "Label_2" }),
            400,
            "invalidArgument",
            "Label id mismatch",
        ),
        (
            "POST",
            "labels",
            json!({ "name": "x", "labelListVisibility": "no" }),
            400,
            "invalidArgument",
            "Invalid value at 'label.labelListVisibility'",
        ),
        (
            "POST",
            "labels",
            json!({ "name": "x", "color": { "textColor": "#000000" } }),
            400,
            "invalidArgument",
            "Both the text color",
        ),
        (
            "POST",
            "labels",
            json!({ "name": "x", "color": { "textColor": "#000001", "backgroundColor": "#ffffff" } }),
            400,
            "invalidArgument",
            "Label color #000001 is not on the allowed color palette",
        ),
    ] {
        let answer = mailbox.call(method, path, &body.to_string()).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (status, reason),
            "{method} {path} {body}"
        );
        let actual = text(&answer.json()["error"]["message"]);
        assert!(
            actual.starts_with(message),
            "{method} {path} {body}: {actual}"
        );
    }
    let labels = mailbox.json("labels").await;
    assert!(!labels.to_string().contains("\"x\""), "nothing was made");
}
