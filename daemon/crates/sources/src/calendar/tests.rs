//! What events become: a full one field by field, the few fields of masked and cancelled ones,
//! hostile values, bounds, and what the hash tells apart.

use super::normalize::{self, Context, Normalized};
use nuncio_google::RawEvent;
use nuncio_model::{
    Address, AttendeeFlags, Content, EventStatus, EventTime, GuestRights, People, Person, Response,
    Visibility, Who, ZonedTime,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn people() -> People {
    let person = |email: &str, aliases: &[&str]| Person {
        email: Address::parse(email).unwrap(),
        aliases: aliases
            .iter()
            .filter_map(|text| Address::parse(text))
            .collect(),
    };
    let persons = [
        person("ana@example.com", &["ana.souza@example.com"]),
        person("ben@example.com", &[]),
    ];
    People::try_new(&persons, &["example.com".into()]).unwrap()
}

fn raw(event: Value) -> RawEvent {
    serde_json::from_value(event).unwrap()
}

fn read_at(content: Content, event: Value) -> Result<Normalized, &'static str> {
    let people = people();
    let context = Context {
        people: &people,
        calendar_name: "Team",
        content,
    };
    normalize::event(&raw(event), &context)
}

fn read(event: Value) -> Normalized {
    read_at(Content::Text, event).unwrap()
}

fn day(date: &str) -> Value {
    json!({ "date": date })
}

fn full() -> Value {
    json!({
        "id": "e1", "status": "tentative", "htmlLink": "https://www.google.com/calendar/event?eid=x",
        "created": "2026-02-01T10:00:00.000Z", "updated": "2026-02-02T10:00:00.123Z",
        "summary": "Planning <Q2>", "description": "<b>Agenda</b>", "location": "Room 1",
        "creator": { "email": "ben@Example.com" },
        "organizer": { "email": "ana.souza@example.com", "displayName": "Ana Souza", "self": true },
        "start": { "dateTime": "2026-03-01T10:30:00+01:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-03-01T11:30:00+01:00", "timeZone": "Europe/Berlin" },
        "recurrence": ["RRULE:FREQ=WEEKLY", "EXDATE:20260308T093000Z"],
        "transparency": "transparent", "visibility": "confidential", "iCalUID": "e1@google.com", "sequence": 2,
        "attendees": [
            { "email": "ana@example.com", "organizer": true, "self": true, "responseStatus": "accepted" },
            { "email": "x@b.example", "displayName": "X", "optional": true, "responseStatus": "declined", "comment": "ill" },
            { "email": "room@resource.calendar.google.com", "resource": true, "responseStatus": "tentative" },
        ],
        "attendeesOmitted": true,
        "guestsCanInviteOthers": false, "guestsCanModify": true, "guestsCanSeeOtherGuests": false,
        "conferenceData": { "conferenceId": "abc", "conferenceSolution": { "name": "Google Meet", "iconUri": "x" },
            "entryPoints": [{ "entryPointType": "video", "uri": "https://meet.google.com/abc" }, { "uri": "tel:+1" }] },
        "attachments": [{ "fileUrl": "https://drive.google.com/f", "title": "Plan", "mimeType": "text/plain", "fileId": "f" }],
        "extendedProperties": { "shared": { "b": "2", "a": "1" }, "private": { "z": "0" } },
        "eventType": "focusTime",
    })
}

