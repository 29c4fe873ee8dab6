//! `feed.hide`: a change that listings and gets show and no change log tells of.

use crate::calendar::{Calendar, meeting};
use crate::client::{Fake, encode, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_hidden_change_is_in_the_state_and_in_no_log() {
    let fake =
        Fake::with(|options| (options.messages, options.events, options.files) = (3, 0, 0)).await;
    let mailbox = fake.mailbox(0).await;
    let user = mailbox.address.clone();
    let hide = |op: &str, mut input: Value| {
        input["op"] = json!(op);
        input["user"] = json!(user);
        fake.admin("feed.hide", input)
    };

    let start = mailbox.history_id().await;
    let new = text(&hide("gmail.insert", json!({ "text": "Subject: x\r\n\r\nx" }))["id"]);
    let ids = mailbox.list("").await;
    assert!(ids.contains(&new), "a listing shows it");
    hide(
        "gmail.modify",
        json!({ "id": new, "addLabelIds": ["STARRED"] }),
    );
    hide("gmail.delete", json!({ "id": ids[1] }));
    assert_eq!(mailbox.list("").await.len(), ids.len() - 1);
    let history = mailbox
        .json(&format!("history?startHistoryId={start}"))
        .await;
    assert!(history["history"].is_null(), "{history}");
    // What comes after is told as ever.
    fake.admin(
        "gmail.modify",
        json!({ "user": user, "id": new, "addLabelIds": ["IMPORTANT"] }),
    );
    let history = mailbox
        .json(&format!("history?startHistoryId={start}"))
        .await;
    assert_eq!(history["history"].as_array().map(Vec::len), Some(1));

    let calendar = Calendar::of(&fake, 0).await;
    let event = calendar
        .insert(&meeting(
            "a",
            "2026-03-02T10:00:00Z",
            "2026-03-02T11:00:00Z",
        ))
        .await;
    let (_, last) = calendar.pages("calendars/primary/events").await;
    let token = encode(&text(&last["nextSyncToken"]));
    hide(
        "calendar.patch",
        json!({ "id": event["id"], "event": { "summary": "b" } }),
    );
    assert_eq!(calendar.event(&text(&event["id"])).await["summary"], "b");
    let (changes, _) = calendar
        .pages(&format!("calendars/primary/events?syncToken={token}"))
        .await;
    assert!(changes.is_empty(), "{changes:?}");

    let drive = "https://www.googleapis.com/auth/drive.metadata.readonly";
    let bearer = fake.token(&user, drive).await;
    let get = async |path: &str| {
        fake.send("GET", &format!("/drive/v3/{path}"), Some(&bearer), "")
            .await
            .json()
    };
    let start = text(&get("changes/startPageToken").await["startPageToken"]);
    let file = text(
        &hide(
            "drive.create",
            json!({ "name": "f", "mimeType": "text/plain" }),
        )["id"],
    );
    assert_eq!(get(&format!("files/{file}?fields=name")).await["name"], "f");
    assert_eq!(
        get("files").await["files"].as_array().map(Vec::len),
        Some(1)
    );
    let changes = get(&format!("changes?pageToken={start}")).await;
    assert_eq!(changes["changes"], json!([]));
}
