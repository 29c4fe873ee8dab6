//! Parameters of listings: bounds, orders, searches, pages, time zones, and values that are refused.

use super::{Calendar, empty, ids, meeting, refused, summaries};
use crate::client::{encode, text};
use serde_json::{Value, json};

const EVENTS: &str = "calendars/primary/events";

/// Four events from ten o'clock on, made in another order than they take place.
async fn four(own: &Calendar<'_>) {
    for (name, hour) in [("c", 12), ("a", 10), ("d", 13), ("b", 11)] {
        let (start, end) = (
            format!("2026-12-01T{hour}:00:00Z"),
            format!("2026-12-01T{}:00:00Z", hour + 1),
        );
        own.insert(&meeting(name, &start, &end)).await;
    }
}

#[tokio::test]
async fn bounds_are_exclusive_and_look_at_end_and_start() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    four(&own).await;
    for (bounds, expected) in [
        ("timeMin=2026-12-01T11:00:00Z", "b c d"),
        ("timeMin=2026-12-01T10:59:59Z", "a b c d"),
        ("timeMax=2026-12-01T11:00:00Z", "a"),
        ("timeMax=2026-12-01T11:00:01Z", "a b"),
        (
            "timeMin=2026-12-01T12:30:00%2B01:00&timeMax=2026-12-01T12:15:00.5Z",
            "b c",
        ),
        ("timeMin=2027-01-01T00:00:00Z", ""),
    ] {
        let mut found = summaries(&own.events(bounds).await);
        found.sort();
        assert_eq!(found.join(" "), expected, "{bounds}");
    }
    let answer = own
        .get(&format!(
            "{EVENTS}?timeMin=2026-12-02T00:00:00Z&timeMax=2026-12-01T00:00:00Z"
        ))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "timeRangeEmpty")
    );
    assert_eq!(answer.json()["error"]["errors"][0]["domain"], "calendar");
    for wrong in [
        "timeMin=2026-12-01",
        "timeMax=2026-12-01T00:00:00",
        "timeMin=now",
        "updatedMin=x",
    ] {
        assert_eq!(
            own.refusal("GET", &format!("{EVENTS}?{wrong}"), &Value::Null)
                .await,
            refused(400, "badRequest"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn all_day_events_begin_at_midnight_of_the_calendar() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = text(
        &own.ok(
            "POST",
            "calendars",
            &json!({ "summary": "x", "timeZone": "America/New_York" }),
        )
        .await["id"],
    );
    let event = json!({ "summary": "day", "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-02" } });
    own.ok("POST", &format!("calendars/{id}/events"), &event)
        .await;
    for (bounds, n_found) in [
        ("timeMax=2026-12-01T05:00:00Z", 0),
        ("timeMax=2026-12-01T05:00:01Z", 1),
        ("timeMin=2026-12-02T05:00:00Z", 0),
        ("timeMin=2026-12-02T04:59:59Z", 1),
    ] {
        let (found, _) = own.pages(&format!("calendars/{id}/events?{bounds}")).await;
        assert_eq!(found.len(), n_found, "{bounds}");
    }
}

#[tokio::test]
async fn orders_have_rules() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    four(&own).await;
    let events = own
        .events("singleEvents=true&orderBy=startTime&maxResults=1")
        .await;
    assert_eq!(summaries(&events).join(""), "abcd");
    own.patch(&text(&events[2]["id"]), &json!({ "description": "new" }))
        .await;
    let events = own.events("orderBy=updated&maxResults=3").await;
    assert_eq!(summaries(&events).join(""), "adbc");
    let answer = own.get(&format!("{EVENTS}?orderBy=startTime")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "invalid"));
    assert_eq!(
        answer.json()["error"]["message"],
        "The requested ordering is not available for the particular query."
    );
    assert_eq!(answer.json()["error"]["errors"][0]["location"], "orderBy");
    assert_eq!(
        own.refusal("GET", &format!("{EVENTS}?orderBy=size"), &Value::Null)
            .await,
        refused(400, "invalid")
    );
}

#[tokio::test]
async fn updated_min_brings_deleted_events_and_has_a_limit() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let start = "2026-12-01T10:00:00Z";
    let old = own.insert(&meeting("old", start, start)).await;
    let gone = text(&own.insert(&meeting("gone", start, start)).await["id"]);
    own.delete(&gone).await;
    let last = own.insert(&meeting("last", start, start)).await;
    let found = own
        .events(&format!("updatedMin={}", text(&old["updated"])))
        .await;
    assert_eq!(found.len(), 3);
    let since = text(&own.event(&gone).await["updated"]);
    let mut found = ids(&own.events(&format!("updatedMin={since}")).await);
    found.sort();
    let mut expected = [gone, text(&last["id"])];
    expected.sort();
    assert_eq!(found, expected);
    let answer = own
        .get(&format!("{EVENTS}?updatedMin=2020-01-01T00:00:00Z"))
        .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (410, "updatedMinTooLongAgo")
    );
}

