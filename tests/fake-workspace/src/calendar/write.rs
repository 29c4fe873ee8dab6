//! Changes to events. How they reach the other copies lives in `guests.rs`, parsing of requests in `events.rs`.
//!
//! See <https://developers.google.com/workspace/calendar/api/concepts/sharing> for who may change what.

use super::desk::{Desk, has_address, invalid, not_found, refused, required};
use super::draft::{self, Options, Place};
use super::packed::Body;
use super::recur::expand;
use super::schema::merge;
use super::store::{Event, Key, Role, State};
use super::when::When;
use crate::error::ApiError;
use crate::wire;
use serde_json::{Map, Value, json};

/// Instances of one recurring event that are looked through for an id.
const MAX_INSTANCES: usize = 20_000;
/// Members that only the server sets, or that never change.
const FIXED: [&str; 9] = [
    "organizer",
    "creator",
    "iCalUID",
    "recurringEventId",
    "originalStartTime",
    "hangoutLink",
    "eventType",
    "sequence",
    "privateCopy",
];

/// Whether a request changes what it names or replaces everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    Patch,
    Update,
}

/// An event that was written: where, and under which id.
pub(crate) type Written = (Key, String);

/// The entity tag of an event.
pub(crate) fn etag(event: &Event) -> String {
    wire::etag(event.updated.unsigned_abs() * 2000 + event.change)
}

/// New events take place.
fn refuse_cancelled(form: &Map<String, Value>) -> Result<(), ApiError> {
    match form.get("status") {
        Some(status) if status == "cancelled" => Err(invalid("status", "Invalid event status.")),
        _ => Ok(()),
    }
}

