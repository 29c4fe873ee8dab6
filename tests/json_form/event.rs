//! Calendar events for the comparison: any event of the daemon's, and the same as a guest gets it.

use super::guest::{flag_set, participant};
use super::records::{maybe, pairs, text, texts};
use nuncio_model as model;
use nuncio_sdk as guest;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Members that an event may leave out.
pub(crate) const OPTIONAL: &[&str] = &[
    "recurring_event_id",
    "original_start",
    "description",
    "location",
    "end",
    "organizer",
    "creator",
    "conference",
    "attachments",
    "created",
    "link",
    "properties",
];

fn time() -> impl Strategy<Value = model::EventTime> {
    let zoned = (any::<i64>(), any::<i16>(), maybe());
    prop_oneof![
        text().prop_map(model::EventTime::Date),
        zoned.prop_map(|(time, offset, time_zone)| {
            model::EventTime::At(model::ZonedTime {
                time,
                offset,
                time_zone,
            })
        }),
    ]
}

fn attendee() -> impl Strategy<Value = model::Attendee> {
    let response = select(vec![
        model::Response::NeedsAction,
        model::Response::Declined,
        model::Response::Tentative,
        model::Response::Accepted,
    ]);
    let named = model::AttendeeFlags::NAMED;
    let flags = subsequence(named.to_vec(), 0..=named.len()).prop_map(|flags| {
        flags
            .into_iter()
            .fold(model::AttendeeFlags::default(), |set, (flag, _)| {
                set.with(flag)
            })
    });
    (super::records::participant(), response, flags, maybe()).prop_map(
        |(participant, response, flags, comment)| model::Attendee {
            participant,
            response,
            flags,
            comment,
        },
    )
}

fn rights() -> impl Strategy<Value = model::GuestRights> {
    let named = model::GuestRights::NAMED;
    subsequence(named.to_vec(), 0..=named.len()).prop_map(|flags| {
        flags
            .into_iter()
            .fold(model::GuestRights::default(), |set, (flag, _)| {
                set.with(flag)
            })
    })
}

fn conference() -> impl Strategy<Value = model::Conference> {
    (text(), text(), texts()).prop_map(|(solution, id, entry_points)| model::Conference {
        solution,
        id,
        entry_points,
    })
}

