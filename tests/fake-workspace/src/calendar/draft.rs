//! From the body of a request to an event that can be stored: checks, defaults, time zones, conferences.

use super::desk::{invalid, refused, required};
use super::packed::Body;
use super::recur;
use super::store::Event;
use super::when::{Fault, When};
use crate::error::ApiError;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Members that belong to one copy of an event alone.
const OWN: [&str; 2] = ["reminders", "colorId"];
/// Members that an attendee may set for the own copy, although others share them.
pub(super) const OWN_FOR_ATTENDEES: [&str; 2] = ["transparency", "visibility"];
/// Members that Google leaves out where they have these values.
const DEFAULTS: [(&str, Plain); 8] = [
    ("transparency", Plain::Text("opaque")),
    ("visibility", Plain::Text("default")),
    ("guestsCanInviteOthers", Plain::Flag(true)),
    ("guestsCanSeeOtherGuests", Plain::Flag(true)),
    ("guestsCanModify", Plain::Flag(false)),
    ("anyoneCanAddSelf", Plain::Flag(false)),
    ("privateCopy", Plain::Flag(false)),
    ("endTimeUnspecified", Plain::Flag(false)),
];
const MAX_ID: usize = 1024;
const MIN_ID: usize = 5;
const MAX_OVERRIDES: usize = 5;
const MAX_ATTACHMENTS: usize = 25;

/// A value that Google takes for granted.
#[derive(Debug, Clone, Copy)]
enum Plain {
    Text(&'static str),
    Flag(bool),
}

impl Plain {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value == text,
            Self::Flag(flag) => value == flag,
        }
    }
}

/// How a client writes events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// `conferenceDataVersion=1`.
    pub(crate) conference: bool,
    /// `supportsAttachments=true`.
    pub(crate) attachments: bool,
}

/// Where an event is to stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) zone: &'a str,
    pub(crate) primary: bool,
}

/// The form of an event in which a request can be laid over it: all members of body and copy.
pub(crate) fn form(event: &Event) -> Map<String, Value> {
    let mut form = (*event.body).clone();
    for (name, value) in &event.own {
        if name == "extendedProperties" {
            let target = form.entry(name.clone()).or_insert_with(|| json!({}));
            if let (Some(target), Some(own)) = (target.as_object_mut(), value.as_object()) {
                target.extend(own.clone());
            }
        } else {
            form.insert(name.clone(), value.clone());
        }
    }
    form
}

/// Divides a form into what all copies share and what this copy has alone.
pub(crate) fn divide(mut form: Map<String, Value>) -> (Body, Map<String, Value>) {
    let mut own = Map::new();
    for name in OWN {
        if let Some(value) = form.remove(name) {
            own.insert(name.to_owned(), value);
        }
    }
    if let Some(Value::Object(mut properties)) = form.remove("extendedProperties") {
        let full = |value: &Value| value.as_object().is_some_and(|map| !map.is_empty());
        if let Some(private) = properties.remove("private").filter(full) {
            own.insert(
                "extendedProperties".to_owned(),
                json!({ "private": private }),
            );
        }
        if let Some(shared) = properties.remove("shared").filter(full) {
            form.insert("extendedProperties".to_owned(), json!({ "shared": shared }));
        }
    }
    (form.into(), own)
}

/// Checks a whole form and brings it into the stored shape.
pub(crate) fn finish(form: &mut Map<String, Value>, place: Place<'_>) -> Result<(), ApiError> {
    for name in ["summary", "description", "location"] {
        if form.get(name).is_some_and(|text| text == "") {
            form.remove(name);
        }
    }
    times(form, place.zone)?;
    attendees(form)?;
    reminders(form)?;
    if let Some(list) = form.get("attachments").and_then(Value::as_array)
        && (list.len() > MAX_ATTACHMENTS || list.iter().any(|item| !item["fileUrl"].is_string()))
    {
        return Err(invalid("attachments", "Invalid attachments."));
    }
    for (name, default) in DEFAULTS {
        if form.get(name).is_some_and(|value| default.is(value)) {
            form.remove(name);
        }
    }
    let kind = form
        .get("eventType")
        .and_then(Value::as_str)
        .unwrap_or("default");
    let kind = kind.to_owned();
    event_type(form, &kind, place)?;
    form.insert("eventType".to_owned(), json!(kind));
    if form
        .get("status")
        .is_none_or(|status| status == "cancelled")
    {
        form.insert("status".to_owned(), json!("confirmed"));
    }
    Ok(())
}

