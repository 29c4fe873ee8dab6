//! `events.list` and `events.instances`: which events belong to a listing, in which order, and what changed since.
//!
//! See <https://developers.google.com/workspace/calendar/api/guides/sync>. A page looks at as many stored events as it
//! may return, so that one with hidden events among them is short or empty.

use super::desk::{Desk, invalid, not_found, refused};
use super::read::{Deleted, View};
use super::recur::expand;
use super::schema::EVENT_TYPES;
use super::store::{Calendar, Event, Key, Role, State, shape};
use super::token::{PageToken, SyncToken, binding, key_text};
use super::when::{When, time_zone};
use super::write::instance;
use crate::call::Query;
use crate::error::ApiError;
use crate::wire;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const MAX_PAGE: usize = 2500;
const DEFAULT_PAGE: usize = 250;
/// How far an expansion without `timeMax` goes past its beginning, or past the start of the server.
const HORIZON_SECS: i64 = 730 * 86_400;
/// Most instances of one recurring event in a listing.
const MAX_INSTANCES: usize = 5_000;
/// `updatedMin` further back is refused; Google gives no number.
const MAX_UPDATED_AGE_MS: i64 = 30 * 86_400_000;
/// What may not stand beside a sync token.
const NOT_WITH_SYNC: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Stable,
    StartTime,
    Updated,
}

/// What a client asked for.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) page: usize,
    single: bool,
    show_deleted: bool,
    min: Option<Timestamp>,
    max: Option<Timestamp>,
    updated_min: Option<i64>,
    order: Order,
    words: Vec<String>,
    uid: Option<String>,
    /// `private` or `shared`, name and value.
    properties: Vec<(&'static str, String, String)>,
    types: Vec<String>,
    zone: Option<String>,
    max_attendees: Option<usize>,
    /// Where expansions without an end begin to count, in seconds.
    start: i64,
}

/// An event that belongs to a page, under its key in the order.
struct Candidate {
    key: String,
    /// `None` for one that the listing passes over.
    event: Option<Event>,
}

/// Where a page begins, and how many it looks at.
#[derive(Debug, Clone, Copy)]
struct Cut<'a> {
    /// The key of the last one of the page before.
    after: Option<&'a str>,
    size: usize,
}

impl Cut<'_> {
    /// All of a listing.
    const ALL: Self = Self {
        after: None,
        size: usize::MAX,
    };

    /// Whether there is more than enough for the page, so that no more needs to be looked at.
    fn is_full(self, found: &[Candidate]) -> bool {
        let begun = |candidate: &&Candidate| self.after.is_none_or(|after| &*candidate.key > after);
        found.len() > self.size && found.iter().filter(begun).count() > self.size
    }
}

/// A page before it is rendered, which needs no calendars any more.
pub(crate) struct Listed {
    answer: Value,
    items: Vec<Event>,
    view: View,
}

impl Listed {
    pub(crate) fn render(mut self) -> Value {
        let items = self.items.iter().map(|event| self.view.render(event));
        self.answer["items"] = items.collect();
        self.answer
    }
}

/// Reads a number from 1 up.
pub(crate) fn positive(query: &Query, name: &'static str) -> Result<Option<usize>, ApiError> {
    query
        .first(name)
        .map(|text| match text.parse::<u32>() {
            Ok(number @ 1..) => Ok(number as usize),
            _ => Err(invalid(
                name,
                format!(
                    "Invalid integer value: '{}'. Allowed values: [1, ..]",
                    text.escape_default()
                ),
            )),
        })
        .transpose()
}

/// Reads an instant with an offset.
fn instant(query: &Query, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
    query
        .first(name)
        .map(|text| {
            text.parse().map_err(|_| {
                let mut error = ApiError::new(400, "badRequest", "Bad Request");
                error.extra.location = Some(("parameter", name));
                error
            })
        })
        .transpose()
}

/// Reads a flag: absent, true or false.
pub(crate) fn flag(query: &Query, name: &'static str) -> Result<Option<bool>, ApiError> {
    match query.first(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(text) => Err(invalid(
            name,
            format!("Invalid boolean value: '{}'.", text.escape_default()),
        )),
    }
}