fn attachment() -> impl Strategy<Value = model::EventAttachment> {
    (text(), text(), text(), maybe()).prop_map(|(url, title, mime_type, file_id)| {
        model::EventAttachment {
            url,
            title,
            mime_type,
            file_id,
        }
    })
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = model::Event> {
    let status = select(vec![
        model::EventStatus::Confirmed,
        model::EventStatus::Tentative,
        model::EventStatus::Cancelled,
    ]);
    let visibility = select(vec![
        model::Visibility::Default,
        model::Visibility::Public,
        model::Visibility::Private,
        model::Visibility::Confidential,
    ]);
    let ids = (text(), text(), text(), maybe(), option::of(time()), texts());
    let kind = (any::<u32>(), status, text(), visibility, any::<[bool; 2]>());
    let words = (text(), maybe(), maybe(), time(), option::of(time()));
    let people = (
        option::of(super::records::participant()),
        option::of(super::records::participant()),
        vec(attendee(), 0..3),
        rights(),
    );
    let rest = (
        option::of(conference()),
        option::of(vec(attachment(), 0..3)),
        option::of(any::<i64>()),
        any::<i64>(),
        maybe(),
        option::of(pairs()),
    );
    (ids, kind, words, people, rest).prop_map(|(ids, kind, words, people, rest)| model::Event {
        id: ids.0,
        calendar_name: ids.1,
        ical_uid: ids.2,
        recurring_event_id: ids.3,
        original_start: ids.4,
        recurrence: ids.5,
        sequence: kind.0,
        status: kind.1,
        event_type: kind.2,
        visibility: kind.3,
        busy: kind.4[0],
        attendees_omitted: kind.4[1],
        summary: words.0,
        description: words.1,
        location: words.2,
        start: words.3,
        end: words.4,
        organizer: people.0,
        creator: people.1,
        attendees: people.2,
        guests_can: people.3,
        conference: rest.0,
        attachments: rest.1,
        created: rest.2,
        updated: rest.3,
        link: rest.4,
        properties: rest.5,
    })
}

/// The event on the guest's side.
pub(crate) fn guests(event: model::Event) -> guest::Event {
    let model::Event {
        id,
        calendar_name,
        ical_uid,
        recurring_event_id,
        original_start,
        recurrence,
        sequence,
        status,
        event_type,
        visibility,
        busy,
        summary,
        description,
        location,
        start,
        end,
        organizer,
        creator,
        attendees,
        attendees_omitted,
        guests_can,
        conference,
        attachments,
        created,
        updated,
        link,
        properties,
    } = event;
    guest::Event {
        id,
        calendar_name,
        ical_uid,
        recurring_event_id,
        original_start: original_start.map(guests_time),
        recurrence,
        sequence,
        status: match status {
            model::EventStatus::Confirmed => guest::EventStatus::Confirmed,
            model::EventStatus::Tentative => guest::EventStatus::Tentative,
            model::EventStatus::Cancelled => guest::EventStatus::Cancelled,
        },
        event_type,
        visibility: match visibility {
            model::Visibility::Default => guest::Visibility::Default,
            model::Visibility::Public => guest::Visibility::Public,
            model::Visibility::Private => guest::Visibility::Private,
            model::Visibility::Confidential => guest::Visibility::Confidential,
        },
        busy,
        summary,
        description,
        location,
        start: guests_time(start),
        end: end.map(guests_time),
        organizer: organizer.map(participant),
        creator: creator.map(participant),
        attendees: attendees.into_iter().map(guests_attendee).collect(),
        attendees_omitted,
        guests_can: flag_set(
            guests_can,
            &[
                (
                    model::GuestRights::INVITE_OTHERS,
                    guest::GuestRights::INVITE_OTHERS,
                ),
                (model::GuestRights::MODIFY, guest::GuestRights::MODIFY),
                (
                    model::GuestRights::SEE_OTHERS,
                    guest::GuestRights::SEE_OTHERS,
                ),
            ],
            model::GuestRights::contains,
        ),
        conference: conference.map(|conference| guest::Conference {
            solution: conference.solution,
            id: conference.id,
            entry_points: conference.entry_points,
        }),
        attachments: attachments.map(|files| {
            files
                .into_iter()
                .map(|file| guest::EventAttachment {
                    url: file.url,
                    title: file.title,
                    mime_type: file.mime_type,
                    file_id: file.file_id,
                })
                .collect()
        }),
        created,
        updated,
        link,
        properties,
    }
}

fn guests_time(time: model::EventTime) -> guest::EventTime {
    match time {
        model::EventTime::Date(date) => guest::EventTime::Date(date),
        model::EventTime::At(moment) => guest::EventTime::At(guest::ZonedTime {
            time: moment.time,
            offset: moment.offset,
            time_zone: moment.time_zone,
        }),
    }
}

fn guests_attendee(attendee: model::Attendee) -> guest::Attendee {
    guest::Attendee {
        participant: participant(attendee.participant),
        response: match attendee.response {
            model::Response::NeedsAction => guest::Response::NeedsAction,
            model::Response::Declined => guest::Response::Declined,
            model::Response::Tentative => guest::Response::Tentative,
            model::Response::Accepted => guest::Response::Accepted,
        },
        flags: flag_set(
            attendee.flags,
            &[
                (
                    model::AttendeeFlags::OPTIONAL,
                    guest::AttendeeFlags::OPTIONAL,
                ),
                (
                    model::AttendeeFlags::ORGANIZER,
                    guest::AttendeeFlags::ORGANIZER,
                ),
                (
                    model::AttendeeFlags::RESOURCE,
                    guest::AttendeeFlags::RESOURCE,
                ),
                (model::AttendeeFlags::SELF, guest::AttendeeFlags::SELF),
            ],
            model::AttendeeFlags::contains,
        ),
        comment: attendee.comment,
    }
}
