//! What belongs to the domain rather than to one account: other calendars than the primary ones,
//! and shared drives. Account feeds tell here what their account sees; each such collection is
//! then read once, by the member with most rights, and by another one when that member loses it.
//!
//! Who reads what is not decided here; this is only what is known.

use nuncio_model::{AccountKey, Address, Membership, Source};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// An account that sees a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The configured user.
    pub user: Address,
    /// The account's frozen key.
    pub account: AccountKey,
    /// The account's primary address.
    pub address: Address,
    /// Higher means more rights.
    pub rank: u8,
    /// The collection's name, as this account sees it.
    pub name: String,
}

/// Everything that accounts have told.
#[derive(Debug)]
pub struct Commons {
    told: Mutex<Told>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Told {
    /// Accounts that have not answered yet.
    awaited: HashSet<(Source, Address)>,
    by_collection: BTreeMap<(Source, String), HashMap<AccountKey, Member>>,
    /// What each account told last, so that a telling touches nothing of the others.
    by_account: HashMap<(Source, AccountKey), HashSet<String>>,
}

impl Default for Commons {
    fn default() -> Self {
        Self {
            told: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Commons {
    /// What an account sees of a source now, in full: what it told before and does not tell again
    /// it has lost.
    pub fn tell(
        &self,
        source: Source,
        user: &Address,
        account: &AccountKey,
        address: &Address,
        seen: Vec<Membership>,
    ) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let names = seen.iter().map(|seen| seen.collection.clone()).collect();
        let before: HashSet<String> = told
            .by_account
            .insert((source, account.clone()), names)
            .unwrap_or_default();
        let mut is_news = false;
        for lost in before {
            if !seen.iter().any(|seen| seen.collection == lost)
                && let Some(members) = told.by_collection.get_mut(&(source, lost))
            {
                is_news |= members.remove(account).is_some();
            }
        }
        for seen in seen {
            let member = Member {
                user: user.clone(),
                account: account.clone(),
                address: address.clone(),
                rank: seen.rank,
                name: seen.name,
            };
            let members = told
                .by_collection
                .entry((source, seen.collection))
                .or_default();
            is_news |= members.get(account) != Some(&member);
            members.insert(account.clone(), member);
        }
        if is_news {
            drop(told);
            self.changes.send_modify(|n| *n += 1);
        }
    }

    /// An account is not synced any more: what it told is forgotten, and nobody waits for it.
    /// To be called when its feed has ended.
    pub fn withdraw(&self, source: Source, address: &Address, account: Option<&AccountKey>) {
        if let Some(account) = account {
            self.tell(source, address, account, address, Vec::new());
        }
        self.answered(source, address);
    }

    /// An account will tell what it sees, or that it cannot. To be called before its feed starts:
    /// until all have answered, nobody knows who has most rights.
    pub fn expect(&self, source: Source, address: &Address) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.awaited.insert((source, address.clone()));
    }

    /// An account has told what it sees, or cannot for now.
    pub fn answered(&self, source: Source, address: &Address) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.awaited.remove(&(source, address.clone())) {
            drop(told);
            self.changes.send_modify(|n| *n += 1);
        }
    }

    /// Waits until all accounts have answered.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn all_answered(&self, source: Source) {
        let mut changes = self.changes.subscribe();
        while self.is_awaiting(source) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn is_awaiting(&self, source: Source) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.awaited.iter().any(|(of, _)| *of == source)
    }

    /// Every collection that was ever told of, also one that nobody sees any more.
    pub fn collections(&self) -> Vec<(Source, String)> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.by_collection.keys().cloned().collect()
    }

    /// Who sees a collection: most rights first, then by account key, so that all agree.
    pub fn members(&self, source: Source, collection: &str) -> Vec<Member> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut members: Vec<Member> = told
            .by_collection
            .get(&(source, collection.to_owned()))
            .into_iter()
            .flat_map(|members| members.values().cloned())
            .collect();
        members.sort_by(|a, b| (b.rank, &a.account).cmp(&(a.rank, &b.account)));
        members
    }

    /// Counts up whenever something changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn seen(collection: &str, rank: u8) -> Membership {
        Membership {
            collection: collection.into(),
            name: "Team".into(),
            rank,
        }
    }

    #[tokio::test]
    async fn all_have_answered_when_each_has() {
        let commons = Commons::default();
        let (ana, ben) = (address("ana@example.com"), address("ben@example.com"));
        commons.all_answered(Source::Calendar).await;
        commons.expect(Source::Calendar, &ana);
        commons.expect(Source::Calendar, &ben);
        commons.expect(Source::Drive, &ben);
        commons.answered(Source::Calendar, &ana);
        commons.answered(Source::Calendar, &ana);
        let waiting = commons.all_answered(Source::Calendar);
        let answers = async {
            tokio::task::yield_now().await;
            commons.answered(Source::Calendar, &ben);
        };
        futures_util::future::join(waiting, answers).await;
        assert_eq!(
            commons.told.lock().unwrap().awaited.len(),
            1,
            "Drive still waits"
        );
    }

    #[test]
    fn members_come_by_rights_and_what_is_not_told_again_is_lost() {
        let commons = Commons::default();
        let mut changes = commons.changes();
        let tell = |who: &str, seen| {
            let address = address(&format!("{who}@example.com"));
            let key = AccountKey::new(who);
            commons.tell(Source::Calendar, &address, &key, &address, seen);
        };
        tell("ana", vec![seen("team", 2), seen("other", 1)]);
        tell("ben", vec![seen("team", 3)]);
        tell("aaa", vec![seen("team", 2)]);
        assert!(changes.has_changed().unwrap());
        let names = || -> Vec<String> {
            let members = commons.members(Source::Calendar, "team");
            members.iter().map(|m| m.account.to_string()).collect()
        };
        assert_eq!(names(), ["ben", "aaa", "ana"]);
        assert!(commons.members(Source::Drive, "team").is_empty());
        changes.mark_unchanged();
        tell("ben", vec![seen("team", 3)]);
        assert!(!changes.has_changed().unwrap(), "nothing new was told");
        tell("ben", vec![]);
        tell("ana", vec![seen("team", 2)]);
        assert_eq!(names(), ["aaa", "ana"]);
        assert!(commons.members(Source::Calendar, "other").is_empty());
        let zoe = address("zoe@example.com");
        commons.expect(Source::Calendar, &zoe);
        commons.withdraw(Source::Calendar, &zoe, Some(&AccountKey::new("aaa")));
        assert_eq!(names(), ["ana"]);
        assert!(!commons.is_awaiting(Source::Calendar));
        assert_eq!(
            commons.collections(),
            [
                (Source::Calendar, "other".to_owned()),
                (Source::Calendar, "team".to_owned())
            ]
        );
    }
}
