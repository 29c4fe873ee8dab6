//! Faults in Calendar, Drive and the Directory: every list can be empty with a token, and all of them meet by seed.

use crate::client::{DIRECTORY, Fake, encode, text};
use crate::discovery::{Person, paged_methods};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
const DRIVE: &str = "https://www.googleapis.com/auth/drive";

/// Ids of all pages of a list, and how many pages were empty.
async fn pages(me: &Person<'_>, path: &str, items: &str) -> (Vec<String>, usize) {
    let (mut ids, mut n_empty) = (Vec::new(), 0);
    let mut token = String::new();
    let sign = if path.contains('?') { '&' } else { '?' };
    let size = path
        .split(['?', '&'])
        .find_map(|pair| {
            pair.strip_prefix("maxResults=")
                .or(pair.strip_prefix("pageSize="))
        })
        .map(|size| size.parse::<usize>().expect("a size"))
        .expect("a path with a page size");
    for _ in 0..1_000 {
        let page = me.get(&format!("{path}{sign}{token}")).await;
        let list = page[items].as_array().cloned().unwrap_or_default();
        assert!(list.len() <= size, "{path}: {} at once", list.len());
        n_empty += usize::from(list.is_empty());
        let id = |item: &Value| {
            let found = ["id", "fileId", "driveId"].map(|name| item[name].as_str());
            found
                .into_iter()
                .flatten()
                .next()
                .expect("an id")
                .to_owned()
        };
        ids.extend(list.iter().map(id));
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("pageToken={}", encode(next)),
            None => return (ids, n_empty),
        }
    }
    panic!("{path} does not end");
}

/// A user with both scopes, and every list of Calendar and Drive that has pages: its method, path and items.
async fn lists<'a>(fake: &'a Fake) -> Vec<(Person<'a>, &'static str, String, &'static str)> {
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    let of = async |scope: &str| Person::with(fake, 0, scope).await;
    let calendar = of(CALENDAR).await;
    let series = json!({
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=7"],
        "start": { "dateTime": "2026-12-01T09:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-12-01T10:00:00", "timeZone": "Europe/Berlin" },
    });
    let events = "/calendar/v3/calendars/primary/events";
    let series = text(&calendar.post(events, series).await["id"]);
    let drive = of(DRIVE).await;
    let start = text(&drive.get("/drive/v3/changes/startPageToken").await["startPageToken"]);
    for name in ["one", "two", "three"] {
        let path = format!("/drive/v3/drives?requestId={name}");
        drive.post(&path, json!({ "name": name })).await;
    }
    let file = drive
        .post(
            "/drive/v3/files",
            json!({ "name": "f", "mimeType": "text/plain" }),
        )
        .await;
    let file = text(&file["id"]);
    for user in fake.server.users().iter().skip(1) {
        let body = json!({ "type": "user", "role": "reader", "emailAddress": user });
        drive
            .post(&format!("/drive/v3/files/{file}/permissions"), body)
            .await;
    }
    let path = format!("/upload/drive/v3/files/{file}?uploadType=media");
    drive.ok("PATCH", &path, "text/plain", b"one").await;
    let files = format!("/drive/v3/files/{file}");
    let changes = format!("/drive/v3/changes?pageSize=2&pageToken={}", encode(&start));
    vec![
        (
            of(CALENDAR).await,
            "calendar.events.list",
            format!("{events}?maxResults=3"),
            "items",
        ),
        (
            of(CALENDAR).await,
            "calendar.events.list",
            format!(
                "{events}?singleEvents=true&orderBy=startTime&maxResults=9&timeMax=2027-01-01T00:00:00Z"
            ),
            "items",
        ),
        (
            of(CALENDAR).await,
            "calendar.events.instances",
            format!("{events}/{series}/instances?maxResults=2"),
            "items",
        ),
        (
            of(CALENDAR).await,
            "calendar.calendarList.list",
            "/calendar/v3/users/me/calendarList?maxResults=1".to_owned(),
            "items",
        ),
        (
            of(CALENDAR).await,
            "calendar.settings.list",
            "/calendar/v3/users/me/settings?maxResults=4".to_owned(),
            "items",
        ),
        (
            of(CALENDAR).await,
            "calendar.acl.list",
            "/calendar/v3/calendars/primary/acl?maxResults=1".to_owned(),
            "items",
        ),
        (
            of(DRIVE).await,
            "drive.files.list",
            "/drive/v3/files?pageSize=3".to_owned(),
            "files",
        ),
        (
            of(DRIVE).await,
            "drive.files.list",
            "/drive/v3/files?pageSize=3&orderBy=name".to_owned(),
            "files",
        ),
        (of(DRIVE).await, "drive.changes.list", changes, "changes"),
        (
            of(DRIVE).await,
            "drive.drives.list",
            "/drive/v3/drives?pageSize=1".to_owned(),
            "drives",
        ),
        (
            of(DRIVE).await,
            "drive.permissions.list",
            format!("{files}/permissions?pageSize=1"),
            "permissions",
        ),
        (
            of(DRIVE).await,
            "drive.revisions.list",
            format!("{files}/revisions?pageSize=1"),
            "revisions",
        ),
        (
            of(DIRECTORY).await,
            "directory.users.list",
            "/admin/directory/v1/users?customer=my_customer&maxResults=1".to_owned(),
            "users",
        ),
    ]
}

/// The change log's first page token is in its path; the client of these tests puts the next behind it.
fn with_own_token(path: &str) -> bool {
    path.contains("pageToken=")
}