fn times(form: &mut Map<String, Value>, zone: &str) -> Result<(), ApiError> {
    let recurs = match form.get("recurrence").and_then(Value::as_array) {
        Some(lines) if !lines.is_empty() => {
            let lines: Vec<String> = lines
                .iter()
                .filter_map(|line| line.as_str().map(str::to_owned))
                .collect();
            if !recur::is_valid(&lines) {
                return Err(invalid("recurrence", "Invalid recurrence rule."));
            }
            true
        }
        _ => {
            form.remove("recurrence");
            false
        }
    };
    let read = |name: &'static str| {
        let value = form.get(name).unwrap_or(&Value::Null);
        if recurs && value["dateTime"].is_string() && !value["timeZone"].is_string() {
            let message = format!("Missing time zone definition for {name} time.");
            return Err(required(&message));
        }
        When::parse(value, zone).map_err(|fault| match fault {
            Fault::Missing => required(&format!("Missing {name} time.")),
            Fault::Zone => invalid(
                name,
                format!("Invalid time zone definition for {name} time."),
            ),
            Fault::Value => invalid(name, format!("Invalid {name} time.")),
        })
    };
    let (start, end) = (read("start")?, read("end")?);
    let empty = match (&start, &end) {
        (When::Day(start), When::Day(end)) => end <= start,
        (When::Time { at: start, .. }, When::Time { at: end, .. }) => end < start,
        _ => return Err(invalid("end", "Invalid start or end time.")),
    };
    if empty {
        return Err(refused(
            400,
            "timeRangeEmpty",
            "The specified time range is empty.",
        ));
    }
    form.insert("start".to_owned(), start.stored());
    form.insert("end".to_owned(), end.stored());
    Ok(())
}

fn attendees(form: &mut Map<String, Value>) -> Result<(), ApiError> {
    let Some(Value::Array(list)) = form.get_mut("attendees") else {
        form.remove("attendees");
        return Ok(());
    };
    let mut seen = BTreeSet::new();
    for attendee in list.iter_mut() {
        let address = attendee["email"].as_str().unwrap_or_default();
        let well_formed = address
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if address.is_empty() {
            return Err(required("Missing attendee email."));
        }
        if !well_formed || address.contains(char::is_whitespace) {
            return Err(invalid("attendees", "Invalid attendee email."));
        }
        if !seen.insert(address.to_ascii_lowercase()) {
            *attendee = Value::Null;
        } else if attendee["responseStatus"].is_null() {
            attendee["responseStatus"] = json!("needsAction");
        }
    }
    list.retain(|attendee| !attendee.is_null());
    if list.is_empty() {
        form.remove("attendees");
    }
    Ok(())
}

