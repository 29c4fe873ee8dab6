//! All calendars of the domain: events, their change log, who may see them and whose list they are on.
//! What the API makes of these lives in the other files; primary calendars are generated when they are first touched.

use super::packed::{Body, Events, Text};
use super::recur::Shape;
use super::when::{When, time_zone};
use crate::workspace::UserIndex;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Old states that an event keeps, so that an expanded increment can tell which instances are gone.
const MAX_PAST: usize = 1_000;

/// Which calendar. A primary one follows its user through renames.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    Primary(UserIndexKey),
    Named(String),
}

/// A user as part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UserIndexKey(pub(crate) usize);

impl From<UserIndex> for UserIndexKey {
    fn from(index: UserIndex) -> Self {
        Self(index.0)
    }
}

impl Key {
    pub(crate) fn primary(user: UserIndex) -> Self {
        Self::Primary(user.into())
    }
}

/// What somebody may do with a calendar, from nothing to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    None,
    FreeBusyReader,
    Reader,
    WriterWithoutPrivateAccess,
    Writer,
    Owner,
}

impl Role {
    const NAMES: [(Self, &'static str); 6] = [
        (Self::None, "none"),
        (Self::FreeBusyReader, "freeBusyReader"),
        (Self::Reader, "reader"),
        (
            Self::WriterWithoutPrivateAccess,
            "writerWithoutPrivateAccess",
        ),
        (Self::Writer, "writer"),
        (Self::Owner, "owner"),
    ];

    pub(crate) fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(role, _)| *role == self);
        found.map_or("none", |(_, name)| name)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(_, own)| *own == name);
        found.map(|(role, _)| *role)
    }
}

/// Whether an event takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Live,
    /// Deleted. Details are kept where the event was deleted by hand, so that it can be restored.
    Cancelled {
        details: bool,
    },
}

/// One copy of an event, on one calendar.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// The calendar of the organizer; `None` if the organizer is not in the domain.
    pub(crate) origin: Option<Key>,
    /// What all copies share.
    pub(crate) body: Body,
    /// What only this copy has; goes over the body.
    pub(crate) own: Map<String, Value>,
    pub(crate) state: State,
    /// Milliseconds since 1970, as all times here.
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// The number of its newest change in the calendar, and of its first.
    pub(crate) change: u64,
    pub(crate) born: u64,
    /// Older bodies with another time or state, each with the change that ended it.
    pub(crate) past: Vec<Past>,
}

/// A body and a state that an event had, and the change that ended it.
pub(crate) type Past = (u64, Text, State);

impl Event {
    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// A member of this copy.
    pub(crate) fn get(&self, name: &str) -> &Value {
        let own = self.own.get(name).or_else(|| self.body.get(name));
        own.unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// The recurring event that this is an instance of.
    pub(crate) fn master(&self) -> Option<&str> {
        self.body.get("recurringEventId").and_then(Value::as_str)
    }

    pub(crate) fn is_recurring(&self) -> bool {
        self.body.contains_key("recurrence")
    }

    pub(crate) fn shape(&self) -> Option<Shape> {
        shape(&self.body)
    }

    /// The bodies that it had while it took place, from change number `change` on, without the present one.
    pub(crate) fn since(&self, change: u64) -> impl Iterator<Item = Body> {
        self.past
            .iter()
            .filter(move |(ended, _, state)| *ended > change && *state == State::Live)
            .map(|(_, body, _)| body.open())
    }
}

/// Start, end and rules in a body.
pub(crate) fn shape(body: &Map<String, Value>) -> Option<Shape> {
    let lines = body.get("recurrence").and_then(Value::as_array);
    Some(Shape {
        start: When::read(body.get("start")?)?,
        end: When::read(body.get("end")?)?,
        recurrence: lines
            .into_iter()
            .flatten()
            .filter_map(|line| line.as_str().map(str::to_owned))
            .collect(),
    })
}

/// One line of an access control list; `Role::None` stands for a rule that was removed.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) role: Role,
    pub(crate) change: u64,
}

/// Sync tokens of a user that work no more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expiry {
    /// Tokens up to this serial are dead.
    pub(crate) serial: u64,
    /// Whether the answer leaves the documented reason out, as has been seen.
    pub(crate) plain: bool,
}

/// A calendar with its events.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    /// Data owner; `None` for the public holiday calendars.
    pub(crate) owner: Option<UserIndex>,
    pub(crate) summary: String,
    pub(crate) description: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) time_zone: String,
    /// By rule id: `default`, `user:ana@example.com`, `domain:example.com`.
    pub(crate) acl: BTreeMap<String, Rule>,
    pub(crate) events: Events,
    /// The newest change of each event, in order.
    pub(crate) changes: BTreeMap<u64, Arc<str>>,
    pub(crate) last_change: u64,
    pub(crate) last_acl_change: u64,
    pub(crate) updated: i64,
    pub(crate) deleted: bool,
    pub(crate) expiries: HashMap<usize, Expiry>,
}

