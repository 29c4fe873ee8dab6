//! Values that nobody promised: words of the future, dates that are none, ids that mean something
//! in an address. Each gives a record or a failed item that says so, and the feed goes on.

use crate::verify::configure;
use nuncio_tests::{World, domain_is_live, is_idle};
use serde_json::{Value, json};

/// An id that is a path, a query, a fragment and an escape at once.
const ODD_ID: &str = "a#b?c=d/../e%2Ff%";
/// The same in a record key.
const ODD_ID_IN_KEY: &str = "a%23b%3Fc%3Dd%2F..%2Fe%252Ff%25";

/// Shows an item otherwise than the fake has it, wherever it stands.
fn show(world: &World, id: &str, patch: Value) {
    let fault = json!({ "id": id, "body": "odd_item", "patch": patch });
    world.google("fault.on", &fault);
}

/// The last line of the item whose key ends so.
fn last(lines: Vec<Value>, end: &str) -> Value {
    let is_it = |line: &Value| line["key"].as_str().unwrap().ends_with(&format!("/{end}"));
    lines.into_iter().rfind(is_it).unwrap_or_default()
}

fn notes(line: &Value) -> String {
    line["notes"].to_string()
}

fn day(date: &str) -> Value {
    json!({ "date": date })
}

/// A world of one user with all three sources and nothing in them, its daemon running.
async fn running(seed: u64) -> (World, String) {
    let mut world = World::start_with(|options| {
        (options.users, options.seed) = (1, seed);
        (options.messages, options.events, options.files) = (0, 0, 0);
    })
    .await;
    let users = world.users();
    configure(&world, &users);
    world.start_daemon();
    world
        .wait("all is read", |status| {
            is_idle(status) && domain_is_live(status)
        })
        .await;
    (world, users.into_iter().next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_future_are_told_with_a_note() {
    let (world, ana) = running(71).await;
    let event = json!({ "summary": "odd", "start": day("2027-04-01"), "end": day("2027-04-02") });
    let event = world.insert_event(&ana, "primary", &event);
    let odd = json!({
        "status": "postponed", "visibility": "secret", "transparency": "glass",
        "eventType": "siesta", "newMember": { "deep": [1, null] }, "sequence": "-4",
        "attendees": [{ "email": "x@b.example", "responseStatus": "shrugged" }, {}],
    });
    show(&world, &event, odd);
    let file = world.create_file(&ana, "odd", json!({}));
    let odd = json!({
        "mimeType": "application/of.the.future", "newMember": [{}], "trashed": "maybe",
        "permissions": [{ "id": "1", "type": "planet", "role": "spectator" }],
    });
    show(&world, &file, odd);
    world.google(
        "drive.update",
        &json!({ "user": ana, "id": file, "name": "odd, changed" }),
    );
    // Labels that no list of labels names, and members of history that are not known.
    let message = world.insert(&ana, "odd");
    show(
        &world,
        &message,
        json!({ "labelIds": ["INBOX", "CATEGORY_OF_THE_FUTURE", ""], "classificationLabelValues": [{}] }),
    );
    world.relabel(&ana, &message, &["STARRED"], &[]);
    world
        .wait("all three are told", |_| {
            last(world.file_lines(), &file)["file"]["name"] == "odd, changed"
                && last(world.calendar_lines(), &event)["event"]["event_type"] == "siesta"
                && world.maildir(&ana).contains_key(&message)
        })
        .await;
    let told = last(world.calendar_lines(), &event);
    assert_eq!(told["event"]["status"], "confirmed");
    assert_eq!(
        told["event"]["visibility"], "private",
        "never more than may be seen"
    );
    assert_eq!(told["event"]["busy"], true);
    let said = notes(&told);
    for word in [
        "postponed",
        "secret",
        "glass",
        "shrugged",
        "sequence",
        "no address",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let told = last(world.file_lines(), &file);
    assert_eq!(told["file"]["mime_type"], "application/of.the.future");
    assert!(notes(&told).contains("trashed"), "{told}");
    let status = world.wait("all rests", is_idle).await;
    assert_eq!(status["failed_items"], 0);
    // The feeds go on.
    world.google("fault.off", &json!({}));
    let good = world.insert(&ana, "good");
    world
        .wait("another message arrives", |_| {
            world.maildir(&ana).contains_key(&good)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_are_none_cost_the_date_or_the_event() {
    let (world, ana) = running(72).await;
    let event = |name: &str| {
        let event =
            json!({ "summary": name, "start": day("2027-04-01"), "end": day("2027-04-02") });
        world.insert_event(&ana, "primary", &event)
    };
    // Before they are there, so that no poll sees them as they are.
    let hold = json!({ "method": "calendar.events.list", "status": 503 });
    let hold = world.google("fault.on", &hold);
    let (no_end, no_time, good) = (event("no end"), event("no time"), event("good"));
    let nothing = "0000-00-00";
    let odd = json!({ "end": day(nothing), "created": nothing, "updated": "0000-00-00T00:00:00Z" });
    show(&world, &no_end, odd);
    show(
        &world,
        &no_time,
        json!({ "start": day(nothing), "end": day(nothing) }),
    );
    let file = world.create_file(&ana, "odd", json!({}));
    show(
        &world,
        &file,
        json!({ "createdTime": nothing, "modifiedTime": "0000-00-00T00:00:00.000Z" }),
    );
    world.google(
        "drive.update",
        &json!({ "user": ana, "id": file, "name": "odd, changed" }),
    );
    world.google("fault.off", &json!({ "fault": hold["fault"] }));
    let status = world
        .wait("all are told", |status| {
            let told = |id: &str| last(world.calendar_lines(), id) != Value::Null;
            let renamed = last(world.file_lines(), &file)["file"]["name"] == "odd, changed";
            told(&good) && told(&no_end) && renamed && status["failed_items"] == 1
        })
        .await;
    let told = last(world.calendar_lines(), &no_end);
    assert_eq!(told["event"]["start"], json!({ "date": "2027-04-01" }));
    assert_eq!(told["event"]["end"], Value::Null);
    for field in ["end", "created", "updated"] {
        let note = format!("{field} is no time");
        assert!(notes(&told).contains(&note), "{told}");
    }
    assert_eq!(last(world.calendar_lines(), &no_time), Value::Null);
    let said = notes(&last(world.file_lines(), &file));
    assert!(
        said.contains("createdTime") && said.contains("modifiedTime"),
        "{said}"
    );
    assert_eq!(status["users"][0]["state"], "live", "{status:#}");
    let (code, shown, _) = world.run(&["user", "show", &ana]);
    assert_eq!(code, 0);
    assert!(
        shown.contains(&no_time) && shown.contains("no time"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_mean_something_in_an_address_stay_ids() {
    let (world, ana) = running(73).await;
    let hold = world.google("fault.on", &json!({ "status": 503 }));
    let event = json!({ "summary": "odd", "start": day("2027-04-01"), "end": day("2027-04-02") });
    let event = world.insert_event(&ana, "primary", &event);
    show(&world, &event, json!({ "id": ODD_ID }));
    let file = world.create_file(&ana, "odd", json!({}));
    show(&world, &file, json!({ "id": ODD_ID, "fileId": ODD_ID }));
    let message = world.insert(&ana, "odd");
    show(&world, &message, json!({ "id": ODD_ID }));
    world.google("fault.off", &json!({ "fault": hold["fault"] }));
    world
        .wait("event and file are told under their ids", |_| {
            last(world.calendar_lines(), ODD_ID_IN_KEY)["event"]["id"] == ODD_ID
                && last(world.file_lines(), ODD_ID_IN_KEY)["file"]["id"] == ODD_ID
        })
        .await;
    // Nobody has a message of that id: it is asked for, is not there, and holds nothing up.
    let good = world.insert(&ana, "good");
    world
        .wait("another message arrives", |_| {
            world.maildir(&ana).contains_key(&good)
        })
        .await;
    world.google("fault.off", &json!({}));
    let (code, out, said) = world.run(&["user", "verify", &ana, "--repair"]);
    assert!(code <= 1, "{out}{said}");
    world
        .wait("all is as at Google", |_| {
            last(world.calendar_lines(), &event)["event"]["summary"] == "odd"
                && last(world.file_lines(), &file)["file"]["name"] == "odd"
                && world.maildir(&ana).contains_key(&message)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_whose_id_has_a_hash_is_read() {
    let mut world = World::start_with(|options| {
        (options.users, options.seed) = (1, 74);
        (options.messages, options.events, options.files) = (0, 20, 0);
    })
    .await;
    let users = world.users();
    world.configure_calendars(&users);
    world.change_config("[sync]\n", "[sync]\nholiday_calendars = true\n");
    let holidays = "en.german#holiday@group.v.calendar.google.com";
    world.google(
        "calendar.subscribe",
        &json!({ "user": users[0], "calendarId": holidays }),
    );
    world.start_daemon();
    let status = world
        .wait("the holidays are live", |status| {
            let feeds = status["domain_feeds"].as_array().unwrap();
            let feed = feeds.iter().find(|feed| feed["collection"] == holidays);
            feed.is_some_and(|feed| feed["state"] == "live") && is_idle(status)
        })
        .await;
    assert_eq!(status["failed_items"], 0);
    let lines = world.calendar_lines();
    let key = "calendar/shared:en.german%23holiday@group.v.calendar.google.com/";
    let n = lines
        .iter()
        .filter(|line| line["key"].as_str().unwrap().starts_with(key))
        .count();
    assert!(n >= 10, "{n} holidays");
}
