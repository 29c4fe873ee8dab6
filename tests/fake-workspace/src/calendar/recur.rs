//! A small expander of RFC 5545 recurrence: RRULE with the usual parts, RDATE and EXDATE, in local time.
//! HOURLY and finer rules, BYWEEKNO, BYYEARDAY and EXRULE are accepted, and expanded to the first instance or not at all.
//!
//! See <https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10>.

use super::when::When;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::collections::BTreeSet;

/// Periods of a rule that are looked at before it counts as without end and without instances.
const MAX_PERIODS: i64 = 20_000;

/// Start, end and rules of an event: all that decides when it takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) start: When,
    pub(crate) end: When,
    pub(crate) recurrence: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
    /// HOURLY and finer: only the first instance is known.
    Finer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Until {
    /// A date or a local time: compared with the wall clock.
    Local(DateTime),
    At(Timestamp),
}

/// One RRULE.
#[derive(Debug, Clone)]
struct Rule {
    frequency: Frequency,
    interval: i64,
    count: Option<usize>,
    until: Option<Until>,
    by_day: Vec<(Option<i8>, Weekday)>,
    by_month_day: Vec<i8>,
    by_month: Vec<i8>,
    by_set_position: Vec<i32>,
    week_start: Weekday,
}

/// Whether every line is one that Google takes: RRULE, EXRULE, RDATE or EXDATE with a value that can be read.
pub(crate) fn is_valid(lines: &[String]) -> bool {
    lines.iter().all(|line| match split(line) {
        Some(("RRULE" | "EXRULE", _, value)) => Rule::parse(value).is_some(),
        Some(("RDATE" | "EXDATE", zone, value)) => value
            .split(',')
            .all(|part| Moment::parse(part, zone).is_some()),
        _ => false,
    })
}

/// The starts of all instances before `limit`, in order, at most `max` of them.
pub(crate) fn expand(
    shape: &Shape,
    limit: Timestamp,
    calendar_zone: &TimeZone,
    max: usize,
) -> Vec<When> {
    let first = shape.start.local();
    let mut starts: BTreeSet<DateTime> = BTreeSet::new();
    // The start counts as the first instance even where the rule does not name it.
    starts.insert(first);
    let mut excluded = BTreeSet::new();
    for line in &shape.recurrence {
        match split(line) {
            Some(("RRULE", _, value)) => {
                if let Some(rule) = Rule::parse(value) {
                    rule.starts(shape, limit, calendar_zone, max, &mut starts);
                }
            }
            Some((name @ ("RDATE" | "EXDATE"), zone, value)) => {
                let moments = value.split(',').filter_map(|part| {
                    Moment::parse(part, zone).map(|moment| moment.local(&shape.start))
                });
                if name == "RDATE" {
                    starts.extend(moments);
                } else {
                    excluded.extend(moments);
                }
            }
            _ => {}
        }
    }
    starts
        .into_iter()
        .filter(|start| !excluded.contains(start))
        .filter_map(|start| shape.start.at_local(start))
        .filter(|start| start.instant(calendar_zone) < limit)
        .take(max)
        .collect()
}

/// `NAME;TZID=zone:value` as name, zone and value.
fn split(line: &str) -> Option<(&str, Option<&str>, &str)> {
    let (head, value) = line.split_once(':')?;
    let mut parts = head.split(';');
    let name = parts.next()?;
    let zone = parts.find_map(|part| part.strip_prefix("TZID="));
    Some((name, zone, value))
}

/// A value of RDATE, EXDATE or UNTIL.
#[derive(Debug, Clone, PartialEq)]
enum Moment {
    Day(Date),
    Local(DateTime),
    At(Timestamp),
}

