//! Who may see and change what: roles, masks, scopes, access control lists, secondary and subscribed calendars.

use super::{ALL, Calendar, empty, ids, meeting, refused};
use crate::client::{Fake, encode, text};
use serde_json::{Value, json};

const START: &str = "2026-12-01T10:00:00Z";
const END: &str = "2026-12-01T11:00:00Z";
const HOLIDAYS: &str = "en.german#holiday@group.v.calendar.google.com";

#[tokio::test]
async fn roles_decide_what_is_seen_and_done() {
    let fake = empty().await;
    let (own, other) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let calendar = text(&own.admin("calendar.create", json!({ "summary": "Shared" }))["id"]);
    let events = format!("calendars/{calendar}/events");
    let open = text(&own.ok("POST", &events, &meeting("Open", START, END)).await["id"]);
    let mut secret = meeting("Secret", START, END);
    secret["visibility"] = json!("private");
    secret["location"] = json!("hidden");
    let secret = text(&own.ok("POST", &events, &secret).await["id"]);
    let share = |role: &str| {
        own.admin(
            "calendar.share",
            json!({ "calendarId": calendar, "with": other.address, "role": role }),
        );
    };
    let secret_path = format!("{events}/{secret}");
    let open_path = format!("{events}/{open}");
    // Nothing: the calendar does not exist.
    assert_eq!(
        other.refusal("GET", &events, &Value::Null).await,
        refused(404, "notFound")
    );
    share("freeBusyReader");
    let list = other.json(&events).await;
    assert_eq!(list["accessRole"], "freeBusyReader");
    for event in list["items"].as_array().unwrap() {
        let members: Vec<&String> = event.as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            ["end", "etag", "id", "kind", "start", "status", "visibility"]
        );
    }
    share("reader");
    assert_eq!(other.json(&open_path).await["summary"], "Open");
    let masked = other.json(&secret_path).await;
    assert_eq!(
        (&masked["visibility"], &masked["status"]),
        (&json!("private"), &json!("confirmed"))
    );
    assert_eq!(
        masked["start"]["dateTime"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .to_string(),
        START
    );
    for hidden in ["summary", "location", "organizer", "creator", "attendees"] {
        assert!(masked.get(hidden).is_none(), "{hidden}");
    }
    let answer = other
        .call("POST", &events, &meeting("Mine", START, END))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "requiredAccessLevel")
    );
    for (method, path) in [("PATCH", &open_path), ("DELETE", &open_path)] {
        assert_eq!(
            other.refusal(method, path, &json!({})).await,
            refused(403, "requiredAccessLevel")
        );
    }
    share("writerWithoutPrivateAccess");
    other
        .ok("PATCH", &open_path, &json!({ "summary": "Opened" }))
        .await;
    assert!(other.json(&secret_path).await.get("summary").is_none());
    assert_eq!(
        other
            .refusal("PATCH", &secret_path, &json!({ "summary": "x" }))
            .await,
        refused(403, "forbidden")
    );
    share("writer");
    assert_eq!(other.json(&secret_path).await["summary"], "Secret");
    let made = other
        .ok("POST", &events, &meeting("Mine", START, END))
        .await;
    assert_eq!(made["creator"], json!({ "email": other.address }));
    assert_eq!(
        made["organizer"],
        json!({ "email": calendar, "displayName": "Shared", "self": true })
    );
    assert_eq!(
        other
            .refusal("GET", &format!("calendars/{calendar}/acl"), &Value::Null)
            .await,
        refused(403, "requiredAccessLevel")
    );
    assert_eq!(
        other
            .refusal("DELETE", &format!("calendars/{calendar}"), &Value::Null)
            .await,
        refused(403, "requiredAccessLevel")
    );
    share("none");
    assert_eq!(
        other.refusal("GET", &secret_path, &Value::Null).await,
        refused(404, "notFound")
    );
}

