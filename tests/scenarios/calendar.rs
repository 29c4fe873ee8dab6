//! Calendars as a whole: what walks, live changes, lost positions and lost readers deliver.

use nuncio_tests::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = "calendar.events.list";

/// A world of so many users and events whose calendars are synced, not started yet.
async fn world(users: usize, events: usize, seed: u64) -> (World, Vec<String>) {
    let world = World::start_with(|options| {
        (options.users, options.events, options.seed) = (users, events, seed);
        (options.messages, options.files) = (0, 0);
    })
    .await;
    let users = world.users();
    world.configure_calendars(&users);
    (world, users)
}

/// A world whose daemon has read all.
async fn settled(users: usize, events: usize, seed: u64) -> (World, Vec<String>) {
    let (mut world, users) = world(users, events, seed).await;
    world.start_daemon();
    world.wait_calendars(&users).await;
    (world, users)
}

fn at(day: u8, hour: u8) -> Value {
    json!({ "dateTime": format!("2027-03-{day:02}T{hour:02}:00:00"), "timeZone": "Europe/Berlin" })
}

fn meeting(summary: &str) -> Value {
    json!({ "summary": summary, "start": at(1, 10), "end": at(1, 11) })
}

fn daily(summary: &str) -> Value {
    json!({ "summary": summary, "start": at(1, 10), "end": at(1, 11), "recurrence": ["RRULE:FREQ=DAILY;COUNT=10"] })
}

/// The id of a series' occurrence on a day of March.
fn occurrence(series: &str, day: u8) -> String {
    format!("{series}_202703{day:02}T090000Z")
}

/// The newest revision so far.
fn newest(world: &World) -> u64 {
    let lines = world.calendar_lines();
    let revisions = lines.iter().filter_map(|line| line["revision"].as_u64());
    revisions.max().unwrap_or(0)
}

/// Event ids to what is told of them after a revision: change, origin, status.
fn told(world: &World, after: u64) -> BTreeMap<String, Vec<Value>> {
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in world.calendar_lines() {
        if line["revision"].as_u64() <= Some(after) {
            continue;
        }
        let key = line["key"].as_str().unwrap();
        let (_, id) = key.rsplit_once('/').unwrap();
        let what = json!([line["change"], line["origin"], line["event"]["status"]]);
        told.entry(id.to_owned()).or_default().push(what);
    }
    told
}

fn domain_feed(status: &Value, calendar: &str) -> Value {
    let feeds = status["domain_feeds"].as_array().unwrap();
    let feed = feeds.iter().find(|feed| feed["collection"] == calendar);
    feed.cloned().unwrap_or_default()
}

