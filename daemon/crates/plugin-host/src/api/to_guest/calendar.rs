//! Calendar events for the guest, borrowed.

use super::super::v0::nuncio::sink::records as wit;
use super::{pairs, participant, strings};
use bumpalo::Bump;
use nuncio_model::{
    Attendee, AttendeeFlags, Conference, Content, Event, EventAttachment, EventStatus, EventTime,
    GuestRights, Response, Visibility,
};

/// An event, cut to the content that the sink may see.
pub(super) fn event<'a>(arena: &'a Bump, event: &'a Event, content: Content) -> wit::Event<'a> {
    wit::Event {
        id: &event.id,
        calendar_name: &event.calendar_name,
        ical_uid: &event.ical_uid,
        recurring_event_id: event.recurring_event_id.as_deref(),
        original_start: event.original_start.as_ref().map(time),
        recurrence: strings(arena, &event.recurrence),
        sequence: event.sequence,
        status: match event.status {
            EventStatus::Confirmed => wit::EventStatus::Confirmed,
            EventStatus::Tentative => wit::EventStatus::Tentative,
            EventStatus::Cancelled => wit::EventStatus::Cancelled,
        },
        event_type: &event.event_type,
        visibility: match event.visibility {
            Visibility::Default => wit::Visibility::Default,
            Visibility::Public => wit::Visibility::Public,
            Visibility::Private => wit::Visibility::Private,
            Visibility::Confidential => wit::Visibility::Confidential,
        },
        busy: event.busy,
        summary: &event.summary,
        description: event
            .description
            .as_deref()
            .filter(|_| content >= Content::Text),
        location: event.location.as_deref(),
        start: time(&event.start),
        end: event.end.as_ref().map(time),
        organizer: event.organizer.as_ref().map(participant),
        creator: event.creator.as_ref().map(participant),
        attendees: arena.alloc_slice_fill_iter(event.attendees.iter().map(attendee)),
        attendees_omitted: event.attendees_omitted,
        guests_can: guest_rights(event.guests_can),
        conference: event
            .conference
            .as_ref()
            .map(|conference| self::conference(arena, conference)),
        attachments: event.attachments.as_ref().map(|files| {
            let files: &[_] = arena.alloc_slice_fill_iter(files.iter().map(attachment));
            files
        }),
        created: event.created,
        updated: event.updated,
        link: event.link.as_deref(),
        properties: event
            .properties
            .as_ref()
            .map(|properties| pairs(arena, properties)),
    }
}

fn time(time: &EventTime) -> wit::EventTime<'_> {
    match time {
        EventTime::Date(date) => wit::EventTime::Date(date),
        EventTime::At(moment) => wit::EventTime::At(wit::ZonedTime {
            time: moment.time,
            offset: moment.offset,
            time_zone: moment.time_zone.as_deref(),
        }),
    }
}

fn attendee(guest: &Attendee) -> wit::Attendee<'_> {
    wit::Attendee {
        participant: participant(&guest.participant),
        response: match guest.response {
            Response::NeedsAction => wit::Response::NeedsAction,
            Response::Declined => wit::Response::Declined,
            Response::Tentative => wit::Response::Tentative,
            Response::Accepted => wit::Response::Accepted,
        },
        flags: attendee_flags(guest.flags),
        comment: guest.comment.as_deref(),
    }
}

fn attendee_flags(flags: AttendeeFlags) -> wit::AttendeeFlags {
    let known = [
        (AttendeeFlags::OPTIONAL, wit::AttendeeFlags::OPTIONAL),
        (AttendeeFlags::ORGANIZER, wit::AttendeeFlags::ORGANIZER),
        (AttendeeFlags::RESOURCE, wit::AttendeeFlags::RESOURCE),
        (AttendeeFlags::SELF, wit::AttendeeFlags::SELF),
    ];
    known
        .into_iter()
        .filter(|(ours, _)| flags.contains(*ours))
        .fold(wit::AttendeeFlags::empty(), |set, (_, theirs)| set | theirs)
}

fn guest_rights(rights: GuestRights) -> wit::GuestRights {
    let known = [
        (GuestRights::INVITE_OTHERS, wit::GuestRights::INVITE_OTHERS),
        (GuestRights::MODIFY, wit::GuestRights::MODIFY),
        (GuestRights::SEE_OTHERS, wit::GuestRights::SEE_OTHERS),
    ];
    known
        .into_iter()
        .filter(|(ours, _)| rights.contains(*ours))
        .fold(wit::GuestRights::empty(), |set, (_, theirs)| set | theirs)
}

fn conference<'a>(arena: &'a Bump, conference: &'a Conference) -> wit::Conference<'a> {
    wit::Conference {
        solution: &conference.solution,
        id: &conference.id,
        entry_points: strings(arena, &conference.entry_points),
    }
}

fn attachment(file: &EventAttachment) -> wit::EventAttachment<'_> {
    wit::EventAttachment {
        url: &file.url,
        title: &file.title,
        mime_type: &file.mime_type,
        file_id: file.file_id.as_deref(),
    }
}
