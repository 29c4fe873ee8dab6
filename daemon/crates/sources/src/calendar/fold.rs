//! What follows from a page of events, given what the index knows. Pure: all rules of what
//! belongs to a feed stand here, so that they can be tested without Google and spool.
//!
//! - An event belongs if it reaches past the floor (`times::reaches`), or is in the index
//!   already: once told, it stays told until it is cancelled.
//! - An exception belongs if it does itself, or if its series does.
//! - Cancelled is deleted, but for an exception of a series that is there: then it is a hole in
//!   the series, told as an event. When a series goes, all its exceptions go with it.
//!
//! Google lists in no order that it promises. What depends on a series that was not seen yet
//! waits, in memory, for the end of the listing.

use nuncio_model::{IndexRow, ItemId};
use std::collections::HashMap;

/// What matters of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The event.
    pub item: ItemId,
    /// The series that it is an exception of.
    pub master: Option<ItemId>,
    /// Deleted, or a hole.
    pub cancelled: bool,
    /// Whether it reaches past the floor.
    pub reaches: bool,
}

/// What is to be done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Tell its state.
    Write,
    /// It is in the index and is gone.
    Remove,
    /// Nothing: it does not belong, or is gone and was never told.
    Skip,
    /// Its series was not seen yet.
    Wait,
}

/// Which series a listing has seen so far; whether they are there.
pub type Series = HashMap<ItemId, bool>;

/// One step for each of `seen`, which names an item once. `rows` holds what the index knows of
/// the items and of their series. At the end of a listing nothing waits.
pub fn fold(
    seen: &[Seen],
    rows: &HashMap<ItemId, IndexRow>,
    series: &mut Series,
    is_end: bool,
) -> Vec<Step> {
    let mut steps = vec![Step::Skip; seen.len()];
    // Series first, wherever they stand.
    for (at, event) in seen.iter().enumerate() {
        if event.master.is_some() {
            continue;
        }
        let is_known = rows.contains_key(&event.item);
        steps[at] = match (event.cancelled, is_known) {
            (true, true) => Step::Remove,
            (true, false) => Step::Skip,
            (false, known) if known || event.reaches => Step::Write,
            (false, _) => Step::Skip,
        };
        series.insert(event.item.clone(), steps[at] == Step::Write);
    }
    for (at, event) in seen.iter().enumerate() {
        let Some(master) = &event.master else {
            continue;
        };
        let is_known = rows.contains_key(&event.item);
        let is_there = match series.get(master) {
            Some(is_there) => Some(*is_there),
            None => rows.contains_key(master).then_some(true),
        };
        steps[at] = match (event.cancelled, is_there) {
            (false, _) if event.reaches || is_known => Step::Write,
            (_, Some(true)) => Step::Write,
            (_, None) if !is_end => Step::Wait,
            (true, _) if is_known => Step::Remove,
            (_, _) => Step::Skip,
        };
    }
    steps
}

