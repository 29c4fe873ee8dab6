//! Generated calendars: of each team of users when one of them is first touched, so that a large domain starts at once.
//! The same seed gives the same calendars, in whatever order they are touched; only dates move with the start.

use super::draft::{self, Place, meeting};
use super::recur::expand;
use super::store::{Calendar, Calendars, Entry, Event, Key, Role, State, new_id};
use super::when::When;
use super::write::instance;
use crate::generate::people::World;
use crate::keys::hex;
use crate::workspace::{UserIndex, Workspace};
use jiff::{Span, Timestamp};
use serde_json::{Map, Value, json};
use std::ops::Range;

/// Users whose calendars are generated together and who meet each other.
pub(crate) const TEAM: usize = 8;
/// The public calendar that everybody follows.
pub(crate) const HOLIDAYS: &str = "en.german#holiday@group.v.calendar.google.com";

const DAY_MS: i64 = 86_400_000;
/// Generated events lie within this many days of the start, before and after.
const SPAN_DAYS: i64 = 60;
const ZONES: [&str; 5] = [
    "Europe/Berlin",
    "America/New_York",
    "Europe/London",
    "America/Sao_Paulo",
    "Asia/Tokyo",
];
const MEETINGS: [&str; 14] = [
    "Quarterly planning",
    "Project kick-off",
    "Interview: backend engineer",
    "Budget review",
    "Design critique",
    "Café & Großprojekt",
    "Customer call: Northwind",
    "採用面接",
    "Retrospective",
    "Contract negotiation",
    "Coffee chat ☕",
    "Security review",
    "Onboarding <first day>",
    "Vendor demo, part 2",
];
const SERIES: [&str; 6] = [
    "Daily stand-up",
    "1:1",
    "Team weekly",
    "Sprint review",
    "Office hours",
    "Book club",
];
const DAYS: [&str; 5] = [
    "Company anniversary",
    "Conference",
    "Moving day",
    "Offsite",
    "Deadline: tax return",
];
const PLACES: [&str; 5] = [
    "Room Aurora",
    "Room Borealis, 3rd floor",
    "Hauptstraße 12, Berlin",
    "Cafeteria",
    "https://zoom.example/j/123456789",
];
const TEXTS: [&str; 4] = [
    "Agenda:\n1. Numbers\n2. Risks\n3. Any other business",
    "<p>Please read the <a href=\"https://wiki.example.com/plan\">plan</a> before.</p>",
    "Dial in if you are not on site.",
    "Bring your own laptop.",
];
const RULES: [&str; 6] = [
    "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "RRULE:FREQ=WEEKLY",
    "RRULE:FREQ=WEEKLY;INTERVAL=2",
    "RRULE:FREQ=MONTHLY;BYDAY=1WE",
    "RRULE:FREQ=MONTHLY",
    "RRULE:FREQ=WEEKLY;COUNT=20",
];
const FIXED_HOLIDAYS: [(&str, &str); 5] = [
    ("01-01", "New Year's Day"),
    ("05-01", "Labour Day"),
    ("10-03", "German Unity Day"),
    ("12-25", "Christmas Day"),
    ("12-26", "St. Stephen's Day"),
];

/// The calendars of a domain, before anything of them is generated.
pub(crate) fn calendars(seed: u64, start: i64, world: &World, n_events: usize) -> Calendars {
    let n_members = world.members.len();
    let n_teams = n_members.div_ceil(TEAM);
    let mut store = Calendars::new(seed, start, n_teams, n_events / n_members.max(1));
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x7465_616d);
    for team in 0..n_teams {
        let bytes: Vec<u8> = (0..32).map(|_| rng.u8(..)).collect();
        let id = format!("c_{}@group.calendar.google.com", hex(&bytes));
        store.team_calendars.insert(id, team);
    }
    let key = Key::Named(HOLIDAYS.to_owned());
    let mut holidays = Calendar::new(None, "Holidays in Germany", "Europe/Berlin", start);
    holidays.description = Some("Holidays and Observances in Germany".to_owned());
    holidays.set_rule("default", Role::Reader);
    store.calendars.insert(key.clone(), holidays);
    let year = day(start, 0).year();
    for year in year - 1..=year + 1 {
        for (date, name) in FIXED_HOLIDAYS {
            let date = format!("{year}-{date}");
            let form = json!({
                "summary": name, "description": "Public holiday", "visibility": "public",
                "transparency": "transparent", "start": { "date": date }, "end": { "date": next_day(&date) },
                "organizer": { "email": HOLIDAYS, "displayName": "Holidays in Germany" },
                "creator": { "email": HOLIDAYS, "displayName": "Holidays in Germany" },
            });
            add(&mut store, &key, Some(key.clone()), form, &[], &mut rng);
        }
    }
    store
}

