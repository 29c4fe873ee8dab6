//! Change logs: one per user and one per shared drive. A log says which items changed, never how;
//! what an entry shows is looked up when it is read, in `changes.rs`.
//!
//! See <https://developers.google.com/workspace/drive/api/guides/about-changes>.

use super::model::FileId;
use std::collections::{BTreeMap, HashMap};

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    File(FileId),
    /// The drive itself: membership, name, restrictions.
    Drive(FileId),
}

/// Whether the item was still in the corpus of the log after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    In,
    /// It left, and no further entries will come.
    Left,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) subject: Subject,
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) presence: Presence,
    /// In the tree below the user's own root, before or after the change.
    pub(crate) in_my_drive: bool,
}

/// One log. A new entry for an item takes the place of its older one.
#[derive(Debug)]
pub(crate) struct Log {
    entries: BTreeMap<u64, Entry>,
    latest: HashMap<Subject, u64>,
    next: u64,
    oldest: u64,
}

impl Log {
    /// An empty log whose first entry will have the number `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            latest: HashMap::new(),
            next: first,
            oldest: first,
        }
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if crate::hidden::is_on() {
            return;
        }
        let number = self.next;
        // Numbers have gaps, as at Google.
        self.next += 1 + number % 3;
        if let Some(old) = self.latest.insert(entry.subject.clone(), number) {
            self.entries.remove(&old);
        }
        self.entries.insert(number, entry);
    }

    /// An entry that tells of use only: it never hides that the item left.
    pub(crate) fn push_usage(&mut self, entry: Entry) {
        let left = self
            .latest
            .get(&entry.subject)
            .and_then(|number| self.entries.get(number))
            .is_some_and(|old| old.presence == Presence::Left);
        if !left {
            self.push(entry);
        }
    }

    /// The number from which future entries are counted.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether a token with this number can be answered.
    pub(crate) fn reaches(&self, number: u64) -> bool {
        (self.oldest..=self.next).contains(&number)
    }

    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(number..).map(|(at, entry)| (*at, entry))
    }

    /// Makes all tokens that are out useless.
    pub(crate) fn expire(&mut self) {
        self.next += 1;
        self.oldest = self.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry {
            subject: Subject::File(id.into()),
            time: 0,
            presence: Presence::In,
            in_my_drive: true,
        }
    }

    #[test]
    fn an_item_has_one_entry_and_it_is_its_latest() {
        let mut log = Log::new(100);
        let start = log.next();
        for id in ["a", "b", "a"] {
            log.push(entry(id));
        }
        let subjects: Vec<_> = log
            .since(start)
            .map(|(_, entry)| entry.subject.clone())
            .collect();
        assert_eq!(
            subjects,
            [Subject::File("b".into()), Subject::File("a".into())]
        );
        assert_eq!(log.since(log.next()).count(), 0);
    }

    #[test]
    fn expired_tokens_do_not_reach() {
        let mut log = Log::new(100);
        let start = log.next();
        assert!(log.reaches(start) && !log.reaches(start + 1) && !log.reaches(start - 1));
        log.expire();
        assert!(!log.reaches(start) && log.reaches(log.next()));
    }
}