impl Desk<'_> {
    /// `events.insert`.
    pub(crate) fn insert(
        &mut self,
        calendar: &str,
        input: &Map<String, Value>,
        options: Options,
    ) -> Result<Written, ApiError> {
        let (key, _) = self.open(calendar, Role::WriterWithoutPrivateAccess)?;
        let mut form = Map::new();
        merge(&mut form, input);
        form.remove("organizer");
        form.remove("originalStartTime");
        if form
            .get("eventType")
            .is_some_and(|kind| kind == "fromGmail")
        {
            return Err(refused(
                400,
                "eventTypeRestriction",
                "Events of this type cannot be created.",
            ));
        }
        refuse_cancelled(&form)?;
        let organizer = self.organizer(&key)?;
        form.insert("organizer".to_owned(), organizer);
        self.create(&key, Some(key.clone()), form, options)
    }

    /// `events.import`: a private copy, which nobody else hears of.
    pub(crate) fn import(
        &mut self,
        calendar: &str,
        input: &Map<String, Value>,
        options: Options,
    ) -> Result<Written, ApiError> {
        let (key, _) = self.open(calendar, Role::WriterWithoutPrivateAccess)?;
        let mut form = Map::new();
        merge(&mut form, input);
        form.remove("id");
        let uid = form
            .get("iCalUID")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if uid.is_empty() {
            return Err(required("Missing iCal UID."));
        }
        if form.get("eventType").is_some_and(|kind| kind != "default") {
            return Err(refused(
                400,
                "eventTypeRestriction",
                "Only events of the default type can be imported.",
            ));
        }
        refuse_cancelled(&form)?;
        let own = self.organizer(&key)?;
        let address = form
            .get("organizer")
            .and_then(|person| person["email"].as_str());
        let is_own = address.is_none_or(|address| {
            own["email"] == address
                || self
                    .person(&key)
                    .is_some_and(|person| has_address(&person, address))
        });
        if is_own {
            form.insert("organizer".to_owned(), own);
        }
        form.insert("privateCopy".to_owned(), json!(true));
        let origin = is_own.then(|| key.clone());
        self.create(&key, origin, form, options)
    }

    /// Who stands as the organizer of events made on a calendar.
    fn organizer(&self, key: &Key) -> Result<Value, ApiError> {
        Ok(match key {
            Key::Primary(_) => json!({ "email": self.id_of(key) }),
            Key::Named(id) => {
                json!({ "email": id, "displayName": self.calendar(key)?.summary })
            }
        })
    }

    fn create(
        &mut self,
        key: &Key,
        origin: Option<Key>,
        mut form: Map<String, Value>,
        options: Options,
    ) -> Result<Written, ApiError> {
        let calendar = self.calendar(key)?;
        let duplicate =
            || ApiError::new(409, "duplicate", "The requested identifier already exists.");
        let given = match form.remove("id") {
            Some(Value::String(id)) => {
                draft::check_id(&id)?;
                if calendar.events.contains(&id) {
                    return Err(duplicate());
                }
                Some(id)
            }
            _ => None,
        };
        let uid = form.get("iCalUID").and_then(Value::as_str);
        if uid.is_some_and(|uid| calendar.events.has_uid(uid)) {
            return Err(duplicate());
        }
        let place = Place {
            zone: &calendar.time_zone,
            primary: matches!(key, Key::Primary(_)),
        };
        draft::conference(&mut form, None, options)?;
        if !options.attachments {
            form.remove("attachments");
        }
        form.remove("attendeesOmitted");
        draft::finish(&mut form, place)?;
        let id = given.unwrap_or_else(|| self.store.new_id());
        let creator = self.workspace.user(self.user).primary;
        form.entry("iCalUID")
            .or_insert_with(|| json!(format!("{id}@google.com")));
        form.entry("sequence").or_insert_with(|| json!(0));
        form.insert("creator".to_owned(), json!({ "email": creator }));
        let (body, own) = draft::divide(form);
        let now = self.store.now();
        self.store.put(
            key,
            Event {
                id: id.clone(),
                origin,
                body,
                own,
                state: State::Live,
                created: now,
                updated: now,
                change: 0,
                born: 0,
                past: Vec::new(),
            },
        );
        self.spread(key, &id, &[]);
        Ok((key.clone(), id))
    }

    /// An event as it stands, or the instance of a recurring event that has no entry of its own yet.
    pub(crate) fn current(&self, key: &Key, id: &str) -> Result<Event, ApiError> {
        if let Some(event) = self.store.event(key, id) {
            return Ok(event);
        }
        self.virtual_instance(key, id).ok_or_else(not_found)
    }

    fn virtual_instance(&self, key: &Key, id: &str) -> Option<Event> {
        let (master, suffix) = id.rsplit_once('_')?;
        let calendar = self.store.calendar(key)?;
        let master = calendar
            .events
            .get(master)
            .filter(|master| master.is_recurring())?;
        let shape = master.shape()?;
        let day = suffix.get(..8)?;
        let day = jiff::civil::Date::strptime("%Y%m%d", day).ok()?;
        let limit = day
            .checked_add(jiff::Span::new().try_days(2).ok()?)
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp();
        let start = expand(&shape, limit, &calendar.zone(), MAX_INSTANCES)
            .into_iter()
            .find(|start| start.id_suffix() == suffix)?;
        instance(&master, &start)
    }

    /// `events.patch` and `events.update`.
    pub(crate) fn edit(
        &mut self,
        calendar: &str,
        id: &str,
        input: &Map<String, Value>,
        edit: Edit,
        options: Options,
        if_match: Option<&str>,
    ) -> Result<Written, ApiError> {
        let (key, role) = self.open(calendar, Role::WriterWithoutPrivateAccess)?;
        let event = self.writable(&key, role, id, if_match)?;
        if event.state == (State::Cancelled { details: false }) {
            return Err(not_found());
        }
        let old = draft::form(&event);
        let mut form = match edit {
            Edit::Patch => old.clone(),
            Edit::Update => Map::new(),
        };
        if edit == Edit::Patch && !event.is_live() {
            form.insert("status".to_owned(), json!("cancelled"));
        }
        merge(&mut form, input);
        if form
            .get("status")
            .is_some_and(|status| status == "cancelled")
        {
            if event.is_live() {
                self.delete(calendar, id, None)?;
            }
            return Ok((key, id.to_owned()));
        }
        check_fixed(&old, input)?;
        form.remove("id");
        form.remove("attendeesOmitted");
        for name in FIXED {
            draft::restore(&mut form, name, old.get(name));
        }
        if !options.attachments {
            draft::restore(&mut form, "attachments", old.get("attachments"));
        }
        let only_own = self.only_own_attendee(&key, input);
        if only_own {
            let attendees = self.with_own_response(&key, &event, input);
            draft::restore(&mut form, "attendees", attendees.as_ref());
        }
        draft::conference(&mut form, old.get("conferenceData"), options)?;
        let calendar = self.calendar(&key)?;
        let place = Place {
            zone: &calendar.time_zone,
            primary: matches!(key, Key::Primary(_)),
        };
        draft::finish(&mut form, place)?;
        let is_host = event.origin.as_ref() == Some(&key);
        if is_host {
            self.edit_as_organizer(&key, event, form);
        } else {
            self.edit_as_guest(&key, event, form)?;
        }
        Ok((key, id.to_owned()))
    }

    /// An event that the user may write, with its tag as the client expects it.
    fn writable(
        &self,
        key: &Key,
        role: Role,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<Event, ApiError> {
        let event = self.current(key, id)?;
        if role == Role::WriterWithoutPrivateAccess && is_private(&event) {
            return Err(ApiError::forbidden("Forbidden"));
        }
        match if_match {
            Some(tag) if tag != "*" && tag != etag(&event) => {
                let mut error = ApiError::new(412, "conditionNotMet", "Precondition Failed");
                error.extra.location = Some(("header", "If-Match"));
                Err(error)
            }
            _ => Ok(event),
        }
    }

    pub(super) fn edit_as_organizer(
        &mut self,
        key: &Key,
        mut event: Event,
        mut form: Map<String, Value>,
    ) {
        let guests = self.guests(&event);
        let moved = ["start", "end", "recurrence"]
            .into_iter()
            .any(|name| form.get(name) != event.body.get(name));
        if moved || !event.is_live() {
            let sequence = event
                .body
                .get("sequence")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            form.insert("sequence".to_owned(), json!(sequence + 1));
        }
        let (body, own) = draft::divide(form);
        let now = self.store.now();
        // Reminders alone do not count as a change of the event.
        let same = |name: &str| own.get(name) == event.own.get(name);
        if body != event.body || !same("colorId") || !same("extendedProperties") || !event.is_live()
        {
            event.updated = now;
        }
        let was_recurring = event.is_recurring();
        event.body = body;
        event.own = own;
        event.state = State::Live;
        let id = event.id.clone();
        self.store.put(key, event);
        if was_recurring && moved {
            self.drop_stale_exceptions(key, &id);
        }
        self.spread(key, &id, &guests);
    }

    /// Exceptions of instances that the new rule does not make any more are gone.
    fn drop_stale_exceptions(&mut self, key: &Key, master: &str) {
        let Some(calendar) = self.store.calendar(key) else {
            return;
        };
        let stale: Vec<String> = calendar
            .exceptions(master)
            .filter(|event| event.is_live() && self.virtual_instance(key, &event.id).is_none())
            .map(|event| event.id.clone())
            .collect();
        for id in stale {
            self.cancel_at_host(key, &id);
        }
    }

    /// `events.delete`.
    pub(crate) fn delete(
        &mut self,
        calendar: &str,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), ApiError> {
        let (key, role) = self.open(calendar, Role::WriterWithoutPrivateAccess)?;
        let event = self.writable(&key, role, id, if_match)?;
        if !event.is_live() {
            return Err(ApiError::new(410, "deleted", "Resource has been deleted"));
        }
        let exceptions: Vec<String> = self
            .calendar(&key)?
            .exceptions(id)
            .filter(|exception| exception.is_live())
            .map(|exception| exception.id.clone())
            .collect();
        let is_host = event.origin.is_none() || event.origin.as_ref() == Some(&key);
        for id in exceptions.iter().map(String::as_str).chain([id]) {
            if is_host {
                self.cancel_at_host(&key, id);
            } else {
                self.remove_as_guest(&key, id)?;
            }
        }
        Ok(())
    }

    pub(super) fn cancel_at_host(&mut self, key: &Key, id: &str) {
        let Ok(mut event) = self.current(key, id) else {
            return;
        };
        let guests = self.guests(&event);
        event.state = State::Cancelled { details: true };
        event.updated = self.store.now();
        self.store.put(key, event);
        self.spread(key, id, &guests);
    }

    /// `events.move`: another calendar becomes the organizer.
    pub(crate) fn relocate(
        &mut self,
        calendar: &str,
        id: &str,
        destination: &str,
    ) -> Result<Written, ApiError> {
        let (from, role) = self.open(calendar, Role::WriterWithoutPrivateAccess)?;
        let (to, _) = self.open(destination, Role::WriterWithoutPrivateAccess)?;
        let event = self.writable(&from, role, id, None)?;
        if !event.is_live() {
            return Err(not_found());
        }
        if event.text("eventType") != "default" {
            return Err(refused(
                400,
                "eventTypeRestriction",
                "Only events of the default type can be moved.",
            ));
        }
        if event.master().is_some() {
            return Err(refused(
                400,
                "cannotChangeOrganizerOfInstance",
                "Cannot change the organizer of an instance.",
            ));
        }
        if event.origin.as_ref() != Some(&from) {
            return Err(refused(
                403,
                "cannotChangeOrganizer",
                "Only the organizer of an event can move it.",
            ));
        }
        if from == to {
            return Ok((from, id.to_owned()));
        }
        let taken = self.store.event(&to, id);
        if taken.is_some_and(|taken| taken.is_live() && taken.origin.as_ref() != Some(&from)) {
            return Err(ApiError::new(
                409,
                "duplicate",
                "The requested identifier already exists.",
            ));
        }
        let exceptions: Vec<String> = self
            .calendar(&from)?
            .exceptions(id)
            .map(|exception| exception.id.clone())
            .collect();
        let organizer = self.organizer(&to)?;
        for id in [id]
            .into_iter()
            .chain(exceptions.iter().map(String::as_str))
        {
            self.relocate_one(&from, &to, id, &organizer);
        }
        Ok((to, id.to_owned()))
    }

    fn relocate_one(&mut self, from: &Key, to: &Key, id: &str, organizer: &Value) {
        let Some(old) = self.store.event(from, id) else {
            return;
        };
        let guests = self.guests(&old);
        let mut body = (*old.body).clone();
        body.insert("organizer".to_owned(), organizer.clone());
        let now = self.store.now();
        let body = Body::from(body);
        let mut moved = old.clone();
        moved.origin = Some(to.clone());
        moved.body = body.clone();
        moved.updated = now;
        moved.past = Vec::new();
        self.store.put(to, moved);
        // The old copies belong to the new organizer from now on.
        let stays = |key: &Key| guests.iter().any(|guest| Key::primary(*guest) == *key);
        let holders = guests
            .iter()
            .map(|guest| Key::primary(*guest))
            .chain([from.clone()]);
        for key in holders.collect::<std::collections::BTreeSet<_>>() {
            if key == *to {
                continue;
            }
            let Some(mut copy) = self.store.event(&key, id) else {
                continue;
            };
            copy.origin = Some(to.clone());
            copy.updated = now;
            copy.body = body.clone();
            if key == *from && !stays(&key) {
                copy.state = State::Cancelled { details: false };
            }
            self.store.put(&key, copy);
        }
        self.spread(to, id, &guests);
    }
}