#[tokio::test]
async fn attendees_see_a_private_event_on_a_calendar_that_they_only_read() {
    let fake = empty().await;
    let (own, guest, third) = (
        Calendar::of(&fake, 0).await,
        Calendar::of(&fake, 1).await,
        Calendar::of(&fake, 2).await,
    );
    let mut event = meeting("Secret", START, END);
    event["visibility"] = json!("confidential");
    event["attendees"] = json!([{ "email": guest.address }]);
    let id = text(&own.insert(&event).await["id"]);
    let path = format!("calendars/{}/events/{id}", encode(&own.address));
    assert_eq!(guest.json(&path).await["summary"], "Secret");
    assert!(third.json(&path).await.get("summary").is_none());
    // Colleagues read primary calendars, as the domain's default is here.
    let list = third
        .json(&format!("calendars/{}/events", encode(&own.address)))
        .await;
    assert_eq!(
        (&list["accessRole"], &list["summary"]),
        (&json!("reader"), &json!(own.address))
    );
    assert!(third.events("").await.is_empty());
}

#[tokio::test]
async fn access_control_lists_can_be_read_and_changed() {
    let fake = empty().await;
    let (own, other) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let calendar = text(
        &own.ok("POST", "calendars", &json!({ "summary": "Shared" }))
            .await["id"],
    );
    let acl = format!("calendars/{calendar}/acl");
    let (rules, last) = own.pages(&acl).await;
    assert_eq!(rules[0]["id"], format!("user:{}", own.address));
    assert_eq!(rules[0]["role"], "owner");
    let rule = json!({ "role": "reader", "scope": { "type": "user", "value": other.address } });
    let made = own.ok("POST", &acl, &rule).await;
    assert_eq!(
        (&made["role"], &made["scope"]),
        (&rule["role"], &rule["scope"])
    );
    let rule_path = format!("{acl}/{}", encode(&text(&made["id"])));
    other.json(&format!("calendars/{calendar}/events")).await;
    own.ok("PATCH", &rule_path, &json!({ "role": "writer" }))
        .await;
    assert_eq!(own.json(&rule_path).await["role"], "writer");
    own.ok(
        "POST",
        &acl,
        &json!({ "role": "freeBusyReader", "scope": { "type": "default" } }),
    )
    .await;
    own.ok("DELETE", &rule_path, &Value::Null).await;
    assert_eq!(
        own.refusal("DELETE", &rule_path, &Value::Null).await,
        refused(404, "notFound")
    );
    // What is left is the public rule.
    assert_eq!(
        other.json(&format!("calendars/{calendar}/events")).await["accessRole"],
        "freeBusyReader"
    );
    let token = encode(&text(&last["nextSyncToken"]));
    let (changed, _) = own
        .pages(&format!("{acl}?maxResults=1&syncToken={token}"))
        .await;
    let mut roles: Vec<String> = changed.iter().map(|rule| text(&rule["role"])).collect();
    roles.sort();
    assert_eq!(roles, ["freeBusyReader", "none"]);
    for (body, answer) in [
        (
            json!({ "role": "king", "scope": { "type": "default" } }),
            refused(400, "invalid"),
        ),
        (
            json!({ "role": "reader", "scope": { "type": "user" } }),
            refused(400, "invalid"),
        ),
        (
            json!({ "scope": { "type": "default" } }),
            refused(400, "required"),
        ),
        (
            json!({ "role": "reader", "scope": { "type": "user", "value": own.address } }),
            refused(403, "cannotChangeOwnAcl"),
        ),
    ] {
        assert_eq!(own.refusal("POST", &acl, &body).await, answer, "{body}");
    }
}

