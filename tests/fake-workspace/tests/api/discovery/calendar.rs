//! Every method of Calendar, in the states in which its answers look different. The client checks each answer.

use super::Person;
use crate::client::{Fake, encode, text};
use serde_json::{Value, json};

const ALL: &str = "https://www.googleapis.com/auth/calendar";
const EVENTS: &str = "/calendar/v3/calendars/primary/events";
const LIST: &str = "/calendar/v3/users/me/calendarList";

fn meeting(extra: Value) -> Value {
    let mut event = json!({
        "summary": "Meeting",
        "start": { "dateTime": "2026-12-01T10:00:00Z" },
        "end": { "dateTime": "2026-12-01T11:00:00Z" },
    });
    for (name, value) in extra.as_object().expect("an object") {
        event[name] = value.clone();
    }
    event
}

/// All pages of a list, two items each; returns the sync token.
async fn page_through(me: &Person<'_>, path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    let mut token = String::new();
    for _ in 0..5_000 {
        let page = me.get(&format!("{path}{sign}maxResults=2{token}")).await;
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={}", encode(next)),
            None => {
                return page["nextSyncToken"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
            }
        }
    }
    panic!("{path} does not end");
}

#[tokio::test]
async fn every_method_of_calendar_answers_as_described() {
    let fake = Fake::with(|options| options.events = 90).await;
    let me = Person::with(&fake, 0, ALL).await;
    let other = Person::with(&fake, 1, ALL).await;
    let token = page_through(&me, EVENTS).await;
    calendars_and_lists(&me, &other).await;
    let made = every_kind_of_event(&me, &other).await;
    recurring(&me).await;
    let created = json!({ "summary": "Moved to" });
    let target = me.post("/calendar/v3/calendars", created).await;
    let target = text(&target["id"]);
    let moved = me.post(EVENTS, meeting(json!({}))).await;
    let path = format!(
        "{EVENTS}/{}/move?destination={}",
        text(&moved["id"]),
        encode(&target)
    );
    me.post(&path, json!(null)).await;
    for id in &made {
        me.delete(&format!("{EVENTS}/{id}")).await;
        me.get(&format!("{EVENTS}/{id}")).await;
    }
    let sync = format!("{EVENTS}?syncToken={}", encode(&token));
    page_through(&me, &sync).await;
    page_through(&me, &format!("{sync}&showDeleted=true")).await;
    for query in [
        "singleEvents=true&orderBy=startTime",
        "showDeleted=true",
        "maxAttendees=1&timeZone=Asia/Tokyo",
        "q=Meeting",
        "eventTypes=workingLocation&eventTypes=birthday",
        "fields=kind,items(id,start/dateTime,attendees/email)",
        "timeMin=2026-12-31T00:00:00Z",
    ] {
        page_through(
            &me,
            &format!("{EVENTS}?{query}&timeMax=2027-01-01T00:00:00Z"),
        )
        .await;
    }
    page_through(&other, EVENTS).await;
    me.delete(&format!("/calendar/v3/calendars/{}", encode(&target)))
        .await;
    me.get("/calendar/v3/colors").await;
    let settings = "/calendar/v3/users/me/settings";
    for setting in me.get(settings).await["items"]
        .as_array()
        .expect("settings")
    {
        me.get(&format!("{settings}/{}", text(&setting["id"])))
            .await;
    }
    fake.seen.assert_complete("calendar");
}

async fn calendars_and_lists(me: &Person<'_>, other: &Person<'_>) {
    let body = json!({ "summary": "Team", "description": "d", "location": "l", "timeZone": "Europe/Berlin" });
    let made = me.post("/calendar/v3/calendars", body).await;
    let id = text(&made["id"]);
    let path = format!("/calendar/v3/calendars/{}", encode(&id));
    me.get(&path).await;
    me.get("/calendar/v3/calendars/primary").await;
    me.json("PATCH", &path, json!({ "description": "e" })).await;
    me.json("PUT", &path, json!({ "summary": "Team 2" })).await;
    for role in [
        "freeBusyReader",
        "reader",
        "writerWithoutPrivateAccess",
        "writer",
        "owner",
    ] {
        let rule = json!({ "role": role, "scope": { "type": "user", "value": other.address } });
        let rule = me.post(&format!("{path}/acl"), rule).await;
        me.get(&format!("{path}/acl/{}", encode(&text(&rule["id"]))))
            .await;
        let entry = other.post(LIST, json!({ "id": id })).await;
        assert_eq!(entry["accessRole"], role);
        other.get(&format!("{LIST}/{}", encode(&id))).await;
        other.get(&format!("{path}/events")).await;
    }
    let rule = json!({ "role": "reader", "scope": { "type": "default" } });
    me.post(&format!("{path}/acl"), rule).await;
    let rule = format!("{path}/acl/{}", encode(&format!("user:{}", other.address)));
    me.json("PATCH", &rule, json!({ "role": "reader" })).await;
    let body = json!({ "role": "writer", "scope": { "type": "user", "value": other.address } });
    me.json("PUT", &rule, body).await;
    let token = page_through(me, &format!("{path}/acl")).await;
    let entry = format!("{LIST}/{}", encode(&id));
    let colors =
        json!({ "backgroundColor": "#112233", "foregroundColor": "#ffffff", "hidden": true });
    let plain = other.json("PATCH", &entry, colors.clone()).await;
    assert_ne!(
        plain["backgroundColor"], "#112233",
        "exact colours want a parameter"
    );
    let colored = other
        .json("PATCH", &format!("{entry}?colorRgbFormat=true"), colors)
        .await;
    assert_eq!(colored["backgroundColor"], "#112233");
    let list_token = page_through(other, &format!("{LIST}?showHidden=true")).await;
    let reminders = json!([{ "method": "email", "minutes": 5 }]);
    let body =
        json!({ "summaryOverride": "Mine", "defaultReminders": reminders, "selected": true });
    other.json("PUT", &entry, body).await;
    other.delete(&entry).await;
    page_through(other, &format!("{LIST}?syncToken={}", encode(&list_token))).await;
    page_through(other, &format!("{LIST}?showDeleted=true&showHidden=true")).await;
    me.delete(&rule).await;
    page_through(me, &format!("{path}/acl?syncToken={}", encode(&token))).await;
    page_through(me, &format!("{path}/acl?showDeleted=true")).await;
    me.delete(&path).await;
}

