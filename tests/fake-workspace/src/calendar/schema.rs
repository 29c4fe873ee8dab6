//! Bodies of requests: which members there are, and of which types. Others are ignored, as Google does.

use crate::error::ApiError;
use serde_json::{Map, Value};

/// What a member may hold.
#[derive(Debug)]
pub(crate) enum Kind {
    Text,
    Flag,
    Whole,
    /// Kept as it is.
    Any,
    /// An object with free names and texts.
    Texts,
    OneOf(&'static [&'static str]),
    List(&'static Kind),
    Object(Members),
}

pub(crate) type Members = &'static [(&'static str, Kind)];

const WHEN: Kind = Kind::Object(&[
    ("date", Kind::Text),
    ("dateTime", Kind::Text),
    ("timeZone", Kind::Text),
]);
const PERSON: Kind = Kind::Object(&[
    ("email", Kind::Text),
    ("displayName", Kind::Text),
    ("id", Kind::Text),
]);
const ATTENDEE: Kind = Kind::Object(&[
    ("email", Kind::Text),
    ("displayName", Kind::Text),
    ("id", Kind::Text),
    ("optional", Kind::Flag),
    ("resource", Kind::Flag),
    ("comment", Kind::Text),
    ("additionalGuests", Kind::Whole),
    (
        "responseStatus",
        Kind::OneOf(&["needsAction", "declined", "tentative", "accepted"]),
    ),
]);
const REMINDER: Kind = Kind::Object(&[
    ("method", Kind::OneOf(&["email", "popup"])),
    ("minutes", Kind::Whole),
]);
const SOLUTION_KEY: Kind = Kind::Object(&[(
    "type",
    Kind::OneOf(&["eventHangout", "eventNamedHangout", "hangoutsMeet", "addOn"]),
)]);
const ENTRY_POINT: Kind = Kind::Object(&[
    (
        "entryPointType",
        Kind::OneOf(&["video", "phone", "sip", "more"]),
    ),
    ("uri", Kind::Text),
    ("label", Kind::Text),
    ("pin", Kind::Text),
    ("accessCode", Kind::Text),
    ("meetingCode", Kind::Text),
    ("passcode", Kind::Text),
    ("password", Kind::Text),
    ("regionCode", Kind::Text),
    ("entryPointFeatures", Kind::List(&Kind::Text)),
]);
const CONFERENCE: Kind = Kind::Object(&[
    ("conferenceId", Kind::Text),
    ("notes", Kind::Text),
    ("signature", Kind::Text),
    ("entryPoints", Kind::List(&ENTRY_POINT)),
    (
        "conferenceSolution",
        Kind::Object(&[
            ("key", SOLUTION_KEY),
            ("name", Kind::Text),
            ("iconUri", Kind::Text),
        ]),
    ),
    (
        "createRequest",
        Kind::Object(&[
            ("requestId", Kind::Text),
            ("conferenceSolutionKey", SOLUTION_KEY),
        ]),
    ),
]);
const DECLINE: Kind = Kind::OneOf(&[
    "declineNone",
    "declineAllConflictingInvitations",
    "declineOnlyNewConflictingInvitations",
]);
const ATTACHMENT: Kind = Kind::Object(&[
    ("fileUrl", Kind::Text),
    ("title", Kind::Text),
    ("mimeType", Kind::Text),
    ("iconLink", Kind::Text),
    ("fileId", Kind::Text),
]);

/// All values of `eventType`.
pub(super) const EVENT_TYPES: &[&str] = &[
    "birthday",
    "default",
    "focusTime",
    "fromGmail",
    "outOfOffice",
    "workingLocation",
];

/// Members of an event that a client may send.
pub(crate) const EVENT: Members = &[
    ("id", Kind::Text),
    ("iCalUID", Kind::Text),
    (
        "status",
        Kind::OneOf(&["confirmed", "tentative", "cancelled"]),
    ),
    ("summary", Kind::Text),
    ("description", Kind::Text),
    ("location", Kind::Text),
    ("colorId", Kind::Text),
    ("start", WHEN),
    ("end", WHEN),
    ("originalStartTime", WHEN),
    ("endTimeUnspecified", Kind::Flag),
    ("recurrence", Kind::List(&Kind::Text)),
    ("organizer", PERSON),
    ("attendees", Kind::List(&ATTENDEE)),
    ("attendeesOmitted", Kind::Flag),
    ("transparency", Kind::OneOf(&["opaque", "transparent"])),
    (
        "visibility",
        Kind::OneOf(&["default", "public", "private", "confidential"]),
    ),
    ("sequence", Kind::Whole),
    (
        "extendedProperties",
        Kind::Object(&[("private", Kind::Texts), ("shared", Kind::Texts)]),
    ),
    ("conferenceData", CONFERENCE),
    ("anyoneCanAddSelf", Kind::Flag),
    ("guestsCanInviteOthers", Kind::Flag),
    ("guestsCanModify", Kind::Flag),
    ("guestsCanSeeOtherGuests", Kind::Flag),
    ("privateCopy", Kind::Flag),
    (
        "reminders",
        Kind::Object(&[
            ("useDefault", Kind::Flag),
            ("overrides", Kind::List(&REMINDER)),
        ]),
    ),
    (
        "source",
        Kind::Object(&[("title", Kind::Text), ("url", Kind::Text)]),
    ),
    ("attachments", Kind::List(&ATTACHMENT)),
    ("eventType", Kind::OneOf(EVENT_TYPES)),
    (
        "outOfOfficeProperties",
        Kind::Object(&[("autoDeclineMode", DECLINE), ("declineMessage", Kind::Text)]),
    ),
    (
        "focusTimeProperties",
        Kind::Object(&[
            ("autoDeclineMode", DECLINE),
            ("declineMessage", Kind::Text),
            ("chatStatus", Kind::Text),
        ]),
    ),
    (
        "workingLocationProperties",
        Kind::Object(&[
            (
                "type",
                Kind::OneOf(&["homeOffice", "officeLocation", "customLocation"]),
            ),
            ("homeOffice", Kind::Any),
            ("customLocation", Kind::Object(&[("label", Kind::Text)])),
            (
                "officeLocation",
                Kind::Object(&[
                    ("buildingId", Kind::Text),
                    ("deskId", Kind::Text),
                    ("floorId", Kind::Text),
                    ("floorSectionId", Kind::Text),
                    ("label", Kind::Text),
                ]),
            ),
        ]),
    ),
    (
        "birthdayProperties",
        Kind::Object(&[(
            "type",
            Kind::OneOf(&["anniversary", "birthday", "custom", "other", "self"]),
        )]),
    ),
];

