//! What an event becomes in a record. Whatever Google or a guest writes, a value that cannot be
//! read gives a note and is left out, and what is too large is cut with a note; only an event
//! without any time at all cannot be told.

use super::times::{self, Flaw};
use crate::gmail::normalize::notes::{Notes, quoted};
use nuncio_google::{RawAttendee, RawConference, RawEvent, RawPerson, RawProperties, RawTime};
use nuncio_model::{
    Attendee, AttendeeFlags, Conference, Content, Event, EventAttachment, EventStatus, EventTime,
    GuestRights, Participant, People, Response, Visibility, Who,
};
use sha2::{Digest, Sha256};

/// Bytes of a description. Google's own limit is 8,192 characters; imported ones were seen longer.
const MAX_DESCRIPTION_BYTES: usize = 1 << 20;

/// Bytes of any other text of an event.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Guests in a record. Google shows at most 200 of those that were invited one by one.
const MAX_ATTENDEES: usize = 5_000;

/// Entries of any other list: rules, files, ways to join, properties.
const MAX_ENTRIES: usize = 1_000;

/// What is known beside the event.
pub struct Context<'a> {
    /// Who is who.
    pub people: &'a People,
    /// The calendar's title.
    pub calendar_name: &'a str,
    /// The most that any sink wants.
    pub content: Content,
}

/// An event for a record.
pub struct Normalized {
    /// The payload.
    pub event: Event,
    /// What could not be read or was cut.
    pub notes: Vec<String>,
}

/// Reads an event.
///
/// # Errors
/// What is missing that nothing can stand for.
pub fn event(raw: &RawEvent, context: &Context<'_>) -> Result<Normalized, &'static str> {
    let mut reader = Reader {
        people: context.people,
        notes: Notes::default(),
    };
    let original_start = reader.time("originalStartTime", raw.original_start_time.as_ref());
    let end = reader.time("end", raw.end.as_ref());
    let start = reader
        .time("start", raw.start.as_ref())
        .or_else(|| original_start.clone())
        .or_else(|| end.clone())
        .ok_or("the event has no time that can be read")?;
    let is_unspecified = raw.end_time_unspecified == Some(true);
    let organizer = reader.person("organizer", raw.organizer.as_ref());
    let creator = reader
        .person("creator", raw.creator.as_ref())
        .filter(|creator| {
            organizer
                .as_ref()
                .is_none_or(|organizer| !organizer.address.eq_ignore_ascii_case(&creator.address))
        });
    let status = match raw.status.as_deref() {
        None | Some("confirmed") => EventStatus::Confirmed,
        Some("tentative") => EventStatus::Tentative,
        Some("cancelled") => EventStatus::Cancelled,
        Some(other) => reader.unknown("status", other, EventStatus::Confirmed),
    };
    let visibility = match raw.visibility.as_deref() {
        None | Some("default") => Visibility::Default,
        Some("public") => Visibility::Public,
        Some("private") => Visibility::Private,
        Some("confidential") => Visibility::Confidential,
        // Less is seen than might be, never more.
        Some(other) => reader.unknown("visibility", other, Visibility::Private),
    };
    let busy = match raw.transparency.as_deref() {
        None | Some("opaque") => true,
        Some("transparent") => false,
        Some(other) => reader.unknown("transparency", other, true),
    };
    let sequence = raw.sequence.unwrap_or(0);
    let sequence = u32::try_from(sequence).unwrap_or_else(|_| {
        reader.notes.add("sequence is out of range");
        0
    });
    let event = Event {
        id: raw
            .id
            .as_ref()
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        calendar_name: reader.cut("the calendar's name", context.calendar_name, MAX_TEXT_BYTES),
        ical_uid: reader
            .text("iCalUID", raw.ical_uid.as_ref())
            .unwrap_or_default(),
        recurring_event_id: raw.master().map(str::to_owned),
        original_start,
        recurrence: reader.list("recurrence", raw.recurrence.as_deref(), |reader, line| {
            Some(reader.cut("recurrence", line, MAX_TEXT_BYTES))
        }),
        sequence,
        status,
        event_type: reader
            .text("eventType", raw.event_type.as_ref())
            .unwrap_or_else(|| "default".to_owned()),
        visibility,
        busy,
        summary: reader
            .text("summary", raw.summary.as_ref())
            .unwrap_or_default(),
        description: raw
            .description
            .as_deref()
            .filter(|_| context.content >= Content::Text)
            .map(|text| reader.cut("description", text, MAX_DESCRIPTION_BYTES)),
        location: reader.text("location", raw.location.as_ref()),
        start,
        end: end.filter(|_| !is_unspecified),
        organizer,
        creator,
        attendees: reader.attendees(raw.attendees.as_deref().unwrap_or_default()),
        attendees_omitted: raw.attendees_omitted == Some(true),
        guests_can: guests_can(raw),
        conference: reader.conference(raw.conference_data.as_ref(), raw.hangout_link.as_ref()),
        attachments: raw.attachments.as_deref().map(|files| {
            reader.list("attachments", Some(files), |reader, file| {
                Some(EventAttachment {
                    url: reader
                        .text("fileUrl", file.file_url.as_ref())
                        .unwrap_or_default(),
                    title: reader
                        .text("title", file.title.as_ref())
                        .unwrap_or_default(),
                    mime_type: reader
                        .text("mimeType", file.mime_type.as_ref())
                        .unwrap_or_default(),
                    file_id: reader.text("fileId", file.file_id.as_ref()),
                })
            })
        }),
        created: raw
            .created
            .as_deref()
            .and_then(|text| reader.moment("created", text)),
        updated: raw
            .updated
            .as_deref()
            .and_then(|text| reader.moment("updated", text))
            .unwrap_or(0),
        link: reader.text("htmlLink", raw.html_link.as_ref()),
        properties: raw
            .extended_properties
            .as_ref()
            .map(|all| reader.properties(all)),
    };
    Ok(Normalized {
        event,
        notes: reader.notes.into_vec(),
    })
}

/// When Google last changed it, in milliseconds since 1970; none where it does not say.
pub fn updated(raw: &RawEvent) -> Option<u64> {
    let at = times::millis(raw.updated.as_deref()?)?;
    u64::try_from(at).ok()
}

/// A number that differs where a sink would see a difference that Google made: all of the
/// payload but `sequence`, which never changes alone, the calendar's name, which is a snapshot,
/// and what addresses are to this installation, which is the config's doing.
pub fn hash(event: &Event) -> u64 {
    let mut event = event.clone();
    event.sequence = 0;
    event.calendar_name = String::new();
    let people = event
        .attendees
        .iter_mut()
        .map(|guest| &mut guest.participant)
        .chain(&mut event.organizer)
        .chain(&mut event.creator);
    for person in people {
        person.who = Who::External;
    }
    let json = serde_json::to_vec(&event).unwrap_or_default();
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(json)[..8]);
    u64::from_be_bytes(first)
}

