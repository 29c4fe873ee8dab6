//! Calendar API v3: one file per group of methods. Storage lives in `store.rs`, rights in `desk.rs`.
//!
//! See <https://developers.google.com/workspace/calendar/api/v3/reference>.

pub(crate) mod activity;
pub(crate) mod admin;
mod desk;
mod draft;
mod events;
pub(crate) mod generate;
mod guests;
mod list;
mod lists;
mod manage;
mod packed;
mod read;
mod recur;
mod schema;
mod settings;
pub(crate) mod store;
mod token;
mod when;
mod write;

use crate::routes::{Operation, api};

const ALL: &str = "https://www.googleapis.com/auth/calendar";
const READONLY: &str = "https://www.googleapis.com/auth/calendar.readonly";
const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
const EVENTS_READONLY: &str = "https://www.googleapis.com/auth/calendar.events.readonly";
const LIST: &str = "https://www.googleapis.com/auth/calendar.calendarlist";
const LIST_READONLY: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
const CALENDARS: &str = "https://www.googleapis.com/auth/calendar.calendars";
const CALENDARS_READONLY: &str = "https://www.googleapis.com/auth/calendar.calendars.readonly";
const ACLS: &str = "https://www.googleapis.com/auth/calendar.acls";
const ACLS_READONLY: &str = "https://www.googleapis.com/auth/calendar.acls.readonly";
const SETTINGS: &str = "https://www.googleapis.com/auth/calendar.settings";
const SETTINGS_READONLY: &str = "https://www.googleapis.com/auth/calendar.settings.readonly";

const READ_EVENTS: &[&str] = &[ALL, READONLY, EVENTS, EVENTS_READONLY];
const WRITE_EVENTS: &[&str] = &[ALL, EVENTS];
const READ_LIST: &[&str] = &[ALL, READONLY, LIST, LIST_READONLY];
const WRITE_LIST: &[&str] = &[ALL, LIST];
const READ_CALENDARS: &[&str] = &[ALL, READONLY, CALENDARS, CALENDARS_READONLY];
const WRITE_CALENDARS: &[&str] = &[ALL, CALENDARS];
const LIST_ACL: &[&str] = &[ALL, ACLS, ACLS_READONLY];
const GET_ACL: &[&str] = &[ALL, READONLY, ACLS, ACLS_READONLY];
const WRITE_ACL: &[&str] = &[ALL, ACLS];
const READ_COLORS: &[&str] = &[ALL, READONLY, LIST, LIST_READONLY];
const READ_SETTINGS: &[&str] = &[ALL, READONLY, SETTINGS, SETTINGS_READONLY];

/// All methods that are built.
#[rustfmt::skip]
pub(crate) const OPERATIONS: &[Operation] = &[
    api("calendar.calendarList.list", "GET", "calendar/v3/users/me/calendarList", READ_LIST, lists::list),
    api("calendar.calendarList.get", "GET", "calendar/v3/users/me/calendarList/{calendarId}", READ_LIST, lists::get),
    api("calendar.calendarList.insert", "POST", "calendar/v3/users/me/calendarList", WRITE_LIST, lists::insert),
    api("calendar.calendarList.patch", "PATCH", "calendar/v3/users/me/calendarList/{calendarId}", WRITE_LIST, lists::change),
    api("calendar.calendarList.update", "PUT", "calendar/v3/users/me/calendarList/{calendarId}", WRITE_LIST, lists::change),
    api("calendar.calendarList.delete", "DELETE", "calendar/v3/users/me/calendarList/{calendarId}", WRITE_LIST, lists::delete),
    api("calendar.calendars.get", "GET", "calendar/v3/calendars/{calendarId}", READ_CALENDARS, manage::get),
    api("calendar.calendars.insert", "POST", "calendar/v3/calendars", WRITE_CALENDARS, manage::insert),
    api("calendar.calendars.patch", "PATCH", "calendar/v3/calendars/{calendarId}", WRITE_CALENDARS, manage::change),
    api("calendar.calendars.update", "PUT", "calendar/v3/calendars/{calendarId}", WRITE_CALENDARS, manage::change),
    api("calendar.calendars.delete", "DELETE", "calendar/v3/calendars/{calendarId}", WRITE_CALENDARS, manage::delete),
    api("calendar.acl.list", "GET", "calendar/v3/calendars/{calendarId}/acl", LIST_ACL, manage::acl_list),
    api("calendar.acl.get", "GET", "calendar/v3/calendars/{calendarId}/acl/{ruleId}", GET_ACL, manage::acl_get),
    api("calendar.acl.insert", "POST", "calendar/v3/calendars/{calendarId}/acl", WRITE_ACL, manage::acl_insert),
    api("calendar.acl.patch", "PATCH", "calendar/v3/calendars/{calendarId}/acl/{ruleId}", WRITE_ACL, manage::acl_change),
    api("calendar.acl.update", "PUT", "calendar/v3/calendars/{calendarId}/acl/{ruleId}", WRITE_ACL, manage::acl_change),
    api("calendar.acl.delete", "DELETE", "calendar/v3/calendars/{calendarId}/acl/{ruleId}", WRITE_ACL, manage::acl_delete),
    api("calendar.events.list", "GET", "calendar/v3/calendars/{calendarId}/events", READ_EVENTS, events::list),
    api("calendar.events.import", "POST", "calendar/v3/calendars/{calendarId}/events/import", WRITE_EVENTS, events::import),
    api("calendar.events.insert", "POST", "calendar/v3/calendars/{calendarId}/events", WRITE_EVENTS, events::insert),
    api("calendar.events.get", "GET", "calendar/v3/calendars/{calendarId}/events/{eventId}", READ_EVENTS, events::get),
    api("calendar.events.patch", "PATCH", "calendar/v3/calendars/{calendarId}/events/{eventId}", WRITE_EVENTS, events::patch),
    api("calendar.events.update", "PUT", "calendar/v3/calendars/{calendarId}/events/{eventId}", WRITE_EVENTS, events::update),
    api("calendar.events.delete", "DELETE", "calendar/v3/calendars/{calendarId}/events/{eventId}", WRITE_EVENTS, events::delete),
    api("calendar.events.move", "POST", "calendar/v3/calendars/{calendarId}/events/{eventId}/move", WRITE_EVENTS, events::relocate),
    api("calendar.events.instances", "GET", "calendar/v3/calendars/{calendarId}/events/{eventId}/instances", READ_EVENTS, events::instances),
    api("calendar.colors.get", "GET", "calendar/v3/colors", READ_COLORS, settings::colors),
    api("calendar.settings.list", "GET", "calendar/v3/users/me/settings", READ_SETTINGS, settings::list),
    api("calendar.settings.get", "GET", "calendar/v3/users/me/settings/{setting}", READ_SETTINGS, settings::get),
];
