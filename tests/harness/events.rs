//! Calendars: what a scenario does to them at Google, and the exact comparison of the events that
//! the sink `jsonl` holds with Google's truth: a fresh full listing out of the fake's store.

use crate::{Differences, World};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long feeds and sinks may take to come to rest; only a broken one takes it.
const SETTLE_TIME: Duration = Duration::from_secs(120);

/// Access roles that may read events, fewest rights first.
const ROLES: [&str; 4] = ["reader", "writerWithoutPrivateAccess", "writer", "owner"];

/// Events by record key, each in the members that are compared.
pub type Events = BTreeMap<String, Value>;

impl World {
    /// Writes a config that syncs these users' calendars into the sink `jsonl`.
    pub fn configure_calendars(&self, users: &[String]) {
        let plain = self.config_without_users("");
        let mut text = plain.replace("sources = [\"gmail\"]", "sources = [\"calendar\"]");
        assert_ne!(text, plain, "the plain config is for mail");
        for user in users {
            text.push_str(&format!("[[users]]\nemail = \"{user}\"\n"));
        }
        text.push_str(&self.sink_lines("jsonl"));
        self.write_config(&text);
    }

    /// Puts an event into a calendar: its id.
    pub fn insert_event(&self, user: &str, calendar: &str, event: &Value) -> String {
        let question = json!({ "user": user, "calendarId": calendar, "event": event });
        let answer = self.google("calendar.insert", &question);
        answer["id"].as_str().expect("a new event has an id").into()
    }

    /// Changes members of an event.
    pub fn patch_event(&self, user: &str, calendar: &str, id: &str, event: &Value) {
        let question = json!({ "user": user, "calendarId": calendar, "id": id, "event": event });
        self.google("calendar.patch", &question);
    }

    /// Deletes an event.
    pub fn delete_event(&self, user: &str, calendar: &str, id: &str) {
        let question = json!({ "user": user, "calendarId": calendar, "id": id });
        self.google("calendar.delete", &question);
    }

    /// Makes a secondary calendar and shares it: user to role; each has it on the list. Its id.
    pub fn share_calendar(&self, owner: &str, name: &str, with: &[(&str, &str)]) -> String {
        let made = self.google(
            "calendar.create",
            &json!({ "user": owner, "summary": name, "timeZone": "Europe/Berlin" }),
        );
        let id = made["id"]
            .as_str()
            .expect("a calendar has an id")
            .to_owned();
        for (user, role) in with {
            self.google(
                "calendar.share",
                &json!({ "user": owner, "calendarId": id, "with": user, "role": role }),
            );
            self.google(
                "calendar.subscribe",
                &json!({ "user": user, "calendarId": id }),
            );
        }
        id
    }

    /// What is to be known of the calendars of these users, who are all that the config names:
    /// primary ones as their owners see them, others as the member with most rights does.
    pub fn calendar_truth(&self, users: &[String]) -> Events {
        let mut events = Events::new();
        let mut shared: BTreeMap<String, (usize, Events)> = BTreeMap::new();
        for user in users {
            let truth = self.google("truth", &json!({ "user": user, "source": "calendar" }));
            for calendar in list(&truth["calendars"]) {
                let id = text(&calendar["id"]);
                if calendar["primary"] == true {
                    events.extend(all_of(&format!("calendar/{user}/primary"), &calendar));
                    continue;
                }
                let role = ROLES
                    .iter()
                    .position(|role| calendar["accessRole"] == *role);
                let (Some(role), false) = (role, id.contains('#') || users.contains(&id)) else {
                    continue;
                };
                if shared.get(&id).is_none_or(|(best, _)| *best < role) {
                    let all = all_of(&format!("calendar/shared:{id}"), &calendar);
                    shared.insert(id, (role, all));
                }
            }
        }
        events.extend(shared.into_values().flat_map(|(_, events)| events));
        events
    }

    /// What the sink `jsonl` holds of calendars, its lines carried out in their order.
    ///
    /// # Errors
    /// The first line that breaks a rule: a revision that shrinks or comes again otherwise, a
    /// change of what is not there, a record that changes nothing.
    pub fn calendar_sink(&self) -> Result<Events, String> {
        let mut newest: BTreeMap<String, (BTreeMap<u64, Value>, Option<Value>)> = BTreeMap::new();
        for line in self.calendar_lines() {
            let key = text(&line["key"]);
            let revision = line["revision"].as_u64().ok_or("no revision")?;
            let (revisions, held) = newest.entry(key.clone()).or_default();
            match revisions.get(&revision) {
                // What was not acknowledged before a kill comes again as it was.
                Some(same) if *same == line => continue,
                Some(_) => return Err(format!("{key}: {revision} came again, otherwise")),
                None => {}
            }
            if let Some((known, _)) = revisions.last_key_value().filter(|(n, _)| **n > revision) {
                return Err(format!("{key}: revision {revision} after {known}"));
            }
            *held = match (line["change"].as_str(), held.take()) {
                (Some("created"), None) => Some(line["event"].clone()),
                (Some("updated"), Some(held)) if held != line["event"] => {
                    Some(line["event"].clone())
                }
                (Some("deleted"), Some(_)) => None,
                (change, held) => {
                    let held = held.is_some();
                    return Err(format!(
                        "{key}: {change:?}, was there before: {held}, line {line}"
                    ));
                }
            };
            revisions.insert(revision, line);
        }
        Ok(newest
            .into_iter()
            .filter_map(|(key, (_, event))| Some((key, told(&event?))))
            .collect())
    }

