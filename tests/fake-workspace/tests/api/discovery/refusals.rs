//! Refusals of every operation: no token, a wrong one, one without the scope, limits and failures; and the statuses
//! that only some methods have. The client holds each envelope against what Google documents.

use super::{Person, is_exempt};
use crate::client::{FULL, Fake, encode, text};
use fake_workspace::{PriceList, operations};
use serde_json::{Value, json};

const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
const DRIVE: &str = "https://www.googleapis.com/auth/drive";
const PUBSUB: &str = "https://www.googleapis.com/auth/pubsub";

#[tokio::test]
async fn every_operation_refuses_in_the_same_words() {
    let fake = Fake::start().await;
    let user = Person::with(&fake, 1, FULL).await;
    let account = Person::account(&fake, PUBSUB).await;
    let stranger = Person {
        fake: &fake,
        address: String::new(),
        token: "ya29.nobody".to_owned(),
    };
    for row in operations().filter(|row| !is_exempt(row.name)) {
        let path = format!("/{}", row.path.replace(['{', '}'], ""));
        let nobody = fake.send(row.method, &path, None, "").await;
        assert_eq!(
            (nobody.status, nobody.reason().as_str()),
            (401, "required"),
            "{}",
            row.name
        );
        let unknown = stranger.call(row.method, &path, "", b"").await;
        assert_eq!(
            (unknown.status, unknown.reason().as_str()),
            (401, "authError"),
            "{}",
            row.name
        );
        assert!(unknown.headers.contains_key("www-authenticate"));
        let wrong = if row.scopes.contains(&FULL) {
            &account
        } else {
            &user
        };
        let answer = wrong.call(row.method, &path, "", b"").await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "insufficientPermissions"),
            "{}",
            row.name
        );
        let detail = &answer.json()["error"]["details"][0];
        assert_eq!(
            detail["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "{}",
            row.name
        );
    }
}

#[tokio::test]
async fn every_operation_fails_on_demand() {
    let fake = Fake::start().await;
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    for row in operations().filter(|row| !is_exempt(row.name)) {
        let scope = row.scopes[0];
        let me = match row.name.split('.').next() {
            Some("pubsub" | "iamcredentials") => Person::account(&fake, scope).await,
            _ => Person::with(&fake, 0, scope).await,
        };
        let path = format!("/{}", row.path.replace(['{', '}'], ""));
        for (status, reason) in [
            (429, "rateLimitExceeded"),
            (403, "userRateLimitExceeded"),
            (503, "backendError"),
            (500, "backendError"),
        ] {
            fake.admin(
                "fault.on",
                json!({ "method": row.name, "status": status, "reason": reason, "count": 1 }),
            );
            let answer = me.call(row.method, &path, "", b"").await;
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (status, reason),
                "{}",
                row.name
            );
        }
    }
}

#[tokio::test]
async fn quota_refusals_of_all_apis_have_the_envelope() {
    let fake = Fake::with(|options| options.quota = PriceList::May2026).await;
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    for (api, scope, path) in [
        ("gmail", FULL, "/gmail/v1/users/me/profile"),
        ("calendar", CALENDAR, "/calendar/v3/colors"),
        ("drive", DRIVE, "/drive/v3/files"),
    ] {
        let me = Person::with(&fake, 1, scope).await;
        for bodies in ["metric", "classic", "exhausted"] {
            fake.admin("quota.set", json!({ "bodies": bodies, "reset": true }));
            fake.admin(
                "quota.spend",
                json!({ "api": api, "limit": "project_minute", "units": 10_000_000 }),
            );
            let answer = me.call("GET", path, "", b"").await;
            assert!(
                [403, 429].contains(&answer.status),
                "{api} {bodies}: {}",
                answer.text
            );
        }
    }
}

/// Status and reason of a call.
async fn refusal(
    me: &Person<'_>,
    method: &str,
    path: &str,
    body: Value,
    header: (&str, &str),
) -> (u16, String) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = me
        .call_with(
            method,
            path,
            &[("content-type", "application/json"), header],
            body.as_bytes(),
        )
        .await;
    assert!(answer.status >= 400, "{method} {path}: {}", answer.text);
    (answer.status, answer.reason())
}