#[tokio::test]
async fn an_empty_page_of_any_list_leads_to_the_right_one() {
    let fake = Fake::with(|options| options.users = 4).await;
    let lists = lists(&fake).await;
    let known: BTreeSet<&str> = lists.iter().map(|list| list.1).collect();
    let paged: BTreeSet<&str> = ["calendar", "drive", "directory"]
        .into_iter()
        .flat_map(paged_methods)
        .collect();
    assert_eq!(known, paged, "no list is forgotten");
    for (me, method, path, items) in lists {
        if with_own_token(&path) {
            let fault = json!({ "method": method, "body": "empty_page", "count": 1 });
            fake.admin("fault.on", fault);
            let page = me.get(&path).await;
            assert_eq!(page[items], json!([]));
            let same = path.replace("pageToken=", "x=");
            let token = encode(&text(&page["nextPageToken"]));
            let right = me.get(&format!("{same}&pageToken={token}")).await;
            assert_eq!(right, me.get(&path).await, "{method}");
            continue;
        }
        let (expected, _) = pages(&me, &path, items).await;
        assert!(
            expected.len() > 1 || method.ends_with("List.list") || method.contains("acl"),
            "{method}"
        );
        for after in 0..3 {
            let fault =
                json!({ "method": method, "body": "empty_page", "after": after, "count": 2 });
            let fault = fake.admin("fault.on", fault);
            let (found, n_empty) = pages(&me, &path, items).await;
            assert_eq!(found, expected, "{method} {path}, after {after}");
            assert!(n_empty >= 1 || after > 0, "{method}");
            fake.admin("fault.off", fault);
        }
    }
}

#[tokio::test]
async fn every_list_ends_right_though_all_faults_meet() {
    for seed in [1, 2, 3] {
        let fake = Fake::with(|options| options.users = 4).await;
        let lists = lists(&fake).await;
        let mut expected = Vec::new();
        for (me, _, path, items) in lists.iter().filter(|list| !with_own_token(&list.2)) {
            expected.push(pages(me, path, items).await.0);
        }
        fake.trouble(&["calendar.*", "drive.*", "directory.*"], seed);
        let plain = lists.iter().filter(|list| !with_own_token(&list.2));
        for ((me, _, path, items), expected) in plain.zip(&expected) {
            for _ in 0..3 {
                assert_eq!(
                    &pages(me, path, items).await.0,
                    expected,
                    "seed {seed}, {path}"
                );
            }
        }
        assert!(fake.n_hits() > 100, "{}", fake.n_hits());
    }
}

#[tokio::test]
async fn faults_of_calendar_and_drive_repeat_by_seed() {
    let fake = Fake::start().await;
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    for (scope, method, path) in [
        (
            CALENDAR,
            "calendar.events.list",
            "/calendar/v3/calendars/primary/events",
        ),
        (DRIVE, "drive.files.list", "/drive/v3/files"),
    ] {
        let me = Person::with(&fake, 0, scope).await;
        let mut runs = Vec::new();
        for seed in [7, 7, 8] {
            let on = |status: u16, seed: u64| {
                let fault =
                    json!({ "method": method, "status": status, "probability": 0.3, "seed": seed });
                fake.admin("fault.on", fault)
            };
            let faults = [on(503, seed), on(429, seed + 50)];
            let mut run = Vec::new();
            for _ in 0..40 {
                run.push(me.call("GET", path, "", b"").await.status);
            }
            for fault in faults {
                fake.admin("fault.off", fault);
            }
            runs.push(run);
        }
        assert_eq!(runs[0], runs[1], "the same seed, the same calls");
        assert_ne!(runs[0], runs[2]);
        for status in [200, 429, 503] {
            assert!(
                runs[0].contains(&status),
                "{method}: {status} in {:?}",
                runs[0]
            );
        }
    }
}

#[tokio::test]
async fn forgotten_places_of_calendar_and_drive() {
    let fake = Fake::start().await;
    fake.admin("delegation.grant", json!({ "scope": DRIVE }));
    let calendar = Person::with(&fake, 0, CALENDAR).await;
    let drive = Person::with(&fake, 0, DRIVE).await;
    let events = "/calendar/v3/calendars/primary/events?maxResults=2500";
    let token = encode(&text(&calendar.get(events).await["nextSyncToken"]));
    let sync = format!("{events}&syncToken={token}");
    let start = text(&drive.get("/drive/v3/changes/startPageToken").await["startPageToken"]);
    let log = format!("/drive/v3/changes?pageToken={}", encode(&start));
    // With a delay and a refusal that is older: the refusal first, then the forgotten place.
    fake.admin("fault.on", json!({ "latency_ms": 1 }));
    fake.admin("fault.on", json!({ "status": 503, "count": 2 }));
    fake.server
        .admin("fault.on", &json!({ "body": "expired_cursor", "count": 2 }))
        .expect("the fault is well-formed");
    for (me, path, status, reason) in [
        (&calendar, events, 503, "backendError"),
        (&calendar, &*sync, 503, "backendError"),
        (&calendar, events, 200, ""),
        (&calendar, &*sync, 410, "fullSyncRequired"),
        (&drive, &*log, 400, "invalid"),
        (&drive, &*log, 200, ""),
        (&calendar, &*sync, 200, ""),
    ] {
        let answer = me.call("GET", path, "", b"").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        if status >= 400 {
            assert_eq!(answer.reason(), reason);
        }
    }
}