#[tokio::test]
async fn secondary_calendars_come_and_go() {
    let fake = empty().await;
    let (own, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let made = own
        .ok(
            "POST",
            "calendars",
            &json!({ "summary": "Second", "timeZone": "Asia/Tokyo" }),
        )
        .await;
    let id = text(&made["id"]);
    assert!(id.ends_with("@group.calendar.google.com"));
    assert_eq!(
        (&made["timeZone"], &made["dataOwner"]),
        (&json!("Asia/Tokyo"), &json!(own.address))
    );
    let entry = own.json(&format!("users/me/calendarList/{id}")).await;
    assert_eq!(
        (&entry["accessRole"], &entry["dataOwner"]),
        (&json!("owner"), &json!(own.address))
    );
    assert!(entry.get("primary").is_none());
    let mut event = meeting("Plan", START, END);
    event["attendees"] = json!([{ "email": guest.address }]);
    let shown = own
        .ok("POST", &format!("calendars/{id}/events"), &event)
        .await;
    assert_eq!(
        shown["start"],
        json!({ "dateTime": "2026-12-01T19:00:00+09:00", "timeZone": "Asia/Tokyo" })
    );
    assert_eq!(
        guest.events("").await[0]["organizer"],
        json!({ "email": id, "displayName": "Second" })
    );
    own.ok(
        "PATCH",
        &format!("calendars/{id}"),
        &json!({ "summary": "Other", "description": "d" }),
    )
    .await;
    assert_eq!(
        own.json(&format!("calendars/{id}")).await["description"],
        "d"
    );
    own.ok("DELETE", &format!("calendars/{id}"), &Value::Null)
        .await;
    for path in [
        format!("calendars/{id}"),
        format!("calendars/{id}/events"),
        format!("users/me/calendarList/{id}"),
    ] {
        assert_eq!(
            own.refusal("GET", &path, &Value::Null).await,
            refused(404, "notFound"),
            "{path}"
        );
    }
    assert!(guest.events("").await.is_empty());
    assert_eq!(
        own.refusal("DELETE", "calendars/primary", &Value::Null)
            .await,
        refused(400, "invalid")
    );
    assert_eq!(
        own.refusal("POST", "calendars", &json!({})).await,
        refused(400, "required")
    );
    assert_eq!(
        own.refusal(
            "POST",
            "calendars",
            &json!({ "summary": "x", "timeZone": "Nowhere" })
        )
        .await,
        refused(400, "invalid")
    );
}

#[tokio::test]
async fn the_calendar_list_holds_what_the_user_put_there() {
    let fake = Fake::with(|options| options.users = 9).await;
    let (own, other) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 2).await);
    let (entries, _) = own.pages("users/me/calendarList").await;
    let primary = entries
        .iter()
        .find(|entry| entry["primary"] == true)
        .unwrap();
    assert_eq!(
        (&primary["id"], &primary["accessRole"]),
        (&json!(own.address), &json!("owner"))
    );
    assert_eq!(own.json("users/me/calendarList/primary").await, *primary);
    assert_eq!(own.json("calendars/primary").await["id"], own.address);
    let holidays = entries
        .iter()
        .find(|entry| entry["id"] == HOLIDAYS)
        .unwrap();
    assert_eq!(holidays["accessRole"], "reader");
    let days = own
        .json(&format!("calendars/{}/events", encode(HOLIDAYS)))
        .await;
    assert!(!days["items"].as_array().unwrap().is_empty());
    let answer = own
        .refusal(
            "POST",
            &format!("calendars/{}/events", encode(HOLIDAYS)),
            &meeting("a", START, END),
        )
        .await;
    assert_eq!(answer, refused(403, "requiredAccessLevel"));
    // The team's calendar is the same one on several lists, with different rights.
    let team = entries
        .iter()
        .find(|entry| entry.get("dataOwner").is_some())
        .unwrap();
    let theirs = other
        .json(&format!("users/me/calendarList/{}", text(&team["id"])))
        .await;
    assert_eq!(
        (&team["accessRole"], &theirs["accessRole"]),
        (&json!("owner"), &json!("reader"))
    );
    // Whoever is on another team does not see it, generated or not.
    let stranger = Calendar::of(&fake, 8).await;
    assert_eq!(
        stranger
            .refusal(
                "GET",
                &format!("calendars/{}/events", text(&team["id"])),
                &Value::Null
            )
            .await,
        refused(404, "notFound")
    );
    assert_eq!(
        stranger
            .refusal(
                "POST",
                "users/me/calendarList",
                &json!({ "id": team["id"] })
            )
            .await,
        refused(404, "notFound")
    );
    assert_eq!(
        own.refusal("POST", "users/me/calendarList", &json!({}))
            .await,
        refused(400, "required")
    );
    // A colleague's calendar can be put on the list.
    let colleague = own
        .ok(
            "POST",
            "users/me/calendarList",
            &json!({ "id": other.address, "summaryOverride": "Mate", "colorId": "5" }),
        )
        .await;
    assert_eq!(
        (
            &colleague["summary"],
            &colleague["summaryOverride"],
            &colleague["accessRole"]
        ),
        (&json!(other.address), &json!("Mate"), &json!("reader"))
    );
    let path = format!("users/me/calendarList/{}", encode(&other.address));
    own.ok("PATCH", &path, &json!({ "hidden": true })).await;
    let listed = |entries: &[Value]| ids(entries).contains(&other.address);
    assert!(!listed(&own.pages("users/me/calendarList").await.0));
    assert!(listed(
        &own.pages("users/me/calendarList?showHidden=true").await.0
    ));
    own.ok("DELETE", &path, &Value::Null).await;
    assert_eq!(
        own.refusal("GET", &path, &Value::Null).await,
        refused(404, "notFound")
    );
    let (entries, _) = own
        .pages("users/me/calendarList?showDeleted=true&showHidden=true")
        .await;
    assert!(
        entries
            .iter()
            .any(|entry| entry["id"] == other.address && entry["deleted"] == true)
    );
    let (owned, _) = own
        .pages("users/me/calendarList?minAccessRole=owner&maxResults=1")
        .await;
    assert!(owned.iter().all(|entry| entry["accessRole"] == "owner") && owned.len() == 2);
    assert_eq!(
        own.refusal("DELETE", "users/me/calendarList/primary", &Value::Null)
            .await,
        refused(400, "invalid")
    );
    assert_eq!(
        own.refusal(
            "GET",
            "users/me/calendarList?minAccessRole=king",
            &Value::Null
        )
        .await,
        refused(400, "invalid")
    );
}