/// Backfill and live changes of all kinds; what a team shares is read once, and with the scope
/// that is delegated (the fake knows `calendar` alone).
#[tokio::test(flavor = "multi_thread")]
async fn calendars_end_as_google_has_them_and_a_shared_one_is_read_once() {
    let (world, users) = settled(3, 240, 51).await;
    let status = world.status().unwrap();
    let shared = status["domain_feeds"].as_array().unwrap();
    assert_eq!(shared.len(), 1, "one team, no holidays: {shared:#?}");
    assert_eq!(shared[0]["name"], "Team 1");
    let team = shared[0]["collection"].as_str().unwrap();
    let keys: Vec<Value> = world
        .calendar_lines()
        .into_iter()
        .map(|line| line["key"].clone())
        .collect();
    let unique: BTreeSet<String> = keys.iter().map(Value::to_string).collect();
    assert_eq!(
        keys.len(),
        unique.len(),
        "a first walk tells each event once"
    );
    assert!(unique.iter().any(|key| key.contains("calendar/shared:")));
    for line in world.calendar_lines() {
        let is_shared = line["collection"] == team;
        assert_eq!(line["user"] == "", is_shared, "{line}");
        assert_eq!(line["account"] == "", is_shared, "{line}");
    }
    for (round, user) in users.iter().cycle().take(6).enumerate() {
        world.google(
            "calendar.churn",
            &json!({ "user": user, "seed": round, "rounds": 25 }),
        );
        let shared = json!({ "user": users[0], "calendarId": team, "seed": round, "rounds": 10 });
        world.google("calendar.churn", &shared);
    }
    world.wait_calendars(&users).await;
    let origins: BTreeSet<String> = world
        .calendar_lines()
        .iter()
        .map(|line| line["origin"].to_string())
        .collect();
    assert_eq!(
        origins,
        ["\"backfill\"".to_owned(), "\"live\"".to_owned()].into()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_takes_its_exceptions_with_it_and_brings_them_back() {
    let (world, users) = settled(1, 0, 52).await;
    let user = &users[0];
    let series = world.insert_event(user, "primary", &daily("Stand-up"));
    let (moved, hole) = (occurrence(&series, 3), occurrence(&series, 4));
    world.patch_event(
        user,
        "primary",
        &moved,
        &json!({ "start": at(3, 15), "end": at(3, 16) }),
    );
    world.delete_event(user, "primary", &hole);
    world.wait_calendars(&users).await;
    let all = told(&world, 0);
    assert_eq!(
        all[&hole].last().unwrap(),
        &json!(["created", "live", "cancelled"])
    );
    assert_eq!(
        all[&moved].last().unwrap(),
        &json!(["created", "live", "confirmed"])
    );

    let before = newest(&world);
    world.delete_event(user, "primary", &series);
    world.wait_calendars(&users).await;
    let gone = json!(["deleted", "live", null]);
    let after = told(&world, before);
    for id in [&series, &moved, &hole] {
        assert_eq!(after[id], vec![gone.clone()], "{id}");
    }

    // Restored: Google tells of the series, and what it holds is known again.
    world.patch_event(user, "primary", &series, &json!({ "status": "confirmed" }));
    world.wait_calendars(&users).await;
    let back = told(&world, before);
    assert_eq!(back[&series].last().unwrap()[0], "created");
    assert_eq!(back[&hole].last().unwrap()[2], "cancelled");
}

/// Google gives any occurrence of a series by its id, also one that is no exception any more: it
/// is no proof that a listing had left it out.
#[tokio::test(flavor = "multi_thread")]
async fn an_exception_of_before_that_is_but_an_occurrence_now_leaves() {
    let (mut world, users) = settled(1, 5, 59).await;
    let user = &users[0];
    let mut series = daily("Daily");
    series["id"] = json!("seriesofbefore");
    let id = world.insert_event(user, "primary", &series);
    let moved = json!({ "summary": "Only that day" });
    world.patch_event(user, "primary", &occurrence(&id, 3), &moved);
    let gone = world.insert_event(user, "primary", &meeting("Gone"));
    world.wait_calendars(&users).await;
    world.kill_daemon();
    // A calendar made anew may have another state under the same ids, as for whom it is invited
    // anew.
    world.google("user.recreate", &json!({ "user": user }));
    world.insert_event(user, "primary", &series);
    world.start_daemon();
    let held = |world: &World, id: &str| {
        let held = world.calendar_sink().unwrap();
        held.keys().any(|key| key.ends_with(id))
    };
    // The calendar that the user had shared is lost with the earlier account.
    world
        .wait("what is gone leaves", |status| {
            let feed = &status["users"][0]["accounts"][0]["feeds"][0];
            assert_ne!(feed["state"], "held", "{feed}");
            !held(&world, &gone) && !held(&world, &occurrence(&id, 3))
        })
        .await;
    assert!(held(&world, &id));
    let (code, said, _) = world.run(&["user", "verify", user, "--source", "calendar", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let feed = &report["feeds"][0];
    assert_eq!(feed["collection"], "primary", "{report}");
    let wrong = ["missing", "extra", "stale"].map(|kind| feed[kind].as_u64().unwrap());
    assert_eq!(wrong, [0, 0, 0], "{code} {report}");
}

/// Google cancels the series on the calendar of a guest who is uninvited from it; the occurrences
/// that the guest is still invited to stay there.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_uninvited_from_a_series_keeps_the_occurrences_that_are_left() {
    let (world, users) = settled(3, 0, 59).await;
    let (ana, ben, cy) = (&users[0], &users[1], &users[2]);
    let guests = |of: &[&String]| -> Value {
        let guests: Vec<Value> = of.iter().map(|guest| json!({ "email": guest })).collect();
        json!({ "attendees": guests })
    };
    let mut event = daily("Stand-up");
    event["attendees"] = guests(&[ana, ben, cy])["attendees"].clone();
    let series = world.insert_event(ana, "primary", &event);
    let (kept, hole) = (occurrence(&series, 3), occurrence(&series, 4));
    world.patch_event(ana, "primary", &kept, &json!({ "summary": "With Ben" }));
    world.delete_event(ana, "primary", &hole);
    world.wait_calendars(&users).await;
    world.patch_event(ana, "primary", &series, &guests(&[ana, cy]));
    world.wait_calendars(&users).await;
    let held = world.calendar_sink().unwrap();
    let of =
        |user: &String, id: &String| held.contains_key(&format!("calendar/{user}/primary/{id}"));
    assert_eq!(
        [of(ben, &series), of(ben, &kept), of(ben, &hole)],
        [false, true, false]
    );
    assert!(of(cy, &series) && of(cy, &kept) && of(cy, &hole));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_moves_between_calendars_is_in_one_of_them() {
    let (world, users) = settled(2, 0, 53).await;
    let team = world.share_calendar(&users[0], "Room", &[(&users[1], "reader")]);
    let event = world.insert_event(&users[0], "primary", &meeting("Moves"));
    world
        .wait("the calendar is found", |status| {
            domain_feed(status, &team)["state"] == "live"
        })
        .await;
    world.wait_calendars(&users).await;
    let question =
        json!({ "user": users[0], "calendarId": "primary", "id": event, "destination": team });
    world.google("calendar.move", &question);
    world.wait_calendars(&users).await;
    let events = world.calendar_sink().unwrap();
    let keys: Vec<&String> = events.keys().filter(|key| key.ends_with(&event)).collect();
    assert_eq!(keys, [&format!("calendar/shared:{team}/{event}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_token_finds_just_what_changed_in_the_gap() {
    for plain in [false, true] {
        let (mut world, users) = settled(1, 60, 54).await;
        let user = &users[0];
        let kept = world.insert_event(user, "primary", &meeting("Kept"));
        let gone = world.insert_event(user, "primary", &meeting("Gone"));
        let series = world.insert_event(user, "primary", &daily("Series"));
        world.wait_calendars(&users).await;
        world.kill_daemon();
        let before = newest(&world);
        world.patch_event(
            user,
            "primary",
            &kept,
            &json!({ "summary": "Kept, renamed" }),
        );
        world.delete_event(user, "primary", &gone);
        world.delete_event(user, "primary", &occurrence(&series, 2));
        let new = world.insert_event(user, "primary", &meeting("New"));
        world.google("calendar.expire", &json!({ "user": user, "plain": plain }));
        world.start_daemon();
        world.wait_calendars(&users).await;
        let wanted: BTreeMap<String, Vec<Value>> = [
            (kept, vec![json!(["updated", "resync", "confirmed"])]),
            (gone, vec![json!(["deleted", "resync", null])]),
            (new, vec![json!(["created", "resync", "confirmed"])]),
            (
                occurrence(&series, 2),
                vec![json!(["created", "resync", "cancelled"])],
            ),
        ]
        .into();
        assert_eq!(told(&world, before), wanted, "plain: {plain}");

        // With nothing missed, a resync delivers nothing.
        let before = newest(&world);
        world.forget_calls();
        let (code, _, said) = world.run(&["user", "resync", user]);
        assert_eq!(code, 0, "{said}");
        world
            .wait("the resync is over", |status| {
                world.calls(user, LIST) > 4
                    && status["users"][0]["state"] == "live"
                    && world.log_tail().contains("asked for by an operator")
            })
            .await;
        world.wait_calendars(&users).await;
        assert_eq!(told(&world, before), BTreeMap::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_member_takes_over_and_an_orphan_loses_nothing() {
    let (world, users) = settled(3, 0, 55).await;
    let (ana, ben, cy) = (&users[0], &users[1], &users[2]);
    let members = [(ben.as_str(), "owner"), (cy.as_str(), "reader")];
    let team = world.share_calendar(ana, "Projects", &members);
    for n in 0..20 {
        world.insert_event(ana, &team, &meeting(&format!("Event {n}")));
    }
    world
        .wait("the calendar is read", |status| {
            domain_feed(status, &team)["items"] == 20
        })
        .await;
    let status = world.wait_calendars(&users).await;
    assert_eq!(domain_feed(&status, &team)["name"], "Projects");
    let before = newest(&world);

    // Whoever reads it of the two owners: each in turn loses it, and comes back.
    for (loser, other) in [(ana, ben), (ben, ana)] {
        let share = |role: &str| {
            let question =
                json!({ "user": other, "calendarId": team, "with": loser, "role": role });
            world.google("calendar.share", &question);
        };
        share("none");
        let event = world.insert_event(other, &team, &meeting("While one is away"));
        world.wait_calendars(&users).await;
        assert_eq!(told(&world, before)[&event].len(), 1);
        share("owner");
        world.google(
            "calendar.subscribe",
            &json!({ "user": loser, "calendarId": team }),
        );
        world.wait_calendars(&users).await;
    }
    let after = told(&world, before);
    assert_eq!(after.len(), 2, "only the new events were told: {after:#?}");

    // The calendar itself is deleted: nobody can say so of its events.
    world.google(
        "calendar.remove",
        &json!({ "user": ana, "calendarId": team }),
    );
    let orphaned = |status: &Value| domain_feed(status, &team)["state"] == "orphaned";
    let status = world.wait("nobody can read it", orphaned).await;
    assert_eq!(domain_feed(&status, &team)["error"]["code"], "SRC005");
    assert_eq!(told(&world, before).len(), 2);
    let prefix = format!("calendar/shared:{team}/");
    let n_held = world
        .calendar_sink()
        .unwrap()
        .keys()
        .filter(|key| key.starts_with(&prefix))
        .count();
    assert_eq!(n_held, 22);
}

/// The refused user owns what the team shares: a lesser member reads it, until the owner is back
/// and sees more of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_user_stops_nobody_and_comes_back_whole() {
    let (mut world, users) = world(3, 90, 56).await;
    world.google("delegation.revoke", &json!({ "user": users[0] }));
    world.start_daemon();
    let states = |status: &Value| -> Vec<Value> {
        let users = status["users"].as_array().unwrap();
        users.iter().map(|user| user["state"].clone()).collect()
    };
    let status = world
        .wait("the others are synced", |status| {
            states(status) == ["disabled", "live", "live"]
                && status["domain_feeds"][0]["state"] == "live"
        })
        .await;
    let error = &status["users"][0]["accounts"][0]["feeds"][0]["error"];
    assert_eq!(error["code"], "AUTH010", "{error}");
    world.google("delegation.grant", &json!({ "user": users[0] }));
    world.wait_calendars(&users).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_costs_only_itself_until_it_can_be_read() {
    let (world, users) = settled(1, 30, 57).await;
    let bad = world.insert_event(
        &users[0],
        "primary",
        &json!({ "summary": "Bad", "start": at(1, 10), "end": at(1, 11),
        "attendees": [{ "email": "x@b.example" }] }),
    );
    world.wait_calendars(&users).await;
    world.google("fault.on", &json!({ "id": bad, "body": "bad_item" }));
    world.patch_event(
        &users[0],
        "primary",
        &bad,
        &json!({ "summary": "Bad, changed" }),
    );
    let good = world.insert_event(&users[0], "primary", &meeting("Good"));
    world
        .wait("one failed item", |status| status["failed_items"] == 1)
        .await;
    world
        .wait("the other arrives", |_| {
            world
                .calendar_sink()
                .unwrap()
                .keys()
                .any(|key| key.ends_with(&good))
        })
        .await;
    // A failed item is tried again after a minute; a change of it is told before.
    world.google("fault.off", &json!({}));
    world.patch_event(
        &users[0],
        "primary",
        &bad,
        &json!({ "summary": "Bad no more" }),
    );
    let status = world.wait_calendars(&users).await;
    assert_eq!(status["failed_items"], 0);
}

/// Pages that are empty or refused, answers that break off, and kills while a walk of several
/// pages is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_of_several_pages_survives_faults_and_kills() {
    let (mut world, users) = world(1, 6_000, 58).await;
    for fault in [
        json!({ "method": LIST, "body": "empty_page", "count": 2 }),
        json!({ "method": LIST, "body": "cut", "after": 1, "count": 1 }),
        json!({ "method": LIST, "body": "expired_cursor", "after": 4, "count": 1 }),
        json!({ "method": LIST, "latency_ms": 300 }),
    ] {
        world.google("fault.on", &fault);
    }
    let walked = |status: &Value| status["users"][0]["accounts"][0]["feeds"][0]["items"].as_u64();
    for at_least in [1, 2_600] {
        world.start_daemon();
        world
            .wait("some are read", |status| walked(status) >= Some(at_least))
            .await;
        world.google(
            "calendar.churn",
            &json!({ "user": users[0], "seed": at_least, "rounds": 20 }),
        );
        world.kill_daemon();
    }
    world.start_daemon();
    world.google(
        "calendar.churn",
        &json!({ "user": users[0], "seed": 9, "rounds": 20 }),
    );
    world.wait_calendars(&users).await;
}
