//! Meetings: the copies of the guests, their answers, and what only the organizer may change.

use super::{Calendar, empty, ids, meeting, refused, series};
use crate::client::{encode, text};
use serde_json::{Value, json};

const START: &str = "2026-12-01T10:00:00Z";
const END: &str = "2026-12-01T11:00:00Z";
const EVENTS: &str = "calendars/primary/events";

/// A meeting of the first user with the second and somebody outside.
async fn invite(host: &Calendar<'_>, guest: &Calendar<'_>) -> String {
    let mut event = meeting("Plan", START, END);
    event["attendees"] =
        json!([{ "email": guest.address }, { "email": "x@outside.example", "optional": true }]);
    text(&host.insert(&event).await["id"])
}

fn status_of(event: &Value, address: &str) -> String {
    let attendees = event["attendees"]
        .as_array()
        .expect("an event with attendees");
    let found = attendees
        .iter()
        .find(|attendee| attendee["email"] == address);
    text(&found.expect("the address is invited")["responseStatus"])
}

async fn token(calendar: &Calendar<'_>) -> String {
    encode(&text(&calendar.pages(EVENTS).await.1["nextSyncToken"]))
}

/// What changed on a primary calendar since the token.
async fn changes(calendar: &Calendar<'_>, token: &str) -> Vec<Value> {
    calendar
        .pages(&format!("{EVENTS}?syncToken={token}"))
        .await
        .0
}

#[tokio::test]
async fn each_guest_has_a_copy_of_its_own() {
    let fake = empty().await;
    let (host, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let id = invite(&host, &guest).await;
    let (own, copy) = (host.event(&id).await, guest.event(&id).await);
    for shared in ["id", "iCalUID", "summary", "sequence"] {
        assert_eq!(copy[shared], own[shared], "{shared}");
    }
    assert_eq!(own["organizer"]["self"], true);
    assert_eq!(copy["organizer"], json!({ "email": host.address }));
    assert_eq!(
        copy["attendees"][0],
        json!({ "email": guest.address, "responseStatus": "needsAction", "self": true })
    );
    assert!(own["attendees"][0].get("self").is_none());
    // Members of one copy stay there.
    let private = json!({ "extendedProperties": { "private": { "mine": "1" } }, "colorId": "3", "reminders": { "useDefault": false } });
    let copy = guest.patch(&id, &private).await;
    assert_eq!(
        copy["extendedProperties"],
        json!({ "private": { "mine": "1" } })
    );
    let own_after = host.event(&id).await;
    assert_eq!(own_after, own);
    host.patch(&id, &json!({ "summary": "New plan", "extendedProperties": { "private": { "secret": "2" }, "shared": { "all": "3" } } })).await;
    let copy = guest.event(&id).await;
    assert_eq!(copy["summary"], "New plan");
    assert_eq!(
        copy["extendedProperties"],
        json!({ "private": { "mine": "1" }, "shared": { "all": "3" } })
    );
    assert_eq!(copy["colorId"], "3");
}

#[tokio::test]
async fn an_alias_invites_its_user() {
    let fake = crate::client::Fake::with(|options| {
        options.events = 0;
        options.users = 20;
    })
    .await;
    let host = Calendar::of(&fake, 0).await;
    let users = fake.admin("users", json!({}));
    let with_alias = users["users"]
        .as_array()
        .unwrap()
        .iter()
        .position(|user| {
            user["email"] != host.address && !user["aliases"].as_array().unwrap().is_empty()
        })
        .unwrap();
    let alias = text(&users["users"][with_alias]["aliases"][0]);
    let guest = Calendar::of(&fake, with_alias).await;
    let mut event = meeting("Plan", START, END);
    event["attendees"] = json!([{ "email": alias.to_uppercase() }]);
    let id = text(&host.insert(&event).await["id"]);
    let copy = guest.event(&id).await;
    assert_eq!(copy["attendees"][0]["self"], true);
    assert_eq!(copy["attendees"][0]["email"], alias.to_uppercase());
}

#[tokio::test]
async fn an_answer_reaches_all_copies() {
    let fake = empty().await;
    let (host, guest, third) = (
        Calendar::of(&fake, 0).await,
        Calendar::of(&fake, 1).await,
        Calendar::of(&fake, 2).await,
    );
    let mut event = meeting("Plan", START, END);
    event["attendees"] = json!([{ "email": guest.address }, { "email": third.address }]);
    let id = text(&host.insert(&event).await["id"]);
    let tokens = [token(&host).await, token(&third).await];
    let mut attendees = guest.event(&id).await["attendees"].clone();
    attendees[0]["responseStatus"] = json!("accepted");
    attendees[0]["comment"] = json!("gladly");
    let answered = guest.patch(&id, &json!({ "attendees": attendees })).await;
    assert_eq!(status_of(&answered, &guest.address), "accepted");
    for (calendar, token) in [&host, &third].into_iter().zip(tokens) {
        let changed = changes(calendar, &token).await;
        assert_eq!(ids(&changed), [id.as_str()]);
        assert_eq!(status_of(&changed[0], &guest.address), "accepted");
        assert_eq!(status_of(&changed[0], &third.address), "needsAction");
    }
    // Only the own answer, as the documentation shows it.
    let own = json!({ "attendeesOmitted": true, "attendees": [{ "email": third.address, "responseStatus": "declined" }] });
    third.patch(&id, &own).await;
    let seen = host.event(&id).await;
    assert_eq!(status_of(&seen, &third.address), "declined");
    assert_eq!(status_of(&seen, &guest.address), "accepted");
    // Nobody answers for another.
    attendees[1]["responseStatus"] = json!("accepted");
    let answer = guest
        .refusal(
            "PATCH",
            &format!("{EVENTS}/{id}"),
            &json!({ "attendees": attendees }),
        )
        .await;
    assert_eq!(answer, refused(403, "forbiddenForNonOrganizer"));
}

#[tokio::test]
async fn shared_members_are_the_organizers_unless_guests_may_modify() {
    let fake = empty().await;
    let (host, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let id = invite(&host, &guest).await;
    let path = format!("{EVENTS}/{id}");
    for change in [
        json!({ "summary": "Mine" }),
        json!({ "end": { "dateTime": "2026-12-01T12:00:00Z" } }),
        json!({ "recurrence": ["RRULE:FREQ=DAILY"], "start": { "timeZone": "UTC" }, "end": { "timeZone": "UTC" } }),
    ] {
        let answer = guest.call("PATCH", &path, &change).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "forbiddenForNonOrganizer"),
            "{change}"
        );
        assert_eq!(answer.json()["error"]["errors"][0]["domain"], "calendar");
    }
    host.patch(&id, &json!({ "guestsCanModify": true })).await;
    guest.patch(&id, &json!({ "summary": "Ours" })).await;
    assert_eq!(host.event(&id).await["summary"], "Ours");
}

