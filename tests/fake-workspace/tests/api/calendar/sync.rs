//! Sync tokens: a client that follows them alone ends with what a fresh listing gives.

use super::{Calendar, empty, ids, meeting, refused, series};
use crate::client::{Fake, encode, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type State = BTreeMap<String, Value>;

/// A client that keeps a calendar by sync tokens only.
struct Follower {
    path: String,
    state: State,
    token: String,
}

impl Follower {
    /// The first full listing. `path` has all parameters but the bounds in `bounds`.
    async fn start(calendar: &Calendar<'_>, path: &str, bounds: &str) -> Self {
        let (items, last) = calendar.pages(&format!("{path}&{bounds}")).await;
        let mut follower = Self {
            path: path.to_owned(),
            state: State::new(),
            token: text(&last["nextSyncToken"]),
        };
        follower.take(items);
        follower
    }

    /// Follows the changes; returns how many there were.
    async fn follow(&mut self, calendar: &Calendar<'_>, page: usize) -> usize {
        let token = encode(&self.token);
        let path = format!("{}&maxResults={page}&syncToken={token}", self.path);
        let (items, last) = calendar.pages(&path).await;
        self.token = text(&last["nextSyncToken"]);
        let n_items = items.len();
        self.take(items);
        n_items
    }

    /// As the documentation asks: a deleted event goes with its exceptions, a hole in a live series stays.
    fn take(&mut self, items: Vec<Value>) {
        for item in items {
            let id = text(&item["id"]);
            let is_hole = item.get("recurringEventId").is_some();
            let stays = is_hole && !self.path.contains("singleEvents=true");
            if item["status"] != "cancelled" || stays {
                self.state.insert(id, item);
            } else {
                self.state.remove(&id);
                let master = json!(id);
                self.state
                    .retain(|_, event| event["recurringEventId"] != master);
            }
        }
    }

    /// What is left when the holes of series that are gone are gone as well.
    fn settled(&self, bounds: &str) -> State {
        settle(self.state.clone(), bounds)
    }
}

/// With bounds, holes do not count: an increment tells of all of them, a listing of those within.
fn settle(state: State, bounds: &str) -> State {
    let masters: Vec<String> = state.keys().cloned().collect();
    state
        .into_iter()
        .filter(|(_, event)| {
            event["status"] != "cancelled"
                || bounds.is_empty()
                    && event["recurringEventId"]
                        .as_str()
                        .is_some_and(|master| masters.iter().any(|own| own == master))
        })
        .collect()
}

async fn fresh(calendar: &Calendar<'_>, path: &str, bounds: &str) -> State {
    let (items, _) = calendar.pages(&format!("{path}&{bounds}")).await;
    let state = items
        .into_iter()
        .map(|item| (text(&item["id"]), item))
        .collect();
    settle(state, bounds)
}

fn assert_same(kept: &State, fresh: &State, place: &str) {
    for (id, event) in fresh {
        assert_eq!(kept.get(id), Some(event), "{place}: {id}");
    }
    for id in kept.keys() {
        assert!(
            fresh.contains_key(id),
            "{place}: {id} is no more: {}",
            kept[id]
        );
    }
}

#[tokio::test]
async fn sync_tokens_alone_lead_to_the_truth() {
    let fake = Fake::with(|options| options.events = 45).await;
    keep_up(&fake, 16).await;
}

#[tokio::test]
async fn sync_tokens_are_as_true_when_every_page_may_fail() {
    for seed in [1, 2] {
        let fake = Fake::with(|options| options.events = 45).await;
        fake.trouble(&["calendar.events.list"], seed);
        keep_up(&fake, 14).await;
        assert!(fake.n_hits() > 200, "{} faults", fake.n_hits());
    }
}

async fn keep_up(fake: &Fake, n_rounds: usize) {
    let own = Calendar::of(fake, 0).await;
    let other = Calendar::of(fake, 1).await;
    let path = "calendars/primary/events?";
    let modes = [
        ("showDeleted=true", ""),
        ("maxAttendees=2", ""),
        ("singleEvents=true", ""),
        (
            "singleEvents=true&eventTypes=default",
            "timeMin=2026-12-01T00:00:00Z&timeMax=2027-02-01T00:00:00Z",
        ),
        ("timeZone=Asia/Tokyo", "timeMin=2026-11-20T00:00:00Z"),
    ];
    let mut followers = Vec::new();
    for (parameters, bounds) in modes {
        // A deleted event is no part of what is compared, so the first listing leaves them out.
        let start = Follower::start(&own, &format!("{path}{parameters}"), bounds).await;
        followers.push((start, bounds));
    }
    let mut n_changes = 0;
    for seed in 0..n_rounds {
        let rounds = 1 + 2 * seed;
        own.admin("calendar.churn", json!({ "seed": seed, "rounds": rounds }));
        other.admin(
            "calendar.churn",
            json!({ "seed": seed + 1000, "rounds": 3 }),
        );
        let page = [3, 20, 250, 2500][seed % 4];
        for (follower, bounds) in &mut followers {
            n_changes += follower.follow(&own, page).await;
            let query = follower.path.replace("showDeleted=true", "");
            let expected = fresh(&own, &query, bounds).await;
            assert_same(
                &follower.settled(bounds),
                &expected,
                &format!("seed {seed}, {query}"),
            );
        }
        // The truth of the control port is the fresh plain listing.
        let truth = own.admin("truth", json!({ "source": "calendar" }));
        let primary = truth["calendars"]
            .as_array()
            .expect("calendars")
            .iter()
            .find(|calendar| calendar["primary"] == true)
            .expect("a primary one");
        let events = primary["events"]
            .as_array()
            .expect("events")
            .iter()
            .chain(primary["cancelled"].as_array().expect("holes"));
        let truth: State = events
            .map(|event| (text(&event["id"]), event.clone()))
            .collect();
        assert_same(
            &truth,
            &own.pages(path)
                .await
                .0
                .into_iter()
                .map(|event| (text(&event["id"]), event))
                .collect(),
            "truth",
        );
    }
    assert!(n_changes > 1_000, "only {n_changes} changes were followed");
    // Without a change there is nothing, and the token goes on.
    let (follower, _) = &mut followers[0];
    assert_eq!(follower.follow(&own, 50).await, 0);
}

#[tokio::test]
async fn changes_during_the_first_listing_come_with_the_next() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let mut made = Vec::new();
    for hour in 10..16 {
        let start = format!("2026-12-01T{hour}:00:00Z");
        made.push(text(&own.insert(&meeting("a", &start, &start)).await["id"]));
    }
    let first = own.json("calendars/primary/events?maxResults=2").await;
    assert!(first.get("nextSyncToken").is_none());
    made.sort();
    // The first page has been read; its event changes, and one of a later page goes.
    own.patch(&made[0], &json!({ "summary": "changed" })).await;
    own.delete(&made[5]).await;
    let token = encode(&text(&first["nextPageToken"]));
    let (rest, last) = own
        .pages(&format!(
            "calendars/primary/events?maxResults=2000&pageToken={token}"
        ))
        .await;
    assert_eq!(ids(&rest), made[2..5]);
    let token = encode(&text(&last["nextSyncToken"]));
    let (changes, _) = own
        .pages(&format!("calendars/primary/events?syncToken={token}"))
        .await;
    assert_eq!(ids(&changes), [made[0].clone(), made[5].clone()]);
    assert_eq!(changes[0]["summary"], "changed");
    let members: Vec<&String> = changes[1].as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["etag", "id", "kind", "status"],
        "a deleted event guarantees only its id"
    );
}

