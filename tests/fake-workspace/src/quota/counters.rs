//! Counters of the quota that tests read: units, allowed calls and refusals by user, method and limit.

use super::prices::Api;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type ByUser<T> = BTreeMap<String, BTreeMap<&'static str, T>>;

/// What was allowed and refused since the last reset.
#[derive(Debug, Default)]
pub(super) struct Counters {
    total: BTreeMap<&'static str, u64>,
    units: ByUser<u64>,
    allowed: ByUser<u64>,
    refused: ByUser<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub(super) fn allow(&mut self, api: Api, user: &str, method: &'static str, cost: u64) {
        *self.total.entry(api.name()).or_default() += cost;
        *of(&mut self.units, user).entry(api.name()).or_default() += cost;
        *of(&mut self.allowed, user).entry(method).or_default() += 1;
    }

    pub(super) fn refuse(&mut self, user: &str, method: &'static str, limit: &'static str) {
        *of(&mut self.refused, user)
            .entry(method)
            .or_default()
            .entry(limit)
            .or_default() += 1;
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "units": self.total,
            "units_by_user": self.units,
            "allowed": self.allowed,
            "refused": self.refused,
        })
    }
}

/// The entry of a user; only a new user costs an allocation.
fn of<'a, T>(map: &'a mut ByUser<T>, user: &str) -> &'a mut BTreeMap<&'static str, T> {
    if !map.contains_key(user) {
        map.insert(user.to_owned(), BTreeMap::new());
    }
    map.entry(user.to_owned()).or_default()
}
