//! A budget over a sliding window of time. It knows nothing of prices or users.

use std::collections::VecDeque;

/// A window is counted in this many slices, so a unit comes back at most a sixtieth of the window late.
const N_SLICES: u64 = 60;

/// What was spent within the last window. Times are in microseconds since any fixed moment.
#[derive(Debug)]
pub(super) struct Window {
    length_us: u64,
    /// Number of a slice and what was spent in it, oldest first.
    slices: VecDeque<(u64, u64)>,
    used: u64,
}

impl Window {
    pub(super) fn new(length_us: u64) -> Self {
        Self {
            length_us: length_us.max(N_SLICES),
            slices: VecDeque::new(),
            used: 0,
        }
    }

    fn slice_us(&self) -> u64 {
        self.length_us / N_SLICES
    }

    /// Units spent within the window that ends at `now_us`.
    pub(super) fn used(&mut self, now_us: u64) -> u64 {
        let current = now_us / self.slice_us();
        while let Some((slice, units)) = self.slices.front().copied() {
            if slice + N_SLICES > current {
                break;
            }
            self.used -= units;
            self.slices.pop_front();
        }
        self.used
    }

    pub(super) fn spend(&mut self, now_us: u64, units: u64) {
        let slice = now_us / self.slice_us();
        self.used += units;
        match self.slices.back_mut() {
            Some((last, spent)) if *last >= slice => *spent += units,
            _ => self.slices.push_back((slice, units)),
        }
    }

    /// Microseconds until `units` fit below `limit`; a whole window if they never do.
    pub(super) fn wait(&mut self, now_us: u64, units: u64, limit: u64) -> u64 {
        let mut excess = (self.used(now_us) + units).saturating_sub(limit);
        if excess == 0 {
            return 0;
        }
        for (slice, spent) in &self.slices {
            excess = excess.saturating_sub(*spent);
            if excess == 0 {
                let back = (slice + N_SLICES) * self.slice_us();
                return back.saturating_sub(now_us).max(1);
            }
        }
        self.length_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_a_window_later() {
        let mut window = Window::new(60_000_000);
        let start = 1_000_000_000;
        window.spend(start, 70);
        window.spend(start + 30_000_000, 30);
        assert_eq!(window.used(start + 30_000_000), 100);
        let wait = window.wait(start + 30_000_000, 10, 100);
        assert!((29_000_000..=31_000_000).contains(&wait), "{wait}");
        assert_eq!(window.used(start + 30_000_000 + wait), 30);
        assert_eq!(window.used(start + 91_000_000), 0);
        // What can never fit waits for a whole window.
        assert_eq!(window.wait(start + 91_000_000, 101, 100), 60_000_000);
    }

    /// However calls are spread, no stretch of a window minus one slice holds more than the limit.
    #[test]
    fn no_window_holds_more_than_its_limit() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (length, limit) = (60_000, 100);
        let mut window = Window::new(length);
        let mut spent: Vec<(u64, u64)> = Vec::new();
        let mut now = 5_000_000;
        for _ in 0..5_000 {
            now += rng.u64(0..900);
            let units = rng.u64(1..20);
            if window.wait(now, units, limit) == 0 {
                window.spend(now, units);
                spent.push((now, units));
            }
            let since = now - (length - length / N_SLICES);
            let recent: u64 = spent
                .iter()
                .filter(|(at, _)| *at > since)
                .map(|(_, units)| units)
                .sum();
            assert!(recent <= limit, "{recent} units in one window");
        }
        assert!(spent.len() > 500, "most of the budget is used");
    }
}