#[tokio::test]
async fn special_statuses_are_as_documented() {
    let fake = Fake::start().await;
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    let gmail = Person::with(&fake, 0, FULL).await;
    let calendar = Person::with(&fake, 0, CALENDAR).await;
    let drive = Person::with(&fake, 0, DRIVE).await;
    let events = "/calendar/v3/calendars/primary/events";
    let event = json!({
        "id": "abc123", "start": { "dateTime": "2026-12-01T10:00:00Z" }, "end": { "dateTime": "2026-12-01T11:00:00Z" },
    });
    calendar.post(events, event.clone()).await;
    let one = format!("{events}/abc123");
    let none = ("x-nothing", "x");
    let plain = calendar.call("GET", &one, "", b"").await.json();
    let tag = text(&plain["etag"]);
    let unchanged = calendar
        .call_with("GET", &one, &[("if-none-match", &tag)], b"")
        .await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
    let token = text(&calendar.get(&format!("{events}?maxResults=2500")).await["nextSyncToken"]);
    fake.admin("calendar.expire", json!({ "user": calendar.address }));
    let start = text(&gmail.get("/gmail/v1/users/me/profile").await["historyId"]);
    let label = json!({ "name": "Twice" });
    gmail.post("/gmail/v1/users/me/labels", label.clone()).await;
    fake.admin("history.expire", json!({ "user": gmail.address }));
    for (me, method, path, body, header, expected) in [
        (
            &calendar,
            "POST",
            events.to_owned(),
            event.clone(),
            none,
            (409, "duplicate"),
        ),
        (
            &calendar,
            "PATCH",
            one.clone(),
            json!({}),
            ("if-match", "\"0\""),
            (412, "conditionNotMet"),
        ),
        (
            &calendar,
            "DELETE",
            one.clone(),
            json!(null),
            ("if-match", "\"0\""),
            (412, "conditionNotMet"),
        ),
        (
            &calendar,
            "GET",
            format!("{events}?syncToken={}", encode(&token)),
            json!(null),
            none,
            (410, "fullSyncRequired"),
        ),
        (
            &calendar,
            "GET",
            format!("{events}/nothing"),
            json!(null),
            none,
            (404, "notFound"),
        ),
        (
            &calendar,
            "GET",
            format!("{events}?updatedMin=2001-01-01T00:00:00Z"),
            json!(null),
            none,
            (410, "updatedMinTooLongAgo"),
        ),
        (
            &gmail,
            "POST",
            "/gmail/v1/users/me/labels".to_owned(),
            label,
            none,
            (409, "aborted"),
        ),
        (
            &gmail,
            "GET",
            "/gmail/v1/users/me/messages/1234".to_owned(),
            json!(null),
            none,
            (404, "notFound"),
        ),
        (
            &gmail,
            "GET",
            "/gmail/v1/users/me/messages/zz".to_owned(),
            json!(null),
            none,
            (400, "invalidArgument"),
        ),
        (
            &gmail,
            "GET",
            format!("/gmail/v1/users/me/history?startHistoryId={}", start.len()),
            json!(null),
            none,
            (404, "notFound"),
        ),
        (
            &gmail,
            "GET",
            "/gmail/v1/users/other@example.com/profile".to_owned(),
            json!(null),
            none,
            (403, "forbidden"),
        ),
        (
            &drive,
            "GET",
            "/drive/v3/files/nothing".to_owned(),
            json!(null),
            none,
            (404, "notFound"),
        ),
        (
            &drive,
            "GET",
            "/drive/v3/about".to_owned(),
            json!(null),
            none,
            (400, "required"),
        ),
        (
            &drive,
            "GET",
            "/drive/v3/files?pageToken=x".to_owned(),
            json!(null),
            none,
            (400, "invalid"),
        ),
        (
            &drive,
            "GET",
            "/drive/v3/changes?pageToken=x".to_owned(),
            json!(null),
            none,
            (400, "invalid"),
        ),
    ] {
        let found = refusal(me, method, &path, body, header).await;
        assert_eq!((found.0, found.1.as_str()), expected, "{method} {path}");
    }
    calendar.delete(&one).await;
    assert_eq!(
        refusal(&calendar, "DELETE", &one, json!(null), none).await,
        (410, "deleted".to_owned())
    );
}