    /// All lines of calendars in the sink `jsonl`, in order.
    pub fn calendar_lines(&self) -> Vec<Value> {
        let lines = crate::sinks::all_lines(&self.path("jsonl"));
        let lines = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["source"] == "calendar").collect()
    }

    /// How the sink differs from Google.
    pub fn calendar_differences(&self, users: &[String]) -> Differences {
        let mut found = Differences::default();
        let held = match self.calendar_sink() {
            Ok(held) => held,
            Err(broken) => {
                found.broken.push(broken);
                return found;
            }
        };
        let google = self.calendar_truth(users);
        let keys: BTreeSet<&String> = held.keys().chain(google.keys()).collect();
        for key in keys {
            match (google.get(key), held.get(key)) {
                (Some(_), None) => found.lost.push(key.clone()),
                (None, Some(_)) => found.left_over.push(key.clone()),
                (Some(wanted), Some(held)) if wanted != held => {
                    found.stale.push(format!("{key}: {held}, Google {wanted}"));
                }
                _ => {}
            }
        }
        found
    }

    /// Waits until all feeds are live, all is delivered, and the sink is exact; the status then.
    ///
    /// # Panics
    /// With the differences, if that does not happen.
    pub async fn wait_calendars(&self, users: &[String]) -> Value {
        let deadline = Instant::now() + SETTLE_TIME;
        loop {
            let status = self.status().unwrap_or_default();
            let differences = self.calendar_differences(users);
            if crate::is_idle(&status) && are_domain_feeds_live(&status) && differences.is_empty() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{differences}\nlast status: {status:#}\nlog:\n{}",
                self.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn are_domain_feeds_live(status: &Value) -> bool {
    list(&status["domain_feeds"])
        .iter()
        .all(|feed| feed["state"] == "live")
}

/// The events and holes of a calendar of the truth.
fn all_of(prefix: &str, calendar: &Value) -> Events {
    let events = list(&calendar["events"])
        .into_iter()
        .chain(list(&calendar["cancelled"]));
    events
        .map(|event| (format!("{prefix}/{}", text(&event["id"])), wanted(&event)))
        .collect()
}

/// What a record is to tell of an event of Google's.
fn wanted(event: &Value) -> Value {
    let start = match &event["start"] {
        Value::Null => &event["originalStartTime"],
        start => start,
    };
    let attendees: Vec<Value> = list(&event["attendees"])
        .iter()
        .map(|guest| json!([guest["email"], guest["responseStatus"]]))
        .collect();
    let plain = |name: &str| event.get(name).cloned().unwrap_or_else(|| json!(""));
    json!({
        "status": plain("status"),
        "updated": event["updated"].as_str().map_or(0, millis),
        "summary": plain("summary"),
        "ical_uid": plain("iCalUID"),
        "event_type": event.get("eventType").cloned().unwrap_or_else(|| json!("default")),
        "start": time(start),
        "end": time(&event["end"]),
        "original_start": time(&event["originalStartTime"]),
        "recurring_event_id": event["recurringEventId"],
        "recurrence": list(&event["recurrence"]),
        "description": event["description"],
        "location": event["location"],
        "attendees": attendees,
    })
}

/// The same members of a record's event.
fn told(event: &Value) -> Value {
    let attendees: Vec<Value> = list(&event["attendees"])
        .iter()
        .map(|guest| {
            let response = match guest["response"].as_str() {
                Some("needs_action") => json!("needsAction"),
                _ => guest["response"].clone(),
            };
            json!([guest["participant"]["address"], response])
        })
        .collect();
    let mut members = Map::new();
    for name in [
        "status",
        "updated",
        "summary",
        "ical_uid",
        "event_type",
        "start",
        "end",
        "original_start",
        "recurring_event_id",
        "recurrence",
        "description",
        "location",
    ] {
        members.insert(name.to_owned(), event[name].clone());
    }
    members.insert("attendees".to_owned(), json!(attendees));
    Value::Object(members)
}

/// A time of Google's in the form of a record.
fn time(raw: &Value) -> Value {
    if let Some(date) = raw["date"].as_str() {
        return json!({ "date": date });
    }
    let Some(text) = raw["dateTime"].as_str() else {
        return Value::Null;
    };
    let mut at = json!({ "time": millis(text), "offset": offset(text) });
    if let Some(zone) = raw["timeZone"].as_str() {
        at["time_zone"] = json!(zone);
    }
    json!({ "at": at })
}

fn millis(text: &str) -> i64 {
    let at: Timestamp = text.parse().expect("the truth has RFC 3339");
    at.as_millisecond()
}

/// Minutes east of UTC, of `...+01:00` or `...Z`.
fn offset(text: &str) -> i64 {
    let Some((sign, rest)) = text
        .char_indices()
        .skip(11)
        .find(|(_, c)| matches!(c, '+' | '-'))
        .map(|(at, c)| (c, &text[at + 1..]))
    else {
        return 0;
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let number = |text: &str| text.parse::<i64>().expect("an offset has numbers");
    let east = number(hours) * 60 + number(minutes);
    if sign == '-' { -east } else { east }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