/// The instance of a recurring event that starts then by its rule.
pub(crate) fn instance(master: &Event, start: &When) -> Option<Event> {
    let shape = master.shape()?;
    let end = start.shifted(&shape.start, &shape.end)?;
    let mut body = (*master.body).clone();
    body.remove("recurrence");
    body.insert("recurringEventId".to_owned(), json!(master.id));
    body.insert("originalStartTime".to_owned(), start.stored());
    body.insert("start".to_owned(), start.stored());
    body.insert("end".to_owned(), end.stored());
    Some(Event {
        id: format!("{}_{}", master.id, start.id_suffix()),
        origin: master.origin.clone(),
        body: body.into(),
        own: master.own.clone(),
        state: master.state,
        created: master.created,
        updated: master.updated,
        change: master.change,
        born: master.born,
        past: Vec::new(),
    })
}

/// Whether only those who may see private events see more than the time.
pub(crate) fn is_private(event: &Event) -> bool {
    matches!(event.text("visibility"), "private" | "confidential")
}

/// Refuses changes to what cannot change.
fn check_fixed(old: &Map<String, Value>, input: &Map<String, Value>) -> Result<(), ApiError> {
    let given = |name: &str| input.get(name).filter(|value| !value.is_null());
    if let Some(kind) = given("eventType")
        && old.get("eventType").is_some_and(|old| old != kind)
    {
        return Err(refused(
            400,
            "eventTypeRestriction",
            "The type of an event cannot be changed.",
        ));
    }
    let sequence = given("sequence").and_then(Value::as_i64);
    let current = old.get("sequence").and_then(Value::as_i64).unwrap_or(0);
    if sequence.is_some_and(|sequence| sequence < current) {
        return Err(invalid(
            "sequence",
            "Invalid sequence value. The specified sequence number is below the current sequence \
             number of the resource. Re-fetch the resource and use its sequence number on the \
             following request.",
        ));
    }
    Ok(())
}