impl Moment {
    fn parse(text: &str, zone: Option<&str>) -> Option<Self> {
        let text = text.trim();
        if text.len() == 8 {
            return Date::strptime("%Y%m%d", text).ok().map(Self::Day);
        }
        let (local, utc) = match text.strip_suffix('Z') {
            Some(local) => (local, true),
            None => (text, false),
        };
        let local = DateTime::strptime("%Y%m%dT%H%M%S", local).ok()?;
        if utc {
            return Some(Self::At(local.to_zoned(TimeZone::UTC).ok()?.timestamp()));
        }
        match zone {
            None => Some(Self::Local(local)),
            Some(zone) => {
                let zoned = local.to_zoned(super::when::time_zone(zone)?).ok()?;
                Some(Self::At(zoned.timestamp()))
            }
        }
    }

    /// The wall clock that it means for an event that starts at `start`.
    fn local(&self, start: &When) -> DateTime {
        match self {
            Self::Local(local) => *local,
            // A date excludes or adds the instance of that day, at the event's time.
            Self::Day(date) => date.to_datetime(start.local().time()),
            Self::At(at) => match start {
                When::Day(_) => at
                    .to_zoned(TimeZone::UTC)
                    .date()
                    .to_datetime(jiff::civil::Time::midnight()),
                When::Time { zone, .. } => When::Time {
                    at: *at,
                    zone: zone.clone(),
                }
                .local(),
            },
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let mut rule = Self {
            frequency: Frequency::Finer,
            interval: 1,
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
            by_set_position: Vec::new(),
            week_start: Weekday::Monday,
        };
        let mut named = false;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => {
                    named = true;
                    rule.frequency = match value.to_ascii_uppercase().as_str() {
                        "DAILY" => Frequency::Daily,
                        "WEEKLY" => Frequency::Weekly,
                        "MONTHLY" => Frequency::Monthly,
                        "YEARLY" => Frequency::Yearly,
                        "HOURLY" | "MINUTELY" | "SECONDLY" => Frequency::Finer,
                        _ => return None,
                    };
                }
                "INTERVAL" => {
                    rule.interval = value.parse().ok().filter(|n| (1..=10_000).contains(n))?
                }
                "COUNT" => rule.count = Some(value.parse().ok().filter(|n| *n > 0)?),
                "UNTIL" => {
                    rule.until = Some(match Moment::parse(value, None)? {
                        Moment::Day(date) => {
                            Until::Local(date.to_datetime(jiff::civil::time(23, 59, 59, 0)))
                        }
                        Moment::Local(local) => Until::Local(local),
                        Moment::At(at) => Until::At(at),
                    });
                }
                "BYDAY" => rule.by_day = list(value, parse_day)?,
                "BYMONTHDAY" => {
                    rule.by_month_day = list(value, |text| number(text, 31).map(|n| n as i8))?;
                }
                "BYMONTH" => {
                    rule.by_month = list(value, |text| {
                        number(text, 12).filter(|n| *n > 0).map(|n| n as i8)
                    })?;
                }
                "BYSETPOS" => rule.by_set_position = list(value, |text| number(text, 366))?,
                "WKST" => rule.week_start = weekday(value)?,
                "BYWEEKNO" | "BYYEARDAY" | "BYHOUR" | "BYMINUTE" | "BYSECOND" => {}
                _ => return None,
            }
        }
        // RFC 5545 forbids both at once, and so does Google.
        (named && !(rule.count.is_some() && rule.until.is_some())).then_some(rule)
    }

    /// Adds the starts that the rule makes to `starts`, which has the first one already.
    fn starts(
        &self,
        shape: &Shape,
        limit: Timestamp,
        calendar_zone: &TimeZone,
        max: usize,
        starts: &mut BTreeSet<DateTime>,
    ) {
        let first = shape.start.local();
        let mut n_found = 1;
        let ended =
            |n_found: usize| self.count.is_some_and(|count| n_found >= count) || n_found >= max;
        for period in 0..MAX_PERIODS {
            let Some(dates) = self.period(first.date(), period) else {
                return;
            };
            for date in dates {
                let local = date.to_datetime(first.time());
                if local <= first {
                    continue;
                }
                let Some(start) = shape.start.at_local(local) else {
                    return;
                };
                let at = start.instant(calendar_zone);
                if ended(n_found) || at >= limit || self.is_past_end(local, at) {
                    return;
                }
                n_found += 1;
                starts.insert(local);
            }
        }
    }

    fn is_past_end(&self, local: DateTime, at: Timestamp) -> bool {
        match &self.until {
            None => false,
            Some(Until::Local(until)) => local > *until,
            Some(Until::At(until)) => at > *until,
        }
    }

    /// The dates of the period with this number, in order; `None` past the end of the calendar.
    fn period(&self, first: Date, number: i64) -> Option<Vec<Date>> {
        let steps = number.checked_mul(self.interval)?;
        let mut dates = match self.frequency {
            Frequency::Finer => return None,
            Frequency::Daily => {
                let date = plus_days(first, steps)?;
                let fits = self.fits_month(date)
                    && self.fits_month_day(date)
                    && (self.by_day.is_empty() || self.has_weekday(date));
                if fits { vec![date] } else { Vec::new() }
            }
            Frequency::Weekly => {
                let offset = first.weekday().since(self.week_start);
                let start = plus_days(first, steps.checked_mul(7)? - i64::from(offset))?;
                (0..7)
                    .filter_map(|day| plus_days(start, day))
                    .filter(|date| self.fits_month(*date))
                    .filter(|date| {
                        if self.by_day.is_empty() {
                            date.weekday() == first.weekday()
                        } else {
                            self.has_weekday(*date)
                        }
                    })
                    .collect()
            }
            Frequency::Monthly => {
                let months = Span::new().try_months(steps).ok()?;
                let month = first.first_of_month().checked_add(months).ok()?;
                if self.fits_month(month) {
                    self.in_month(month, first.day())
                } else {
                    Vec::new()
                }
            }
            Frequency::Yearly => {
                let year = i16::try_from(i64::from(first.year()).checked_add(steps)?).ok()?;
                self.in_year(Date::new(year, 1, 1).ok()?, first)
            }
        };
        dates.sort_unstable();
        dates.dedup();
        if !self.by_set_position.is_empty() {
            dates = self.at_positions(&dates);
        }
        Some(dates)
    }

    fn in_month(&self, month: Date, default_day: i8) -> Vec<Date> {
        let all = || (0..month.days_in_month()).filter_map(|day| plus_days(month, i64::from(day)));
        if !self.by_month_day.is_empty() {
            return all()
                .filter(|date| self.fits_month_day(*date))
                .filter(|date| self.by_day.is_empty() || self.has_weekday(*date))
                .collect();
        }
        if self.by_day.is_empty() {
            return Date::new(month.year(), month.month(), default_day)
                .into_iter()
                .collect();
        }
        self.by_day
            .iter()
            .flat_map(|(nth, weekday)| match nth {
                Some(nth) => month
                    .nth_weekday_of_month(*nth, *weekday)
                    .into_iter()
                    .collect::<Vec<_>>(),
                None => all().filter(|date| date.weekday() == *weekday).collect(),
            })
            .collect()
    }

    fn in_year(&self, new_year: Date, first: Date) -> Vec<Date> {
        let month = |month: i8| Date::new(new_year.year(), month, 1).ok();
        if !self.by_month.is_empty() {
            return self
                .by_month
                .iter()
                .filter_map(|number| month(*number))
                .flat_map(|month| self.in_month(month, first.day()))
                .collect();
        }
        if !self.by_month_day.is_empty() {
            return (1..=12)
                .filter_map(month)
                .flat_map(|month| self.in_month(month, first.day()))
                .collect();
        }
        if self.by_day.is_empty() {
            return Date::new(new_year.year(), first.month(), first.day())
                .into_iter()
                .collect();
        }
        let all: Vec<Date> = (0..i64::from(new_year.days_in_year()))
            .filter_map(|day| plus_days(new_year, day))
            .collect();
        self.by_day
            .iter()
            .flat_map(|(nth, weekday)| {
                let same: Vec<Date> = all
                    .iter()
                    .filter(|date| date.weekday() == *weekday)
                    .copied()
                    .collect();
                match nth {
                    None => same,
                    Some(nth) => position(&same, i32::from(*nth)).into_iter().collect(),
                }
            })
            .collect()
    }

    fn at_positions(&self, dates: &[Date]) -> Vec<Date> {
        let mut chosen: Vec<Date> = self
            .by_set_position
            .iter()
            .filter_map(|wanted| position(dates, *wanted))
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn fits_month(&self, date: Date) -> bool {
        self.by_month.is_empty() || self.by_month.contains(&date.month())
    }

    fn fits_month_day(&self, date: Date) -> bool {
        let from_end = date.day() - date.days_in_month() - 1;
        self.by_month_day.is_empty()
            || self.by_month_day.contains(&date.day())
            || self.by_month_day.contains(&from_end)
    }

    fn has_weekday(&self, date: Date) -> bool {
        self.by_day.iter().any(|(_, day)| *day == date.weekday())
    }
}