impl Listing {
    pub(crate) fn parse(query: &Query, role: Role, start: i64, now: i64) -> Result<Self, ApiError> {
        let (min, max) = (instant(query, "timeMin")?, instant(query, "timeMax")?);
        if let (Some(min), Some(max)) = (min, max)
            && max <= min
        {
            let mut error = refused(400, "timeRangeEmpty", "The specified time range is empty.");
            error.extra.location = Some(("parameter", "timeMax"));
            return Err(error);
        }
        let updated_min = instant(query, "updatedMin")?.map(|at| at.as_millisecond());
        if updated_min.is_some_and(|at| at < now - MAX_UPDATED_AGE_MS) {
            let mut error = refused(
                410,
                "updatedMinTooLongAgo",
                "The requested minimum modification time lies too far in the past.",
            );
            error.extra.location = Some(("parameter", "updatedMin"));
            return Err(error);
        }
        // Free/busy readers get instances, whatever they ask for.
        let single = flag(query, "singleEvents")?.unwrap_or(false) || role == Role::FreeBusyReader;
        let order = match query.first("orderBy") {
            None => Order::Stable,
            Some("updated") => Order::Updated,
            Some("startTime") if single => Order::StartTime,
            Some("startTime") => {
                return Err(invalid(
                    "orderBy",
                    "The requested ordering is not available for the particular query.",
                ));
            }
            Some(text) => {
                return Err(invalid(
                    "orderBy",
                    format!("Invalid string value: '{}'.", text.escape_default()),
                ));
            }
        };
        let mut types: Vec<String> = query.all("eventTypes").map(str::to_owned).collect();
        types.sort_unstable();
        types.dedup();
        if let Some(text) = types
            .iter()
            .find(|kind| !EVENT_TYPES.contains(&kind.as_str()))
        {
            return Err(invalid(
                "eventTypes",
                format!("Invalid string value: '{}'.", text.escape_default()),
            ));
        }
        let zone = query.first("timeZone").map(str::to_owned);
        if zone
            .as_deref()
            .is_some_and(|zone| time_zone(zone).is_none())
        {
            return Err(invalid("timeZone", "Invalid time zone."));
        }
        let mut properties = Vec::new();
        for (kind, name) in [
            ("private", "privateExtendedProperty"),
            ("shared", "sharedExtendedProperty"),
        ] {
            for text in query.all(name) {
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| invalid(name, "Invalid extended property."))?;
                properties.push((kind, name.to_owned(), value.to_owned()));
            }
        }
        Ok(Self {
            page: positive(query, "maxResults")?
                .unwrap_or(DEFAULT_PAGE)
                .min(MAX_PAGE),
            single,
            show_deleted: flag(query, "showDeleted")?.unwrap_or(false),
            min,
            max,
            updated_min,
            order,
            words: query
                .first("q")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_lowercase)
                .collect(),
            uid: query.first("iCalUID").map(str::to_owned),
            properties,
            types,
            zone,
            max_attendees: positive(query, "maxAttendees")?,
            start,
        })
    }

    /// Parameters that have to stay the same from one increment to the next.
    fn binding(&self, key: &Key, user: usize) -> u64 {
        let what = (key_text(key), user, "events");
        binding(&(
            what,
            self.single,
            &self.types,
            &self.zone,
            self.max_attendees,
        ))
    }

    /// Parameters that have to stay the same from page to page.
    fn page_binding(&self, query: &Query, key: &Key, user: usize) -> u64 {
        let given: Vec<Option<&str>> = NOT_WITH_SYNC
            .iter()
            .chain(&["syncToken", "showDeleted"])
            .map(|name| query.first(name))
            .collect();
        binding(&(self.binding(key, user), given))
    }

    /// Whether the end of the listing has a token; orders and searches have none.
    fn has_sync_token(&self) -> bool {
        self.order == Order::Stable
            && self.words.is_empty()
            && self.uid.is_none()
            && self.properties.is_empty()
            && self.updated_min.is_none()
    }

    fn overlaps(&self, start: Timestamp, end: Timestamp) -> bool {
        self.min.is_none_or(|min| end > min) && self.max.is_none_or(|max| start < max)
    }

    /// The instances that a body makes within the bounds; empty if it does not recur.
    fn slots(&self, body: &Map<String, Value>, zone: &TimeZone) -> Vec<When> {
        let Some(shape) = shape(body).filter(|shape| !shape.recurrence.is_empty()) else {
            return Vec::new();
        };
        let begin = shape.start.instant(zone).as_second().max(self.start);
        let begin = self.min.map_or(begin, |min| begin.max(min.as_second()));
        let limit = self
            .max
            .or_else(|| Timestamp::from_second(begin + HORIZON_SECS).ok())
            .unwrap_or(Timestamp::MAX);
        expand(&shape, limit, zone, MAX_INSTANCES)
            .into_iter()
            .filter(|start| {
                let end = start.shifted(&shape.start, &shape.end);
                end.is_some_and(|end| self.overlaps(start.instant(zone), end.instant(zone)))
            })
            .collect()
    }

    /// Whether a body takes place within the bounds.
    fn in_bounds(&self, body: &Map<String, Value>, zone: &TimeZone) -> bool {
        if self.min.is_none() && self.max.is_none() {
            return true;
        }
        let Some(shape) = shape(body) else {
            return false;
        };
        if shape.recurrence.is_empty() {
            self.overlaps(shape.start.instant(zone), shape.end.instant(zone))
        } else {
            !self.slots(body, zone).is_empty()
        }
    }

    fn has_type(&self, event: &Event) -> bool {
        self.types.is_empty()
            || self
                .types
                .iter()
                .any(|kind| kind == event.text("eventType"))
    }

    /// Searches and other restrictions that no increment knows.
    fn fits(&self, event: &Event) -> bool {
        self.has_type(event)
            && self.updated_min.is_none_or(|min| event.updated >= min)
            && self
                .uid
                .as_deref()
                .is_none_or(|uid| event.text("iCalUID") == uid)
            && self.properties.iter().all(|(kind, name, value)| {
                let form = super::draft::form(event);
                let properties = form.get("extendedProperties").unwrap_or(&Value::Null);
                properties[*kind][name] == value.as_str()
            })
            && (self.words.is_empty() || {
                let text = search_text(event);
                self.words.iter().all(|word| text.contains(word))
            })
    }

    fn key(&self, event: &Event, zone: &TimeZone) -> String {
        match self.order {
            Order::Stable => event.id.clone(),
            Order::Updated => format!("{:020} {}", event.updated, event.id),
            Order::StartTime => {
                let start = event
                    .shape()
                    .map_or(0, |shape| shape.start.instant(zone).as_second());
                // Years before 1970 are negative.
                format!("{:020} {}", start + (1 << 40), event.id)
            }
        }
    }

    /// All events of a full listing.
    pub(crate) fn all(&self, calendar: &Calendar) -> impl Iterator<Item = Event> {
        self.candidates(calendar, Cut::ALL)
            .into_iter()
            .filter_map(|candidate| candidate.event)
    }

    /// What a page of a full listing looks at, and perhaps more.
    fn candidates(&self, calendar: &Calendar, cut: Cut<'_>) -> Vec<Candidate> {
        let zone = calendar.zone();
        let deleted_too = self.show_deleted || self.updated_min.is_some();
        // Events are kept in the order of most listings; another order, and instances among events, need them all.
        let in_order = self.order == Order::Stable && !self.single;
        let (after, most) = match in_order {
            true => (cut.after, cut.size.saturating_add(1)),
            false => (None, usize::MAX),
        };
        let mut found = Vec::new();
        for event in calendar.events.after(after).take(most) {
            if self.single && event.is_recurring() {
                self.add_instances(calendar, &event, deleted_too, &mut found);
                continue;
            }
            let is_shown = match event.state {
                State::Live => true,
                State::Cancelled { .. } => {
                    deleted_too || (!self.single && is_hole(calendar, &event))
                }
            };
            let fits = is_shown && self.in_bounds(&event.body, &zone) && self.fits(&event);
            found.push(Candidate {
                key: self.key(&event, &zone),
                event: fits.then_some(event),
            });
        }
        found
    }

    fn add_instances(
        &self,
        calendar: &Calendar,
        master: &Event,
        deleted_too: bool,
        found: &mut Vec<Candidate>,
    ) {
        if !(master.is_live() || deleted_too) || !self.fits(master) {
            return;
        }
        let zone = calendar.zone();
        for start in self.slots(&master.body, &zone) {
            if let Some(instance) = instance(master, &start)
                && !calendar.events.contains(&instance.id)
            {
                found.push(Candidate {
                    key: self.key(&instance, &zone),
                    event: Some(instance),
                });
            }
        }
    }

    /// What changed after `from` up to `to`, as the difference of two listings; as much of it as a page looks at.
    fn increment(&self, calendar: &Calendar, from: u64, to: u64, cut: Cut<'_>) -> Vec<Candidate> {
        let zone = calendar.zone();
        let mut found = Vec::new();
        // The number of a change stands in front of its keys; some of the last one may be left.
        let last = cut.after.and_then(|after| after.get(..20)?.parse().ok());
        let begin = last.map_or(from + 1, |last: u64| last.max(from + 1));
        if to < begin {
            return found;
        }
        for (change, id) in calendar.changes.range(begin..=to) {
            if cut.is_full(&found) {
                break;
            }
            let Some(event) = calendar.events.get(id) else {
                continue;
            };
            let mut add = |event: Option<Event>| {
                let id = event.as_ref().map_or(&**id, |event| event.id.as_str());
                found.push(Candidate {
                    key: format!("{change:020} {id}"),
                    event,
                });
            };
            if !self.has_type(&event) {
                add(None);
                continue;
            }
            let old_recurs = event
                .since(from)
                .any(|body| body.contains_key("recurrence"));
            if !self.single || !(event.is_recurring() || old_recurs) {
                let gone = event.since(from).any(|body| self.in_bounds(&body, &zone));
                if !event.is_live() || self.in_bounds(&event.body, &zone) {
                    add(Some(event));
                } else if gone {
                    add(Some(cancelled(&event)));
                } else {
                    add(None);
                }
                continue;
            }
            for changed in self.changed_instances(calendar, &event, from) {
                add(Some(changed));
            }
        }
        found
    }

    /// The instances of a series that are there now, and those that are there no more as cancelled ones.
    fn changed_instances(&self, calendar: &Calendar, event: &Event, from: u64) -> Vec<Event> {
        let zone = calendar.zone();
        let mut changed: Vec<Event> = Vec::new();
        if event.is_live() && !event.is_recurring() {
            changed.push(event.clone());
        }
        if event.is_live() {
            let instances = self.slots(&event.body, &zone);
            changed.extend(instances.iter().filter_map(|start| instance(event, start)));
        }
        let mut known: BTreeSet<String> = changed.iter().map(|event| event.id.clone()).collect();
        for body in event.since(from) {
            let mut old = event.clone();
            old.body = body;
            let gone = if old.is_recurring() {
                let starts = self.slots(&old.body, &zone);
                starts
                    .iter()
                    .filter_map(|start| instance(&old, start))
                    .collect()
            } else {
                vec![old]
            };
            for instance in gone {
                if known.insert(instance.id.clone()) {
                    changed.push(cancelled(&instance));
                }
            }
        }
        // An exception speaks for itself.
        changed
            .retain(|instance| instance.id == event.id || !calendar.events.contains(&instance.id));
        changed
    }
}