#[tokio::test]
async fn a_deleted_event_is_told_even_if_the_client_never_saw_it() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let list = own.json("calendars/primary/events").await;
    let token = encode(&text(&list["nextSyncToken"]));
    let start = "2026-12-01T10:00:00Z";
    let id = text(&own.insert(&meeting("a", start, start)).await["id"]);
    own.delete(&id).await;
    let path = format!("calendars/primary/events?syncToken={token}");
    let changes = own.json(&path).await;
    assert_eq!(changes["items"][0]["id"], id);
    assert_eq!(changes["items"][0]["status"], "cancelled");
    assert!(changes["items"][0].get("summary").is_none());
    // With showDeleted, the organizer's calendar still tells what it was.
    let changes = own.json(&format!("{path}&showDeleted=true")).await;
    assert_eq!(changes["items"][0]["summary"], "a");
}

#[tokio::test]
async fn parameters_that_may_not_stand_beside_a_token_are_refused() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let list = own.json("calendars/primary/events").await;
    let token = encode(&text(&list["nextSyncToken"]));
    let path = format!("calendars/primary/events?syncToken={token}");
    for forbidden in [
        "iCalUID=a",
        "orderBy=updated",
        "privateExtendedProperty=a%3Db",
        "q=a",
        "sharedExtendedProperty=a%3Db",
        "timeMin=2026-01-01T00:00:00Z",
        "timeMax=2026-01-01T00:00:00Z",
        "updatedMin=2026-11-20T00:00:00Z",
        "showDeleted=false",
        // These have to be as in the first listing.
        "singleEvents=true",
        "eventTypes=default",
        "timeZone=UTC",
        "maxAttendees=3",
    ] {
        let answer = own
            .refusal("GET", &format!("{path}&{forbidden}"), &Value::Null)
            .await;
        assert_eq!(answer, refused(400, "invalid"), "{forbidden}");
    }
    for allowed in [
        "showDeleted=true",
        "maxResults=1",
        "fields=items",
        "singleEvents=false",
    ] {
        own.json(&format!("{path}&{allowed}")).await;
    }
    // A token is bound to its calendar and its user.
    let other = Calendar::of(&fake, 1).await;
    assert_eq!(
        other.refusal("GET", &path, &Value::Null).await,
        refused(400, "invalid")
    );
    for garbage in ["abc", "%00%ff", "W10", "bnVsbA"] {
        let path = format!("calendars/primary/events?syncToken={garbage}");
        assert_eq!(
            own.refusal("GET", &path, &Value::Null).await,
            refused(400, "invalid")
        );
        let path = format!("calendars/primary/events?pageToken={garbage}");
        assert_eq!(
            own.refusal("GET", &path, &Value::Null).await,
            refused(400, "invalid")
        );
    }
}

