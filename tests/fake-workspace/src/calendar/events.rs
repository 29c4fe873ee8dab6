//! `events`: requests to changes and back. What a change does lives in `write.rs`, what a listing holds in `list.rs`.
//!
//! See <https://developers.google.com/workspace/calendar/api/v3/reference/events>.

use super::desk::{Desk, invalid, required};
use super::draft::Options;
use super::list::{Fill, flag, positive};
use super::schema;
use super::store::Role;
use super::when::time_zone;
use super::write::{Edit, Written, etag};
use crate::call::{Query, Reply};
use crate::error::ApiError;
use crate::routes::Context;
use serde_json::Value;

/// `GET /calendars/{calendarId}/events`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let calendar = context.path("calendarId");
    let listed = desk.list_events(calendar, &context.call.query, fill(context))?;
    // Others need the calendars while this page is rendered.
    drop(desk);
    Ok(Reply::json(listed.render()))
}

fn fill(context: &Context<'_>) -> Fill {
    if context.empty_page {
        Fill::Nothing
    } else {
        Fill::Items
    }
}

/// `GET /calendars/{calendarId}/events/{eventId}/instances`.
pub(super) fn instances(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let (calendar, event) = (context.path("calendarId"), context.path("eventId"));
    let listed = desk.list_instances(calendar, event, &context.call.query, fill(context))?;
    drop(desk);
    Ok(Reply::json(listed.render()))
}

/// `GET /calendars/{calendarId}/events/{eventId}`.
pub(super) fn get(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let query = &context.call.query;
    let zone = match query.first("timeZone") {
        None => None,
        Some(name) => {
            Some(time_zone(name).ok_or_else(|| invalid("timeZone", "Invalid time zone."))?)
        }
    };
    let (key, role) = desk.open(context.path("calendarId"), Role::FreeBusyReader)?;
    let event = desk.current(&key, context.path("eventId"))?;
    let tag = etag(&event);
    if context
        .call
        .header("if-none-match")
        .is_some_and(|known| known == tag)
    {
        return Ok(Reply {
            status: 304,
            ..Reply::html("")
        });
    }
    let mut view = desk.view(&key, role, zone)?;
    view.max_attendees = positive(query, "maxAttendees")?;
    let mut reply = Reply::json(view.render(&event));
    reply.headers.push(("etag", tag));
    Ok(reply)
}

/// `POST /calendars/{calendarId}/events`.
pub(super) fn insert(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let options = options(&context.call.query)?;
    let input = schema::read(&context.call.body, schema::EVENT)?;
    let written = desk.insert(context.path("calendarId"), &input, options)?;
    written_reply(&desk, &written, &context.call.query)
}

/// `POST /calendars/{calendarId}/events/import`.
pub(super) fn import(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let options = options(&context.call.query)?;
    let input = schema::read(&context.call.body, schema::EVENT)?;
    let written = desk.import(context.path("calendarId"), &input, options)?;
    written_reply(&desk, &written, &context.call.query)
}

/// `PATCH /calendars/{calendarId}/events/{eventId}`.
pub(super) fn patch(context: &Context<'_>) -> Result<Reply, ApiError> {
    edit(context, Edit::Patch)
}

/// `PUT /calendars/{calendarId}/events/{eventId}`.
pub(super) fn update(context: &Context<'_>) -> Result<Reply, ApiError> {
    edit(context, Edit::Update)
}

fn edit(context: &Context<'_>, edit: Edit) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let options = options(&context.call.query)?;
    let input = schema::read(&context.call.body, schema::EVENT)?;
    let (calendar, event) = (context.path("calendarId"), context.path("eventId"));
    let tag = context.call.header("if-match");
    let written = desk.edit(calendar, event, &input, edit, options, tag)?;
    written_reply(&desk, &written, &context.call.query)
}

/// `DELETE /calendars/{calendarId}/events/{eventId}`.
pub(super) fn delete(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    check_send_updates(&context.call.query)?;
    let (calendar, event) = (context.path("calendarId"), context.path("eventId"));
    desk.delete(calendar, event, context.call.header("if-match"))?;
    Ok(Reply::no_content())
}

/// `POST /calendars/{calendarId}/events/{eventId}/move`.
pub(super) fn relocate(context: &Context<'_>) -> Result<Reply, ApiError> {
    let mut desk = Desk::of_caller(context.workspace, context.caller)?;
    let query = &context.call.query;
    check_send_updates(query)?;
    let destination = query
        .first("destination")
        .ok_or_else(|| required("Required parameter: destination"))?;
    let (calendar, event) = (context.path("calendarId"), context.path("eventId"));
    let written = desk.relocate(calendar, event, destination)?;
    written_reply(&desk, &written, query)
}

/// Nobody gets mail, so what is asked for only has to be well-formed; `sendNotifications` is the deprecated way to ask.
fn check_send_updates(query: &Query) -> Result<(), ApiError> {
    flag(query, "sendNotifications")?;
    match query.first("sendUpdates") {
        None | Some("all" | "externalOnly" | "none") => Ok(()),
        Some(_) => Err(invalid("sendUpdates", "Invalid string value.")),
    }
}

fn options(query: &Query) -> Result<Options, ApiError> {
    check_send_updates(query)?;
    let conference = match query.first("conferenceDataVersion") {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => {
            return Err(invalid(
                "conferenceDataVersion",
                "Invalid integer value. Allowed values: [0, 1]",
            ));
        }
    };
    Ok(Options {
        conference,
        attachments: query.flag("supportsAttachments"),
    })
}

fn written_reply(desk: &Desk<'_>, written: &Written, query: &Query) -> Result<Reply, ApiError> {
    desk.show(written, positive(query, "maxAttendees")?)
        .map(Reply::json)
}

impl Desk<'_> {
    /// An event as its writer sees it. A meeting room that was asked for is still pending in this answer.
    pub(crate) fn show(
        &self,
        (key, id): &Written,
        max_attendees: Option<usize>,
    ) -> Result<Value, ApiError> {
        let event = self.current(key, id)?;
        let mut view = self.view(key, self.role(key), None)?;
        view.max_attendees = max_attendees;
        let mut shown = view.render(&event);
        if let Some(pending) = self.pending.as_ref().filter(|pending| pending.id == *id) {
            shown = view.render(pending);
        }
        Ok(shown)
    }
}
