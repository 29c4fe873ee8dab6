//! One event as Google Calendar gives it. Own types: every member may be absent, words that grow
//! (statuses, kinds) are texts, and times stay as they are written. What they mean is not here.

use super::decode;
use nuncio_model::ItemId;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// What is asked for of an event.
pub(super) const FIELDS: &str = "id,status,created,updated,summary,description,location,creator,\
organizer,start,end,endTimeUnspecified,recurrence,recurringEventId,originalStartTime,\
transparency,visibility,iCalUID,sequence,attendees,attendeesOmitted,extendedProperties,\
conferenceData(conferenceId,conferenceSolution/name,entryPoints/uri),hangoutLink,\
guestsCanInviteOthers,guestsCanModify,guestsCanSeeOtherGuests,attachments,eventType,htmlLink";

/// An event, recurring master, exception, or what is left of a deleted one: then only `id` and
/// `status` are sure to be there. Debug shows none of its content.
/// <https://developers.google.com/workspace/calendar/api/v3/reference/events#resource>
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawEvent {
    /// The event, unique within its calendar; always there in what this crate gives.
    #[serde(default, deserialize_with = "id")]
    pub id: Option<ItemId>,
    /// `confirmed`, `tentative` or `cancelled`.
    pub status: Option<String>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated: Option<String>,
    /// Title.
    pub summary: Option<String>,
    /// May hold HTML.
    pub description: Option<String>,
    /// As typed.
    pub location: Option<String>,
    /// Who made it.
    pub creator: Option<RawPerson>,
    /// Whose event it is.
    pub organizer: Option<RawPerson>,
    /// Start, inclusive.
    pub start: Option<RawTime>,
    /// End, exclusive.
    pub end: Option<RawTime>,
    /// Whether `end` is only there for old clients.
    pub end_time_unspecified: Option<bool>,
    /// `RRULE`, `EXRULE`, `RDATE` and `EXDATE` lines.
    pub recurrence: Option<Vec<String>>,
    /// The master of an exception.
    pub recurring_event_id: Option<String>,
    /// When an exception would have started.
    pub original_start_time: Option<RawTime>,
    /// `opaque` or `transparent`.
    pub transparency: Option<String>,
    /// `default`, `public`, `private` or `confidential`.
    pub visibility: Option<String>,
    /// iCalendar UID.
    #[serde(rename = "iCalUID")]
    pub ical_uid: Option<String>,
    /// iCalendar SEQUENCE.
    #[serde(default, deserialize_with = "decode::number")]
    pub sequence: Option<i64>,
    /// Guests and rooms.
    pub attendees: Option<Vec<RawAttendee>>,
    /// Whether Google left some out.
    pub attendees_omitted: Option<bool>,
    /// Named values of other programs.
    pub extended_properties: Option<RawProperties>,
    /// Online meeting.
    pub conference_data: Option<RawConference>,
    /// Link of a Google meeting, also where there is no `conferenceData`.
    pub hangout_link: Option<String>,
    /// True if absent.
    pub guests_can_invite_others: Option<bool>,
    /// False if absent.
    pub guests_can_modify: Option<bool>,
    /// True if absent.
    pub guests_can_see_other_guests: Option<bool>,
    /// Linked files.
    pub attachments: Option<Vec<RawAttachment>>,
    /// `default`, `outOfOffice` and others; grows.
    pub event_type: Option<String>,
    /// Link to it in the web interface.
    pub html_link: Option<String>,
}

impl RawEvent {
    /// Whether it is deleted, or a hole in a series.
    pub fn is_cancelled(&self) -> bool {
        self.status.as_deref() == Some("cancelled")
    }

    /// The id of the series that it is an exception of.
    pub fn master(&self) -> Option<&str> {
        self.recurring_event_id
            .as_deref()
            .filter(|id| !id.is_empty())
    }
}

impl fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawEvent")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A date or a moment.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawTime {
    /// `yyyy-mm-dd`, of an event that lasts whole days.
    pub date: Option<String>,
    /// RFC 3339; without an offset only if `time_zone` is there.
    pub date_time: Option<String>,
    /// IANA name.
    pub time_zone: Option<String>,
}

/// Who made an event, or whose it is.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawPerson {
    /// Address, or a calendar's id.
    pub email: Option<String>,
    /// Name.
    pub display_name: Option<String>,
}

/// A guest or room.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawAttendee {
    /// Address.
    pub email: Option<String>,
    /// Name.
    pub display_name: Option<String>,
    /// `needsAction`, `declined`, `tentative` or `accepted`.
    pub response_status: Option<String>,
    /// Said with the answer.
    pub comment: Option<String>,
    /// Need not come.
    pub optional: Option<bool>,
    /// The organizer.
    pub organizer: Option<bool>,
    /// A room or thing.
    pub resource: Option<bool>,
    /// Whose calendar this copy is in.
    #[serde(rename = "self")]
    pub is_self: Option<bool>,
}

/// Named values of other programs.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RawProperties {
    /// Of this copy only.
    pub private: Option<BTreeMap<String, Option<String>>>,
    /// Of all copies.
    pub shared: Option<BTreeMap<String, Option<String>>>,
}

/// An online meeting.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawConference {
    /// Its id at the service.
    pub conference_id: Option<String>,
    /// The service.
    pub conference_solution: Option<RawSolution>,
    /// Ways to join.
    pub entry_points: Option<Vec<RawEntryPoint>>,
}

/// A meeting service.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RawSolution {
    /// Such as `Google Meet`.
    pub name: Option<String>,
}

/// A way to join a meeting.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RawEntryPoint {
    /// `https:`, `tel:`, `sip:`.
    pub uri: Option<String>,
}

/// A linked file.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawAttachment {
    /// Where it is.
    pub file_url: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Media type.
    pub mime_type: Option<String>,
    /// Drive's id.
    pub file_id: Option<String>,
}

/// An id that is not empty.
fn id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<ItemId>, D::Error> {
    let id = Option::<String>::deserialize(deserializer)?;
    Ok(id.filter(|id| !id.is_empty()).map(ItemId::new))
}
