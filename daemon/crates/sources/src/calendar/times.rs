//! Dates and moments as Google writes them, and how far into time an event reaches. Pure; what
//! follows from it for a feed is in `fold`.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use nuncio_google::{RawEvent, RawTime};
use nuncio_model::{EventTime, ZonedTime};

/// Longer names of zones are not Google's; the longest of IANA has 32 characters.
const MAX_ZONE_BYTES: usize = 64;

/// A date without a zone may end so much later than it does in UTC: the zone furthest west.
const WEST_MS: i64 = 12 * 60 * 60 * 1_000;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What is wrong with a time that is still of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A moment without an offset, taken as UTC: there is no table of zones here.
    NoOffset,
    /// A zone whose name cannot be one, left out.
    NoZone,
}

/// A date or a moment; `None` if it is neither.
pub fn time(raw: &RawTime) -> Option<(EventTime, Option<Flaw>)> {
    if let Some(text) = &raw.date_time {
        let (at, offset, no_offset) = moment(text)?;
        let zone = raw.time_zone.as_ref().filter(|zone| !zone.is_empty());
        let time_zone = zone.filter(|zone| is_zone(zone)).cloned();
        let flaw = match (no_offset, zone.is_some() && time_zone.is_none()) {
            (true, _) => Some(Flaw::NoOffset),
            (false, true) => Some(Flaw::NoZone),
            (false, false) => None,
        };
        let time = EventTime::At(ZonedTime {
            time: at.as_millisecond(),
            offset: i16::try_from(offset.seconds() / 60).unwrap_or(0),
            time_zone,
        });
        return Some((time, flaw));
    }
    let text = raw.date.as_deref()?;
    date(text).map(|_| (EventTime::Date(text.to_owned()), None))
}

/// A moment in the form of RFC 3339, in milliseconds since 1970.
pub fn millis(text: &str) -> Option<i64> {
    moment(text).map(|(at, _, _)| at.as_millisecond())
}

/// Whether the event reaches past `floor` (milliseconds since 1970): it ends later, or repeats
/// later. A series without an end does always, and so does what cannot be told: better an event
/// too many than one lost. Dates are taken as they end furthest west.
pub fn reaches(event: &RawEvent, floor: Option<i64>) -> bool {
    let Some(floor) = floor else { return true };
    let start = event.start.as_ref().and_then(latest);
    let end = event.end.as_ref().and_then(latest);
    let end = match event.end_time_unspecified {
        Some(true) => start,
        _ => end.or(start),
    };
    let rules = event.recurrence.as_deref().unwrap_or_default();
    if rules.is_empty() {
        return end.is_none_or(|end| end >= floor);
    }
    let length = match (start, end) {
        (Some(start), Some(end)) => end.saturating_sub(start).max(0),
        _ => return true,
    };
    rules
        .iter()
        .filter(|line| !line.to_ascii_uppercase().starts_with("EX"))
        .any(|line| until(line).is_none_or(|until| until.saturating_add(length) >= floor))
}

/// The last moment that a rule may name; none without an end, and for lines of dates.
fn until(line: &str) -> Option<i64> {
    let (name, rule) = line.split_once(':')?;
    if !name.to_ascii_uppercase().starts_with("RRULE") {
        return None;
    }
    let value = rule.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("UNTIL").then_some(value)
    })?;
    let digits: u32 = value.trim().get(..8)?.parse().ok()?;
    let (year, month, day) = (digits / 10_000, digits / 100 % 100, digits % 100);
    let date = Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    // Whatever its time and zone: the end of that day furthest west.
    Some(midnight(date)?.saturating_add(DAY_MS + WEST_MS))
}

/// The time in milliseconds since 1970; of a date, its midnight furthest west.
fn latest(raw: &RawTime) -> Option<i64> {
    match time(raw)?.0 {
        EventTime::At(at) => Some(at.time),
        EventTime::Date(text) => Some(midnight(date(&text)?)?.saturating_add(WEST_MS)),
    }
}

fn midnight(date: Date) -> Option<i64> {
    let at = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(at.as_millisecond())
}

/// A date as `yyyy-mm-dd`, which other forms of ISO 8601 are not.
fn date(text: &str) -> Option<Date> {
    let plain = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    plain.then(|| text.parse().ok()).flatten()
}

/// A moment, its offset, and whether the offset is missing and UTC was taken.
fn moment(text: &str) -> Option<(Timestamp, Offset, bool)> {
    let pieces = Pieces::parse(text).ok()?;
    let time = pieces.time()?;
    let offset = pieces.to_numeric_offset();
    let at = offset
        .unwrap_or(Offset::UTC)
        .to_timestamp(pieces.date().to_datetime(time))
        .ok()?;
    Some((at, offset.unwrap_or(Offset::UTC), offset.is_none()))
}

