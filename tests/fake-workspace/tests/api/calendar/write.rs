//! Writing events: ids, tags, patch and update, times, conferences, types, import and move.

use super::{Calendar, empty, ids, meeting, refused, series};
use crate::client::{encode, text};
use serde_json::{Value, json};

const EVENTS: &str = "calendars/primary/events";
const START: &str = "2026-12-01T10:00:00Z";
const END: &str = "2026-12-01T11:00:00Z";

#[tokio::test]
async fn an_event_has_what_the_documentation_promises() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 1).await;
    let event = own.insert(&meeting("Plan", START, END)).await;
    let id = text(&event["id"]);
    assert_eq!(event["kind"], "calendar#event");
    assert_eq!(event["status"], "confirmed");
    assert_eq!(event["iCalUID"], format!("{id}@google.com"));
    assert_eq!(
        event["organizer"],
        json!({ "email": own.address, "self": true })
    );
    assert_eq!(
        event["creator"],
        json!({ "email": own.address, "self": true })
    );
    assert_eq!(event["reminders"], json!({ "useDefault": true }));
    assert_eq!(
        (&event["sequence"], &event["eventType"]),
        (&json!(0), &json!("default"))
    );
    assert!(event.get("transparency").is_none() && event.get("visibility").is_none());
    assert!(
        event["htmlLink"]
            .as_str()
            .unwrap()
            .starts_with("https://www.google.com/calendar/event?eid=")
    );
    assert_eq!(own.event(&id).await, event);
    assert_eq!(own.events("").await, [event]);
}