/// The item at a place counted from 1, or from the end if negative.
fn position(dates: &[Date], wanted: i32) -> Option<Date> {
    let at = if wanted > 0 {
        usize::try_from(wanted - 1).ok()?
    } else {
        dates.len().checked_sub(usize::try_from(-wanted).ok()?)?
    };
    dates.get(at).copied()
}

fn plus_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(|part| parse(part.trim())).collect()
}

/// A number that is not 0, with a size of at most `max`.
fn number(text: &str, max: i32) -> Option<i32> {
    let number: i32 = text.parse().ok()?;
    (number != 0 && (-max..=max).contains(&number)).then_some(number)
}

fn parse_day(text: &str) -> Option<(Option<i8>, Weekday)> {
    let at = text.len().checked_sub(2)?;
    let day = weekday(text.get(at..)?)?;
    match text.get(..at)? {
        "" => Some((None, day)),
        nth => Some((Some(number(nth, 53)? as i8), day)),
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn timed(start: &str, zone: &str, rules: &[&str]) -> Shape {
        let parse = |text: &str| {
            When::parse(&json!({ "dateTime": text, "timeZone": zone }), "UTC").unwrap()
        };
        let start = parse(start);
        Shape {
            end: start.clone(),
            start,
            recurrence: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        }
    }

    fn suffixes(shape: &Shape, max: usize) -> Vec<String> {
        let limit = "2040-01-01T00:00:00Z".parse().unwrap();
        expand(shape, limit, &TimeZone::UTC, max)
            .iter()
            .map(When::id_suffix)
            .collect()
    }

    fn dates(start: &str, rules: &[&str], max: usize) -> Vec<String> {
        let day = When::parse(&json!({ "date": start }), "UTC").unwrap();
        let shape = Shape {
            start: day.clone(),
            end: day,
            recurrence: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        };
        suffixes(&shape, max)
    }

    #[test]
    fn rules_expand_as_in_the_examples_of_the_rfc() {
        for (start, rule, expected) in [
            (
                "1997-09-02",
                "RRULE:FREQ=DAILY;INTERVAL=10;COUNT=5",
                "19970902 19970912 19970922 19971002 19971012",
            ),
            (
                "1997-09-02",
                "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;COUNT=4;BYDAY=TU,TH",
                "19970902 19970904 19970916 19970918",
            ),
            (
                "1997-08-05",
                "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
                "19970805 19970810 19970819 19970824",
            ),
            (
                "1997-08-05",
                "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
                "19970805 19970817 19970819 19970831",
            ),
            (
                "1997-09-05",
                "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
                "19970905 19971003 19971107",
            ),
            (
                "1997-09-22",
                "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=-2MO",
                "19970922 19971020 19971117",
            ),
            (
                "1997-09-28",
                "RRULE:FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3",
                "19970928 19971029 19971128",
            ),
            (
                "1997-09-30",
                "RRULE:FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1",
                "19970930 19971001 19971031 19971101",
            ),
            (
                "1997-01-31",
                "RRULE:FREQ=MONTHLY;COUNT=4",
                "19970131 19970331 19970531 19970731",
            ),
            (
                "1997-06-10",
                "RRULE:FREQ=YEARLY;COUNT=4;BYMONTH=6,7",
                "19970610 19970710 19980610 19980710",
            ),
            (
                "1997-05-19",
                "RRULE:FREQ=YEARLY;COUNT=3;BYDAY=20MO",
                "19970519 19980518 19990517",
            ),
            (
                "2024-02-29",
                "RRULE:FREQ=YEARLY;COUNT=3",
                "20240229 20280229 20320229",
            ),
            (
                "1997-09-29",
                "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
                "19970929 19971030 19971127",
            ),
            (
                "1997-09-02",
                "RRULE:FREQ=DAILY;UNTIL=19970904",
                "19970902 19970903 19970904",
            ),
            ("1997-09-02", "RRULE:FREQ=HOURLY;COUNT=3", "19970902"),
        ] {
            assert_eq!(dates(start, &[rule], 10).join(" "), expected, "{rule}");
        }
    }

    #[test]
    fn excluded_and_added_dates_count() {
        let rules = [
            "RRULE:FREQ=DAILY;COUNT=4",
            "EXDATE;VALUE=DATE:20260303,20260302",
            "RDATE;VALUE=DATE:20260310",
        ];
        assert_eq!(
            dates("2026-03-02", &rules, 10),
            ["20260304", "20260305", "20260310"]
        );
        let shape = timed(
            "2026-03-02T09:00:00",
            "Europe/Berlin",
            &[
                "RRULE:FREQ=DAILY;COUNT=4",
                "EXDATE;TZID=Europe/Berlin:20260303T090000",
                "EXDATE:20260304T080000Z",
            ],
        );
        assert_eq!(
            suffixes(&shape, 10),
            ["20260302T080000Z", "20260305T080000Z"]
        );
    }

    #[test]
    fn the_wall_clock_stays_over_a_change_to_summer_time() {
        let shape = timed(
            "2026-03-27T09:00:00",
            "Europe/Berlin",
            &["RRULE:FREQ=DAILY;COUNT=4"],
        );
        assert_eq!(
            suffixes(&shape, 10),
            [
                "20260327T080000Z",
                "20260328T080000Z",
                "20260329T070000Z",
                "20260330T070000Z"
            ]
        );
        // 02:30 does not exist on the 29th: it is moved past the gap, and the next day is at 02:30 again.
        let shape = timed(
            "2026-03-28T02:30:00",
            "Europe/Berlin",
            &["RRULE:FREQ=DAILY;COUNT=3"],
        );
        assert_eq!(
            suffixes(&shape, 10),
            ["20260328T013000Z", "20260329T013000Z", "20260330T003000Z"]
        );
    }

    #[test]
    fn until_is_inclusive_in_utc() {
        let shape = timed(
            "2026-01-05T09:00:00",
            "America/New_York",
            &["RRULE:FREQ=WEEKLY;UNTIL=20260119T140000Z"],
        );
        assert_eq!(suffixes(&shape, 10).len(), 3);
        let shape = timed(
            "2026-01-05T09:00:00",
            "America/New_York",
            &["RRULE:FREQ=WEEKLY;UNTIL=20260119T135959Z"],
        );
        assert_eq!(suffixes(&shape, 10).len(), 2);
    }

    #[test]
    fn garbage_is_no_rule() {
        for line in [
            "",
            "RRULE",
            "RRULE:",
            "RRULE:FREQ=SOMETIMES",
            "RRULE:COUNT=3",
            "RRULE:FREQ=DAILY;COUNT=0",
            "RRULE:FREQ=DAILY;INTERVAL=-1",
            "RRULE:FREQ=WEEKLY;BYDAY=XX",
            "RRULE:FREQ=WEEKLY;BYDAY=ÄÖ",
            "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260101",
            "DTSTART:20260101",
            "EXDATE:yesterday",
        ] {
            assert!(!is_valid(&[line.to_owned()]), "{line}");
        }
        assert!(is_valid(&["RRULE:FREQ=YEARLY;BYWEEKNO=20".to_owned()]));
    }
}
