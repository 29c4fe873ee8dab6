//! How an event looks to somebody: masks of private events, stubs of deleted ones, flags for the reader.

use super::desk::{Desk, has_address, not_found};
use super::store::{Event, Key, Role, State};
use super::when::When;
use super::write::{etag, is_private};
use crate::error::ApiError;
use crate::oauth::BASE64URL;
use crate::workspace::User;
use base64::Engine;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// What remains of a private event for a reader.
const MASKED: [&str; 10] = [
    "status",
    "start",
    "end",
    "recurrence",
    "recurringEventId",
    "originalStartTime",
    "iCalUID",
    "sequence",
    "transparency",
    "eventType",
];
/// What somebody with free/busy access sees of any event.
const FREE_BUSY: [&str; 5] = [
    "status",
    "start",
    "end",
    "recurringEventId",
    "originalStartTime",
];

/// How much of a deleted event is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// Only what is guaranteed.
    Stub,
    /// What can be restored.
    Details,
}

/// Who looks at which calendar, and how.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) role: Role,
    pub(crate) zone: TimeZone,
    pub(crate) max_attendees: Option<usize>,
    pub(crate) deleted: Deleted,
    calendar_id: String,
    person: Option<User>,
    viewer: User,
}

impl Desk<'_> {
    /// The view of the user on a calendar, in the calendar's time zone unless another is given.
    pub(crate) fn view(
        &self,
        key: &Key,
        role: Role,
        zone: Option<TimeZone>,
    ) -> Result<View, ApiError> {
        let calendar = self.store.calendar(key).ok_or_else(not_found)?;
        Ok(View {
            role,
            zone: zone.unwrap_or_else(|| calendar.zone()),
            max_attendees: None,
            deleted: Deleted::Details,
            calendar_id: self.id_of(key),
            person: self.person(key),
            viewer: self.workspace.user(self.user),
        })
    }
}

impl View {
    /// An event as the API gives it.
    pub(crate) fn render(&self, event: &Event) -> Value {
        let is_exception = event.master().is_some();
        let stub = match event.state {
            State::Live => false,
            State::Cancelled { details } => {
                !details || is_exception || self.deleted == Deleted::Stub || self.masks(event)
            }
        };
        let mut shown = if stub {
            let mut shown = Map::new();
            for name in ["recurringEventId", "originalStartTime"] {
                if let Some(value) = event.body.get(name) {
                    shown.insert(name.to_owned(), value.clone());
                }
            }
            shown
        } else if self.masks(event) {
            let names = if self.role <= Role::FreeBusyReader {
                &FREE_BUSY[..]
            } else {
                &MASKED
            };
            let mut shown = super::draft::form(event);
            shown.retain(|name, _| names.contains(&name.as_str()));
            shown.insert("visibility".to_owned(), json!("private"));
            if self.role > Role::FreeBusyReader {
                self.add_times(event, &mut shown);
            }
            shown
        } else {
            self.whole(event)
        };
        if !event.is_live() {
            shown.insert("status".to_owned(), json!("cancelled"));
        }
        for name in ["start", "end", "originalStartTime"] {
            if let Some(when) = shown.get(name).and_then(When::read) {
                shown.insert(name.to_owned(), when.render(&self.zone));
            }
        }
        shown.insert("kind".to_owned(), json!("calendar#event"));
        shown.insert("etag".to_owned(), json!(etag(event)));
        shown.insert("id".to_owned(), json!(event.id));
        Value::Object(shown)
    }

    /// Whether the viewer sees only when the event is.
    fn masks(&self, event: &Event) -> bool {
        match self.role {
            Role::Owner | Role::Writer => false,
            Role::None | Role::FreeBusyReader => true,
            Role::Reader | Role::WriterWithoutPrivateAccess => {
                is_private(event) && !self.takes_part(event)
            }
        }
    }

    fn takes_part(&self, event: &Event) -> bool {
        let attendees = event.get("attendees").as_array();
        let organizer = std::iter::once(event.get("organizer"));
        attendees
            .into_iter()
            .flatten()
            .chain(organizer)
            .filter_map(|person| person["email"].as_str())
            .any(|address| has_address(&self.viewer, address))
    }

    fn add_times(&self, event: &Event, shown: &mut Map<String, Value>) {
        let time = |ms: i64| json!(crate::wire::rfc3339(ms));
        shown.insert("created".to_owned(), time(event.created));
        shown.insert("updated".to_owned(), time(event.updated));
        let link = BASE64URL.encode(format!("{} {}", event.id, self.calendar_id));
        let link = format!("https://www.google.com/calendar/event?eid={link}");
        shown.insert("htmlLink".to_owned(), json!(link));
    }

    fn whole(&self, event: &Event) -> Map<String, Value> {
        let mut shown = super::draft::form(event);
        self.add_times(event, &mut shown);
        shown
            .entry("reminders")
            .or_insert_with(|| json!({ "useDefault": true }));
        let organizer = event.text_of("organizer", "email");
        for name in ["organizer", "creator"] {
            if let Some(person) = shown.get_mut(name)
                && self.is_self(person)
            {
                person["self"] = json!(true);
            }
        }
        if !has_address(&self.viewer, &event.text_of("creator", "email")) {
            shown.remove("source");
        }
        self.add_attendees(event, &organizer, &mut shown);
        shown
    }

    fn add_attendees(&self, event: &Event, organizer: &str, shown: &mut Map<String, Value>) {
        let hidden = event.get("guestsCanSeeOtherGuests") == false
            && !self.is_self(&json!({ "email": organizer }));
        let Some(Value::Array(attendees)) = shown.get_mut("attendees") else {
            return;
        };
        for attendee in attendees.iter_mut() {
            if self.is_self(attendee) {
                attendee["self"] = json!(true);
            }
            if attendee["email"]
                .as_str()
                .is_some_and(|own| own.eq_ignore_ascii_case(organizer))
            {
                attendee["organizer"] = json!(true);
            }
        }
        if hidden || self.max_attendees.is_some_and(|max| attendees.len() > max) {
            attendees.retain(|attendee| attendee["self"] == true);
            let none_left = attendees.is_empty();
            shown.insert("attendeesOmitted".to_owned(), json!(true));
            if none_left {
                shown.remove("attendees");
            }
        }
    }

    /// Whether a person is the one whose calendar this is.
    fn is_self(&self, person: &Value) -> bool {
        let address = person["email"].as_str().unwrap_or_default();
        match &self.person {
            Some(person) => has_address(person, address),
            None => address == self.calendar_id,
        }
    }
}

impl Event {
    /// A text inside a member.
    fn text_of(&self, name: &str, inner: &str) -> String {
        self.get(name)[inner]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