/// Whether a cancelled event is a hole in a series that is still there.
fn is_hole(calendar: &Calendar, event: &Event) -> bool {
    let master = event.master();
    master.is_some_and(|master| calendar.events.is_live(master))
}

/// The same event as a deleted one of which nothing is shown.
fn cancelled(event: &Event) -> Event {
    let mut event = event.clone();
    event.state = State::Cancelled { details: false };
    event
}

/// All texts that `q` looks at, in lower case.
fn search_text(event: &Event) -> String {
    let mut text = String::new();
    let mut add = |value: &Value| {
        if let Some(part) = value.as_str() {
            text.push_str(&part.to_lowercase());
            text.push('\n');
        }
    };
    for name in ["summary", "description", "location"] {
        add(event.get(name));
    }
    let attendees = event.get("attendees").as_array();
    let organizer = std::iter::once(event.get("organizer"));
    for person in attendees.into_iter().flatten().chain(organizer) {
        add(&person["displayName"]);
        add(&person["email"]);
    }
    let location = event.get("workingLocationProperties");
    add(&location["customLocation"]["label"]);
    for name in ["buildingId", "deskId", "label"] {
        add(&location["officeLocation"][name]);
    }
    text
}

/// Whether the page that a fault asks for is to be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    Items,
    Nothing,
}