#[tokio::test]
async fn searches_look_at_texts_people_and_properties() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    four(&own).await;
    let start = "2026-12-01T10:00:00Z";
    let mut event = meeting("Größe der Räume", start, start);
    event["description"] = json!("About the BUDGET");
    event["attendees"] = json!([{ "email": "x@outside.example", "displayName": "Xenia" }]);
    event["extendedProperties"] = json!({ "private": { "a": "1" }, "shared": { "b": "2=3" } });
    let id = text(&own.insert(&event).await["id"]);
    for query in [
        "q=gr%C3%B6%C3%9Fe",
        "q=budget%20about",
        "q=xenia",
        "q=OUTSIDE.example",
        "privateExtendedProperty=a%3D1",
        "sharedExtendedProperty=b%3D2%3D3",
        "privateExtendedProperty=a%3D1&sharedExtendedProperty=b%3D2%3D3",
    ] {
        assert_eq!(ids(&own.events(query).await), [id.as_str()], "{query}");
    }
    for query in [
        "q=budget%20nothing",
        "privateExtendedProperty=b%3D2",
        "privateExtendedProperty=a%3D1&privateExtendedProperty=a%3D2",
    ] {
        assert!(own.events(query).await.is_empty(), "{query}");
    }
    assert_eq!(
        own.refusal(
            "GET",
            &format!("{EVENTS}?privateExtendedProperty=a"),
            &Value::Null
        )
        .await,
        refused(400, "invalid")
    );
    let uid = encode(&format!("{id}@google.com"));
    assert_eq!(ids(&own.events(&format!("iCalUID={uid}")).await), [id]);
}

#[tokio::test]
async fn attendees_are_cut_to_the_own_one() {
    let fake = empty().await;
    let (own, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let start = "2026-12-01T10:00:00Z";
    let mut event = meeting("many", start, start);
    event["attendees"] = json!([{ "email": "x@outside.example" }, { "email": guest.address }, { "email": "y@outside.example" }]);
    let id = text(&own.insert(&event).await["id"]);
    let shown = guest.json(&format!("{EVENTS}/{id}?maxAttendees=2")).await;
    assert_eq!(shown["attendeesOmitted"], true);
    assert_eq!(shown["attendees"].as_array().unwrap().len(), 1);
    assert_eq!(shown["attendees"][0]["email"], guest.address);
    let shown = own.json(&format!("{EVENTS}?maxAttendees=2")).await;
    assert!(
        shown["items"][0].get("attendees").is_none(),
        "the organizer is no attendee here"
    );
    let shown = guest.json(&format!("{EVENTS}/{id}?maxAttendees=3")).await;
    assert_eq!(shown["attendees"].as_array().unwrap().len(), 3);
    own.patch(&id, &json!({ "guestsCanSeeOtherGuests": false }))
        .await;
    assert_eq!(
        guest.event(&id).await["attendees"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        own.event(&id).await["attendees"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn pages_are_bound_to_their_listing() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    four(&own).await;
    let first = own
        .json(&format!("{EVENTS}?maxResults=1&showDeleted=true"))
        .await;
    let token = encode(&text(&first["nextPageToken"]));
    own.json(&format!(
        "{EVENTS}?showDeleted=true&pageToken={token}&maxResults=2500"
    ))
    .await;
    for other in [
        "",
        "showDeleted=true&q=a",
        "showDeleted=true&singleEvents=true",
        "showDeleted=true&timeMin=2026-01-01T00:00:00Z",
    ] {
        let answer = own
            .refusal(
                "GET",
                &format!("{EVENTS}?pageToken={token}&{other}"),
                &Value::Null,
            )
            .await;
        assert_eq!(answer, refused(400, "invalid"), "{other}");
    }
    for wrong in [
        "maxResults=0",
        "maxResults=-1",
        "maxResults=many",
        "maxAttendees=0",
        "singleEvents=maybe",
        "timeZone=Mars",
        "showDeleted=1",
    ] {
        assert_eq!(
            own.refusal("GET", &format!("{EVENTS}?{wrong}"), &Value::Null)
                .await,
            refused(400, "invalid"),
            "{wrong}"
        );
    }
    // More than the maximum is the maximum.
    assert_eq!(
        own.json(&format!("{EVENTS}?maxResults=100000")).await["items"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    let all = own
        .json(&format!("{EVENTS}?fields=items(id,summary),nextSyncToken"))
        .await;
    let members: Vec<&String> = all["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "summary"]);
    assert!(all.get("kind").is_none() && all["nextSyncToken"].is_string());
}

#[tokio::test]
async fn the_frame_of_a_listing_tells_of_the_calendar() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let list = own.json(&format!("{EVENTS}?timeZone=UTC")).await;
    assert_eq!(list["kind"], "calendar#events");
    assert_eq!(
        (&list["summary"], &list["accessRole"]),
        (&json!(own.address), &json!("owner"))
    );
    assert_eq!(
        list["timeZone"],
        own.json("calendars/primary").await["timeZone"]
    );
    assert_eq!(list["items"], json!([]));
    assert!(
        list["defaultReminders"].is_array()
            && list["updated"].is_string()
            && list["etag"].is_string()
    );
    let zone = own.json("users/me/settings/timezone").await;
    assert_eq!(zone["value"], list["timeZone"]);
    assert_eq!(
        own.json("colors").await["event"]["1"]["background"],
        "#a4bdfc"
    );
    assert_eq!(
        own.refusal("GET", "users/me/settings/nothing", &Value::Null)
            .await,
        refused(404, "notFound")
    );
}
