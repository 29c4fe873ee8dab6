//! What a project spent in a day and in the last minute. A day begins at midnight in Pacific
//! time, as Google's do. Walks leave a reserve of it to live calls.

use super::{ApiName, PauseCause, Paused, Purpose};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use std::collections::VecDeque;
use std::time::Duration;

/// The part of a day's units that walks leave to live calls, in hundredths.
const LIVE_RESERVE_PERCENT: u64 = 5;

/// What was spent in a day, to be kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayUsage {
    /// The API.
    pub api: ApiName,
    /// When the day began, in milliseconds since 1970.
    pub began_at: i64,
    /// Units spent.
    pub used: u64,
}

/// The count of one API.
#[derive(Debug)]
pub(super) struct Day {
    limit: Option<u64>,
    began_at: i64,
    ends_at: i64,
    used: u64,
    /// Second and units, of the last minute.
    seconds: VecDeque<(i64, u64)>,
}

impl Day {
    pub(super) fn new(limit: Option<u64>, now_ms: i64, kept: Option<&DayUsage>) -> Self {
        let (began_at, ends_at) = bounds(now_ms);
        let used = kept
            .filter(|kept| kept.began_at == began_at)
            .map_or(0, |kept| kept.used);
        Self {
            limit,
            began_at,
            ends_at,
            used,
            seconds: VecDeque::new(),
        }
    }

    /// Charges a call, or says how long until the next day begins.
    pub(super) fn take(&mut self, units: u64, purpose: Purpose, now_ms: i64) -> Result<(), Paused> {
        self.turn(now_ms);
        let limit = self.limit.map(|limit| match purpose {
            Purpose::Live => limit,
            Purpose::Walk => limit - limit * LIVE_RESERVE_PERCENT / 100,
        });
        if limit.is_some_and(|limit| self.used + units > limit) {
            let left = u64::try_from(self.ends_at - now_ms).unwrap_or_default();
            return Err(Paused {
                left: Duration::from_millis(left.max(1)),
                cause: PauseCause::Day,
            });
        }
        self.used += units;
        let second = now_ms.div_euclid(1_000);
        match self.seconds.back_mut() {
            Some((last, spent)) if *last >= second => *spent += units,
            _ => self.seconds.push_back((second, units)),
        }
        Ok(())
    }

    pub(super) fn used(&mut self, now_ms: i64) -> u64 {
        self.turn(now_ms);
        self.used
    }

    pub(super) fn in_last_minute(&mut self, now_ms: i64) -> u64 {
        let first = now_ms.div_euclid(1_000) - 59;
        while self
            .seconds
            .front()
            .is_some_and(|(second, _)| *second < first)
        {
            self.seconds.pop_front();
        }
        self.seconds.iter().map(|(_, units)| units).sum()
    }

    /// Units at the end of the day if it goes on as in the last minute.
    pub(super) fn forecast(&mut self, now_ms: i64) -> Option<u64> {
        self.limit?;
        let per_minute = self.in_last_minute(now_ms);
        let used = self.used(now_ms);
        let left_ms = u64::try_from(self.ends_at - now_ms).unwrap_or_default();
        Some(used.saturating_add(per_minute.saturating_mul(left_ms) / 60_000))
    }

    pub(super) fn snapshot(&mut self, api: ApiName, now_ms: i64) -> DayUsage {
        DayUsage {
            api,
            used: self.used(now_ms),
            began_at: self.began_at,
        }
    }

    /// Begins a new day if it is time. A clock that goes back does not bring a day back.
    fn turn(&mut self, now_ms: i64) {
        if now_ms >= self.ends_at {
            (self.began_at, self.ends_at) = bounds(now_ms);
            self.used = 0;
        }
    }
}

/// When the day of `now_ms` begins and ends.
fn bounds(now_ms: i64) -> (i64, i64) {
    // Without a time zone database: Pacific standard time, an hour late in summer.
    let pacific = TimeZone::get("America/Los_Angeles")
        .unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(-8)));
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let days = || -> Result<(Zoned, Zoned), jiff::Error> {
        let began = now.to_zoned(pacific).start_of_day()?;
        let ends = began.checked_add(1.day())?.start_of_day()?;
        Ok((began, ends))
    };
    match days() {
        Ok((began, ends)) => (
            began.timestamp().as_millisecond(),
            ends.timestamp().as_millisecond(),
        ),
        Err(_) => (now_ms, now_ms.saturating_add(86_400_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn a_day_begins_at_midnight_in_pacific_time() {
        let noon = at("2026-01-15T12:00:00-08:00");
        let mut day = Day::new(Some(1_000), noon, None);
        assert_eq!(day.began_at, at("2026-01-15T00:00:00-08:00"));
        day.take(950, Purpose::Walk, noon).unwrap();
        let refused = day.take(1, Purpose::Walk, noon).unwrap_err();
        assert_eq!(refused.left, Duration::from_secs(12 * 3_600));
        day.take(50, Purpose::Live, noon).unwrap();
        assert!(day.take(1, Purpose::Live, noon).is_err());
        assert_eq!((day.used(noon), day.in_last_minute(noon)), (1_000, 1_000));
        let next = at("2026-01-16T00:00:00-08:00");
        day.take(1, Purpose::Walk, next).unwrap();
        assert_eq!((day.used(next), day.in_last_minute(next)), (1, 1));
    }

    #[test]
    fn what_was_kept_counts_on_its_own_day_only() {
        let noon = at("2026-01-15T12:00:00-08:00");
        let mut day = Day::new(Some(1_000), noon, None);
        day.take(600, Purpose::Live, noon).unwrap();
        let kept = day.snapshot(ApiName::Gmail, noon);
        let mut same = Day::new(Some(1_000), noon + 1, Some(&kept));
        assert_eq!(same.used(noon + 1), 600);
        let tomorrow = noon + 86_400_000;
        assert_eq!(
            Day::new(Some(1_000), tomorrow, Some(&kept)).used(tomorrow),
            0
        );
    }

    #[test]
    fn the_forecast_goes_on_as_the_last_minute_did() {
        let evening = at("2026-01-15T23:00:00-08:00");
        let mut day = Day::new(Some(100_000), evening, None);
        for second in 0..60 {
            day.take(10, Purpose::Live, evening + second * 1_000)
                .unwrap();
        }
        let now = evening + 59_000;
        assert_eq!(
            day.forecast(now),
            Some(600 + 600 * (3_600_000 - 59_000) / 60_000)
        );
        assert_eq!(Day::new(None, now, None).forecast(now), None);
    }
}