#[tokio::test]
async fn orders_and_searches_end_without_a_token() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    for query in [
        "orderBy=updated",
        "singleEvents=true&orderBy=startTime",
        "q=a",
        "iCalUID=a",
        "updatedMin=2026-11-23T00:00:00Z",
        "privateExtendedProperty=a%3Db",
    ] {
        let list = own.json(&format!("calendars/primary/events?{query}")).await;
        assert!(list.get("nextSyncToken").is_none(), "{query}");
        assert!(list.get("nextPageToken").is_none(), "{query}");
    }
    for query in [
        "singleEvents=true",
        "timeMin=2026-01-01T00:00:00Z",
        "showDeleted=true",
        "eventTypes=default",
    ] {
        let list = own.json(&format!("calendars/primary/events?{query}")).await;
        assert!(list["nextSyncToken"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn pages_of_an_increment_take_the_same_sync_token() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let list = own.json("calendars/primary/events").await;
    let sync = encode(&text(&list["nextSyncToken"]));
    for hour in 10..13 {
        let start = format!("2026-12-01T{hour}:00:00Z");
        own.insert(&meeting("a", &start, &start)).await;
    }
    let path = format!("calendars/primary/events?maxResults=2&syncToken={sync}");
    let first = own.json(&path).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let page = encode(&text(&first["nextPageToken"]));
    let second = own.json(&format!("{path}&pageToken={page}")).await;
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert!(second["nextSyncToken"].is_string());
    for wrong in [
        format!("calendars/primary/events?pageToken={page}"),
        format!(
            "calendars/primary/events?pageToken={page}&syncToken={}",
            encode(&text(&second["nextSyncToken"]))
        ),
    ] {
        assert_eq!(
            own.refusal("GET", &wrong, &Value::Null).await,
            refused(400, "invalid")
        );
    }
}

#[tokio::test]
async fn hidden_events_make_pages_short_or_empty() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    for n in 0..9 {
        let start = "2026-12-01T10:00:00Z";
        let mut event = meeting("a", start, start);
        event["id"] = json!(format!("event{n}"));
        own.insert(&event).await;
        if n != 4 {
            own.delete(&format!("event{n}")).await;
        }
    }
    let page = own.json("calendars/primary/events?maxResults=3").await;
    assert_eq!(page["items"], json!([]));
    assert!(page["nextPageToken"].is_string());
    assert_eq!(ids(&own.events("maxResults=3").await), ["event4"]);
    assert_eq!(own.events("maxResults=3&showDeleted=true").await.len(), 9);
}

#[tokio::test]
async fn tokens_expire() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let calendar = own.admin("calendar.create", json!({ "summary": "Shared" }));
    let id = text(&calendar["id"]);
    let other = Calendar::of(&fake, 1).await;
    own.admin(
        "calendar.share",
        json!({ "calendarId": id, "with": other.address, "role": "reader" }),
    );
    let path = format!("calendars/{id}/events");
    let token = |page: Value| encode(&text(&page["nextSyncToken"]));
    let own_token = token(own.json(&path).await);
    let other_token = token(other.json(&path).await);
    own.admin("calendar.expire", json!({ "calendarId": id }));
    let answer = own.get(&format!("{path}?syncToken={own_token}")).await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (410, "fullSyncRequired")
    );
    assert_eq!(
        answer.json()["error"]["message"],
        "Sync token is no longer valid, a full sync is required."
    );
    assert_eq!(answer.json()["error"]["errors"][0]["location"], "syncToken");
    // Others are not concerned, and a new listing works.
    other.json(&format!("{path}?syncToken={other_token}")).await;
    let own_token = token(own.json(&path).await);
    own.json(&format!("{path}?syncToken={own_token}")).await;
    // A change of rights kills the token of the one concerned.
    own.admin(
        "calendar.share",
        json!({ "calendarId": id, "with": other.address, "role": "writer" }),
    );
    let path = format!("{path}?syncToken={other_token}");
    assert_eq!(
        other.refusal("GET", &path, &Value::Null).await,
        refused(410, "fullSyncRequired")
    );
    own.json(&format!("calendars/{id}/events?syncToken={own_token}"))
        .await;
    // And there are answers without the reason.
    own.admin("calendar.expire", json!({ "plain": true }));
    let path = format!("calendars/{id}/events?syncToken={own_token}");
    assert_eq!(
        own.refusal("GET", &path, &Value::Null).await,
        refused(410, "gone")
    );
}

