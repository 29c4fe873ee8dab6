//! The JSON form of a calendar event.

use super::names::{flag_names, name_of_response, name_of_status, name_of_visibility};
use super::push_participant;
use super::write::{Object, list, pairs, texts};
use crate::{Attendee, Conference, Event, EventAttachment, EventTime};

pub(super) fn push(out: &mut String, event: &Event) {
    let mut object = Object::open(out);
    object.text("id", &event.id);
    object.text("calendar_name", &event.calendar_name);
    object.text("ical_uid", &event.ical_uid);
    object.optional_text("recurring_event_id", event.recurring_event_id.as_deref());
    object.optional("original_start", event.original_start.as_ref(), push_time);
    object.member("recurrence", |out| texts(out, &event.recurrence));
    object.unsigned("sequence", u64::from(event.sequence));
    object.name("status", name_of_status(event.status));
    object.text("event_type", &event.event_type);
    object.name("visibility", name_of_visibility(event.visibility));
    object.truth("busy", event.busy);
    object.text("summary", &event.summary);
    object.optional_text("description", event.description.as_deref());
    object.optional_text("location", event.location.as_deref());
    object.member("start", |out| push_time(out, &event.start));
    object.optional("end", event.end.as_ref(), push_time);
    object.optional("organizer", event.organizer.as_ref(), push_participant);
    object.optional("creator", event.creator.as_ref(), push_participant);
    object.member("attendees", |out| {
        list(out, &event.attendees, push_attendee)
    });
    object.truth("attendees_omitted", event.attendees_omitted);
    object.member("guests_can", |out| {
        flag_names::guest_rights(out, event.guests_can)
    });
    object.optional("conference", event.conference.as_ref(), push_conference);
    object.optional("attachments", event.attachments.as_ref(), |out, files| {
        list(out, files, push_attachment)
    });
    object.optional_signed("created", event.created);
    object.signed("updated", event.updated);
    object.optional_text("link", event.link.as_deref());
    object.optional(
        "properties",
        event.properties.as_ref(),
        |out, properties| pairs(out, properties),
    );
    object.close();
}

fn push_time(out: &mut String, time: &EventTime) {
    let mut object = Object::open(out);
    match time {
        EventTime::Date(date) => object.text("date", date),
        EventTime::At(moment) => object.member("at", |out| {
            let mut object = Object::open(out);
            object.signed("time", moment.time);
            object.signed("offset", i64::from(moment.offset));
            object.optional_text("time_zone", moment.time_zone.as_deref());
            object.close();
        }),
    }
    object.close();
}

fn push_attendee(out: &mut String, attendee: &Attendee) {
    let mut object = Object::open(out);
    object.member("participant", |out| {
        push_participant(out, &attendee.participant)
    });
    object.name("response", name_of_response(attendee.response));
    object.member("flags", |out| flag_names::attendee(out, attendee.flags));
    object.optional_text("comment", attendee.comment.as_deref());
    object.close();
}

fn push_conference(out: &mut String, conference: &Conference) {
    let mut object = Object::open(out);
    object.text("solution", &conference.solution);
    object.text("id", &conference.id);
    object.member("entry_points", |out| texts(out, &conference.entry_points));
    object.close();
}

fn push_attachment(out: &mut String, attachment: &EventAttachment) {
    let mut object = Object::open(out);
    object.text("url", &attachment.url);
    object.text("title", &attachment.title);
    object.text("mime_type", &attachment.mime_type);
    object.optional_text("file_id", attachment.file_id.as_deref());
    object.close();
}