/// Reads parts of an event and takes notes.
struct Reader<'a> {
    people: &'a People,
    notes: Notes,
}

impl Reader<'_> {
    fn unknown<T>(&mut self, field: &str, value: &str, taken: T) -> T {
        self.notes
            .add(format!("{field} {} is not known", quoted(value)));
        taken
    }

    /// At most `max` bytes of a text.
    fn cut(&mut self, field: &str, text: &str, max: usize) -> String {
        if text.len() <= max {
            return text.to_owned();
        }
        self.notes.add(format!("{field} is cut at {max} bytes"));
        text[..text.floor_char_boundary(max)].to_owned()
    }

    fn text(&mut self, field: &str, text: Option<&String>) -> Option<String> {
        text.map(|text| self.cut(field, text, MAX_TEXT_BYTES))
    }

    /// What `read` makes of at most [`MAX_ENTRIES`] entries.
    fn list<T, U>(
        &mut self,
        field: &str,
        entries: Option<&[T]>,
        read: impl Fn(&mut Self, &T) -> Option<U>,
    ) -> Vec<U> {
        let entries = entries.unwrap_or_default();
        let shown = self.few(field, entries, MAX_ENTRIES);
        shown.iter().filter_map(|entry| read(self, entry)).collect()
    }

    fn few<'b, T>(&mut self, field: &str, entries: &'b [T], max: usize) -> &'b [T] {
        if entries.len() > max {
            self.notes.add(format!(
                "{field} has {} entries, {max} are kept",
                entries.len()
            ));
        }
        &entries[..entries.len().min(max)]
    }

    fn time(&mut self, field: &str, raw: Option<&RawTime>) -> Option<EventTime> {
        let Some((time, flaw)) = times::time(raw?) else {
            self.notes.add(format!("{field} is no time"));
            return None;
        };
        match flaw {
            Some(Flaw::NoOffset) => self
                .notes
                .add(format!("{field} has no offset, UTC is taken")),
            Some(Flaw::NoZone) => self
                .notes
                .add(format!("the zone of {field} has no usable name")),
            None => {}
        }
        Some(time)
    }

    fn moment(&mut self, field: &str, text: &str) -> Option<i64> {
        let at = times::millis(text);
        if at.is_none() {
            self.notes.add(format!("{field} is no time"));
        }
        at
    }

    fn participant(
        &mut self,
        field: &str,
        name: Option<&String>,
        email: Option<&String>,
    ) -> Option<Participant> {
        let name = name.map(|name| name.trim()).filter(|name| !name.is_empty());
        let email = email.map(|email| email.trim()).unwrap_or_default();
        if email.is_empty() {
            self.notes
                .add(format!("an entry of {field} has no address"));
            name?;
        }
        let name = name.map(|name| self.cut(field, name, MAX_TEXT_BYTES));
        let email = self.cut(field, email, MAX_TEXT_BYTES);
        Some(self.people.participant(name, &email))
    }

    fn person(&mut self, field: &str, raw: Option<&RawPerson>) -> Option<Participant> {
        let raw = raw?;
        self.participant(field, raw.display_name.as_ref(), raw.email.as_ref())
    }

    fn attendees(&mut self, raw: &[RawAttendee]) -> Vec<Attendee> {
        let shown = self.few("attendees", raw, MAX_ATTENDEES);
        shown
            .iter()
            .filter_map(|guest| self.attendee(guest))
            .collect()
    }

    fn attendee(&mut self, raw: &RawAttendee) -> Option<Attendee> {
        let participant =
            self.participant("attendees", raw.display_name.as_ref(), raw.email.as_ref())?;
        let response = match raw.response_status.as_deref() {
            None | Some("needsAction") => Response::NeedsAction,
            Some("declined") => Response::Declined,
            Some("tentative") => Response::Tentative,
            Some("accepted") => Response::Accepted,
            Some(other) => self.unknown("responseStatus", other, Response::NeedsAction),
        };
        let flags = AttendeeFlags::default()
            .with_if(raw.optional == Some(true), AttendeeFlags::OPTIONAL)
            .with_if(raw.organizer == Some(true), AttendeeFlags::ORGANIZER)
            .with_if(raw.resource == Some(true), AttendeeFlags::RESOURCE)
            .with_if(raw.is_self == Some(true), AttendeeFlags::SELF);
        let comment = self.text("comment", raw.comment.as_ref());
        Some(Attendee {
            participant,
            response,
            flags,
            comment: comment.filter(|comment| !comment.is_empty()),
        })
    }

    fn conference(
        &mut self,
        raw: Option<&RawConference>,
        hangout: Option<&String>,
    ) -> Option<Conference> {
        let Some(raw) = raw else {
            let link = self.text("hangoutLink", hangout)?;
            return Some(Conference {
                solution: String::new(),
                id: String::new(),
                entry_points: vec![link],
            });
        };
        let solution = raw
            .conference_solution
            .as_ref()
            .and_then(|s| s.name.as_ref());
        Some(Conference {
            solution: self
                .text("conferenceSolution", solution)
                .unwrap_or_default(),
            id: self
                .text("conferenceId", raw.conference_id.as_ref())
                .unwrap_or_default(),
            entry_points: self.list(
                "entryPoints",
                raw.entry_points.as_deref(),
                |reader, point| reader.text("uri", point.uri.as_ref()),
            ),
        })
    }

    /// Sorted by name, since the two maps are and `private` comes before `shared`.
    fn properties(&mut self, raw: &RawProperties) -> Vec<(String, String)> {
        let pairs: Vec<(&str, &String, &Option<String>)> =
            [("private", &raw.private), ("shared", &raw.shared)]
                .into_iter()
                .flat_map(|(kind, map)| {
                    map.iter()
                        .flatten()
                        .map(move |(name, value)| (kind, name, value))
                })
                .collect();
        self.list(
            "extendedProperties",
            Some(&pairs),
            |reader, (kind, name, value)| {
                let name = reader.cut("extendedProperties", name, MAX_TEXT_BYTES);
                let value = reader.cut("extendedProperties", value.as_deref()?, MAX_TEXT_BYTES);
                Some((format!("{kind}.{name}"), value))
            },
        )
    }
}

/// What guests may do, with Google's defaults.
fn guests_can(raw: &RawEvent) -> GuestRights {
    let is_set = |value: Option<bool>, default: bool| value.unwrap_or(default);
    GuestRights::default()
        .with_if(
            is_set(raw.guests_can_invite_others, true),
            GuestRights::INVITE_OTHERS,
        )
        .with_if(is_set(raw.guests_can_modify, false), GuestRights::MODIFY)
        .with_if(
            is_set(raw.guests_can_see_other_guests, true),
            GuestRights::SEE_OTHERS,
        )
}