/// Members of a calendar list entry that a client may send.
pub(crate) const ENTRY: Members = &[
    ("id", Kind::Text),
    ("summaryOverride", Kind::Text),
    ("colorId", Kind::Text),
    ("backgroundColor", Kind::Text),
    ("foregroundColor", Kind::Text),
    ("hidden", Kind::Flag),
    ("selected", Kind::Flag),
    ("defaultReminders", Kind::List(&REMINDER)),
    (
        "notificationSettings",
        Kind::Object(&[(
            "notifications",
            Kind::List(&Kind::Object(&[
                (
                    "type",
                    Kind::OneOf(&[
                        "eventCreation",
                        "eventChange",
                        "eventCancellation",
                        "eventResponse",
                        "agenda",
                    ]),
                ),
                ("method", Kind::OneOf(&["email"])),
            ])),
        )]),
    ),
];

/// Members of a calendar that a client may send.
pub(crate) const CALENDAR: Members = &[
    ("summary", Kind::Text),
    ("description", Kind::Text),
    ("location", Kind::Text),
    ("timeZone", Kind::Text),
];

/// Members of a rule of an access control list.
pub(crate) const RULE: Members = &[
    ("role", Kind::Text),
    (
        "scope",
        Kind::Object(&[("type", Kind::Text), ("value", Kind::Text)]),
    ),
];

/// Reads a body as an object of known members; null stays null.
pub(crate) fn read(body: &[u8], members: Members) -> Result<Map<String, Value>, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => clean(&object, members),
        _ => Err(ApiError::new(400, "parseError", "Parse Error")),
    }
}

/// Drops unknown members and refuses known ones of a wrong type.
pub(crate) fn clean(
    object: &Map<String, Value>,
    members: Members,
) -> Result<Map<String, Value>, ApiError> {
    clean_object(object, members, "")
}

fn clean_object(
    object: &Map<String, Value>,
    members: Members,
    place: &str,
) -> Result<Map<String, Value>, ApiError> {
    let mut cleaned = Map::new();
    for (name, kind) in members {
        if let Some(value) = object.get(*name) {
            let place = if place.is_empty() {
                (*name).to_owned()
            } else {
                format!("{place}.{name}")
            };
            cleaned.insert((*name).to_owned(), clean_value(value, kind, &place)?);
        }
    }
    Ok(cleaned)
}

fn clean_value(value: &Value, kind: &Kind, place: &str) -> Result<Value, ApiError> {
    let refused = || ApiError::new(400, "invalid", format!("Invalid value for: {place}"));
    match (kind, value) {
        (_, Value::Null)
        | (Kind::Any, _)
        | (Kind::Text, Value::String(_))
        | (Kind::Flag, Value::Bool(_)) => Ok(value.clone()),
        (Kind::Whole, Value::Number(number))
            if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) =>
        {
            Ok(value.clone())
        }
        (Kind::OneOf(names), Value::String(text)) if names.contains(&text.as_str()) => {
            Ok(value.clone())
        }
        (Kind::Texts, Value::Object(object))
            if object
                .values()
                .all(|value| value.is_string() || value.is_null()) =>
        {
            Ok(value.clone())
        }
        (Kind::List(inner), Value::Array(items)) => items
            .iter()
            .map(|item| match item {
                Value::Null => Err(refused()),
                item => clean_value(item, inner, place).map(without_nulls),
            })
            .collect(),
        (Kind::Object(members), Value::Object(object)) => {
            Ok(Value::Object(clean_object(object, members, place)?))
        }
        _ => Err(refused()),
    }
}

/// Lists are replaced whole, so in their items null has nothing to remove and means that a member is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// Lays `patch` over `target`: objects are merged, null removes, anything else is replaced whole.
pub(crate) fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (value, target.get_mut(name)) {
            (Value::Null, _) => {
                target.remove(name);
            }
            (Value::Object(patch), Some(Value::Object(inner))) => merge(inner, patch),
            (Value::Object(patch), _) => {
                let mut inner = Map::new();
                merge(&mut inner, patch);
                target.insert(name.clone(), Value::Object(inner));
            }
            _ => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}
