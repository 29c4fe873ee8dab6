//! A budget of units per minute as a leaky bucket with reservations: whoever spends is told when
//! the units are there and waits until then, so there is no queue to keep. Which budgets a call
//! spends is in `mod.rs`.
//!
//! Google counts what was spent within the last minute. The bucket refills a little slower than
//! the limit and holds a little: over any minute both together are within the limit, with room
//! for calls that reach Google closer together than they were sent.

use std::time::Duration;
use tokio::time::Instant;

/// The part of a minute's units that may be spent at once, in thousandths.
const BURST_PER_MILLE: u64 = 5;

/// The part that is left unspent, in thousandths: for what the network bunches together, and
/// since Google counts in slices of its own.
const SLACK_PER_MILLE: u64 = 22;

/// A budget; an unlimited one only keeps its pauses and its count.
#[derive(Debug)]
pub(crate) struct Budget {
    /// How long one unit takes to come back, and how many may be spent at once; none: no limit.
    pace: Option<Pace>,
    /// When all that was spent will have come back.
    full_at: Instant,
    /// Nothing is spent before this, since Google said so.
    paused_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    unit_nanos: f64,
    burst_units: u64,
}

impl Budget {
    /// A budget of `per_minute` units, begun empty: a process before this one may have spent the
    /// burst. `largest` is the dearest call, which must fit at once.
    pub(crate) fn new(per_minute: Option<u64>, largest: u64, now: Instant) -> Self {
        let pace = per_minute.map(|per_minute| {
            let burst_units = (per_minute * BURST_PER_MILLE / 1_000).max(largest);
            let slack = per_minute * SLACK_PER_MILLE / 1_000;
            let steady = per_minute.saturating_sub(burst_units + slack).max(1);
            Pace {
                unit_nanos: 60e9 / to_f64(steady),
                burst_units,
            }
        });
        let full_at = now + pace.map_or(Duration::ZERO, |pace| pace.time_of(pace.burst_units));
        Self {
            pace,
            full_at,
            paused_until: None,
        }
    }

    /// When `units` can be spent, if nobody else spends before.
    pub(crate) fn ready_at(&self, units: u64, now: Instant) -> Instant {
        let refilled = self.pace.map_or(now, |pace| {
            let spent = self.full_at.max(now) + pace.time_of(units);
            let burst = pace.time_of(pace.burst_units.max(units));
            spent.checked_sub(burst).unwrap_or(now)
        });
        refilled.max(now).max(self.paused_until.unwrap_or(now))
    }

    /// Spends `units`; they may be used at the moment that [`Budget::ready_at`] gave before.
    pub(crate) fn spend(&mut self, units: u64, now: Instant) {
        if let Some(pace) = self.pace {
            self.full_at = self.full_at.max(now) + pace.time_of(units);
        }
    }

    /// Spends nothing before `until`. Never shortens a pause.
    pub(crate) fn pause(&mut self, until: Instant) {
        self.paused_until = Some(self.paused_until.map_or(until, |old| old.max(until)));
    }

    /// Google says that more was spent than is known here, by another client: begins empty again.
    pub(crate) fn drain(&mut self, now: Instant) {
        if let Some(pace) = self.pace {
            self.full_at = self.full_at.max(now + pace.time_of(pace.burst_units));
        }
    }

    /// Until when Google asked to wait, if that is still to come.
    pub(crate) fn pause_left(&self, now: Instant) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

impl Pace {
    fn time_of(self, units: u64) -> Duration {
        Duration::from_secs_f64(self.unit_nanos * to_f64(units) / 1e9)
    }
}

#[expect(clippy::cast_precision_loss, reason = "units are far below 2^53")]
fn to_f64(units: u64) -> f64 {
    units as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Spends as fast as it may for some minutes; gives the most that any minute saw, and the
    /// mean of a minute.
    fn greedy(per_minute: u64, price: u64, seed: u64) -> (u64, u64) {
        let start = Instant::now();
        let mut now = start;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut budget = Budget::new(Some(per_minute), price, now);
        let mut recent: VecDeque<(Instant, u64)> = VecDeque::new();
        let (mut sum, mut most, mut total) = (0, 0, 0);
        while now < start + Duration::from_secs(300) {
            let at = budget.ready_at(price, now);
            budget.spend(price, now);
            now = at.max(now);
            recent.push_back((now, price));
            (sum, total) = (sum + price, total + price);
            while let Some((then, units)) = recent.front().copied()
                && now.duration_since(then) >= Duration::from_secs(60)
            {
                sum -= units;
                recent.pop_front();
            }
            most = most.max(sum);
            if random.u8(..) < 2 {
                now += Duration::from_millis(random.u64(..20_000)); // a lull fills the burst
            }
        }
        (most, total / 5)
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_holds_more_than_the_limit_and_nearly_all_is_used() {
        for (limit, price) in [
            (6_000, 20),
            (6_000, 40),
            (15_000, 5),
            (600, 1),
            (1_200_000, 20),
        ] {
            for seed in 0..5 {
                let (most, _) = greedy(limit, price, seed);
                assert!(most <= limit, "{most} of {limit} in one minute");
            }
        }
        // Without lulls: what a walk gets.
        let now = Instant::now();
        let mut budget = Budget::new(Some(6_000), 40, now);
        let mut at = now;
        let mut spent = 0;
        while at < now + Duration::from_secs(600) {
            let ready = budget.ready_at(20, at);
            budget.spend(20, at);
            at = ready;
            spent += 20;
        }
        assert!(
            spent / 10 >= 5_820,
            "{} units a minute of 6,000",
            spent / 10
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_owed_delays_the_next_one() {
        let now = Instant::now();
        let mut budget = Budget::new(Some(6_000), 40, now);
        let first = budget.ready_at(40, now);
        budget.spend(40, now);
        let second = budget.ready_at(40, now);
        assert!(second > first && first > now, "it begins empty");
        budget.pause(now + Duration::from_secs(90));
        budget.pause(now + Duration::from_secs(3));
        assert_eq!(budget.ready_at(1, now), now + Duration::from_secs(90));
        assert_eq!(budget.pause_left(now), Some(Duration::from_secs(90)));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        let now = Instant::now();
        let mut budget = Budget::new(None, 100, now);
        budget.spend(1_000_000_000, now);
        assert_eq!(budget.ready_at(1_000, now), now);
    }
}