/// The series that go by these steps.
pub fn gone<'a>(seen: &'a [Seen], steps: &[Step]) -> Vec<&'a ItemId> {
    seen.iter()
        .zip(steps)
        .filter(|(event, step)| event.master.is_none() && **step == Step::Remove)
        .map(|(event, _)| &event.item)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_model::{LabelSet, ThreadId};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn seen(item: &str, master: Option<&str>, cancelled: bool, reaches: bool) -> Seen {
        Seen {
            item: ItemId::new(item),
            master: master.map(ItemId::new),
            cancelled,
            reaches,
        }
    }

    fn row(item: &str, thread: &str) -> (ItemId, IndexRow) {
        let row = IndexRow {
            item: ItemId::new(item),
            order: 0,
            hash: 0,
            labels: LabelSet::default(),
            thread: ThreadId::new(thread),
            generation: 0,
        };
        (row.item.clone(), row)
    }

    fn one(event: Seen, known: &[&str], is_end: bool) -> Step {
        let rows = known.iter().map(|item| row(item, "")).collect();
        fold(&[event], &rows, &mut Series::new(), is_end)[0]
    }

    #[test]
    fn single_events() {
        for is_end in [false, true] {
            assert_eq!(one(seen("a", None, false, true), &[], is_end), Step::Write);
            assert_eq!(one(seen("a", None, false, false), &[], is_end), Step::Skip);
            assert_eq!(
                one(seen("a", None, false, false), &["a"], is_end),
                Step::Write
            );
            assert_eq!(
                one(seen("a", None, true, false), &["a"], is_end),
                Step::Remove
            );
            assert_eq!(one(seen("a", None, true, false), &[], is_end), Step::Skip);
        }
    }

    #[test]
    fn exceptions_follow_their_series() {
        let hole = || seen("m_1", Some("m"), true, false);
        let old = || seen("m_1", Some("m"), false, false);
        assert_eq!(one(hole(), &["m"], false), Step::Write);
        assert_eq!(one(hole(), &["m_1"], false), Step::Wait);
        assert_eq!(one(hole(), &["m_1"], true), Step::Remove);
        assert_eq!(one(hole(), &[], true), Step::Skip);
        assert_eq!(one(old(), &["m"], false), Step::Write);
        assert_eq!(one(old(), &[], false), Step::Wait);
        assert_eq!(one(old(), &[], true), Step::Skip);
        // Invited to one occurrence only: there is no series here.
        assert_eq!(
            one(seen("m_1", Some("m"), false, true), &[], false),
            Step::Write
        );
    }

    #[test]
    fn a_series_in_the_page_decides_wherever_it_stands() {
        let page = [
            seen("m_1", Some("m"), true, false),
            seen("m", None, false, true),
            seen("n", None, true, false),
            seen("n_1", Some("n"), true, false),
        ];
        let rows = [row("n", "n"), row("n_1", "n")].into();
        let mut series = Series::new();
        let steps = fold(&page, &rows, &mut series, false);
        assert_eq!(
            steps,
            [Step::Write, Step::Write, Step::Remove, Step::Remove]
        );
        assert_eq!(gone(&page, &steps), [&ItemId::new("n")]);
    }

    /// A calendar at Google: series and single events `0..4`, exceptions of the first two.
    #[derive(Debug, Clone)]
    enum Deed {
        /// The event is there (again) with this text, reaching past the floor or not.
        Put(u8, u8),
        /// It is cancelled; a series with its exceptions.
        Cancel(u8),
        /// An exception of series `0..2` is there with this text.
        Except(u8, u8, u8),
        /// A hole in a series.
        Hole(u8, u8),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            (0..4_u8, 0..3_u8).prop_map(|(event, text)| Deed::Put(event, text)),
            (0..4_u8).prop_map(Deed::Cancel),
            (0..2_u8, 0..3_u8, 0..3_u8).prop_map(|(event, n, text)| Deed::Except(event, n, text)),
            (0..2_u8, 0..3_u8).prop_map(|(event, n)| Deed::Hole(event, n)),
        ]
    }

    /// An event's state there: text, or none for a cancelled one; when it changed.
    type State = (Option<u8>, usize);

    #[derive(Default)]
    struct Google {
        now: usize,
        events: BTreeMap<String, State>,
    }

    fn master_of(item: &str) -> Option<&str> {
        item.split_once('_').map(|(master, _)| master)
    }

    impl Google {
        fn set(&mut self, item: String, text: Option<u8>) {
            self.now += 1;
            self.events.insert(item, (text, self.now));
        }

        fn is_there(&self, item: &str) -> bool {
            self.events
                .get(item)
                .is_some_and(|(text, _)| text.is_some())
        }

        fn apply(&mut self, deed: &Deed) {
            match deed {
                Deed::Put(event, text) => self.set(format!("{event}"), Some(*text)),
                Deed::Cancel(event) => {
                    let name = format!("{event}");
                    if self.is_there(&name) {
                        self.set(name.clone(), None);
                        let now = self.now;
                        for (item, state) in &mut self.events {
                            if master_of(item) == Some(&name) && state.0.is_some() {
                                *state = (None, now);
                            }
                        }
                    }
                }
                Deed::Except(event, n, text) if self.is_there(&format!("{event}")) => {
                    self.set(format!("{event}_{n}"), Some(*text));
                }
                Deed::Hole(event, n) if self.is_there(&format!("{event}")) => {
                    self.set(format!("{event}_{n}"), None);
                }
                Deed::Except(..) | Deed::Hole(..) => {}
            }
        }

        /// What belongs: item to text, none for a hole.
        fn truth(&self) -> BTreeMap<String, Option<u8>> {
            self.events
                .iter()
                .filter(|(item, (text, _))| {
                    text.is_some() || master_of(item).is_some_and(|master| self.is_there(master))
                })
                .map(|(item, (text, _))| (item.clone(), *text))
                .collect()
        }
    }

    /// The copy: item to text, and what waits.
    #[derive(Default)]
    struct Copy {
        items: BTreeMap<String, Option<u8>>,
        series: Series,
        waiting: Vec<(String, Option<u8>)>,
    }

    impl Copy {
        fn change(&mut self, google: &Google, page: &[(String, Option<u8>)], is_end: bool) {
            let mut page = page.to_vec();
            // A series that comes back brings its exceptions, which Google need not list again.
            for (item, text) in page.clone() {
                if text.is_some() && !self.items.contains_key(&item) {
                    let family = google
                        .events
                        .iter()
                        .filter(|(other, _)| master_of(other) == Some(&item));
                    page.extend(family.map(|(item, (text, _))| (item.clone(), *text)));
                }
            }
            self.page(&page, is_end);
        }

        fn page(&mut self, page: &[(String, Option<u8>)], is_end: bool) {
            let mut items = std::mem::take(&mut self.waiting);
            items.extend_from_slice(page);
            let last: BTreeMap<String, Option<u8>> = items.into_iter().collect();
            let items: Vec<_> = last.into_iter().collect();
            let seen: Vec<Seen> = items
                .iter()
                .map(|(item, text)| seen(item, master_of(item), text.is_none(), text.is_some()))
                .collect();
            let rows = self
                .items
                .keys()
                .map(|item| row(item, master_of(item).unwrap_or(item)))
                .collect();
            let steps = fold(&seen, &rows, &mut self.series, is_end);
            let named: BTreeSet<&str> = seen.iter().map(|event| event.item.as_str()).collect();
            for series in gone(&seen, &steps) {
                self.items.retain(|item, _| {
                    named.contains(item.as_str()) || master_of(item) != Some(series.as_str())
                });
            }
            for ((item, text), step) in items.into_iter().zip(steps) {
                match step {
                    Step::Write => drop(self.items.insert(item, text)),
                    Step::Remove => drop(self.items.remove(&item)),
                    Step::Skip => {}
                    Step::Wait => self.waiting.push((item, text)),
                }
            }
            if is_end {
                self.series.clear();
            }
        }
    }

    proptest! {
        /// Pages of a listing with changes between them, then the increment of all that changed
        /// since its beginning, then increments after more changes: always Google's state.
        #[test]
        fn any_interleaving_ends_at_googles_state(
            before in prop::collection::vec(deed(), 0..20),
            between in prop::collection::vec((deed(), any::<bool>()), 0..20),
            after in prop::collection::vec(prop::collection::vec(deed(), 1..8), 0..4),
            shuffle in any::<u64>(),
        ) {
            let mut google = Google::default();
            before.iter().for_each(|deed| google.apply(deed));
            let start = google.now;
            let mut order: Vec<String> = google.events.keys().cloned().collect();
            let n = order.len();
            for at in 0..n {
                order.swap(at, (shuffle as usize).wrapping_mul(31).wrapping_add(at * 7) % n);
            }
            let mut copy = Copy::default();
            let mut page: Vec<(String, Option<u8>)> = Vec::new();
            let mut todo = order.into_iter();
            for (deed, turns) in &between {
                if let Some(item) = todo.next() {
                    page.push((item.clone(), google.events[&item].0));
                }
                if *turns {
                    copy.page(&std::mem::take(&mut page), false);
                }
                google.apply(deed);
            }
            page.extend(todo.map(|item| (item.clone(), google.events[&item].0)));
            copy.page(&page, true);
            let mut since = start;
            for deeds in std::iter::once(&Vec::new()).chain(&after) {
                deeds.iter().for_each(|deed| google.apply(deed));
                let changed: Vec<_> = google
                    .events
                    .iter()
                    .filter(|(_, (_, at))| *at > since)
                    .map(|(item, (text, _))| (item.clone(), *text))
                    .collect();
                since = google.now;
                let (first, rest) = changed.split_at(changed.len() / 2);
                copy.change(&google, rest, false);
                copy.change(&google, first, true);
                prop_assert_eq!(&copy.items, &google.truth());
            }
        }
    }
}