#[test]
fn a_full_event_keeps_every_field() {
    let Normalized { event, notes } = read(full());
    assert!(notes.is_empty(), "{notes:?}");
    let at = |time| {
        EventTime::At(ZonedTime {
            time,
            offset: 60,
            time_zone: Some("Europe/Berlin".into()),
        })
    };
    assert_eq!(
        (event.id.as_str(), event.ical_uid.as_str()),
        ("e1", "e1@google.com")
    );
    assert_eq!(event.calendar_name, "Team");
    assert_eq!(event.summary, "Planning <Q2>");
    assert_eq!(event.description.as_deref(), Some("<b>Agenda</b>"));
    assert_eq!(event.location.as_deref(), Some("Room 1"));
    assert_eq!(event.start, at(1_772_357_400_000));
    assert_eq!(event.end, Some(at(1_772_361_000_000)));
    assert_eq!(
        event.recurrence,
        ["RRULE:FREQ=WEEKLY", "EXDATE:20260308T093000Z"]
    );
    assert_eq!((event.sequence, event.busy), (2, false));
    assert_eq!(event.status, EventStatus::Tentative);
    assert_eq!(event.visibility, Visibility::Confidential);
    assert_eq!(event.event_type, "focusTime");
    assert_eq!(event.created, Some(1_769_940_000_000));
    assert_eq!(event.updated, 1_770_026_400_123);
    let organizer = event.organizer.unwrap();
    assert_eq!(organizer.name.as_deref(), Some("Ana Souza"));
    assert_eq!(organizer.who, Who::AliasOf("ana@example.com".into()));
    let creator = event.creator.unwrap();
    assert_eq!(
        (creator.address.as_str(), creator.who),
        ("ben@example.com", Who::User)
    );
    assert_eq!(event.guests_can, GuestRights::MODIFY);
    assert!(event.attendees_omitted);
    let guests: Vec<_> = event
        .attendees
        .iter()
        .map(|guest| (guest.response, guest.flags, guest.comment.as_deref()))
        .collect();
    assert_eq!(
        guests,
        [
            (
                Response::Accepted,
                AttendeeFlags::ORGANIZER.with(AttendeeFlags::SELF),
                None
            ),
            (Response::Declined, AttendeeFlags::OPTIONAL, Some("ill")),
            (Response::Tentative, AttendeeFlags::RESOURCE, None),
        ]
    );
    assert_eq!(event.attendees[1].participant.who, Who::External);
    let conference = event.conference.unwrap();
    assert_eq!(
        (conference.solution.as_str(), conference.id.as_str()),
        ("Google Meet", "abc")
    );
    assert_eq!(
        conference.entry_points,
        ["https://meet.google.com/abc", "tel:+1"]
    );
    assert_eq!(event.attachments.unwrap()[0].file_id.as_deref(), Some("f"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        event.properties.unwrap(),
        [
            pair("private.z", "0"),
            pair("shared.a", "1"),
            pair("shared.b", "2")
        ]
    );
    assert_eq!(
        event.link.as_deref(),
        Some("https://www.google.com/calendar/event?eid=x")
    );
}

#[test]
fn the_creator_is_told_only_where_it_is_another() {
    let event = |creator: &str| {
        let person = |email: &str| json!({ "email": email });
        read(json!({ "id": "e", "start": day("2026-03-01"), "organizer": person("ana@example.com"), "creator": person(creator) }))
            .event
    };
    assert_eq!(event("ANA@example.com").creator, None);
    assert!(event("ben@example.com").creator.is_some());
    let alone = read(
        json!({ "id": "e", "start": day("2026-03-01"), "creator": { "email": "x@b.example" } }),
    );
    assert!(alone.event.creator.is_some());
}

#[test]
fn masked_cancelled_and_endless_events_give_what_is_there() {
    let masked = read(
        json!({ "id": "e", "status": "confirmed", "visibility": "private",
        "start": day("2026-03-01"), "end": day("2026-03-02") }),
    );
    assert!(masked.notes.is_empty());
    assert_eq!(
        (masked.event.summary.as_str(), masked.event.updated),
        ("", 0)
    );
    assert_eq!(masked.event.event_type, "default");
    assert_eq!(
        masked.event.guests_can,
        GuestRights::INVITE_OTHERS.with(GuestRights::SEE_OTHERS)
    );
    assert_eq!(masked.event.end, Some(EventTime::Date("2026-03-02".into())));
    let hole = read(
        json!({ "id": "m_20260301", "status": "cancelled", "recurringEventId": "m",
        "originalStartTime": day("2026-03-01") }),
    );
    assert_eq!(hole.event.status, EventStatus::Cancelled);
    assert_eq!(hole.event.recurring_event_id.as_deref(), Some("m"));
    assert_eq!(hole.event.original_start.as_ref(), Some(&hole.event.start));
    assert_eq!(hole.event.end, None);
    let endless = read(
        json!({ "id": "e", "start": day("2026-03-01"), "end": day("2026-03-02"), "endTimeUnspecified": true }),
    );
    assert_eq!(endless.event.end, None);
    let old_meeting =
        read(json!({ "id": "e", "start": day("2026-03-01"), "hangoutLink": "https://meet" }));
    assert_eq!(
        old_meeting.event.conference.unwrap().entry_points,
        ["https://meet"]
    );
}

#[test]
fn values_that_cannot_be_read_give_notes() {
    let Normalized { event, notes } = read(json!({
        "id": "e", "status": "planted", "visibility": "new", "transparency": "x", "sequence": -1,
        "start": { "dateTime": "not a time" }, "end": day("0000-00-00"), "originalStartTime": day("2026-03-01"),
        "created": "soon", "updated": "99999999999-01-01T00:00:00Z", "recurringEventId": "",
        "attendees": [{}, { "displayName": "Nobody" }, { "email": " x@B.example ", "responseStatus": "perhaps" }],
        "organizer": {}, "extendedProperties": { "private": { "a": null } },
    }));
    assert_eq!(event.start, EventTime::Date("2026-03-01".into()));
    assert_eq!((event.end, event.created, event.updated), (None, None, 0));
    assert_eq!(
        (event.status, event.sequence, event.busy),
        (EventStatus::Confirmed, 0, true)
    );
    assert_eq!(
        event.visibility,
        Visibility::Private,
        "less is shown, not more"
    );
    assert_eq!(event.recurring_event_id, None);
    assert_eq!(event.organizer, None);
    let guests: Vec<_> = event
        .attendees
        .iter()
        .map(|guest| guest.participant.address.as_str())
        .collect();
    assert_eq!(guests, ["", "x@b.example"]);
    for field in [
        "status",
        "visibility",
        "transparency",
        "sequence",
        "start",
        "end",
        "created",
        "updated",
        "responseStatus",
        "attendees",
        "organizer",
    ] {
        assert!(
            notes.iter().any(|note| note.contains(field)),
            "{field}: {notes:?}"
        );
    }
    let nothing = read_at(
        Content::Text,
        json!({ "id": "e", "start": {}, "end": day("x") }),
    );
    assert!(nothing.is_err_and(|what| what.contains("time")));
}

#[test]
fn what_is_too_large_is_cut_with_a_note() {
    let guests: Vec<Value> = (0..100_000)
        .map(|n| json!({ "email": format!("{n}@b.example") }))
        .collect();
    let Normalized { event, notes } = read(json!({
        "id": "e", "start": day("2026-03-01"), "attendees": guests, "description": "ä".repeat(5 << 19),
        "summary": "s".repeat(1 << 20), "recurrence": vec!["RDATE:20260301"; 2_000],
    }));
    assert_eq!(event.attendees.len(), 5_000);
    assert!(!event.attendees_omitted, "Google left none out");
    assert_eq!(event.description.unwrap().len(), 1 << 20);
    assert_eq!(event.summary.len(), 16 << 10);
    assert_eq!(event.recurrence.len(), 1_000);
    assert_eq!(notes.len(), 4, "{notes:?}");
}

#[test]
fn a_description_that_no_sink_wants_is_not_kept() {
    let event = read_at(Content::Metadata, full()).unwrap().event;
    assert_eq!(event.description, None);
}

#[test]
fn the_hash_tells_what_google_changed() {
    let hash = |event: Value| normalize::hash(&read(event).event);
    let with = |name: &str, value: Value| {
        let mut event = full();
        event[name] = value;
        event
    };
    let plain = hash(full());
    assert_eq!(plain, hash(with("sequence", json!(9))));
    assert_eq!(plain, hash(with("etag", json!("\"9\""))));
    for (name, value) in [
        ("summary", json!("Other")),
        ("updated", json!("2026-02-02T10:00:00.124Z")),
        ("attendees", json!([])),
        ("recurrence", json!([])),
        ("status", json!("confirmed")),
    ] {
        assert_ne!(plain, hash(with(name, value)), "{name}");
    }
    // The calendar's name and the config are no change of the event.
    let nobody = People::default();
    let context = Context {
        people: &nobody,
        calendar_name: "Renamed",
        content: Content::Text,
    };
    let elsewhere = normalize::event(&raw(full()), &context).unwrap().event;
    assert_eq!(plain, normalize::hash(&elsewhere));
}

/// Any value of the kinds that decoding lets through.
fn any_text() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), ".{0,30}".prop_map(Value::from)]
}

proptest! {
    #[test]
    fn any_texts_are_survived(texts in prop::collection::vec(any_text(), 16), flag: bool, number: i64) {
        let at = |n: usize| texts[n].clone();
        let time = |n: usize| json!({ "date": texts[n], "dateTime": texts[n + 1], "timeZone": texts[n + 2] });
        let event = json!({
            "id": "e", "status": at(0), "updated": at(1), "created": at(2), "summary": at(3), "start": time(4),
            "end": time(6), "originalStartTime": time(8), "transparency": at(11), "visibility": at(12),
            "recurrence": ["x", "RRULE:UNTIL=ä"], "sequence": number, "endTimeUnspecified": flag,
            "attendees": [{ "email": at(13), "displayName": at(14), "responseStatus": at(15), "self": flag }],
            "organizer": { "email": at(14) }, "creator": { "email": at(13) },
            "extendedProperties": { "private": { "a": at(15) } }, "conferenceData": { "entryPoints": [{ "uri": at(0) }] },
        });
        if let Ok(normalized) = read_at(Content::Raw, event) {
            normalize::hash(&normalized.event);
        }
    }
}