fn reminders(form: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(reminders) = form.get("reminders") else {
        return Ok(());
    };
    let overrides = reminders["overrides"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if reminders["useDefault"] == true && !overrides.is_empty() {
        return Err(invalid(
            "reminders",
            "Cannot specify both default reminders and overrides at the same time.",
        ));
    }
    let fits = |reminder: &Value| {
        let minutes = reminder["minutes"].as_i64();
        reminder["method"].is_string() && minutes.is_some_and(|n| (0..=40_320).contains(&n))
    };
    if overrides.len() > MAX_OVERRIDES || !overrides.iter().all(fits) {
        return Err(invalid("reminders", "Invalid reminder overrides."));
    }
    Ok(())
}

/// The rules of the types that are not plain meetings.
///
/// See <https://developers.google.com/workspace/calendar/api/guides/calendar-status>.
fn event_type(form: &Map<String, Value>, kind: &str, place: Place<'_>) -> Result<(), ApiError> {
    let all_day = form["start"]["date"].is_string();
    let text = |name: &str| form.get(name).and_then(Value::as_str).unwrap_or_default();
    let bad = |reason: &str, message: &str| Err(refused(400, reason, message));
    for (own, name) in [
        ("outOfOffice", "outOfOfficeProperties"),
        ("focusTime", "focusTimeProperties"),
        ("workingLocation", "workingLocationProperties"),
        ("birthday", "birthdayProperties"),
    ] {
        if kind != own && form.contains_key(name) {
            return bad(
                "eventTypeRestriction",
                "The properties belong to another event type.",
            );
        }
    }
    if matches!(kind, "default" | "fromGmail") {
        return Ok(());
    }
    if !place.primary {
        return bad(
            "eventTypeRestriction",
            "This event type is supported on primary calendars only.",
        );
    }
    if form.contains_key("attendees") {
        return bad(
            "eventTypeRestriction",
            "This event type cannot have attendees.",
        );
    }
    match kind {
        "outOfOffice" if all_day => bad(
            "malformedOutOfOfficeEvent",
            "An out of office event must be a timed event.",
        ),
        "focusTime" if all_day => bad(
            "malformedFocusTimeEvent",
            "A focus time event must be a timed event.",
        ),
        "workingLocation"
            if text("visibility") != "public"
                || text("transparency") != "transparent"
                || !form
                    .get("workingLocationProperties")
                    .is_some_and(|properties| properties["type"].is_string()) =>
        {
            bad(
                "malformedWorkingLocationEvent",
                "A working location event must be public, transparent and have a type.",
            )
        }
        "birthday" => {
            let yearly = form
                .get("recurrence")
                .and_then(Value::as_array)
                .is_some_and(|lines| lines.iter().all(|line| line == "RRULE:FREQ=YEARLY"));
            let yearly = yearly || form.contains_key("recurringEventId");
            if all_day
                && yearly
                && text("visibility") == "private"
                && text("transparency") == "transparent"
            {
                Ok(())
            } else {
                bad(
                    "malformedBirthdayEvent",
                    "A birthday is an all-day, yearly, private and transparent event.",
                )
            }
        }
        _ => Ok(()),
    }
}

/// Whether a client may choose this id: base32hex, 5 to 1024 characters.
pub(crate) fn check_id(id: &str) -> Result<(), ApiError> {
    let fits = (MIN_ID..=MAX_ID).contains(&id.len())
        && id
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
    if fits {
        Ok(())
    } else {
        Err(invalid("id", "Invalid resource id value."))
    }
}

/// Keeps the old conference unless the client knows of conferences; starts one that was asked for.
pub(crate) fn conference(
    form: &mut Map<String, Value>,
    old: Option<&Value>,
    options: Options,
) -> Result<(), ApiError> {
    if !options.conference {
        restore(form, "conferenceData", old);
        return Ok(());
    }
    let Some(data) = form.get_mut("conferenceData") else {
        form.remove("hangoutLink");
        return Ok(());
    };
    if data["createRequest"].is_null() {
        if data["conferenceSolution"].is_null()
            || data["entryPoints"].as_array().is_none_or(Vec::is_empty)
        {
            return Err(invalid("conferenceData", "Invalid conference data."));
        }
        return Ok(());
    }
    let id = &data["createRequest"]["requestId"];
    if !id.is_string() {
        return Err(invalid("conferenceData", "Missing conference request id."));
    }
    // The same request again is ignored.
    if let Some(old) = old.filter(|old| old["createRequest"]["requestId"] == *id) {
        *data = old.clone();
        return Ok(());
    }
    if data["createRequest"]["conferenceSolutionKey"].is_null() {
        data["createRequest"]["conferenceSolutionKey"] = json!({ "type": "hangoutsMeet" });
    }
    data["createRequest"]["status"] = json!({ "statusCode": "pending" });
    Ok(())
}

/// Puts a member back that the client may not change.
pub(crate) fn restore(form: &mut Map<String, Value>, name: &str, old: Option<&Value>) {
    match old {
        Some(old) => form.insert(name.to_owned(), old.clone()),
        None => form.remove(name),
    };
}

/// What a pending request becomes; `None` if nothing is pending.
pub(crate) fn conference_ready(
    body: &Map<String, Value>,
    rng: &mut fastrand::Rng,
) -> Option<Map<String, Value>> {
    let data = body.get("conferenceData")?;
    if data["createRequest"]["status"]["statusCode"] != "pending" {
        return None;
    }
    let mut body = body.clone();
    let (data, link) = meeting(&data["createRequest"], rng);
    body.insert("conferenceData".to_owned(), data);
    body.insert("hangoutLink".to_owned(), json!(link));
    Some(body)
}

/// Conference data of a Meet room, and its link.
pub(crate) fn meeting(request: &Value, rng: &mut fastrand::Rng) -> (Value, String) {
    let mut letters = |n: usize| -> String { (0..n).map(|_| rng.lowercase()).collect() };
    let code = format!("{}-{}-{}", letters(3), letters(4), letters(3));
    let link = format!("https://meet.google.com/{code}");
    let mut request = request.clone();
    request["status"] = json!({ "statusCode": "success" });
    let data = json!({
        "createRequest": request,
        "entryPoints": [{
            "entryPointType": "video",
            "uri": link,
            "label": format!("meet.google.com/{code}"),
        }],
        "conferenceSolution": {
            "key": { "type": "hangoutsMeet" },
            "name": "Google Meet",
            "iconUri": "https://fonts.gstatic.com/s/i/productlogos/meet_2020q4/v6/web-512dp/logo_meet_2020q4_color_2x_web_512dp.png",
        },
        "conferenceId": code,
    });
    (data, link)
}