#[tokio::test]
async fn client_ids_are_checked_and_stay_taken() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let mut event = meeting("Plan", START, END);
    event["id"] = json!("abcdefghijklmnopqrstuv0123456789");
    assert_eq!(own.insert(&event).await["id"], event["id"]);
    let answer = own.call("POST", EVENTS, &event).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (409, "duplicate")
    );
    assert_eq!(
        answer.json()["error"]["message"],
        "The requested identifier already exists."
    );
    own.delete(&text(&event["id"])).await;
    assert_eq!(
        own.refusal("POST", EVENTS, &event).await,
        refused(409, "duplicate")
    );
    // A deleted event can be restored.
    let path = format!("{EVENTS}/{}", text(&event["id"]));
    assert_eq!(own.json(&path).await["status"], "cancelled");
    event["status"] = json!("confirmed");
    assert_eq!(own.ok("PUT", &path, &event).await["status"], "confirmed");
    assert_eq!(own.events("").await.len(), 1);
    let long = "a".repeat(1025);
    for wrong in [
        "abcd",
        "abcdw",
        "ABCDE",
        "abc_de",
        "äbcde",
        long.as_str(),
        "",
    ] {
        event["id"] = json!(wrong);
        assert_eq!(
            own.refusal("POST", EVENTS, &event).await,
            refused(400, "invalid"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn deleting_twice_and_reading_nothing() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = text(&own.insert(&meeting("Plan", START, END)).await["id"]);
    let path = format!("{EVENTS}/{id}");
    own.delete(&id).await;
    let answer = own.call("DELETE", &path, &Value::Null).await;
    assert_eq!((answer.status, answer.reason().as_str()), (410, "deleted"));
    assert_eq!(
        answer.json()["error"]["message"],
        "Resource has been deleted"
    );
    for (method, path) in [
        ("GET", "calendars/primary/events/nothing"),
        ("DELETE", "calendars/primary/events/nothing"),
        ("PATCH", "calendars/primary/events/nothing"),
        ("GET", "calendars/nobody@example.com/events"),
        ("GET", "calendars/nothing/events"),
        ("GET", "calendars/primary/nothing"),
    ] {
        assert_eq!(
            own.refusal(method, path, &json!({})).await,
            refused(404, "notFound"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn tags_guard_against_lost_changes() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let event = own.insert(&meeting("Plan", START, END)).await;
    let path = format!("{EVENTS}/{}", text(&event["id"]));
    let tag = text(&event["etag"]);
    let answer = own
        .call_with("GET", &path, &Value::Null, Some(("if-none-match", &tag)))
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (304, ""));
    let changed = own.ok("PATCH", &path, &json!({ "summary": "New" })).await;
    assert_ne!(changed["etag"], event["etag"]);
    let answer = own
        .call_with("GET", &path, &Value::Null, Some(("if-none-match", &tag)))
        .await;
    assert_eq!(answer.status, 200);
    for (method, body) in [
        ("PATCH", json!({ "summary": "x" })),
        ("PUT", meeting("x", START, END)),
        ("DELETE", Value::Null),
    ] {
        let answer = own
            .call_with(method, &path, &body, Some(("if-match", &tag)))
            .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (412, "conditionNotMet"),
            "{method}"
        );
        assert_eq!(answer.json()["error"]["errors"][0]["location"], "If-Match");
    }
    let tag = text(&changed["etag"]);
    let answer = own
        .call_with(
            "PATCH",
            &path,
            &json!({ "summary": "y" }),
            Some(("if-match", &tag)),
        )
        .await;
    assert_eq!(answer.status, 200);
    let answer = own
        .call_with("DELETE", &path, &Value::Null, Some(("if-match", "*")))
        .await;
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn patch_changes_what_it_names_and_update_replaces() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let mut event = meeting("Plan", START, END);
    event["description"] = json!("long");
    event["location"] = json!("here");
    event["extendedProperties"] =
        json!({ "private": { "a": "1", "b": "2" }, "shared": { "c": "3" } });
    event["attendees"] =
        json!([{ "email": "x@outside.example" }, { "email": "y@outside.example" }]);
    let id = text(&own.insert(&event).await["id"]);
    let patched = own
        .patch(&id, &json!({ "location": null, "extendedProperties": { "private": { "a": null, "d": "4" } }, "attendees": [{ "email": "z@outside.example" }] }))
        .await;
    assert!(patched.get("location").is_none());
    assert_eq!(patched["description"], "long");
    assert_eq!(
        patched["extendedProperties"],
        json!({ "private": { "b": "2", "d": "4" }, "shared": { "c": "3" } })
    );
    assert_eq!(
        patched["attendees"],
        json!([{ "email": "z@outside.example", "responseStatus": "needsAction" }])
    );
    assert_eq!(patched["sequence"], 0);
    let path = format!("{EVENTS}/{id}");
    let updated = own
        .ok(
            "PUT",
            &path,
            &meeting("Other", START, "2026-12-01T12:00:00Z"),
        )
        .await;
    assert!(
        updated.get("description").is_none()
            && updated.get("attendees").is_none()
            && updated.get("extendedProperties").is_none()
    );
    assert_eq!(
        (&updated["summary"], &updated["sequence"]),
        (&json!("Other"), &json!(1))
    );
    for kept in ["id", "iCalUID", "created", "organizer", "creator"] {
        assert_eq!(updated[kept], patched[kept], "{kept}");
    }
    // All day instead of a time: the old member has to go.
    let answer = own
        .refusal(
            "PATCH",
            &path,
            &json!({ "start": { "date": "2026-12-01" } }),
        )
        .await;
    assert_eq!(answer, refused(400, "invalid"));
    let day = json!({ "start": { "date": "2026-12-01", "dateTime": null }, "end": { "date": "2026-12-02", "dateTime": null } });
    assert_eq!(
        own.patch(&id, &day).await["end"],
        json!({ "date": "2026-12-02" })
    );
    assert_eq!(
        own.refusal("PATCH", &path, &json!({ "sequence": 1 })).await,
        refused(400, "invalid"),
        "the sequence is at 2"
    );
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let with = |name: &str, value: Value| {
        let mut event = meeting("Plan", START, END);
        event[name] = value;
        event
    };
    for (event, reason) in [
        (json!({}), "required"),
        (json!({ "start": { "dateTime": START } }), "required"),
        (
            with("end", json!({ "dateTime": "2026-12-01T09:00:00Z" })),
            "timeRangeEmpty",
        ),
        (with("end", json!({ "date": "2026-12-02" })), "invalid"),
        (with("start", json!({ "dateTime": "yesterday" })), "invalid"),
        (
            with("start", json!({ "dateTime": "2026-12-01T09:00:00" })),
            "invalid",
        ),
        (
            with(
                "start",
                json!({ "dateTime": START, "timeZone": "Mars/Olympus" }),
            ),
            "invalid",
        ),
        (with("summary", json!(7)), "invalid"),
        (with("visibility", json!("secret")), "invalid"),
        (
            with("attendees", json!([{ "displayName": "nobody" }])),
            "required",
        ),
        (with("attendees", json!([{ "email": "nobody" }])), "invalid"),
        (with("attendees", json!([null])), "invalid"),
        (
            with(
                "reminders",
                json!({ "useDefault": true, "overrides": [{ "method": "popup", "minutes": 1 }] }),
            ),
            "invalid",
        ),
        (
            with(
                "reminders",
                json!({ "overrides": [{ "method": "popup", "minutes": 40_321 }] }),
            ),
            "invalid",
        ),
        (with("recurrence", json!("RRULE:FREQ=DAILY")), "invalid"),
        (
            with("eventType", json!("fromGmail")),
            "eventTypeRestriction",
        ),
    ] {
        assert_eq!(
            own.refusal("POST", EVENTS, &event).await,
            refused(400, reason),
            "{event}"
        );
    }
    let all_day = json!({ "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-01" } });
    assert_eq!(
        own.refusal("POST", EVENTS, &all_day).await,
        refused(400, "timeRangeEmpty"),
        "the end is exclusive"
    );
    assert_eq!(
        own.refusal("POST", EVENTS, &json!([1])).await,
        refused(400, "parseError")
    );
    let path = format!("{EVENTS}?sendUpdates=some");
    assert_eq!(
        own.refusal("POST", &path, &meeting("a", START, END)).await,
        refused(400, "invalid")
    );
    assert!(own.events("").await.is_empty());
    // Unknown members are ignored; a local time with a zone is read in it.
    let event = own
        .insert(&json!({ "nonsense": 1, "start": { "dateTime": "2026-12-01T09:00:00", "timeZone": "Asia/Tokyo" }, "end": { "dateTime": "2026-12-01T10:00:00", "timeZone": "Asia/Tokyo" } }))
        .await;
    assert!(event.get("nonsense").is_none());
    let start: jiff::Timestamp = text(&event["start"]["dateTime"]).parse().unwrap();
    assert_eq!(start.to_string(), "2026-12-01T00:00:00Z");
}

#[tokio::test]
async fn reminders_do_not_count_as_an_update() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let event = own.insert(&meeting("Plan", START, END)).await;
    let reminders =
        json!({ "useDefault": false, "overrides": [{ "method": "email", "minutes": 30 }] });
    let patched = own
        .patch(&text(&event["id"]), &json!({ "reminders": reminders }))
        .await;
    assert_eq!(patched["reminders"], reminders);
    assert_eq!(patched["updated"], event["updated"]);
    assert_ne!(patched["etag"], event["etag"]);
    let renamed = own
        .patch(&text(&event["id"]), &json!({ "summary": "New" }))
        .await;
    assert!(text(&renamed["updated"]) > text(&event["updated"]));
}

#[tokio::test]
async fn a_meeting_room_is_made_after_the_answer() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let mut event = meeting("Plan", START, END);
    event["conferenceData"] = json!({ "createRequest": { "requestId": "r1", "conferenceSolutionKey": { "type": "hangoutsMeet" } } });
    let plain = own.insert(&event).await;
    assert!(
        plain.get("conferenceData").is_none(),
        "a client without support asks for nothing"
    );
    let path = format!("{EVENTS}?conferenceDataVersion=1");
    let made = own.ok("POST", &path, &event).await;
    let id = text(&made["id"]);
    assert_eq!(
        made["conferenceData"]["createRequest"]["status"]["statusCode"],
        "pending"
    );
    assert!(made.get("hangoutLink").is_none());
    let ready = own.event(&id).await;
    assert_eq!(
        ready["conferenceData"]["createRequest"]["status"]["statusCode"],
        "success"
    );
    assert_eq!(
        ready["conferenceData"]["entryPoints"][0]["uri"],
        ready["hangoutLink"]
    );
    assert_eq!(
        ready["conferenceData"]["conferenceSolution"]["key"]["type"],
        "hangoutsMeet"
    );
    assert_ne!(ready["etag"], made["etag"]);
    // A client without support changes nothing about it; the same request again neither.
    let kept = own
        .patch(&id, &json!({ "summary": "x", "conferenceData": null }))
        .await;
    assert_eq!(kept["conferenceData"], ready["conferenceData"]);
    let path = format!("{EVENTS}/{id}?conferenceDataVersion=1");
    let kept = own
        .ok(
            "PATCH",
            &path,
            &json!({ "conferenceData": event["conferenceData"] }),
        )
        .await;
    assert_eq!(kept["conferenceData"], ready["conferenceData"]);
    let gone = own
        .ok("PATCH", &path, &json!({ "conferenceData": null }))
        .await;
    assert!(gone.get("conferenceData").is_none() && gone.get("hangoutLink").is_none());
    let path = format!("{EVENTS}?conferenceDataVersion=2");
    assert_eq!(
        own.refusal("POST", &path, &event).await,
        refused(400, "invalid")
    );
}