/// Generates what has to be there before a user's calendars are looked at.
pub(crate) fn touch(store: &mut Calendars, workspace: &Workspace, user: UserIndex) {
    let number = user.0 / TEAM;
    if user.0 < workspace.world.members.len() {
        team(store, workspace, number);
    }
    // Somebody who came after the start has an empty calendar.
    if !store.calendars.contains_key(&Key::primary(user)) {
        let mut rng = fastrand::Rng::with_seed(store.seed ^ user.0 as u64);
        add_person(store, &workspace.world.domain, user, &mut rng);
    }
}

/// Puts the empty calendar and list of a new account in the place of what the user has.
pub(crate) fn renew(store: &mut Calendars, workspace: &Workspace, user: UserIndex) {
    let mut rng = fastrand::Rng::with_seed(store.seed ^ user.0 as u64);
    store.lists.remove(&user.0);
    add_person(store, &workspace.world.domain, user, &mut rng);
}

/// Generates the calendars of a team, once.
pub(crate) fn team(store: &mut Calendars, workspace: &Workspace, number: usize) {
    if store.teams.get(number) != Some(&false) {
        return;
    }
    store.teams[number] = true;
    let world = &workspace.world;
    let seed = store.seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut rng = fastrand::Rng::with_seed(seed);
    let members = number * TEAM..((number + 1) * TEAM).min(world.members.len());
    for user in members.clone() {
        add_person(store, &world.domain, UserIndex(user), &mut rng);
    }
    add_shared(store, world, number, members.clone(), &mut rng);
    for user in members.clone() {
        for _ in 0..store.n_events {
            write_event(store, world, UserIndex(user), members.clone(), &mut rng);
        }
    }
}

/// An empty primary calendar, and the list with it and the holidays.
fn add_person(store: &mut Calendars, domain: &str, user: UserIndex, rng: &mut fastrand::Rng) {
    let zone = ZONES[rng.usize(..ZONES.len())];
    let start = store.start;
    let mut calendar = Calendar::new(Some(user), "", zone, start);
    calendar.set_rule(&format!("domain:{domain}"), Role::Reader);
    store.calendars.insert(Key::primary(user), calendar);
    let list = store.list(user);
    list.put(Key::primary(user), Entry::default(), start);
    list.put(Key::Named(HOLIDAYS.to_owned()), Entry::default(), start);
}

/// The calendar that a team shares; its first member owns it, the others have lesser rights in turn.
fn add_shared(
    store: &mut Calendars,
    world: &World,
    number: usize,
    members: Range<usize>,
    rng: &mut fastrand::Rng,
) {
    let id = store
        .team_calendars
        .iter()
        .find_map(|(id, team)| (*team == number).then(|| id.clone()));
    let Some(id) = id else { return };
    let key = Key::Named(id);
    let owner = UserIndex(members.start);
    let name = format!("Team {}", number + 1);
    let mut calendar = Calendar::new(Some(owner), &name, "Europe/Berlin", store.start);
    calendar.description = Some(format!("What {name} does together"));
    let roles = [
        Role::Owner,
        Role::Writer,
        Role::Reader,
        Role::FreeBusyReader,
    ];
    for (place, user) in members.clone().enumerate() {
        let address = world.members[user].address.address.to_ascii_lowercase();
        calendar.set_rule(&format!("user:{address}"), roles[place % roles.len()]);
    }
    store.calendars.insert(key.clone(), calendar);
    for user in members.clone() {
        let start = store.start;
        store
            .list(UserIndex(user))
            .put(key.clone(), Entry::default(), start);
    }
    for _ in 0..store.n_events / 2 {
        let mut form = timed(store.start, "Europe/Berlin", rng);
        form["summary"] = json!(MEETINGS[rng.usize(..MEETINGS.len())]);
        form["organizer"] = json!({ "email": id_of(&key), "displayName": name });
        form["creator"] = json!({ "email": &*world.members[owner.0].address.address });
        add(store, &key, Some(key.clone()), form, &[], rng);
    }
}

fn id_of(key: &Key) -> &str {
    match key {
        Key::Named(id) => id,
        Key::Primary(_) => "",
    }
}

