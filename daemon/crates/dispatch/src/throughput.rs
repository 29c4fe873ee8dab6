//! How fast a sink takes records: a count for each of the last seconds. What is shown of it, and
//! where, is decided by the reader.

use std::time::Duration;
use tokio::time::Instant;

/// The rate is an average over so many whole seconds: long enough to be calm between batches,
/// short enough to follow a stall.
const WINDOW_SECS: u64 = 10;

/// Records delivered in each of the last seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throughput {
    began: Instant,
    /// The second, from `began`, of the newest slot.
    newest: u64,
    /// Slot of a second: the second modulo the window. One more than the window, for the second
    /// that still runs.
    slots: [u64; WINDOW_SECS as usize + 1],
}

impl Throughput {
    /// Nothing delivered yet, from `now` on.
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            newest: 0,
            slots: [0; WINDOW_SECS as usize + 1],
        }
    }

    /// Counts records that were delivered at `now`.
    pub(crate) fn add(&mut self, n_delivered: u64, now: Instant) {
        let second = self.second(now);
        self.forget(second);
        if let Some(slot) = self.slots.get_mut(slot(second)) {
            *slot = slot.saturating_add(n_delivered);
        }
    }

    /// Records a second over the last ten whole seconds before `now`, or over as many as there
    /// were; none before the first one is over.
    pub fn per_second(&self, now: Instant) -> Option<f64> {
        let second = self.second(now);
        let n_seconds = second.min(WINDOW_SECS);
        if n_seconds == 0 {
            return None;
        }
        let mut kept = self.clone();
        kept.forget(second);
        let running = kept.slots.get(slot(second)).copied().unwrap_or_default();
        let n_delivered = kept.slots.iter().sum::<u64>() - running;
        // Far below 2^53.
        Some(n_delivered as f64 / n_seconds as f64)
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began)
            .max(Duration::from_secs(self.newest))
            .as_secs()
    }

    /// Empties the slots of the seconds after the newest one, up to and with `second`.
    fn forget(&mut self, second: u64) {
        let n_slots = self.slots.len() as u64;
        for passed in self.newest + 1..=second.min(self.newest + n_slots) {
            // A jump over the whole window empties all of it.
            if let Some(slot) = self.slots.get_mut(slot(passed)) {
                *slot = 0;
            }
        }
        self.newest = second;
    }
}

fn slot(second: u64) -> usize {
    (second % (WINDOW_SECS + 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(began: Instant, ms: u64) -> Instant {
        began + Duration::from_millis(ms)
    }

    #[test]
    fn unknown_before_the_first_second_then_an_average_of_whole_seconds() {
        let began = Instant::now();
        let mut throughput = Throughput::new(began);
        throughput.add(30, at(began, 100));
        assert_eq!(throughput.per_second(at(began, 999)), None);
        assert_eq!(throughput.per_second(at(began, 1_000)), Some(30.0));
        // The second that runs does not count yet, or the rate would jump at each batch.
        throughput.add(10, at(began, 2_500));
        assert_eq!(throughput.per_second(at(began, 2_600)), Some(15.0));
        assert_eq!(throughput.per_second(at(began, 4_000)), Some(10.0));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let began = Instant::now();
        let mut throughput = Throughput::new(began);
        for second in 0..60 {
            throughput.add(7, at(began, second * 1_000));
        }
        assert_eq!(throughput.per_second(at(began, 59_500)), Some(7.0));
        assert_eq!(throughput.per_second(at(began, 64_500)), Some(4.2));
        assert_eq!(throughput.per_second(at(began, 70_000)), Some(0.0));
        throughput.add(20, at(began, 1_000_000));
        assert_eq!(throughput.per_second(at(began, 1_001_000)), Some(2.0));
    }

    #[test]
    fn a_time_before_the_last_one_counts_as_that() {
        let began = Instant::now();
        let mut throughput = Throughput::new(began);
        throughput.add(5, at(began, 5_000));
        throughput.add(5, at(began, 3_000));
        assert_eq!(throughput.per_second(at(began, 10_000)), Some(1.0));
    }
}