impl Calendar {
    pub(crate) fn new(owner: Option<UserIndex>, summary: &str, zone: &str, now: i64) -> Self {
        Self {
            owner,
            summary: summary.to_owned(),
            description: None,
            location: None,
            time_zone: zone.to_owned(),
            acl: BTreeMap::new(),
            events: Events::default(),
            changes: BTreeMap::new(),
            last_change: 0,
            last_acl_change: 0,
            updated: now,
            deleted: false,
            expiries: HashMap::new(),
        }
    }

    pub(crate) fn zone(&self) -> TimeZone {
        time_zone(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// Puts an event in the place of the one with its id and logs the change.
    pub(crate) fn put(&mut self, mut event: Event) {
        self.last_change += 1;
        event.change = self.last_change;
        event.born = self.last_change;
        if let Some(old) = self.events.get(&event.id) {
            self.changes.remove(&old.change);
            event.born = old.born;
            event.past = old.past;
            let moved = |name: &str| old.body.get(name) != event.body.get(name);
            if old.state != event.state || ["start", "end", "recurrence"].into_iter().any(moved) {
                if event.past.len() == MAX_PAST {
                    event.past.remove(0);
                }
                event
                    .past
                    .push((event.change, old.body.text().clone(), old.state));
            }
        }
        self.updated = self.updated.max(event.updated);
        let change = event.change;
        let id = self.events.insert(event);
        if !crate::hidden::is_on() {
            self.changes.insert(change, id);
        }
    }

    pub(crate) fn set_rule(&mut self, id: &str, role: Role) {
        self.last_acl_change += 1;
        let change = self.last_acl_change;
        self.acl.insert(id.to_owned(), Rule { role, change });
    }

    /// Exceptions of a recurring event, cancelled ones included.
    pub(crate) fn exceptions(&self, master: &str) -> impl Iterator<Item = Event> {
        let from = format!("{master}_");
        self.events
            .from(&from)
            .take_while(move |event| event.id.starts_with(&from))
            .filter(move |event| event.master() == Some(master))
    }
}

/// An entry of a user's calendar list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// `summaryOverride`, `colorId`, `selected`, `defaultReminders` and the like, as the user set them.
    pub(crate) settings: Map<String, Value>,
    pub(crate) hidden: bool,
    pub(crate) deleted: bool,
    pub(crate) change: u64,
    pub(crate) updated: i64,
}

/// A user's calendar list.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    pub(crate) entries: BTreeMap<Key, Entry>,
    pub(crate) last_change: u64,
    pub(crate) expiry: Option<Expiry>,
}

impl List {
    pub(crate) fn put(&mut self, key: Key, mut entry: Entry, now: i64) {
        self.last_change += 1;
        entry.change = self.last_change;
        entry.updated = now;
        self.entries.insert(key, entry);
    }
}

/// Everything about calendars, behind one lock.
#[derive(Debug)]
pub(crate) struct Calendars {
    pub(crate) seed: u64,
    /// When the server started; generated dates lead up to it and past it.
    pub(crate) start: i64,
    /// Generated events of one user.
    pub(crate) n_events: usize,
    pub(crate) calendars: HashMap<Key, Calendar>,
    pub(crate) lists: HashMap<usize, List>,
    /// Teams whose calendars have been generated.
    pub(crate) teams: Vec<bool>,
    /// The team of each calendar that is generated with one.
    pub(crate) team_calendars: HashMap<String, usize>,
    pub(crate) rng: fastrand::Rng,
    last_time: i64,
    last_serial: u64,
}

impl Calendars {
    pub(crate) fn new(seed: u64, start: i64, n_teams: usize, n_events: usize) -> Self {
        Self {
            seed,
            start,
            n_events,
            calendars: HashMap::new(),
            lists: HashMap::new(),
            teams: vec![false; n_teams],
            team_calendars: HashMap::new(),
            rng: fastrand::Rng::with_seed(seed ^ 0x6361_6c65_6e64_6172),
            last_time: start,
            last_serial: 0,
        }
    }

    /// Now, but later than at each call before, so that no two changes have the same time.
    pub(crate) fn now(&mut self) -> i64 {
        self.last_time = crate::workspace::now_ms().max(self.last_time + 1);
        self.last_time
    }

    pub(crate) fn last_serial(&self) -> u64 {
        self.last_serial
    }

    /// The serial number of a new sync token.
    pub(crate) fn serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    pub(crate) fn calendar(&self, key: &Key) -> Option<&Calendar> {
        self.calendars.get(key)
    }

    pub(crate) fn event(&self, key: &Key, id: &str) -> Option<Event> {
        self.calendars.get(key)?.events.get(id)
    }

    pub(crate) fn put(&mut self, key: &Key, event: Event) {
        if let Some(calendar) = self.calendars.get_mut(key) {
            calendar.put(event);
        }
    }

    pub(crate) fn list(&mut self, user: UserIndex) -> &mut List {
        self.lists.entry(user.0).or_default()
    }

    /// A new id in the alphabet that Google takes, 26 characters long.
    pub(crate) fn new_id(&mut self) -> String {
        new_id(&mut self.rng)
    }
}

/// 26 characters of base32hex.
pub(crate) fn new_id(rng: &mut fastrand::Rng) -> String {
    const ALPHABET: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
    (0..26)
        .map(|_| char::from(ALPHABET[rng.usize(..ALPHABET.len())]))
        .collect()
}