#[tokio::test]
async fn event_types_have_rules_and_a_filter() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let typed = |kind: &str, extra: Value| {
        let mut event = meeting(kind, START, END);
        event["eventType"] = json!(kind);
        for (name, value) in extra.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    };
    let day = json!({ "date": "2026-12-01" });
    let home = json!({ "visibility": "public", "transparency": "transparent", "start": day, "end": { "date": "2026-12-02" }, "workingLocationProperties": { "type": "homeOffice", "homeOffice": {} } });
    let birthday = json!({ "visibility": "private", "transparency": "transparent", "start": day, "end": { "date": "2026-12-02" }, "recurrence": ["RRULE:FREQ=YEARLY"] });
    own.insert(&meeting("default", START, END)).await;
    own.insert(&typed(
        "outOfOffice",
        json!({ "outOfOfficeProperties": { "autoDeclineMode": "declineNone" } }),
    ))
    .await;
    let focus = own
        .insert(&typed(
            "focusTime",
            json!({ "focusTimeProperties": { "chatStatus": "doNotDisturb" } }),
        ))
        .await;
    own.insert(&typed("workingLocation", home.clone())).await;
    own.insert(&typed("birthday", birthday)).await;
    for (event, reason) in [
        (
            typed(
                "outOfOffice",
                json!({ "start": day, "end": { "date": "2026-12-02" } }),
            ),
            "malformedOutOfOfficeEvent",
        ),
        (
            typed(
                "focusTime",
                json!({ "start": day, "end": { "date": "2026-12-02" } }),
            ),
            "malformedFocusTimeEvent",
        ),
        (
            typed("workingLocation", json!({})),
            "malformedWorkingLocationEvent",
        ),
        (typed("birthday", json!({})), "malformedBirthdayEvent"),
        (
            typed(
                "focusTime",
                json!({ "attendees": [{ "email": "x@outside.example" }] }),
            ),
            "eventTypeRestriction",
        ),
        (
            typed("default", json!({ "focusTimeProperties": {} })),
            "eventTypeRestriction",
        ),
    ] {
        assert_eq!(
            own.refusal("POST", EVENTS, &event).await,
            refused(400, reason),
            "{event}"
        );
    }
    assert_eq!(own.events("").await.len(), 5);
    assert_eq!(
        own.events("eventTypes=focusTime").await[0]["id"],
        focus["id"]
    );
    assert_eq!(
        own.events("eventTypes=focusTime&eventTypes=birthday")
            .await
            .len(),
        2
    );
    assert_eq!(
        own.refusal("GET", &format!("{EVENTS}?eventTypes=party"), &Value::Null)
            .await,
        refused(400, "invalid")
    );
    let id = text(&focus["id"]);
    let answer = own
        .refusal(
            "PATCH",
            &format!("{EVENTS}/{id}"),
            &json!({ "eventType": "default" }),
        )
        .await;
    assert_eq!(
        answer,
        refused(400, "eventTypeRestriction"),
        "the type never changes"
    );
    let calendar = text(&own.admin("calendar.create", json!({ "summary": "Second" }))["id"]);
    let answer = own
        .refusal(
            "POST",
            &format!("calendars/{calendar}/events"),
            &typed("workingLocation", home),
        )
        .await;
    assert_eq!(
        answer,
        refused(400, "eventTypeRestriction"),
        "primary calendars only"
    );
    let answer = own
        .refusal(
            "POST",
            &format!("{EVENTS}/{id}/move?destination={}", encode(&calendar)),
            &Value::Null,
        )
        .await;
    assert_eq!(
        answer,
        refused(400, "eventTypeRestriction"),
        "only plain events move"
    );
}