fn is_zone(zone: &str) -> bool {
    zone.len() <= MAX_ZONE_BYTES
        && zone
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_-+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(json: serde_json::Value) -> RawTime {
        serde_json::from_value(json).unwrap()
    }

    fn read(json: serde_json::Value) -> Option<(EventTime, Option<Flaw>)> {
        time(&raw(json))
    }

    #[test]
    fn offsets_and_zones_are_kept() {
        let at = |time, offset, zone: Option<&str>| {
            EventTime::At(ZonedTime {
                time,
                offset,
                time_zone: zone.map(str::to_owned),
            })
        };
        // date -u -d '2026-03-01 09:30' +%s
        let nine = 1_772_357_400_000;
        let cases = [
            ("2026-03-01T10:30:00+01:00", "Europe/Berlin", 60),
            ("2026-03-01T15:00:00.000+05:30", "Asia/Kolkata", 330),
            ("2026-03-01T09:30:00Z", "UTC", 0),
            ("2026-02-28t23:30:00-10:00", "Etc/GMT+10", -600),
        ];
        for (text, zone, offset) in cases {
            assert_eq!(
                read(serde_json::json!({ "dateTime": text, "timeZone": zone })),
                Some((at(nine, offset, Some(zone)), None)),
                "{text}"
            );
        }
        assert_eq!(
            read(serde_json::json!({ "dateTime": "2026-03-01T09:30:00", "timeZone": "UTC" })),
            Some((at(nine, 0, Some("UTC")), Some(Flaw::NoOffset)))
        );
        assert_eq!(
            read(
                serde_json::json!({ "dateTime": "2026-03-01T09:30:00Z", "timeZone": "a\u{202e}b" })
            ),
            Some((at(nine, 0, None), Some(Flaw::NoZone)))
        );
        assert_eq!(
            read(serde_json::json!({ "date": "2024-02-29", "timeZone": "x" })),
            Some((EventTime::Date("2024-02-29".into()), None))
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "0000-00-00",
            "2026-02-30",
            "2026-13-01",
            "20260301",
            "2026-3-1",
            "+002026-03-01",
            "2026-03-01T00:00:00Z",
            "not a time",
        ] {
            assert_eq!(read(serde_json::json!({ "date": text })), None, "{text}");
        }
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T25:00:00Z",
            "2026-03-01T00:00:00+99:00",
            "soon",
        ] {
            assert_eq!(
                read(serde_json::json!({ "dateTime": text })),
                None,
                "{text}"
            );
        }
        assert_eq!(read(serde_json::json!({})), None);
    }

    fn event(json: serde_json::Value) -> RawEvent {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn an_event_belongs_if_it_reaches_past_the_floor() {
        let day = |text: &str| serde_json::json!({ "date": text });
        let single = |end: &str| {
            event(serde_json::json!({ "id": "e", "start": day("2026-01-01"), "end": day(end) }))
        };
        let series = |rules: &[&str]| {
            event(
                serde_json::json!({ "id": "e", "start": day("2025-01-01"), "end": day("2025-01-02"), "recurrence": rules }),
            )
        };
        let floor = millis("2026-03-01T00:00:00Z");
        let belongs = |event: &RawEvent| reaches(event, floor);
        assert!(!belongs(&single("2026-02-27")));
        assert!(belongs(&single("2026-03-01")), "at noon UTC furthest west");
        assert!(!belongs(&single("2026-02-28")));
        assert!(belongs(&series(&["RRULE:FREQ=DAILY"])));
        assert!(belongs(&series(&["RRULE:FREQ=DAILY;COUNT=2"])));
        assert!(!belongs(&series(&[
            "RRULE:FREQ=DAILY;UNTIL=20260101T000000Z"
        ])));
        assert!(!belongs(&series(&[
            "EXDATE:20270101",
            "RRULE:UNTIL=20260101"
        ])));
        assert!(belongs(&series(&["RRULE:FREQ=DAILY;until=20260301"])));
        assert!(belongs(&series(&[
            "RRULE:UNTIL=20260101",
            "RDATE:20270101"
        ])));
        assert!(belongs(&series(&["RRULE:UNTIL=nonsense", "x"])));
        assert!(belongs(&event(serde_json::json!({ "id": "e" }))));
        let unspecified = event(serde_json::json!({ "id": "e", "endTimeUnspecified": true,
            "start": day("2026-01-01"), "end": day("2027-01-01") }));
        assert!(!belongs(&unspecified));
        assert!(reaches(&unspecified, None));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[-+:.TZtz0-9/\\[\\] a-zä]{0,40}", zone in ".{0,80}", floor: i64) {
            let raw = RawTime { date: Some(text.clone()), date_time: None, time_zone: Some(zone.clone()) };
            time(&raw);
            let raw = RawTime { date: None, date_time: Some(text.clone()), time_zone: Some(zone) };
            time(&raw);
            let event = RawEvent {
                start: Some(raw.clone()), end: Some(raw),
                recurrence: Some(vec![format!("RRULE:UNTIL={text}"), text]),
                ..RawEvent::default()
            };
            reaches(&event, Some(floor));
        }

        #[test]
        fn any_moment_is_read_as_it_is_written(ms in -60_000_000_000_000_i64..200_000_000_000_000, offset in -720_i16..=840) {
            let at = Timestamp::from_millisecond(ms).unwrap();
            let zone = Offset::from_seconds(i32::from(offset) * 60).unwrap();
            let text = at.display_with_offset(zone).to_string();
            let read = time(&RawTime { date_time: Some(text), ..RawTime::default() });
            prop_assert_eq!(read, Some((EventTime::At(ZonedTime { time: ms, offset, time_zone: None }), None)));
        }
    }
}
