//! Which calls read the wanted messages at the lowest price: pure rules, no IO. A thread comes
//! whole and unpaged for one price, a message alone for another, so from some number of wanted
//! messages on the thread is cheaper.

use nuncio_google::ReadPrices;
use nuncio_model::{ItemId, ThreadId};
use std::collections::{HashMap, HashSet};

/// Losses that are borne before threads are given up, in prices of a thread: parts that leave a
/// doubt and threads that cannot be had are paid twice.
const N_LOSSES: i64 = 10;

/// Threads that are remembered as unreadable; more are a fault of something else.
const MAX_REFUSED: usize = 1_000;

/// A message or draft that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The message or draft.
    pub item: ItemId,
    /// Its thread, where it is known.
    pub thread: Option<ThreadId>,
}

impl Wanted {
    /// One that is read alone; a draft always is.
    pub(crate) fn alone(item: ItemId) -> Self {
        Self { item, thread: None }
    }
}

/// One call, at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// A message or draft alone.
    Message(ItemId),
    /// A message alone, without the content of its attachments.
    Parts(ItemId),
    /// A thread, for the sake of these of its messages.
    Thread(ThreadId, Vec<ItemId>),
}

/// Brings messages of one thread together, otherwise in order.
pub(crate) fn grouped(wanted: Vec<Wanted>) -> Vec<Wanted> {
    let mut places: HashMap<ThreadId, usize> = HashMap::new();
    let mut groups: Vec<Vec<Wanted>> = Vec::new();
    for wanted in wanted {
        let n_groups = groups.len();
        let place = match &wanted.thread {
            Some(thread) => *places.entry(thread.clone()).or_insert(n_groups),
            None => n_groups,
        };
        match groups.get_mut(place) {
            Some(group) => group.push(wanted),
            None => groups.push(vec![wanted]),
        }
    }
    groups.into_iter().flatten().collect()
}

/// How many of the first messages make a chunk of about `n`: no thread is cut in two.
pub(crate) fn chunk_len<'a>(wanted: impl IntoIterator<Item = &'a Wanted>, n: usize) -> usize {
    let mut last: Option<&Wanted> = None;
    let mut n_taken = 0;
    for wanted in wanted {
        let is_mate =
            last.is_some_and(|last| last.thread.is_some() && last.thread == wanted.thread);
        if n_taken >= n && !is_mate {
            break;
        }
        n_taken += 1;
        last = Some(wanted);
    }
    n_taken
}

/// What was saved and lost by reading threads in one mailbox.
#[derive(Debug)]
pub(crate) struct Planner {
    prices: ReadPrices,
    /// Units saved against reading each message alone, on top of what may be lost.
    credit: i64,
    /// Threads that could not be had as a whole.
    refused: HashSet<ThreadId>,
}

impl Planner {
    /// Nothing is saved yet.
    pub(crate) fn new(prices: ReadPrices) -> Self {
        Self {
            prices,
            credit: units(prices.thread) * N_LOSSES,
            refused: HashSet::new(),
        }
    }

    /// The calls for `wanted`, in its order. Only neighbours are read together.
    pub(crate) fn jobs(&self, wanted: &[Wanted]) -> Vec<Job> {
        wanted
            .chunk_by(|one, other| one.thread.is_some() && one.thread == other.thread)
            .flat_map(|mates| {
                let items = mates.iter().map(|wanted| wanted.item.clone());
                match &mates[0].thread {
                    Some(thread) if self.is_worth(thread, mates.len()) => {
                        vec![Job::Thread(thread.clone(), items.collect())]
                    }
                    _ => items.map(Job::Message).collect(),
                }
            })
            .collect()
    }

    fn is_worth(&self, thread: &ThreadId, n_wanted: usize) -> bool {
        let alone = self.prices.message.saturating_mul(n_wanted as u64);
        self.credit >= 0 && self.prices.thread < alone && !self.refused.contains(thread)
    }

    /// A thread was read: of it, `n_got` wanted messages came.
    pub(crate) fn read(&mut self, n_got: usize) {
        let got = units(self.prices.message.saturating_mul(n_got as u64));
        self.credit = self.credit.saturating_add(got - units(self.prices.thread));
    }

    /// A thread could not be had as a whole.
    pub(crate) fn refuse(&mut self, thread: ThreadId) {
        self.read(0);
        if self.refused.len() < MAX_REFUSED {
            self.refused.insert(thread);
        }
    }