/// One event that a user made or was invited to.
fn write_event(
    store: &mut Calendars,
    world: &World,
    user: UserIndex,
    team: Range<usize>,
    rng: &mut fastrand::Rng,
) {
    let key = Key::primary(user);
    let zone = store
        .calendar(&key)
        .map_or_else(|| "UTC".to_owned(), |calendar| calendar.time_zone.clone());
    let own = &world.members[user.0].address.address;
    let me = json!({ "email": &**own });
    let mut form = timed(store.start, &zone, rng);
    let mut guests = Vec::new();
    let mut origin = Some(key.clone());
    form["organizer"] = me.clone();
    form["creator"] = me.clone();
    form["summary"] = json!(MEETINGS[rng.usize(..MEETINGS.len())]);
    match rng.u8(..100) {
        0..45 => guests = invite(&mut form, world, user, team, rng),
        45..62 => {
            form["summary"] = json!(SERIES[rng.usize(..SERIES.len())]);
            form["recurrence"] = json!([RULES[rng.usize(..RULES.len())]]);
            guests = invite(&mut form, world, user, team, rng);
        }
        62..72 => {
            form["summary"] = json!(DAYS[rng.usize(..DAYS.len())]);
            all_day(&mut form, store.start, rng);
        }
        72..77 => {
            form["summary"] = json!("Out of office");
            form["eventType"] = json!("outOfOffice");
            form["outOfOfficeProperties"] = json!({ "autoDeclineMode": "declineAllConflictingInvitations", "declineMessage": "I am away." });
        }
        77..81 => {
            form["summary"] = json!("Focus time");
            form["eventType"] = json!("focusTime");
            form["focusTimeProperties"] =
                json!({ "autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb" });
        }
        81..85 => {
            form["summary"] = json!("Home");
            all_day(&mut form, store.start, rng);
            form["eventType"] = json!("workingLocation");
            form["visibility"] = json!("public");
            form["transparency"] = json!("transparent");
            form["workingLocationProperties"] = json!({ "type": "homeOffice", "homeOffice": {} });
        }
        85..88 => {
            form["summary"] = json!("Happy birthday!");
            all_day(&mut form, store.start, rng);
            form["end"]["date"] =
                json!(next_day(form["start"]["date"].as_str().unwrap_or_default()));
            form["eventType"] = json!("birthday");
            form["visibility"] = json!("private");
            form["transparency"] = json!("transparent");
            form["recurrence"] = json!(["RRULE:FREQ=YEARLY"]);
            form["birthdayProperties"] = json!({ "type": "birthday" });
        }
        88..90 => {
            form["summary"] = json!("Flight to Lisbon (TP 533)");
            form["eventType"] = json!("fromGmail");
            form["source"] = json!({ "title": "Your booking", "url": "https://mail.google.com/mail?extsrc=cal" });
        }
        90..94 => {
            form["summary"] = json!("Dentist");
            form["visibility"] = json!("private");
        }
        _ => {
            let outsider = &world.outsiders[rng.usize(..world.outsiders.len())];
            let other = json!({ "email": &*outsider.address, "displayName": &*outsider.name });
            form["organizer"] = other.clone();
            form["creator"] = other.clone();
            form["attendees"] = json!([
                { "email": &*outsider.address, "displayName": &*outsider.name, "responseStatus": "accepted" },
                { "email": &**own, "responseStatus": response(rng) },
            ]);
            form["iCalUID"] = json!(format!(
                "{}@{}",
                new_id(rng),
                outsider.address.rsplit('@').next().unwrap_or_default()
            ));
            origin = None;
        }
    }
    let id = add(store, &key, origin, form, &guests, rng);
    add_exceptions(store, &key, &id, &guests, rng);
}

fn response(rng: &mut fastrand::Rng) -> &'static str {
    [
        "accepted",
        "accepted",
        "needsAction",
        "tentative",
        "declined",
    ][rng.usize(..5)]
}

/// Adds attendees, and now and then a meeting room; returns those of the team.
fn invite(
    form: &mut Value,
    world: &World,
    user: UserIndex,
    team: Range<usize>,
    rng: &mut fastrand::Rng,
) -> Vec<UserIndex> {
    let own = &world.members[user.0].address;
    let mut attendees = vec![json!({ "email": &*own.address, "responseStatus": "accepted" })];
    let mut guests: Vec<UserIndex> = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let other = UserIndex(rng.usize(team.clone()));
        if other == user || guests.contains(&other) {
            continue;
        }
        let member = &world.members[other.0];
        // Some are invited under an alias.
        let address = match member.aliases.first() {
            Some(alias) if rng.u8(..10) < 2 => alias.as_str(),
            _ => &*member.address.address,
        };
        attendees.push(json!({ "email": address, "displayName": &*member.address.name, "responseStatus": response(rng) }));
        guests.push(other);
    }
    if guests.is_empty() || rng.u8(..10) < 3 {
        let outsider = &world.outsiders[rng.usize(..world.outsiders.len())];
        attendees.push(json!({ "email": &*outsider.address, "responseStatus": response(rng), "optional": true }));
    }
    form["attendees"] = json!(attendees);
    if rng.bool() {
        let request = json!({ "requestId": new_id(rng), "conferenceSolutionKey": { "type": "hangoutsMeet" } });
        let (data, link) = meeting(&request, rng);
        form["conferenceData"] = data;
        form["hangoutLink"] = json!(link);
    }
    guests
}