#[tokio::test]
async fn an_expanded_increment_cancels_the_instances_that_are_no_more() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let id = text(
        &own.insert(&series("2026-12-01", "RRULE:FREQ=DAILY;COUNT=4"))
            .await["id"],
    );
    let path = "calendars/primary/events?singleEvents=true";
    let list = own.json(path).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
    let token = encode(&text(&list["nextSyncToken"]));
    own.patch(&id, &json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=2"] }))
        .await;
    let (changes, last) = own.pages(&format!("{path}&syncToken={token}")).await;
    let mut found: Vec<(String, String)> = changes
        .iter()
        .map(|event| (text(&event["id"]), text(&event["status"])))
        .collect();
    found.sort();
    let expected: Vec<(String, String)> = [
        ("01", "confirmed"),
        ("02", "confirmed"),
        ("03", "cancelled"),
        ("04", "cancelled"),
    ]
    .map(|(day, status)| (format!("{id}_202612{day}T080000Z"), status.to_owned()))
    .to_vec();
    assert_eq!(found, expected);
    own.delete(&id).await;
    let token = encode(&text(&last["nextSyncToken"]));
    let (changes, _) = own.pages(&format!("{path}&syncToken={token}")).await;
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|event| event["status"] == "cancelled"));
}

#[tokio::test]
async fn the_calendar_list_has_tokens_of_its_own() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let other = Calendar::of(&fake, 1).await;
    let path = "users/me/calendarList";
    let (all, last) = own.pages(&format!("{path}?maxResults=1")).await;
    assert!(
        all.iter()
            .any(|entry| entry["primary"] == true && entry["id"] == own.address)
    );
    let token = encode(&text(&last["nextSyncToken"]));
    let calendar = text(
        &other
            .ok("POST", "calendars", &json!({ "summary": "Theirs" }))
            .await["id"],
    );
    other.admin(
        "calendar.share",
        json!({ "calendarId": calendar, "with": own.address, "role": "reader" }),
    );
    let sync = format!("{path}?syncToken={token}");
    assert_eq!(
        own.json(&sync).await["items"],
        json!([]),
        "sharing puts nothing on a list"
    );
    own.ok("POST", path, &json!({ "id": calendar, "selected": true }))
        .await;
    let page = own.json(&sync).await;
    assert_eq!(ids(page["items"].as_array().unwrap()), [calendar.as_str()]);
    let token = encode(&text(&page["nextSyncToken"]));
    let sync = format!("{path}?syncToken={token}");
    // A change of the calendar itself is none of the entry.
    other
        .ok(
            "PATCH",
            &format!("calendars/{calendar}"),
            &json!({ "summary": "Renamed" }),
        )
        .await;
    other.admin(
        "calendar.share",
        json!({ "calendarId": calendar, "with": own.address, "role": "writer" }),
    );
    assert_eq!(own.json(&sync).await["items"], json!([]));
    own.ok(
        "PATCH",
        &format!("{path}/{calendar}"),
        &json!({ "hidden": true }),
    )
    .await;
    let page = own.json(&sync).await;
    assert_eq!(
        page["items"][0]["hidden"], true,
        "hidden entries are always in an increment"
    );
    assert_eq!(page["items"][0]["summary"], "Renamed");
    own.ok("DELETE", &format!("{path}/{calendar}"), &Value::Null)
        .await;
    let page = own.json(&sync).await;
    assert_eq!(page["items"][0]["deleted"], true);
    for forbidden in [
        "minAccessRole=reader",
        "showOwnOrganizationOnly=true",
        "showDeleted=false",
        "showHidden=false",
    ] {
        let answer = own
            .refusal("GET", &format!("{sync}&{forbidden}"), &Value::Null)
            .await;
        assert_eq!(answer, refused(400, "invalid"), "{forbidden}");
    }
    own.admin("calendar.expire", json!({}));
    assert_eq!(
        own.refusal("GET", &sync, &Value::Null).await,
        refused(410, "fullSyncRequired")
    );
}

#[tokio::test]
async fn an_empty_page_of_a_fault_leads_to_the_right_one() {
    let fake = empty().await;
    let own = Calendar::of(&fake, 0).await;
    let start = "2026-12-01T10:00:00Z";
    own.insert(&meeting("a", start, start)).await;
    fake.admin(
        "fault.on",
        json!({ "method": "calendar.events.list", "body": "empty_page", "count": 1 }),
    );
    let page = own.json("calendars/primary/events").await;
    assert_eq!(page["items"], json!([]));
    let token = encode(&text(&page["nextPageToken"]));
    let page = own
        .json(&format!("calendars/primary/events?pageToken={token}"))
        .await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}
