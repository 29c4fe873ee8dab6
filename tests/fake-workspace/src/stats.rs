//! Counters: calls, refusals and open calls per user. No contents, no times.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts every call that named a known method.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    calls: BTreeMap<String, BTreeMap<&'static str, u64>>,
    refusals: BTreeMap<String, BTreeMap<String, u64>>,
    in_flight: BTreeMap<String, u64>,
    max_in_flight: BTreeMap<String, u64>,
}

/// An open call; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    stats: &'a Stats,
    user: String,
}

impl Stats {
    /// Counts a call of `user` and keeps it as open.
    pub(crate) fn enter(&self, user: &str, method: &'static str) -> InFlight<'_> {
        let mut counters = self.lock();
        *counters
            .calls
            .entry(user.to_owned())
            .or_default()
            .entry(method)
            .or_default() += 1;
        let now = counters.in_flight.entry(user.to_owned()).or_default();
        *now += 1;
        let now = *now;
        let most = counters.max_in_flight.entry(user.to_owned()).or_default();
        *most = now.max(*most);
        InFlight {
            stats: self,
            user: user.to_owned(),
        }
    }

    pub(crate) fn refused(&self, user: &str, method: &str, status: u16) {
        *self
            .lock()
            .refusals
            .entry(user.to_owned())
            .or_default()
            .entry(format!("{method} {status}"))
            .or_default() += 1;
    }

    pub(crate) fn to_json(&self, n_faults: u64) -> Value {
        let counters = self.lock();
        json!({
            "calls": counters.calls,
            "refusals": counters.refusals,
            "in_flight": counters.in_flight,
            "max_in_flight": counters.max_in_flight,
            "faults": n_faults,
        })
    }

    /// Forgets all but what is open.
    pub(crate) fn reset(&self) {
        let mut counters = self.lock();
        counters.calls.clear();
        counters.refusals.clear();
        counters.max_in_flight = counters.in_flight.clone();
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.stats.lock().in_flight.get_mut(&self.user) {
            *count = count.saturating_sub(1);
        }
    }
}
