//! Start and end times of events: all-day dates, and instants with the time zone that they were given in.
//! Which instances a rule makes of them is decided in `recur.rs`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

/// A start, an end or an original start of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// All day; an end is exclusive. Has no time zone.
    Day(Date),
    /// Whole seconds, with the IANA name of the zone.
    Time { at: Timestamp, zone: String },
}

/// What is wrong with an `EventDateTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Missing,
    Zone,
    Value,
}

impl When {
    /// Reads an `EventDateTime`; a missing time zone is `default_zone`.
    pub(crate) fn parse(value: &Value, default_zone: &str) -> Result<Self, Fault> {
        let date = value["date"].as_str();
        let time = value["dateTime"].as_str();
        let zone = value["timeZone"].as_str().filter(|zone| !zone.is_empty());
        match (date, time) {
            (None, None) => Err(Fault::Missing),
            (Some(_), Some(_)) => Err(Fault::Value),
            (Some(date), None) => parse_date(date).map(Self::Day).ok_or(Fault::Value),
            (None, Some(text)) => {
                let zone_name = zone.unwrap_or(default_zone);
                let rules = time_zone(zone_name).ok_or(Fault::Zone)?;
                let at = match text.parse::<Timestamp>() {
                    Ok(at) => at,
                    // Without an offset the time zone is required and decides.
                    Err(_) if zone.is_some() => {
                        let local: DateTime = text.parse().map_err(|_| Fault::Value)?;
                        let zoned = local.to_zoned(rules).map_err(|_| Fault::Value)?;
                        zoned.timestamp()
                    }
                    Err(_) => return Err(Fault::Value),
                };
                let at = Timestamp::from_second(at.as_second()).map_err(|_| Fault::Value)?;
                Ok(Self::Time {
                    at,
                    zone: zone_name.to_owned(),
                })
            }
        }
    }

    /// Reads what [`When::stored`] wrote.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Self::parse(value, "UTC").ok()
    }

    /// The form in which events are kept: instants in UTC.
    pub(crate) fn stored(&self) -> Value {
        match self {
            Self::Day(date) => json!({ "date": date.to_string() }),
            Self::Time { at, zone } => json!({ "dateTime": at.to_string(), "timeZone": zone }),
        }
    }

    /// The form of a response: the instant with the offset of `zone`, and the event's own zone beside it.
    pub(crate) fn render(&self, zone: &TimeZone) -> Value {
        match self {
            Self::Day(_) => self.stored(),
            Self::Time { at, zone: own } => {
                let offset = zone.to_offset(*at);
                let text = if offset.seconds() == 0 {
                    at.to_string()
                } else {
                    at.display_with_offset(offset).to_string()
                };
                json!({ "dateTime": text, "timeZone": own })
            }
        }
    }

    /// The instant for filters and orders; days begin at midnight of the calendar's zone.
    pub(crate) fn instant(&self, calendar_zone: &TimeZone) -> Timestamp {
        match self {
            Self::Time { at, .. } => *at,
            Self::Day(date) => date
                .to_zoned(calendar_zone.clone())
                .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp()),
        }
    }

    /// What follows the id of the recurring event in the id of an instance that starts then.
    pub(crate) fn id_suffix(&self) -> String {
        match self {
            Self::Day(date) => date.strftime("%Y%m%d").to_string(),
            Self::Time { at, .. } => at.strftime("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// The wall clock: the date with midnight for a day.
    pub(crate) fn local(&self) -> DateTime {
        match self {
            Self::Day(date) => date.to_datetime(jiff::civil::Time::midnight()),
            Self::Time { at, zone } => time_zone(zone).unwrap_or(TimeZone::UTC).to_datetime(*at),
        }
    }

    /// The same kind of time at another wall clock; a time that the clock skips is moved past the gap.
    pub(crate) fn at_local(&self, local: DateTime) -> Option<Self> {
        match self {
            Self::Day(_) => Some(Self::Day(local.date())),
            Self::Time { zone, .. } => {
                let rules = time_zone(zone)?;
                let at = local.to_zoned(rules).ok()?.timestamp();
                Some(Self::Time {
                    at,
                    zone: zone.clone(),
                })
            }
        }
    }

    /// `self` moved by the distance from `start` to `end`; `None` if the kinds differ.
    pub(crate) fn shifted(&self, start: &Self, end: &Self) -> Option<Self> {
        match (self, start, end) {
            (Self::Day(own), Self::Day(start), Self::Day(end)) => {
                let days = start.until(*end).ok()?.get_days();
                let moved = own.checked_add(Span::new().try_days(days).ok()?).ok()?;
                Some(Self::Day(moved))
            }
            (Self::Time { at, zone }, Self::Time { at: start, .. }, Self::Time { at: end, .. }) => {
                let seconds = end.as_second() - start.as_second();
                let at = Timestamp::from_second(at.as_second().checked_add(seconds)?).ok()?;
                Some(Self::Time {
                    at,
                    zone: zone.clone(),
                })
            }
            _ => None,
        }
    }

    pub(crate) fn is_day(&self) -> bool {
        matches!(self, Self::Day(_))
    }
}

/// The zone with an IANA name; fixed offsets and POSIX strings are none.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// `yyyy-mm-dd` and nothing else.
fn parse_date(text: &str) -> Option<Date> {
    if text.len() == 10 {
        text.parse().ok()
    } else {
        None
    }
}
