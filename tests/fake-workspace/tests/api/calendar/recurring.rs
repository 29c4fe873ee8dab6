//! Series: masters, instances, exceptions, holes, time zones, and what a listing shows of them.

use super::{Calendar, empty, ids, refused, series};
use crate::client::text;
use serde_json::{Value, json};

/// A daily series of four in Berlin with the second moved and the third cancelled.
async fn with_exceptions(own: &Calendar<'_>) -> String {
    let id = text(
        &own.insert(&series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=4"))
            .await["id"],
    );
    own.patch(
        &format!("{id}_20261202T080000Z"),
        &json!({
            "summary": "Later",
            "start": { "dateTime": "2026-12-02T15:00:00+01:00" },
            "end": { "dateTime": "2026-12-02T16:00:00+01:00" },
        }),
    )
    .await;
    own.delete(&format!("{id}_20261203T080000Z")).await;
    id
}

#[tokio::test]
async fn a_series_expands_in_its_own_time_zone_over_a_change_of_the_clock() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    // Berlin goes to summer time on 2027-03-28.
    let id = text(
        &own.insert(&series("2027-03-26", "RRULE:FREQ=DAILY;COUNT=4"))
            .await["id"],
    );
    let events = own.events("singleEvents=true&timeZone=Europe/Berlin").await;
    let starts: Vec<&str> = events
        .iter()
        .map(|event| event["start"]["dateTime"].as_str().unwrap())
        .collect();
    assert_eq!(
        starts,
        [
            "2027-03-26T09:00:00+01:00",
            "2027-03-27T09:00:00+01:00",
            "2027-03-28T09:00:00+02:00",
            "2027-03-29T09:00:00+02:00"
        ]
    );
    assert_eq!(events[2]["id"], format!("{id}_20270328T070000Z"));
    for event in &events {
        assert_eq!(event["recurringEventId"], id);
        assert_eq!(event["originalStartTime"], event["start"]);
        assert_eq!(event["start"]["timeZone"], "Europe/Berlin");
        assert_eq!(event["iCalUID"], events[0]["iCalUID"]);
        assert!(event.get("recurrence").is_none());
    }
    let seen = own
        .events("singleEvents=true&timeZone=America/New_York")
        .await;
    assert_eq!(seen[0]["start"]["dateTime"], "2027-03-26T04:00:00-04:00");
    assert_eq!(seen[0]["start"]["timeZone"], "Europe/Berlin");
}

#[tokio::test]
async fn an_all_day_series_has_dates_as_keys_and_exclusive_ends() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let event = json!({
        "summary": "Days", "start": { "date": "2026-12-30" }, "end": { "date": "2027-01-01" },
        "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=3"],
    });
    let id = text(&own.insert(&event).await["id"]);
    let events = own.events("singleEvents=true").await;
    // There is no 30th of February.
    assert_eq!(
        ids(&events),
        [
            format!("{id}_20261230"),
            format!("{id}_20270130"),
            format!("{id}_20270330")
        ]
    );
    assert_eq!(events[1]["start"], json!({ "date": "2027-01-30" }));
    assert_eq!(events[1]["end"], json!({ "date": "2027-02-01" }));
    assert_eq!(
        events[1]["originalStartTime"],
        json!({ "date": "2027-01-30" })
    );
}

#[tokio::test]
async fn a_listing_of_series_shows_masters_exceptions_and_holes() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = with_exceptions(&own).await;
    let moved = format!("{id}_20261202T080000Z");
    let hole = format!("{id}_20261203T080000Z");
    let events = own.events("").await;
    assert_eq!(ids(&events), [id.clone(), moved.clone(), hole.clone()]);
    assert_eq!(events[0]["recurrence"], json!(["RRULE:FREQ=DAILY;COUNT=4"]));
    assert_eq!(
        events[1]["originalStartTime"]["dateTime"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .to_string(),
        "2026-12-02T08:00:00Z"
    );
    let members: Vec<&String> = events[2].as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "etag",
            "id",
            "kind",
            "originalStartTime",
            "recurringEventId",
            "status"
        ]
    );
    let events = own.events("singleEvents=true").await;
    assert_eq!(
        ids(&events),
        [
            format!("{id}_20261201T080000Z"),
            moved.clone(),
            format!("{id}_20261204T080000Z")
        ]
    );
    assert_eq!(events[1]["summary"], "Later");
    assert_eq!(
        own.events("singleEvents=true&showDeleted=true").await.len(),
        4
    );
    // Of a deleted series, only showDeleted tells; expanded as its instances.
    own.delete(&id).await;
    assert!(own.events("").await.is_empty());
    let events = own.events("showDeleted=true").await;
    assert_eq!(ids(&events), [id.clone(), moved, hole]);
    assert!(events.iter().all(|event| event["status"] == "cancelled"));
    let events = own.events("singleEvents=true&showDeleted=true").await;
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event["recurringEventId"] == id));
}

