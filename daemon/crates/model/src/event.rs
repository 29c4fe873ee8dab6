//! The `event` payload: a calendar event in RFC 5545's terms with Google's values. Field for
//! field the record `event` of the contract; how it is made from Google's answer is in the
//! Calendar source.

use crate::Participant;
use crate::flag_set::flag_set;
use serde::{Deserialize, Serialize};

/// A calendar event, recurring master or exception. Times are milliseconds since
/// 1970-01-01T00:00:00Z. Google's fields:
/// <https://developers.google.com/workspace/calendar/api/v3/reference/events#resource>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Google's event id (`id`); an exception has its own.
    pub id: String,
    /// The calendar's display name (`summary` of the listing).
    pub calendar_name: String,
    /// iCalendar UID (`iCalUID`): the same in every attendee's calendar and for all exceptions.
    pub ical_uid: String,
    /// Set for an exception: the id of its recurring master (`recurringEventId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring_event_id: Option<String>,
    /// Set for an exception: when the occurrence would have started (`originalStartTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_start: Option<EventTime>,
    /// `RRULE`, `EXRULE`, `RDATE` and `EXDATE` lines of a recurring master (`recurrence`).
    pub recurrence: Vec<String>,
    /// iCalendar SEQUENCE (`sequence`).
    pub sequence: u32,
    /// Status (`status`).
    pub status: EventStatus,
    /// Google's `eventType` (`default`, `outOfOffice`, ..; grows).
    pub event_type: String,
    /// Who may see it (`visibility`).
    pub visibility: Visibility,
    /// Whether it blocks time: `transparency` is not `transparent`.
    pub busy: bool,
    /// Title (`summary`).
    pub summary: String,
    /// Description; may hold HTML. From content `text` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Location as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Start, inclusive (`start`).
    pub start: EventTime,
    /// End, exclusive (`end`); absent where Google says that it is unspecified
    /// (`endTimeUnspecified`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EventTime>,
    /// Organizer (`organizer`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizer: Option<Participant>,
    /// Creator (`creator`), only where it differs from the organizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<Participant>,
    /// Attendees, rooms included (`attendees`).
    pub attendees: Vec<Attendee>,
    /// Whether Google left some out (`attendeesOmitted`).
    pub attendees_omitted: bool,
    /// What guests may do (`guestsCanInviteOthers`, `guestsCanModify`,
    /// `guestsCanSeeOtherGuests`).
    pub guests_can: GuestRights,
    /// Online meeting (`conferenceData`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conference: Option<Conference>,
    /// Files linked to the event (`attachments`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<EventAttachment>>,
    /// When it was made (`created`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// When it was last changed (`updated`).
    pub updated: i64,
    /// Link to it in the web interface (`htmlLink`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Extended properties (`extendedProperties`); names are prefixed with `private.` or
    /// `shared.`, in order of the names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Vec<(String, String)>>,
}

/// A date, or a moment with the zone it was meant in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTime {
    /// All day: `2026-03-01`.
    Date(String),
    /// A moment.
    At(ZonedTime),
}

/// A moment and its zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZonedTime {
    /// Milliseconds since 1970.
    pub time: i64,
    /// Minutes east of UTC at that moment.
    pub offset: i16,
    /// IANA name; needed to expand a recurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// An event's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Takes place.
    Confirmed,
    /// May take place.
    Tentative,
    /// Off; only for an exception of a living series, else the record is `deleted`.
    Cancelled,
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// As the calendar's default says.
    Default,
    /// Everybody who sees the calendar.
    Public,
    /// Attendees only.
    Private,
    /// As private; kept apart for old clients.
    Confidential,
}

flag_set! {
    /// What guests may do.
    GuestRights {
        /// Invite others.
        INVITE_OTHERS = 0, "invite_others";
        /// Change the event.
        MODIFY = 1, "modify";
        /// See the other guests.
        SEE_OTHERS = 2, "see_others";
    }
}

/// A guest of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attendee {
    /// The person or room.
    pub participant: Participant,
    /// The answer (`responseStatus`).
    pub response: Response,
    /// Role.
    pub flags: AttendeeFlags,
    /// The comment given with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A guest's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// None yet.
    NeedsAction,
    /// No.
    Declined,
    /// Maybe.
    Tentative,
    /// Yes.
    Accepted,
}

flag_set! {
    /// A guest's role.
    AttendeeFlags {
        /// Need not come.
        OPTIONAL = 0, "optional";
        /// The organizer.
        ORGANIZER = 1, "organizer";
        /// A room or thing.
        RESOURCE = 2, "resource";
        /// The account's user.
        SELF = 3, "self";
    }
}

/// An online meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conference {
    /// Name of the service, such as `Google Meet` (`conferenceSolution.name`).
    pub solution: String,
    /// Its id there (`conferenceId`).
    pub id: String,
    /// URIs (`https:`, `tel:`, `sip:`).
    pub entry_points: Vec<String>,
}

/// A file linked to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAttachment {
    /// Where it is (`fileUrl`).
    pub url: String,
    /// Title.
    pub title: String,
    /// Media type.
    pub mime_type: String,
    /// Drive's id, where it is a Drive file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
}
