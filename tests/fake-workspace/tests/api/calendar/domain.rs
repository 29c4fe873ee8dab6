//! The generated domain, the control port and the trickle.

use super::{ALL, Calendar, empty, meeting};
use crate::client::{Fake, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

async fn generated(seed: u64) -> Fake {
    Fake::with(|options| {
        options.seed = seed;
        options.users = 10;
        options.events = 400;
    })
    .await
}

/// The generated events of a user without what moves with the start.
async fn summary(fake: &Fake, number: usize) -> Vec<Value> {
    let calendar = Calendar::of(fake, number).await;
    let events = calendar.events("").await;
    let kept = [
        "id",
        "summary",
        "attendees",
        "recurrence",
        "eventType",
        "status",
        "visibility",
    ];
    events
        .into_iter()
        .map(|event| kept.iter().map(|name| event[*name].clone()).collect())
        .collect()
}

#[tokio::test]
async fn the_same_seed_gives_the_same_calendars_in_any_order() {
    let (one, two, other) = (generated(7).await, generated(7).await, generated(8).await);
    let first = [summary(&one, 0).await, summary(&one, 9).await];
    let second = [summary(&two, 9).await, summary(&two, 0).await];
    // Instances are named by their time, so only what is not one can be compared over midnight.
    let plain = |events: &[Value]| -> Vec<Value> {
        let single = |event: &&Value| !text(&event[0]).contains('_');
        events.iter().filter(single).cloned().collect()
    };
    assert_eq!(plain(&first[0]), plain(&second[1]));
    assert_eq!(plain(&first[1]), plain(&second[0]));
    assert_ne!(plain(&first[0]), plain(&summary(&other, 0).await));
}

#[tokio::test]
async fn a_generated_domain_has_all_that_occurs() {
    let fake = generated(3).await;
    let mut types = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for number in 0..8 {
        let calendar = Calendar::of(&fake, number).await;
        for event in calendar.events("").await {
            types.insert(event["eventType"].as_str().unwrap_or_default().to_owned());
            let mut note = |name: &'static str, there: bool| {
                if there {
                    seen.insert(name);
                }
            };
            note("series", event["recurrence"].is_array());
            note("hole", event["status"] == "cancelled");
            note(
                "exception",
                event["recurringEventId"].is_string() && event["start"].is_object(),
            );
            note("all day", event["start"]["date"].is_string());
            note("private", event["visibility"] == "private");
            note("conference", event["hangoutLink"].is_string());
            note(
                "invited",
                event["organizer"]["self"].is_null() && event["status"] == "confirmed",
            );
            // A guest of the domain has the same event.
            if event["organizer"]["self"] == true && number == 0 {
                for attendee in event["attendees"].as_array().into_iter().flatten() {
                    let users = fake.server.users();
                    if let Some(guest) = users
                        .iter()
                        .position(|user| attendee["email"] == json!(user))
                    {
                        let copy = Calendar::of(&fake, guest)
                            .await
                            .event(&text(&event["id"]))
                            .await;
                        assert_eq!(copy["iCalUID"], event["iCalUID"]);
                    }
                }
            }
        }
    }
    let all = [
        "birthday",
        "default",
        "focusTime",
        "fromGmail",
        "outOfOffice",
        "workingLocation",
    ];
    assert!(all.iter().all(|kind| types.contains(*kind)), "{types:?}");
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[tokio::test]
async fn the_control_port_writes_as_a_user() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let start = "2026-12-01T10:00:00Z";
    let made = own.admin(
        "calendar.insert",
        json!({ "calendarId": "primary", "event": meeting("a", start, start) }),
    );
    let id = text(&made["id"]);
    own.admin(
        "calendar.patch",
        json!({ "id": id, "event": { "summary": "b" } }),
    );
    assert_eq!(own.event(&id).await["summary"], "b");
    let truth = own.admin("truth", json!({ "source": "calendar" }));
    let primary = &truth["calendars"][0];
    assert_eq!(
        (&primary["id"], &primary["primary"]),
        (&json!(own.address), &json!(true))
    );
    assert_eq!(primary["events"], json!(own.events("").await));
    let second = text(&own.admin("calendar.create", json!({ "summary": "Second" }))["id"]);
    own.admin("calendar.move", json!({ "id": id, "destination": second }));
    own.admin("calendar.delete", json!({ "calendarId": second, "id": id }));
    own.admin("calendar.unsubscribe", json!({ "calendarId": second }));
    own.admin("calendar.subscribe", json!({ "calendarId": second }));
    own.admin("calendar.remove", json!({ "calendarId": second }));
    let uid = json!({ "iCalUID": "1@x.example", "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-02" } });
    own.admin("calendar.import", json!({ "event": uid }));
    assert_eq!(own.events("").await.len(), 1);
    for (operation, input) in [
        ("calendar.insert", json!({ "user": own.address })),
        (
            "calendar.insert",
            json!({ "user": "nobody@example.com", "event": {} }),
        ),
        (
            "calendar.insert",
            json!({ "user": own.address, "event": {} }),
        ),
        (
            "calendar.delete",
            json!({ "user": own.address, "id": "nothing" }),
        ),
        (
            "calendar.share",
            json!({ "user": own.address, "with": "default", "role": "king" }),
        ),
        (
            "calendar.expire",
            json!({ "user": own.address, "calendarId": "nothing" }),
        ),
        (
            "calendar.churn",
            json!({ "user": own.address, "rounds": 1_000_000 }),
        ),
        ("calendar.nothing", json!({ "user": own.address })),
    ] {
        assert!(
            fake.server.admin(operation, &input).is_err(),
            "{operation} {input}"
        );
    }
}

#[tokio::test]
async fn churn_is_seeded_and_makes_every_kind_of_change() {
    let mut states = Vec::new();
    for _ in 0..2 {
        let fake = empty().await;
        let own = Calendar::of(&fake, 0).await;
        let counts = own.admin(
            "churn",
            json!({ "source": "calendar", "seed": 5, "rounds": 300 }),
        );
        let counts = counts["counts"].clone();
        for deed in [
            "added",
            "renamed",
            "moved",
            "guests",
            "rule",
            "instance",
            "reminders",
            "deleted",
            "answered",
            "restored",
        ] {
            assert!(
                counts[deed].as_u64().is_some_and(|n| n > 0),
                "{deed}: {counts}"
            );
        }
        states.push((counts, own.events("").await.len()));
    }
    assert_eq!(states[0], states[1]);
}

#[tokio::test]
async fn the_trickle_reaches_calendars() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    fake.admin("rate", json!({ "per_second": 500.0 }));
    let deadline = Instant::now() + Duration::from_secs(30);
    while own.events("").await.is_empty() {
        assert!(Instant::now() < deadline, "no calendar event within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fake.admin("stop_rate", json!({}));
}

#[tokio::test]
async fn faults_name_events_and_calls_are_counted() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let start = "2026-12-01T10:00:00Z";
    let id = text(&own.insert(&meeting("a", start, start)).await["id"]);
    fake.admin(
        "fault.on",
        json!({ "method": "calendar.events.*", "id": id, "status": 500, "count": 1 }),
    );
    assert_eq!(own.get("calendars/primary/events").await.status, 200);
    assert_eq!(
        own.get(&format!("calendars/primary/events/{id}"))
            .await
            .status,
        500
    );
    assert_eq!(own.event(&id).await["summary"], "a");
    let stats = fake.admin("stats", json!({}));
    assert_eq!(stats["calls"][&own.address]["calendar.events.get"], 2);
    fake.token(&own.address, ALL).await;
}