#[tokio::test]
async fn an_import_is_a_private_copy() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let guest = Calendar::of(&fake, 1).await;
    let path = format!("{EVENTS}/import");
    let mut event = meeting("From afar", START, END);
    assert_eq!(
        own.refusal("POST", &path, &event).await,
        refused(400, "required")
    );
    event["iCalUID"] = json!("123@afar.example");
    event["organizer"] = json!({ "email": "boss@afar.example", "displayName": "Boss" });
    event["attendees"] = json!([{ "email": own.address }, { "email": guest.address }]);
    let made = own.ok("POST", &path, &event).await;
    assert_eq!(made["iCalUID"], "123@afar.example");
    assert_eq!(made["organizer"], event["organizer"]);
    assert!(guest.events("").await.is_empty(), "nobody else hears of it");
    assert_eq!(
        own.refusal("POST", &path, &event).await,
        refused(409, "duplicate")
    );
    assert_eq!(
        own.events("iCalUID=123@afar.example").await[0]["id"],
        made["id"]
    );
    // The organizer is somebody else, so only the own answer can change.
    let id = text(&made["id"]);
    let answer = own
        .refusal(
            "PATCH",
            &format!("{EVENTS}/{id}"),
            &json!({ "summary": "Mine" }),
        )
        .await;
    assert_eq!(answer, refused(403, "forbiddenForNonOrganizer"));
    event["iCalUID"] = json!("124@afar.example");
    event["eventType"] = json!("focusTime");
    assert_eq!(
        own.refusal("POST", &path, &event).await,
        refused(400, "eventTypeRestriction")
    );
}