impl Desk<'_> {
    /// `events.list`.
    pub(crate) fn list_events(
        &mut self,
        id: &str,
        query: &Query,
        fill: Fill,
    ) -> Result<Listed, ApiError> {
        let (key, role) = self.open(id, Role::FreeBusyReader)?;
        let now = self.store.now();
        let mut listing = Listing::parse(query, role, self.store.start.div_euclid(1000), now)?;
        let sync = match query.first("syncToken").filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(self.sync_token(&key, role, query, &listing, text)?),
        };
        if let Some(sync) = &sync {
            let second = |at: Option<i64>| at.and_then(|at| Timestamp::from_second(at).ok());
            listing.min = second(sync.bounds.0);
            listing.max = second(sync.bounds.1);
        }
        let page_binding = listing.page_binding(query, &key, self.user.0);
        let page = query
            .first("pageToken")
            .filter(|text| !text.is_empty())
            .map(|text| PageToken::parse(text, page_binding))
            .transpose()?;
        let zone = listing.zone.as_deref().and_then(time_zone);
        let mut view = self.view(&key, role, zone)?;
        view.max_attendees = listing.max_attendees;
        if !listing.show_deleted {
            view.deleted = Deleted::Stub;
        }
        let serial = self.store.serial();
        let calendar = self.calendar(&key)?;
        let anchor = page
            .as_ref()
            .map_or(calendar.last_change, |page| page.anchor);
        let after = page.map(|page| page.after);
        let cut = Cut {
            after: after.as_deref(),
            size: listing.page,
        };
        let candidates = match &sync {
            None => listing.candidates(calendar, cut),
            Some(sync) => listing.increment(calendar, sync.change, anchor, cut),
        };
        let mut answer = self.collection(&key, role)?;
        let to_token = |after: String| {
            PageToken {
                binding: page_binding,
                anchor,
                after,
            }
            .write()
        };
        if fill == Fill::Nothing {
            answer["nextPageToken"] = json!(to_token(after.unwrap_or_default()));
            let items = Vec::new();
            return Ok(Listed {
                answer,
                items,
                view,
            });
        }
        let (items, next) = page_of(candidates, cut);
        match next {
            Some(next) => answer["nextPageToken"] = json!(to_token(next)),
            None if listing.has_sync_token() => {
                let second = |at: Option<Timestamp>| at.map(|at| at.as_second());
                let token = SyncToken {
                    serial,
                    change: anchor,
                    binding: listing.binding(&key, self.user.0),
                    role: role.name().to_owned(),
                    bounds: (second(listing.min), second(listing.max)),
                };
                answer["nextSyncToken"] = json!(token.write());
            }
            None => {}
        }
        Ok(Listed {
            answer,
            items,
            view,
        })
    }

    /// The token of the call, if nothing speaks against it.
    fn sync_token(
        &self,
        key: &Key,
        role: Role,
        query: &Query,
        listing: &Listing,
        text: &str,
    ) -> Result<SyncToken, ApiError> {
        let forbidden = NOT_WITH_SYNC.iter().any(|name| query.first(name).is_some());
        if forbidden || query.first("showDeleted") == Some("false") {
            return Err(invalid(
                "syncToken",
                "Sync token cannot be used with other query restrictions.",
            ));
        }
        let token = SyncToken::parse(text)?;
        let expiry = self.calendar(key)?.expiries.get(&self.user.0).copied();
        // A change of rights may change the kind of listing too, so this comes first.
        token.check(expiry, role.name())?;
        if token.binding != listing.binding(key, self.user.0)
            || token.change > self.calendar(key)?.last_change
        {
            return Err(invalid("syncToken", "Invalid sync token value."));
        }
        Ok(token)
    }

    /// What stands around the items.
    fn collection(&self, key: &Key, role: Role) -> Result<Value, ApiError> {
        let calendar = self.calendar(key)?;
        let mut answer = json!({
            "kind": "calendar#events",
            "etag": wire::etag(format_args!("p{:x}{:x}", calendar.updated, calendar.last_change)),
            "summary": self.summary(key),
            "description": calendar.description.clone().unwrap_or_default(),
            "updated": wire::rfc3339(calendar.updated),
            "timeZone": calendar.time_zone,
            "accessRole": role.name(),
            "defaultReminders": [],
        });
        if role == Role::Owner && matches!(key, Key::Primary(_)) {
            answer["defaultReminders"] = json!([{ "method": "popup", "minutes": 10 }]);
        }
        Ok(answer)
    }

    /// `events.instances`.
    pub(crate) fn list_instances(
        &mut self,
        id: &str,
        event: &str,
        query: &Query,
        fill: Fill,
    ) -> Result<Listed, ApiError> {
        let (key, role) = self.open(id, Role::FreeBusyReader)?;
        let now = self.store.now();
        let mut listing = Listing::parse(query, role, self.store.start.div_euclid(1000), now)?;
        listing.single = true;
        let given: Vec<Option<&str>> = ["timeMin", "timeMax", "showDeleted", "originalStart"]
            .iter()
            .map(|name| query.first(name))
            .collect();
        let page_binding = binding(&(listing.binding(&key, self.user.0), event, given));
        let after = query
            .first("pageToken")
            .filter(|text| !text.is_empty())
            .map(|text| PageToken::parse(text, page_binding))
            .transpose()?
            .map(|page| page.after);
        let zone = listing.zone.as_deref().and_then(time_zone);
        let mut view = self.view(&key, role, zone)?;
        view.max_attendees = listing.max_attendees;
        let calendar = self.calendar(&key)?;
        let master = calendar.events.get(event).ok_or_else(not_found)?;
        let zone = calendar.zone();
        let mut found = Vec::new();
        listing.add_instances(calendar, &master, listing.show_deleted, &mut found);
        let alone = (!master.is_recurring()).then_some(master);
        for exception in calendar.exceptions(event).chain(alone) {
            let is_shown = exception.is_live() || listing.show_deleted;
            let fits = is_shown && listing.in_bounds(&exception.body, &zone);
            found.push(Candidate {
                key: listing.key(&exception, &zone),
                event: fits.then_some(exception),
            });
        }
        if let Some(original) = query.first("originalStart") {
            let wanted = original_start(original, &zone)
                .ok_or_else(|| invalid("originalStart", "Invalid original start time."))?;
            found.retain(|candidate| candidate.key.ends_with(&format!("_{wanted}")));
        }
        let mut answer = self.collection(&key, role)?;
        let (items, next) = match fill {
            Fill::Items => {
                let (after, size) = (after.as_deref(), listing.page);
                page_of(found, Cut { after, size })
            }
            Fill::Nothing => (Vec::new(), Some(after.unwrap_or_default())),
        };
        if let Some(after) = next {
            let token = PageToken {
                binding: page_binding,
                anchor: 0,
                after,
            };
            answer["nextPageToken"] = json!(token.write());
        }
        Ok(Listed {
            answer,
            items,
            view,
        })
    }
}

/// The end of the id of the instance that was to start then.
fn original_start(text: &str, zone: &TimeZone) -> Option<String> {
    let name = if text.len() == 10 { "date" } else { "dateTime" };
    let zone = zone.iana_name().unwrap_or("UTC");
    let when = When::parse(&json!({ name: text }), zone).ok()?;
    Some(when.id_suffix())
}

/// One page: its items, and the key after which the next one begins.
fn page_of(mut candidates: Vec<Candidate>, cut: Cut<'_>) -> (Vec<Event>, Option<String>) {
    candidates.sort_by(|a, b| a.key.cmp(&b.key));
    let from = cut.after.map_or(0, |after| {
        candidates.partition_point(|candidate| &*candidate.key <= after)
    });
    let mut rest = candidates.split_off(from);
    let n_shown = cut.size.min(rest.len());
    let next = match n_shown < rest.len() {
        true => n_shown.checked_sub(1).map(|last| rest[last].key.clone()),
        false => None,
    };
    rest.truncate(n_shown);
    let items = rest.into_iter().filter_map(|candidate| candidate.event);
    (items.collect(), next)
}
