//! The parameter `fields` as it goes for all APIs: what is kept, and what is refused before anything is done.

use crate::client::{Answer, DIRECTORY, FULL, Fake, text};
use serde_json::{Value, json};

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

/// Where members of an answer are that Google's discovery document does not have.
fn strays(value: &Value, kind: &str, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| strays(item, kind, place, found)),
        Value::Object(members) if kind != "*" => {
            let line = include_str!("../../src/fields/answers.txt")
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{kind} =")))
                .unwrap_or_default();
            for (name, member) in members {
                let known = line.split_whitespace().find_map(|known| {
                    let (own, kind) = known.split_once(':').unwrap_or((known, ""));
                    (own == name).then_some(kind)
                });
                let place = format!("{place}/{name}");
                match known {
                    None => found.push(place),
                    Some(kind) => strays(member, kind, &place, found),
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn answers_have_no_members_that_the_discovery_documents_lack() {
    let fake = Fake::start().await;
    let admin = fake.server.admin_user();
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    fake.admin("delegation.grant", json!({ "scope": FULL }));
    let drive = fake.token(&admin, DRIVE).await;
    let page = fake
        .send("GET", "/drive/v3/changes/startPageToken", Some(&drive), "")
        .await
        .json();
    let changes = format!(
        "/drive/v3/changes?pageToken={}&fields=*",
        text(&page["startPageToken"])
    );
    for source in ["gmail", "calendar", "drive"] {
        fake.admin(
            "churn",
            json!({ "user": admin, "source": source, "rounds": 200, "seed": 3 }),
        );
    }
    let mailbox = fake.mailbox(0).await;
    let message = mailbox.list("").await.remove(0);
    let thread = mailbox.json("threads").await["threads"][0]["id"].clone();
    let start = mailbox
        .json(&format!("messages/{message}?format=minimal"))
        .await;
    let gmail = |path: &str| format!("/gmail/v1/users/me/{path}");
    let start = format!("history?startHistoryId={}", text(&start["historyId"]));
    let places = [
        (FULL, gmail("profile"), "gmail.Profile"),
        (FULL, gmail("messages"), "gmail.ListMessagesResponse"),
        (FULL, gmail(&format!("messages/{message}")), "gmail.Message"),
        (
            FULL,
            gmail(&format!("messages/{message}?format=raw")),
            "gmail.Message",
        ),
        (FULL, gmail("threads"), "gmail.ListThreadsResponse"),
        (
            FULL,
            gmail(&format!("threads/{}", text(&thread))),
            "gmail.Thread",
        ),
        (FULL, gmail("labels"), "gmail.ListLabelsResponse"),
        (FULL, gmail("labels/Label_1"), "gmail.Label"),
        (FULL, gmail("drafts"), "gmail.ListDraftsResponse"),
        (FULL, gmail("settings/sendAs"), "gmail.ListSendAsResponse"),
        (FULL, gmail(&start), "gmail.ListHistoryResponse"),
        (
            CALENDAR,
            "/calendar/v3/users/me/calendarList".to_owned(),
            "calendar.CalendarList",
        ),
        (
            CALENDAR,
            "/calendar/v3/calendars/primary".to_owned(),
            "calendar.Calendar",
        ),
        (
            CALENDAR,
            "/calendar/v3/calendars/primary/acl".to_owned(),
            "calendar.Acl",
        ),
        (
            CALENDAR,
            "/calendar/v3/calendars/primary/events?showDeleted=true".to_owned(),
            "calendar.Events",
        ),
        (
            CALENDAR,
            "/calendar/v3/users/me/settings".to_owned(),
            "calendar.Settings",
        ),
        (
            CALENDAR,
            "/calendar/v3/colors".to_owned(),
            "calendar.Colors",
        ),
        (DRIVE, "/drive/v3/about?fields=*".to_owned(), "drive.About"),
        (
            DRIVE,
            "/drive/v3/files?fields=*".to_owned(),
            "drive.FileList",
        ),
        (
            DRIVE,
            "/drive/v3/files/root?fields=*".to_owned(),
            "drive.File",
        ),
        (DRIVE, changes, "drive.ChangeList"),
        (
            DRIVE,
            "/drive/v3/drives?fields=*".to_owned(),
            "drive.DriveList",
        ),
        (
            DRIVE,
            "/drive/v3/files/root/permissions?fields=*".to_owned(),
            "drive.PermissionList",
        ),
        (
            DIRECTORY,
            "/admin/directory/v1/users?customer=my_customer".to_owned(),
            "directory.Users",
        ),
    ];
    for (scope, path, kind) in places {
        let token = fake.token(&admin, scope).await;
        let answer = fake.send("GET", &path, Some(&token), "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let mut found = Vec::new();
        strays(&answer.json(), kind, kind, &mut found);
        found.dedup();
        assert_eq!(found, Vec::<String>::new(), "{path}");
    }
}
