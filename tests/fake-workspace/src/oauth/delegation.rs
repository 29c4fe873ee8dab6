//! Domain-wide delegation: which scopes the administrator granted to the service account, and whom that has reached.
//! A change takes up to a day at Google and reaches users one by one; here its length is chosen by the test.
//!
//! See <https://developers.google.com/identity/protocols/oauth2/service-account#delegatingauthority>.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

const DEFAULT_SCOPES: [&str; 8] = [
    "https://mail.google.com/",
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.modify",
    "https://www.googleapis.com/auth/gmail.insert",
    "https://www.googleapis.com/auth/gmail.send",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
];

/// What happened to a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Grant,
    Revoke,
}

/// When a change was made and how long it takes until it has reached the last user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// Milliseconds since 1970.
    pub(crate) start_ms: i64,
    pub(crate) length_ms: i64,
}

impl Spread {
    /// In force for everybody from the first moment.
    const ALWAYS: Self = Self {
        start_ms: i64::MIN,
        length_ms: 0,
    };

    /// Each user is reached at a moment of their own, the same in every run.
    fn has_reached(&self, scope: &str, user: &str, now_ms: i64) -> bool {
        let mut hasher = DefaultHasher::new();
        (scope, user).hash(&mut hasher);
        let share = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        let wait = (self.length_ms as f64 * share) as i64;
        now_ms >= self.start_ms.saturating_add(wait)
    }
}

/// What the administrator delegated to the service account.
#[derive(Debug)]
pub(crate) struct Delegation {
    /// Changes of each scope, oldest first.
    scopes: BTreeMap<String, Vec<(Deed, Spread)>>,
    /// Users that the delegation does not reach at all, by primary address in lower case.
    unreached: BTreeSet<String>,
    /// Users for whom the administrator switched the services off, by primary address in lower case.
    restricted: BTreeSet<String>,
}

impl Default for Delegation {
    fn default() -> Self {
        let granted = |scope: &&str| ((*scope).to_owned(), vec![(Deed::Grant, Spread::ALWAYS)]);
        Self {
            scopes: DEFAULT_SCOPES.iter().map(granted).collect(),
            unreached: BTreeSet::new(),
            restricted: BTreeSet::new(),
        }
    }
}

impl Delegation {
    /// Grants or revokes one scope.
    pub(crate) fn change(&mut self, scope: &str, deed: Deed, spread: Spread) {
        let changes = self.scopes.entry(scope.to_owned()).or_default();
        if spread.length_ms == 0 {
            changes.clear();
        }
        changes.push((deed, spread));
    }

    /// Grants the scopes that a fresh domain has, or revokes all scopes.
    pub(crate) fn change_all(&mut self, deed: Deed, spread: Spread) {
        let scopes: Vec<String> = match deed {
            Deed::Grant => DEFAULT_SCOPES.map(str::to_owned).to_vec(),
            Deed::Revoke => self.scopes.keys().cloned().collect(),
        };
        for scope in scopes {
            self.change(&scope, deed, spread);
        }
    }

    /// Whether `user` (a primary address in lower case) may be acted for with `scope`.
    pub(crate) fn covers(&self, scope: &str, user: &str, now_ms: i64) -> bool {
        let reached = |change: &&(Deed, Spread)| change.1.has_reached(scope, user, now_ms);
        self.scopes
            .get(scope)
            .and_then(|changes| changes.iter().rev().find(reached))
            .is_some_and(|(deed, _)| *deed == Deed::Grant)
    }

    /// `user` is a primary address in lower case.
    pub(crate) fn set_reach(&mut self, user: &str, deed: Deed) {
        match deed {
            Deed::Grant => self.unreached.remove(user),
            Deed::Revoke => self.unreached.insert(user.to_owned()),
        };
    }

    pub(crate) fn reaches(&self, user: &str) -> bool {
        !self.unreached.contains(user)
    }

    /// `user` is a primary address in lower case.
    pub(crate) fn set_restricted(&mut self, user: &str, restricted: bool) {
        if restricted {
            self.restricted.insert(user.to_owned());
        } else {
            self.restricted.remove(user);
        }
    }

    pub(crate) fn restricts(&self, user: &str) -> bool {
        self.restricted.contains(user)
    }

    /// Moves what is kept under the old address of a user to the new one; both in lower case.
    pub(crate) fn rename(&mut self, old: &str, new: &str) {
        for users in [&mut self.unreached, &mut self.restricted] {
            if users.remove(old) {
                users.insert(new.to_owned());
            }
        }
    }

    /// The scopes that are granted once every change has spread.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes
            .iter()
            .filter(|(_, changes)| matches!(changes.last(), Some((Deed::Grant, _))))
            .map(|(scope, _)| scope.as_str())
    }
}