    /// A message came with its thread, yet must be read alone.
    pub(crate) fn doubted(&mut self) {
        self.credit = self.credit.saturating_sub(units(self.prices.message));
    }
}

fn units(price: u64) -> i64 {
    i64::try_from(price).unwrap_or(i64::MAX / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: ReadPrices = ReadPrices {
        message: 20,
        thread: 40,
    };
    const OLD: ReadPrices = ReadPrices {
        message: 5,
        thread: 10,
    };

    fn wanted(list: &[(&str, &str)]) -> Vec<Wanted> {
        list.iter()
            .map(|(item, thread)| Wanted {
                item: ItemId::new(*item),
                thread: (!thread.is_empty()).then(|| ThreadId::new(*thread)),
            })
            .collect()
    }

    fn calls(jobs: &[Job]) -> Vec<String> {
        jobs.iter()
            .map(|job| match job {
                Job::Message(item) | Job::Parts(item) => item.to_string(),
                Job::Thread(thread, items) => format!("{thread}*{}", items.len()),
            })
            .collect()
    }

    #[test]
    fn a_thread_is_read_where_it_is_cheaper() {
        let list = [
            ("1", "a"),
            ("2", "b"),
            ("3", "a"),
            ("4", ""),
            ("5", "b"),
            ("6", "a"),
            ("7", ""),
        ];
        let wanted = grouped(wanted(&list));
        for prices in [NEW, OLD] {
            let jobs = Planner::new(prices).jobs(&wanted);
            assert_eq!(calls(&jobs), ["a*3", "2", "5", "4", "7"]);
        }
        let dear = ReadPrices {
            message: 20,
            thread: 60,
        };
        let jobs = Planner::new(dear).jobs(&wanted);
        assert_eq!(calls(&jobs), ["1", "3", "6", "2", "5", "4", "7"]);
    }

    #[test]
    fn chunks_do_not_cut_threads() {
        let wanted = wanted(&[("1", "a"), ("2", "b"), ("3", "b"), ("4", ""), ("5", "")]);
        for (n, expected) in [(0, 0), (1, 1), (2, 3), (3, 3), (4, 4), (9, 5)] {
            assert_eq!(chunk_len(&wanted, n), expected);
        }
    }

    #[test]
    fn what_is_lost_ends_the_reading_of_threads() {
        let wanted = wanted(&[("1", "a"), ("2", "a"), ("3", "a")]);
        let mut planner = Planner::new(NEW);
        planner.refuse(ThreadId::new("a"));
        assert_eq!(planner.jobs(&wanted).len(), 3, "it is not tried again");
        let mut planner = Planner::new(NEW);
        let mut n_read = 0;
        while planner.jobs(&wanted).len() == 1 && n_read < 100 {
            n_read += 1;
            planner.read(3);
            (0..3).for_each(|_| planner.doubted());
        }
        assert_eq!(n_read, 11, "all of it came twice: 440 units were lost");
    }

    proptest! {
        /// Whatever is wanted, each of it is read once and never at a higher price.
        #[test]
        fn a_plan_reads_all_and_is_never_dearer(
            threads in prop::collection::vec(prop::option::of(0_u8..8), 0..60),
        ) {
            let wanted: Vec<Wanted> = threads
                .iter()
                .enumerate()
                .map(|(n, thread)| Wanted {
                    item: ItemId::new(n.to_string()),
                    thread: thread.map(|thread| ThreadId::new(thread.to_string())),
                })
                .collect();
            for prices in [NEW, OLD] {
                let jobs = Planner::new(prices).jobs(&grouped(wanted.clone()));
                let mut price = 0;
                let mut items = Vec::new();
                for job in jobs {
                    match job {
                        Job::Message(item) | Job::Parts(item) => {
                            price += prices.message;
                            items.push(item);
                        }
                        Job::Thread(_, mates) => {
                            price += prices.thread;
                            items.extend(mates);
                        }
                    }
                }
                prop_assert!(price <= prices.message * wanted.len() as u64);
                items.sort();
                let mut all: Vec<ItemId> = wanted.iter().map(|wanted| wanted.item.clone()).collect();
                all.sort();
                prop_assert_eq!(items, all);
            }
        }
    }
}