#[tokio::test]
async fn moving_changes_the_organizer_and_leaves_a_stub() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let guest = Calendar::of(&fake, 1).await;
    let calendar = text(&own.admin("calendar.create", json!({ "summary": "Second" }))["id"]);
    let mut event = series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=3");
    event["attendees"] = json!([{ "email": guest.address }]);
    let id = text(&own.insert(&event).await["id"]);
    let instance = format!("{id}_20261202T080000Z");
    own.patch(&instance, &json!({ "summary": "Just once" }))
        .await;
    let path = |id: &str, to: &str| format!("{EVENTS}/{id}/move?destination={}", encode(to));
    assert_eq!(
        own.refusal("POST", &path(&instance, &calendar), &Value::Null)
            .await,
        refused(400, "cannotChangeOrganizerOfInstance")
    );
    assert_eq!(
        own.refusal("POST", &path(&id, "nowhere"), &Value::Null)
            .await,
        refused(404, "notFound")
    );
    assert_eq!(
        own.refusal("POST", &format!("{EVENTS}/{id}/move"), &Value::Null)
            .await,
        refused(400, "required")
    );
    let moved = own.ok("POST", &path(&id, &calendar), &Value::Null).await;
    assert_eq!(moved["id"], id);
    assert_eq!(
        moved["organizer"],
        json!({ "email": calendar, "displayName": "Second", "self": true })
    );
    let stub = own.event(&id).await;
    let members: Vec<&String> = stub.as_object().unwrap().keys().collect();
    assert_eq!(members, ["etag", "id", "kind", "status"]);
    let (items, _) = own.pages(&format!("calendars/{calendar}/events")).await;
    assert_eq!(ids(&items), [id.clone(), instance]);
    assert_eq!(items[1]["summary"], "Just once");
    assert_eq!(guest.event(&id).await["organizer"]["email"], calendar);
    assert_eq!(
        guest
            .refusal("POST", &path(&id, "primary"), &Value::Null)
            .await,
        refused(403, "cannotChangeOrganizer")
    );
}