#[tokio::test]
async fn scopes_open_some_methods_only() {
    let fake = empty().await;
    let user = fake.server.users()[0].clone();
    let (event, list) = ("calendars/primary/events", "users/me/calendarList");
    for (scope, allowed, forbidden) in [
        (
            "calendar.readonly",
            vec![
                ("GET", event),
                ("GET", list),
                ("GET", "colors"),
                ("GET", "users/me/settings"),
            ],
            vec![("POST", event), ("POST", list)],
        ),
        (
            "calendar.events",
            vec![("GET", event), ("POST", event)],
            vec![("GET", list), ("GET", "calendars/primary")],
        ),
        (
            "calendar.events.readonly",
            vec![("GET", event)],
            vec![("POST", event), ("GET", list)],
        ),
        (
            "calendar.calendarlist.readonly",
            vec![("GET", list)],
            vec![("GET", event), ("POST", list)],
        ),
    ] {
        let scope = format!("https://www.googleapis.com/auth/{scope}");
        fake.admin("delegation.grant", json!({ "scope": scope }));
        let token = fake.token(&user, &scope).await;
        let body = meeting("a", START, END).to_string();
        for (method, path) in allowed {
            let answer = fake
                .send(method, &format!("/calendar/v3/{path}"), Some(&token), &body)
                .await;
            assert_eq!(
                answer.status, 200,
                "{scope} {method} {path}: {}",
                answer.text
            );
        }
        for (method, path) in forbidden {
            let answer = fake
                .send(method, &format!("/calendar/v3/{path}"), Some(&token), &body)
                .await;
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "insufficientPermissions"),
                "{scope} {method} {path}"
            );
            assert_eq!(
                answer.json()["error"]["details"][0]["metadata"]["service"],
                "calendar-json.googleapis.com"
            );
        }
    }
    let answer = fake
        .send("GET", "/calendar/v3/users/me/calendarList", None, "")
        .await;
    assert_eq!(answer.status, 401);
    // The service account itself has no calendar.
    let mut claims = fake.claims("nobody", ALL);
    claims.as_object_mut().unwrap().remove("sub");
    let answer = fake.exchange(&fake.assertion(&claims)).await;
    let token = text(&answer.json()["access_token"]);
    let answer = fake
        .send(
            "GET",
            "/calendar/v3/users/me/calendarList",
            Some(&token),
            "",
        )
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "notACalendarUser")
    );
}
