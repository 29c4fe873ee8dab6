//! Random changes in calendars, through the same functions as the API.

use super::desk::Desk;
use super::draft::{self, Options};
use super::store::{Event, Key, State};
use super::write::{Edit, instance};
use crate::activity::{Deed, repeat};
use crate::error::ApiError;
use crate::workspace::{UserIndex, Workspace};
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const RULES: [&str; 6] = [
    "RRULE:FREQ=DAILY;COUNT=5",
    "RRULE:FREQ=WEEKLY;COUNT=8",
    "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270301T000000Z",
    "RRULE:FREQ=MONTHLY;COUNT=6",
    "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=4",
    "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=12",
];
const OPTIONS: Options = Options {
    conference: true,
    attachments: false,
};

/// A burst of changes by one user on one calendar; the same seed on the same calendar does the same.
pub(crate) fn churn(
    workspace: &Workspace,
    user: UserIndex,
    calendar: &str,
    seed: u64,
    rounds: u64,
) -> BTreeMap<Deed, u64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    repeat(rounds, || change(workspace, user, calendar, &mut rng))
}

/// One change; `refused` where the rules do not let the user make it.
pub(crate) fn change(
    workspace: &Workspace,
    user: UserIndex,
    calendar: &str,
    rng: &mut fastrand::Rng,
) -> Deed {
    let mut desk = Desk::new(workspace, user);
    let Some(key) = desk.key(calendar) else {
        return "refused";
    };
    let roll = rng.u8(..100);
    if roll < 30 {
        let made = insert(&mut desk, calendar, roll < 10, rng);
        return made.map_or("refused", |()| "added");
    }
    let Some(event) = any_event(&desk, &key, rng) else {
        return "refused";
    };
    let is_host = event.origin.as_ref() == Some(&key);
    let (deed, done) = match roll {
        _ if !event.is_live() => ("restored", restore(&mut desk, calendar, &event)),
        30..45 if is_host => (
            "renamed",
            patch(
                &mut desk,
                calendar,
                &event.id,
                json!({ "summary": format!("Renamed {}", rng.u16(..)) }),
            ),
        ),
        45..55 if is_host => ("moved", shift(&mut desk, calendar, &event, rng)),
        55..62 if is_host => ("guests", guests(&mut desk, calendar, &event, rng)),
        62..68 if is_host && event.is_recurring() => {
            let rule = RULES[rng.usize(..RULES.len())];
            (
                "rule",
                patch(
                    &mut desk,
                    calendar,
                    &event.id,
                    json!({ "recurrence": [rule] }),
                ),
            )
        }
        68..80 => (
            "instance",
            one_instance(&mut desk, calendar, &key, &event, rng),
        ),
        80..84 => (
            "reminders",
            patch(
                &mut desk,
                calendar,
                &event.id,
                json!({ "reminders": { "useDefault": false, "overrides": [{ "method": "popup", "minutes": rng.u16(..100) }] } }),
            ),
        ),
        84..94 => ("deleted", desk.delete(calendar, &event.id, None)),
        _ => ("answered", answer(&mut desk, calendar, &event, rng)),
    };
    match done {
        Ok(()) => deed,
        Err(_) => "refused",
    }
}

/// An event of the calendar, deleted ones now and then among them.
fn any_event(desk: &Desk<'_>, key: &Key, rng: &mut fastrand::Rng) -> Option<Event> {
    let calendar = desk.store.calendar(key)?;
    let deleted_too = rng.u8(..10) == 0;
    let events: Vec<Event> = calendar
        .events
        .after(None)
        .filter(|event| {
            event.is_live() || (deleted_too && event.state == (State::Cancelled { details: true }))
        })
        .collect();
    rng.choice(events)
}

fn patch(desk: &mut Desk<'_>, calendar: &str, id: &str, input: Value) -> Result<(), ApiError> {
    let input = input.as_object().cloned().unwrap_or_default();
    desk.edit(calendar, id, &input, Edit::Patch, OPTIONS, None)
        .map(drop)
}

fn restore(desk: &mut Desk<'_>, calendar: &str, event: &Event) -> Result<(), ApiError> {
    patch(desk, calendar, &event.id, json!({ "status": "confirmed" }))
}