#[tokio::test]
async fn uninvited_and_cancelled_guests_keep_a_stub() {
    let fake = empty().await;
    let (host, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let id = invite(&host, &guest).await;
    let start = token(&guest).await;
    host.patch(
        &id,
        &json!({ "attendees": [{ "email": "x@outside.example" }] }),
    )
    .await;
    let changed = changes(&guest, &start).await;
    assert_eq!(changed[0]["status"], "cancelled");
    assert!(changed[0].get("summary").is_none());
    assert!(guest.events("").await.is_empty());
    host.patch(&id, &json!({ "attendees": [{ "email": guest.address }] }))
        .await;
    assert_eq!(guest.events("").await.len(), 1);
    host.delete(&id).await;
    let stub = guest.event(&id).await;
    let members: Vec<&String> = stub.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["etag", "id", "kind", "status"],
        "a deleted event guarantees only its id"
    );
    // The organizer's copy still has what is needed to restore it.
    assert_eq!(host.event(&id).await["summary"], "Plan");
    host.patch(&id, &json!({ "status": "confirmed" })).await;
    assert_eq!(guest.event(&id).await["summary"], "Plan");
}

#[tokio::test]
async fn a_guest_who_removes_the_event_declines_it() {
    let fake = empty().await;
    let (host, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    let id = invite(&host, &guest).await;
    guest.delete(&id).await;
    assert_eq!(
        status_of(&host.event(&id).await, &guest.address),
        "declined"
    );
    // It stays removed, with details, whatever the organizer does.
    host.patch(&id, &json!({ "summary": "Please come" })).await;
    assert!(guest.events("").await.is_empty());
    let kept = guest.event(&id).await;
    assert_eq!(
        (&kept["status"], &kept["summary"]),
        (&json!("cancelled"), &json!("Please come"))
    );
}

#[tokio::test]
async fn one_instance_can_have_guests_and_answers_of_its_own() {
    let fake = empty().await;
    let (host, guest, third) = (
        Calendar::of(&fake, 0).await,
        Calendar::of(&fake, 1).await,
        Calendar::of(&fake, 2).await,
    );
    let mut event = series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=4");
    event["attendees"] = json!([{ "email": guest.address }]);
    let id = text(&host.insert(&event).await["id"]);
    let second = format!("{id}_20261202T080000Z");
    assert_eq!(guest.events("singleEvents=true").await.len(), 4);
    // A guest declines once.
    guest
        .patch(
            &second,
            &json!({ "attendees": [{ "email": guest.address, "responseStatus": "declined" }] }),
        )
        .await;
    assert_eq!(
        status_of(&host.event(&second).await, &guest.address),
        "declined"
    );
    assert_eq!(
        status_of(&host.event(&id).await, &guest.address),
        "needsAction"
    );
    assert_eq!(
        status_of(&guest.event(&second).await, &guest.address),
        "declined"
    );
    // Somebody comes to one instance only, and has no master.
    let invited = json!({ "attendees": [{ "email": guest.address, "responseStatus": "declined" }, { "email": third.address }] });
    host.patch(&second, &invited).await;
    let events = third.events("").await;
    assert_eq!(ids(&events), [second.as_str()]);
    assert_eq!(events[0]["recurringEventId"], id);
    assert_eq!(
        third
            .refusal("GET", &format!("{EVENTS}/{id}"), &Value::Null)
            .await,
        refused(404, "notFound")
    );
    // The organizer cancels one: a hole at the guest's as well.
    let last = format!("{id}_20261204T080000Z");
    host.delete(&last).await;
    let hole = guest.event(&last).await;
    assert_eq!(
        (&hole["status"], &hole["recurringEventId"]),
        (&json!("cancelled"), &json!(id))
    );
    assert_eq!(guest.events("singleEvents=true").await.len(), 3);
    host.delete(&id).await;
    assert!(guest.events("").await.is_empty());
    assert!(third.events("").await.is_empty());
}

#[tokio::test]
async fn a_suspended_owner_keeps_the_calendar() {
    let fake = empty().await;
    let (host, guest) = (Calendar::of(&fake, 0).await, Calendar::of(&fake, 1).await);
    fake.admin("user.suspend", json!({ "user": guest.address }));
    let id = invite(&host, &guest).await;
    let seen = host
        .json(&format!("calendars/{}/events/{id}", encode(&guest.address)))
        .await;
    assert_eq!(seen["summary"], "Plan");
}