/// The day so many days after the start, in UTC.
fn day(start: i64, offset: i64) -> jiff::civil::Date {
    let at = Timestamp::from_millisecond(start + offset * DAY_MS).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn next_day(date: &str) -> String {
    let date: jiff::civil::Date = date.parse().unwrap_or(jiff::civil::Date::ZERO);
    date.tomorrow().unwrap_or(date).to_string()
}

/// A form with a time in working hours.
fn timed(start: i64, zone: &str, rng: &mut fastrand::Rng) -> Value {
    let date = day(start, rng.i64(-SPAN_DAYS..SPAN_DAYS));
    let (hour, minute) = (rng.u8(8..17), [0, 30][rng.usize(..2)]);
    let mut form = json!({
        "start": { "dateTime": format!("{date}T{hour:02}:{minute:02}:00"), "timeZone": zone },
        "end": { "dateTime": format!("{date}T{:02}:{:02}:00", hour + 1, minute), "timeZone": zone },
    });
    if rng.bool() {
        form["location"] = json!(PLACES[rng.usize(..PLACES.len())]);
    }
    if rng.bool() {
        form["description"] = json!(TEXTS[rng.usize(..TEXTS.len())]);
    }
    form
}

fn all_day(form: &mut Value, start: i64, rng: &mut fastrand::Rng) {
    let offset = rng.i64(-SPAN_DAYS..SPAN_DAYS);
    form["start"] = json!({ "date": day(start, offset).to_string() });
    form["end"] = json!({ "date": day(start, offset + rng.i64(1..4)).to_string() });
}

/// Stores an event and the copies of its guests; returns its id.
fn add(
    store: &mut Calendars,
    key: &Key,
    origin: Option<Key>,
    form: Value,
    guests: &[UserIndex],
    rng: &mut fastrand::Rng,
) -> String {
    let Value::Object(mut form) = form else {
        return String::new();
    };
    let id = new_id(rng);
    let zone = store
        .calendar(key)
        .map_or_else(|| "UTC".to_owned(), |calendar| calendar.time_zone.clone());
    let place = Place {
        zone: &zone,
        primary: matches!(key, Key::Primary(_)),
    };
    let checked = draft::finish(&mut form, place);
    debug_assert!(
        checked.is_ok(),
        "generated events keep the rules: {checked:?}"
    );
    form.entry("iCalUID")
        .or_insert_with(|| json!(format!("{id}@google.com")));
    form.insert("sequence".to_owned(), json!(0));
    let (body, own) = draft::divide(form);
    let created = store.start - rng.i64(DAY_MS..90 * DAY_MS);
    let updated = created + rng.i64(0..DAY_MS);
    let event = Event {
        id: id.clone(),
        origin,
        body,
        own,
        state: State::Live,
        created,
        updated,
        change: 0,
        born: 0,
        past: Vec::new(),
    };
    put_all(store, key, guests, event);
    id
}

fn put_all(store: &mut Calendars, key: &Key, guests: &[UserIndex], event: Event) {
    for guest in guests {
        let mut copy = event.clone();
        copy.own = Map::new();
        if let State::Cancelled { .. } = copy.state {
            copy.state = State::Cancelled { details: false };
        }
        store.put(&Key::primary(*guest), copy);
    }
    store.put(key, event);
}

/// Moves or cancels some instances of a series.
fn add_exceptions(
    store: &mut Calendars,
    key: &Key,
    id: &str,
    guests: &[UserIndex],
    rng: &mut fastrand::Rng,
) {
    let Some(master) = store.event(key, id).filter(|event| event.is_recurring()) else {
        return;
    };
    let (Some(shape), Some(calendar)) = (master.shape(), store.calendar(key)) else {
        return;
    };
    let zone = calendar.zone();
    let limit = Timestamp::from_millisecond(store.start + 30 * DAY_MS).unwrap_or(Timestamp::MAX);
    let starts = expand(&shape, limit, &zone, 200);
    for start in starts {
        let roll = rng.u8(..100);
        let Some(mut exception) = instance(&master, &start).filter(|_| roll < 10) else {
            continue;
        };
        exception.updated += rng.i64(0..DAY_MS / 24);
        exception.past = Vec::new();
        if roll < 4 {
            exception.state = State::Cancelled { details: true };
        } else {
            let mut body = (*exception.body).clone();
            for name in ["start", "end"] {
                if let Some(When::Time { at, zone }) = body.get(name).and_then(When::read)
                    && let Ok(at) = at.checked_add(Span::new().hours(1))
                {
                    body.insert(name.to_owned(), When::Time { at, zone }.stored());
                }
            }
            exception.body = body.into();
        }
        put_all(store, key, guests, exception);
    }
}