fn insert(
    desk: &mut Desk<'_>,
    calendar: &str,
    recurs: bool,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let minutes = rng.i64(-40_000..40_000) * 15;
    let start = Timestamp::from_millisecond(desk.store.start)
        .and_then(|at| at.checked_add(minutes.minutes()))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let end = start.checked_add(45.minutes()).unwrap_or(start);
    let zone = ["Europe/Berlin", "America/New_York", "UTC"][rng.usize(..3)];
    let mut input = Map::new();
    input.insert("summary".to_owned(), json!(format!("New {}", rng.u16(..))));
    if rng.u8(..5) == 0 {
        let date = start.to_zoned(jiff::tz::TimeZone::UTC).date();
        let next = date.tomorrow().unwrap_or(date);
        input.insert("start".to_owned(), json!({ "date": date.to_string() }));
        input.insert("end".to_owned(), json!({ "date": next.to_string() }));
    } else {
        input.insert(
            "start".to_owned(),
            json!({ "dateTime": start.to_string(), "timeZone": zone }),
        );
        input.insert(
            "end".to_owned(),
            json!({ "dateTime": end.to_string(), "timeZone": zone }),
        );
    }
    if recurs {
        input.insert(
            "recurrence".to_owned(),
            json!([RULES[rng.usize(..RULES.len())]]),
        );
    }
    if rng.bool() {
        input.insert("attendees".to_owned(), attendees(desk, rng));
    }
    if rng.u8(..4) == 0 {
        let id = super::store::new_id(rng);
        input.insert(
            "conferenceData".to_owned(),
            json!({ "createRequest": { "requestId": id } }),
        );
    }
    desk.insert(calendar, &input, OPTIONS).map(drop)
}

/// The user and some others.
fn attendees(desk: &Desk<'_>, rng: &mut fastrand::Rng) -> Value {
    let own = desk.workspace.user(desk.user).primary;
    let others = desk.workspace.world.correspondents(desk.user, rng);
    std::iter::once(json!({ "email": own, "responseStatus": "accepted" }))
        .chain(
            others
                .iter()
                .map(|other| json!({ "email": &*other.address })),
        )
        .collect()
}

fn guests(
    desk: &mut Desk<'_>,
    calendar: &str,
    event: &Event,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let attendees = attendees(desk, rng);
    patch(desk, calendar, &event.id, json!({ "attendees": attendees }))
}

fn shift(
    desk: &mut Desk<'_>,
    calendar: &str,
    event: &Event,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let Some(shape) = event.shape().filter(|shape| !shape.start.is_day()) else {
        return restore(desk, calendar, event);
    };
    let minutes = rng.i64(1..400) * 15;
    let moved = |when: &super::when::When| {
        let local = when.local().checked_add(minutes.minutes()).ok()?;
        when.at_local(local).map(|when| when.stored())
    };
    patch(
        desk,
        calendar,
        &event.id,
        json!({ "start": moved(&shape.start), "end": moved(&shape.end) }),
    )
}

/// Renames or removes one instance of a series.
fn one_instance(
    desk: &mut Desk<'_>,
    calendar: &str,
    key: &Key,
    event: &Event,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let Some(shape) = event.shape().filter(|_| event.is_recurring()) else {
        return restore(desk, calendar, event);
    };
    let zone = desk.calendar(key)?.zone();
    let starts = super::recur::expand(&shape, Timestamp::MAX, &zone, 20);
    let Some(id) = rng
        .choice(starts)
        .and_then(|start| instance(event, &start))
        .map(|instance| instance.id)
    else {
        return Ok(());
    };
    if rng.bool() {
        desk.delete(calendar, &id, None)
    } else {
        patch(
            desk,
            calendar,
            &id,
            json!({ "summary": format!("Just once {}", rng.u16(..)) }),
        )
    }
}

/// Answers an invitation, or takes the answer back.
fn answer(
    desk: &mut Desk<'_>,
    calendar: &str,
    event: &Event,
    rng: &mut fastrand::Rng,
) -> Result<(), ApiError> {
    let user = desk.workspace.user(desk.user);
    let response = ["accepted", "declined", "tentative", "needsAction"][rng.usize(..4)];
    let mut form = draft::form(event);
    let list = form.get_mut("attendees").and_then(Value::as_array_mut);
    for attendee in list.into_iter().flatten() {
        let address = attendee["email"].as_str().unwrap_or_default();
        if super::desk::has_address(&user, address) {
            attendee["responseStatus"] = json!(response);
        }
    }
    patch(
        desk,
        calendar,
        &event.id,
        json!({ "attendees": form.get("attendees") }),
    )
}
