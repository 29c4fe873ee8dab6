//! Dates, moments and rules: what is read as a time is that time, also when it is written again,
//! and what reaches past a floor reaches past every earlier one.

use jiff::Timestamp;
use jiff::tz::Offset;
use nuncio_google::{RawEvent, RawTime};
use nuncio_model::EventTime;
use nuncio_sources::calendar::times;

/// The furthest offset that can be written, in minutes.
const FURTHEST: i16 = 26 * 60;

/// Checks lines: start, end, zone and rules of an event.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let (start, end, zone) = (next(), next(), next());
    for text in [&start, &end] {
        date(text);
        moment(text, &zone);
    }
    let rules: Vec<String> = lines.map(str::to_owned).collect();
    let either = |text: &str| match text.len() {
        10 => RawTime {
            date: Some(text.to_owned()),
            ..RawTime::default()
        },
        _ => RawTime {
            date_time: Some(text.to_owned()),
            time_zone: Some(zone.clone()),
            ..RawTime::default()
        },
    };
    let event = RawEvent {
        start: Some(either(&start)),
        end: Some(either(&end)),
        end_time_unspecified: Some(zone.is_empty()),
        recurrence: Some(rules),
        ..RawEvent::default()
    };
    reach(&event);
}

/// A floor takes nothing that a later one leaves.
pub(crate) fn reach(event: &RawEvent) {
    assert!(times::reaches(event, None));
    let floors = [
        i64::MIN,
        -62_135_596_800_000,
        -1,
        0,
        951_782_400_000,
        1_772_357_400_000,
        253_402_300_799_999,
        i64::MAX,
    ];
    let reached: Vec<bool> = floors
        .iter()
        .map(|floor| times::reaches(event, Some(*floor)))
        .collect();
    assert!(reached.is_sorted_by(|a, b| a >= b), "{reached:?}");
}

fn date(text: &str) {
    let raw = RawTime {
        date: Some(text.to_owned()),
        ..RawTime::default()
    };
    if let Some((time, flaw)) = times::time(&raw) {
        assert_eq!(time, EventTime::Date(text.to_owned()));
        assert_eq!(flaw, None);
        let date: jiff::civil::Date = text.parse().expect("a date that was taken");
        assert_eq!(date.to_string(), text);
    }
}

fn moment(text: &str, zone: &str) {
    let raw = RawTime {
        date_time: Some(text.to_owned()),
        time_zone: Some(zone.to_owned()),
        ..RawTime::default()
    };
    let Some((time, _)) = times::time(&raw) else {
        assert_eq!(times::millis(text), None);
        return;
    };
    let EventTime::At(at) = &time else {
        panic!("a moment was read as {time:?}")
    };
    assert_eq!(times::millis(text), Some(at.time));
    assert!((-FURTHEST..=FURTHEST).contains(&at.offset), "{at:?}");
    assert!(at.time_zone.as_ref().is_none_or(|kept| kept == zone));
    let written = Timestamp::from_millisecond(at.time).expect("a time that was read");
    let offset = Offset::from_seconds(i32::from(at.offset) * 60).expect("an offset that was read");
    let again = RawTime {
        date_time: Some(written.display_with_offset(offset).to_string()),
        time_zone: at.time_zone.clone(),
        ..RawTime::default()
    };
    assert_eq!(
        times::time(&again),
        Some((time, None)),
        "{again:?}",
        again = again.date_time
    );
}