/// Inserts an event of each kind, looks at it as owner and as somebody else; returns the ids.
async fn every_kind_of_event(me: &Person<'_>, other: &Person<'_>) -> Vec<String> {
    let day = json!({ "date": "2026-12-01" });
    let next = json!({ "date": "2026-12-02" });
    let all_day = |extra: Value| {
        let mut event = meeting(extra);
        (event["start"], event["end"]) = (day.clone(), next.clone());
        event
    };
    let guests = json!([
        { "email": other.address, "optional": true, "comment": "c" },
        { "email": "guest@other.example", "displayName": "Guest", "additionalGuests": 2 },
    ]);
    let events = [
        meeting(json!({})),
        all_day(json!({ "transparency": "transparent", "colorId": "3" })),
        meeting(json!({ "attendees": guests, "guestsCanModify": true, "location": "here" })),
        meeting(json!({ "visibility": "private", "description": "secret" })),
        meeting(json!({
            "status": "tentative", "guestsCanInviteOthers": false, "anyoneCanAddSelf": true,
            "reminders": { "useDefault": false, "overrides": [{ "method": "popup", "minutes": 3 }] },
            "extendedProperties": { "private": { "a": "b" }, "shared": { "c": "d" } },
            "source": { "title": "t", "url": "https://x.example/" },
            "attachments": [{ "fileUrl": "https://x.example/f", "title": "f", "mimeType": "text/plain" }],
        })),
        meeting(json!({ "conferenceData": { "createRequest": {
            "requestId": "r", "conferenceSolutionKey": { "type": "hangoutsMeet" },
        } } })),
        meeting(
            json!({ "eventType": "outOfOffice", "outOfOfficeProperties": { "autoDeclineMode": "declineNone" } }),
        ),
        meeting(
            json!({ "eventType": "focusTime", "focusTimeProperties": { "chatStatus": "doNotDisturb" } }),
        ),
        all_day(json!({
            "eventType": "workingLocation", "visibility": "public", "transparency": "transparent",
            "workingLocationProperties": { "type": "officeLocation", "officeLocation": { "label": "HQ" } },
        })),
        all_day(json!({
            "eventType": "birthday", "visibility": "private", "transparency": "transparent",
            "recurrence": ["RRULE:FREQ=YEARLY"],
        })),
    ];
    let mut ids = Vec::new();
    for event in events {
        let path = format!("{EVENTS}?conferenceDataVersion=1&supportsAttachments=true");
        let made = me.post(&path, event).await;
        let id = text(&made["id"]);
        me.get(&format!("{EVENTS}/{id}")).await;
        me.get(&format!(
            "{EVENTS}/{id}?fields=id,attendees(email),extendedProperties"
        ))
        .await;
        let seen = format!("/calendar/v3/calendars/{}/events/{id}", encode(&me.address));
        other.get(&seen).await;
        ids.push(id);
    }
    let own = other.get(&format!("{EVENTS}/{}", ids[2])).await;
    let answer = json!({ "attendees": [{ "email": other.address, "responseStatus": "accepted" }] });
    other
        .json("PATCH", &format!("{EVENTS}/{}", text(&own["id"])), answer)
        .await;
    me.json(
        "PATCH",
        &format!("{EVENTS}/{}?sendNotifications=true", ids[0]),
        json!({ "summary": "x" }),
    )
    .await;
    me.json(
        "PUT",
        &format!("{EVENTS}/{}?sendUpdates=none", ids[0]),
        meeting(json!({})),
    )
    .await;
    let imported =
        meeting(json!({ "iCalUID": "uid@x.example", "organizer": { "email": "o@x.example" } }));
    me.post(&format!("{EVENTS}/import"), imported).await;
    ids
}

async fn recurring(me: &Person<'_>) {
    let series = json!({
        "summary": "Series", "recurrence": ["RRULE:FREQ=DAILY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20261205T090000"],
        "start": { "dateTime": "2026-12-01T09:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-12-01T10:00:00", "timeZone": "Europe/Berlin" },
    });
    let made = me.post(EVENTS, series).await;
    let path = format!("{EVENTS}/{}", text(&made["id"]));
    let instances = me.get(&format!("{path}/instances")).await;
    let id = |at: usize| text(&instances["items"][at]["id"]);
    me.json(
        "PATCH",
        &format!("{EVENTS}/{}", id(1)),
        json!({ "location": "there" }),
    )
    .await;
    me.delete(&format!("{EVENTS}/{}", id(2))).await;
    for at in 0..3 {
        me.get(&format!("{EVENTS}/{}", id(at))).await;
    }
    page_through(me, &format!("{path}/instances?showDeleted=true")).await;
    page_through(me, EVENTS).await;
}