#[tokio::test]
async fn instances_lists_one_series() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = with_exceptions(&own).await;
    own.insert(&series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=4"))
        .await;
    let path = format!("calendars/primary/events/{id}/instances");
    let (items, last) = own.pages(&format!("{path}?maxResults=1")).await;
    assert_eq!(items.len(), 3);
    assert!(last.get("nextSyncToken").is_none());
    let (items, _) = own.pages(&format!("{path}?showDeleted=true")).await;
    assert_eq!(items.len(), 4);
    // The moved one is within by its real time, and found by its original one.
    let (items, _) = own
        .pages(&format!(
            "{path}?timeMin=2026-12-02T12:00:00Z&timeMax=2026-12-03T00:00:00Z"
        ))
        .await;
    assert_eq!(ids(&items), [format!("{id}_20261202T080000Z")]);
    let (items, _) = own
        .pages(&format!("{path}?originalStart=2026-12-02T09:00:00%2B01:00"))
        .await;
    assert_eq!(items[0]["summary"], "Later");
    let missing = own
        .refusal(
            "GET",
            "calendars/primary/events/nothing/instances",
            &Value::Null,
        )
        .await;
    assert_eq!(missing, refused(404, "notFound"));
}

#[tokio::test]
async fn an_instance_can_be_read_before_it_is_an_exception() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = text(
        &own.insert(&series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=4"))
            .await["id"],
    );
    let event = own.event(&format!("{id}_20261204T080000Z")).await;
    assert_eq!(event["recurringEventId"], id);
    assert_eq!(own.events("").await.len(), 1, "reading makes no exception");
    for wrong in [
        "20261205T080000Z",
        "20261204T090000Z",
        "20261204",
        "x",
        "",
        "ÄÖÜ",
        "99999999",
    ] {
        let path = format!(
            "calendars/primary/events/{id}_{}",
            crate::client::encode(wrong)
        );
        assert_eq!(
            own.refusal("GET", &path, &Value::Null).await,
            refused(404, "notFound"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_new_rule_drops_the_exceptions_that_fit_no_more() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = with_exceptions(&own).await;
    own.patch(&id, &json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"] }))
        .await;
    let events = own.events("singleEvents=true").await;
    assert_eq!(
        ids(&events),
        [
            format!("{id}_20261201T080000Z"),
            format!("{id}_20261208T080000Z")
        ]
    );
    assert_eq!(own.event(&id).await["sequence"], 1);
    // Without a rule it is a single event.
    own.patch(&id, &json!({ "recurrence": null })).await;
    let events = own.events("singleEvents=true").await;
    assert_eq!(ids(&events), [id]);
}

#[tokio::test]
async fn excluded_dates_and_unknown_rules() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let mut event = series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=3");
    event["recurrence"] = json!([
        "RRULE:FREQ=DAILY;COUNT=3",
        "EXDATE;TZID=Europe/Berlin:20261202T090000",
        "RDATE;TZID=Europe/Berlin:20261210T090000"
    ]);
    let id = text(&own.insert(&event).await["id"]);
    let events = own.events("singleEvents=true").await;
    let expected = ["20261201", "20261203", "20261210"].map(|day| format!("{id}_{day}T080000Z"));
    assert_eq!(ids(&events), expected);
    for rule in [
        "FREQ=DAILY",
        "RRULE:FREQ=NEVER",
        "DTSTART:20261201T090000",
        "RRULE:FREQ=DAILY;COUNT=x",
    ] {
        let answer = own
            .refusal(
                "POST",
                "calendars/primary/events",
                &series("2026-12-01", rule),
            )
            .await;
        assert_eq!(answer, refused(400, "invalid"), "{rule}");
    }
    let mut event = series("2026-12-01", "RRULE:FREQ=DAILY");
    event["start"] = json!({ "dateTime": "2026-12-01T09:00:00+01:00" });
    let answer = own
        .refusal("POST", "calendars/primary/events", &event)
        .await;
    assert_eq!(
        answer,
        refused(400, "required"),
        "a series needs a time zone"
    );
}

#[tokio::test]
async fn a_series_without_end_is_listed_up_to_a_horizon_or_the_bound() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    own.insert(&series("2020-01-01", "RRULE:FREQ=WEEKLY")).await;
    let all = own.events("singleEvents=true").await.len();
    assert!((400..600).contains(&all), "{all}");
    let some = own
        .events("singleEvents=true&timeMin=2040-01-01T00:00:00Z&timeMax=2040-02-01T00:00:00Z")
        .await;
    assert_eq!(some.len(), 4);
    // As a series it is within the bounds if one of its instances is.
    assert_eq!(
        own.events("timeMin=2040-01-01T00:00:00Z&timeMax=2040-02-01T00:00:00Z")
            .await
            .len(),
        1
    );
    assert_eq!(
        own.events("timeMin=2040-01-02T00:00:00Z&timeMax=2040-01-03T00:00:00Z")
            .await
            .len(),
        0
    );
}
