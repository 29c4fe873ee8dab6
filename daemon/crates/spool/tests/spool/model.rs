//! Random commands against the spool and against a model of it in memory: both must agree on
//! what each sink gets, which dead letters there are, and what is retained.

use crate::fixture::*;
use nuncio_model::{Change, FeedId, OpResult, SinkName};
use nuncio_spool::{LetterFilter, LetterStatus, Letters, Retried, Seq, SinkId};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SINKS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Command {
    Upsert {
        feed: usize,
        item: u64,
        order: u64,
        subject: u8,
        label: u8,
    },
    Labels {
        feed: usize,
        item: u64,
        order: u64,
        label: u8,
    },
    Delete {
        feed: usize,
        item: u64,
        order: u64,
    },
    /// Settles the next records of a lane; bit n of `rejected` says that the n-th is rejected.
    Take {
        sink: usize,
        feed: usize,
        n: usize,
        rejected: u8,
    },
    Retry {
        sink: usize,
    },
    Drop {
        sink: usize,
    },
    Replace {
        sink: usize,
    },
    Reopen,
}

fn command() -> impl Strategy<Value = Command> {
    let feed = 0usize..2;
    let (item, order) = (0u64..3, 1u64..12);
    prop_oneof![
        6 => (feed.clone(), item.clone(), order.clone(), 0u8..3, 0u8..3).prop_map(|(feed, item, order, subject, label)| {
            Command::Upsert { feed, item, order, subject, label }
        }),
        3 => (feed.clone(), item.clone(), order.clone(), 0u8..3)
            .prop_map(|(feed, item, order, label)| Command::Labels { feed, item, order, label }),
        2 => (feed.clone(), item, order).prop_map(|(feed, item, order)| Command::Delete { feed, item, order }),
        6 => (0usize..2, feed, 1usize..4, any::<u8>())
            .prop_map(|(sink, feed, n, rejected)| Command::Take { sink, feed, n, rejected }),
        2 => (0usize..2).prop_map(|sink| Command::Retry { sink }),
        1 => (0usize..2).prop_map(|sink| Command::Drop { sink }),
        1 => (0usize..2).prop_map(|sink| Command::Replace { sink }),
        1 => Just(Command::Reopen),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    order: u64,
    subject: String,
    label: String,
}

#[derive(Debug, Clone)]
struct Logged {
    seq: u64,
    feed: usize,
    item: u64,
    change: Change,
    subject: String,
    labels: Vec<String>,
    /// Only for this registration of a sink.
    only: Option<SinkId>,
}

#[derive(Debug, Clone)]
struct Letter {
    sink: SinkId,
    seq: u64,
    status: LetterStatus,
}

/// The spool as a list of all that was ever appended.
#[derive(Default)]
struct Oracle {
    index: BTreeMap<(usize, u64), Row>,
    buried: BTreeMap<(usize, u64), u64>,
    log: Vec<Logged>,
    sinks: Vec<SinkId>,
    positions: BTreeMap<(SinkId, usize), u64>,
    letters: Vec<Letter>,
    last_seq: u64,
}

impl Oracle {
    fn log(&mut self, mut logged: Logged) {
        self.last_seq += 1;
        logged.seq = self.last_seq;
        self.log.push(logged);
    }

    fn upsert(&mut self, feed: usize, item: u64, row: Row) -> bool {
        let change = match self.index.get(&(feed, item)) {
            None if self
                .buried
                .get(&(feed, item))
                .is_some_and(|buried| row.order < *buried) =>
            {
                return false;
            }
            None => Change::Created,
            Some(known) if row.order < known.order => return false,
            Some(known) if (&known.subject, &known.label) == (&row.subject, &row.label) => {
                self.index.insert((feed, item), row);
                return false;
            }
            Some(_) => Change::Updated,
        };
        self.buried.remove(&(feed, item));
        let (subject, labels) = (row.subject.clone(), vec![row.label.clone()]);
        self.index.insert((feed, item), row);
        self.log(Logged {
            seq: 0,
            feed,
            item,
            change,
            subject,
            labels,
            only: None,
        });
        true
    }

    fn labels(&mut self, feed: usize, item: u64, order: u64, label: String) -> bool {
        let Some(row) = self
            .index
            .get_mut(&(feed, item))
            .filter(|row| row.order <= order)
        else {
            return false;
        };
        row.order = order;
        if row.label == label {
            return false;
        }
        row.label.clone_from(&label);
        let change = Change::Labels;
        self.log(Logged {
            seq: 0,
            feed,
            item,
            change,
            subject: String::new(),
            labels: vec![label],
            only: None,
        });
        true
    }

    fn delete(&mut self, feed: usize, item: u64, order: u64) -> bool {
        if self
            .index
            .get(&(feed, item))
            .is_some_and(|row| row.order > order)
        {
            return false;
        }
        let buried = self.buried.entry((feed, item)).or_default();
        *buried = order.max(*buried);
        if self.index.remove(&(feed, item)).is_none() {
            return false;
        }
        let change = Change::Deleted;
        self.log(Logged {
            seq: 0,
            feed,
            item,
            change,
            subject: String::new(),
            labels: vec![],
            only: None,
        });
        true
    }

    fn pending(&self, sink: SinkId, feed: usize) -> Vec<Logged> {
        let position = self.positions.get(&(sink, feed)).copied().unwrap_or(0);
        let wanted = |logged: &&Logged| {
            logged.feed == feed
                && logged.seq > position
                && logged.only.is_none_or(|only| only == sink)
        };
        self.log.iter().filter(wanted).cloned().collect()
    }

    fn is_dead(&self, sink: SinkId, seq: u64) -> bool {
        self.letters
            .iter()
            .any(|letter| letter.sink == sink && letter.seq == seq)
    }

    fn find(&self, seq: u64) -> Logged {
        self.log
            .iter()
            .find(|logged| logged.seq == seq)
            .unwrap()
            .clone()
    }

    fn take(&mut self, sink: SinkId, feed: usize, taken: &[Logged], rejected: &[u64]) {
        let open = |seq| Letter {
            sink,
            seq,
            status: LetterStatus::Open,
        };
        self.letters.extend(rejected.iter().copied().map(open));
        for logged in taken
            .iter()
            .filter(|logged| logged.change != Change::Labels)
        {
            if self.is_dead(sink, logged.seq) {
                continue;
            }
            for n in 0..self.letters.len() {
                let letter = &self.letters[n];
                let old = self.find(letter.seq);
                if letter.sink == sink
                    && letter.status == LetterStatus::Open
                    && (old.feed, old.item) == (logged.feed, logged.item)
                    && old.seq < logged.seq
                {
                    self.letters[n].status = LetterStatus::Superseded;
                }
            }
        }
        self.positions
            .insert((sink, feed), taken[taken.len() - 1].seq);
    }

    fn retry(&mut self, sink: SinkId) -> Retried {
        let mut done = Retried::default();
        for n in 0..self.letters.len() {
            let letter = self.letters[n].clone();
            if letter.sink != sink || letter.status != LetterStatus::Open {
                continue;
            }
            let old = self.find(letter.seq);
            let position = self.positions.get(&(sink, old.feed)).copied().unwrap_or(0);
            let newer = self.log.iter().any(|logged| {
                (logged.feed, logged.item) == (old.feed, old.item)
                    && logged.seq > old.seq
                    && logged.change != Change::Labels
                    && logged.only.is_none_or(|only| only == sink)
                    && (logged.seq > position
                        || self.letters.iter().any(|other| {
                            other.sink == sink
                                && other.seq == logged.seq
                                && other.status == LetterStatus::Open
                        }))
            });
            let row = self.index.get(&(old.feed, old.item)).cloned();
            if newer || row.is_none() != (old.change == Change::Deleted) {
                self.letters[n].status = LetterStatus::Superseded;
                done.n_superseded += 1;
                continue;
            }
            self.letters[n].status = LetterStatus::Retried;
            done.n_retried += 1;
            let labels = row.map_or(vec![], |row| vec![row.label]);
            self.log(Logged {
                seq: 0,
                labels,
                only: Some(sink),
                ..old
            });
        }
        done
    }

    fn drop_letters(&mut self, sink: SinkId) -> u64 {
        let mut n = 0;
        for letter in self.letters.iter_mut().filter(|letter| letter.sink == sink) {
            if letter.status == LetterStatus::Open {
                letter.status = LetterStatus::Dropped;
                n += 1;
            }
        }
        n
    }

    /// A record is retained while some sink waits for it, or for an older one of its feed, or
    /// an open letter names it.
    fn retained(&self) -> Vec<u64> {
        let kept = |logged: &&Logged| {
            let waits = |sink: &SinkId| {
                self.pending(*sink, logged.feed)
                    .first()
                    .is_some_and(|first| first.seq <= logged.seq)
            };
            self.sinks.iter().any(waits)
                || self
                    .letters
                    .iter()
                    .any(|letter| letter.seq == logged.seq && letter.status == LetterStatus::Open)
        };
        self.log
            .iter()
            .filter(kept)
            .map(|logged| logged.seq)
            .collect()
    }

    /// A new sink begins where the slowest of the others stands.
    fn replace(&mut self, old: SinkId, new: SinkId, n_feeds: usize) {
        self.letters.retain(|letter| letter.sink != old);
        self.sinks.retain(|sink| *sink != old);
        for feed in 0..n_feeds {
            // As the spool has it, a lane without anything to get stands at the newest record.
            let slowest = self.sinks.iter().map(|sink| {
                let first = self.pending(*sink, feed).first().map(|first| first.seq - 1);
                first.unwrap_or(self.last_seq)
            });
            let position = slowest.min().unwrap_or(0);
            self.positions.insert((new, feed), position);
        }
        self.sinks.push(new);
    }
}

async fn run(commands: Vec<Command>) {
    let mut fixture = Fixture::new().await;
    let feeds: Vec<FeedId> = vec![fixture.feed("ana").await.id, fixture.feed("ben").await.id];
    let mut names: BTreeMap<&str, SinkId> = BTreeMap::new();
    let mut oracle = Oracle::default();
    for name in SINKS {
        let id = fixture.sink(name).await;
        names.insert(name, id);
        oracle.sinks.push(id);
    }
    for command in commands {
        match &command {
            Command::Upsert {
                feed,
                item,
                order,
                subject,
                label,
            } => {
                let row = Row {
                    order: *order,
                    subject: format!("s{subject}"),
                    label: format!("L{label}"),
                };
                let op = upsert(*item, *order, &row.subject, &[&row.label]);
                let result = fixture.append(feeds[*feed], vec![op]).await.results[0];
                assert_eq!(
                    matches!(result, OpResult::Appended(_)),
                    oracle.upsert(*feed, *item, row)
                );
            }
            Command::Labels {
                feed,
                item,
                order,
                label,
            } => {
                let label = format!("L{label}");
                let subject = oracle
                    .index
                    .get(&(*feed, *item))
                    .map_or(String::new(), |row| row.subject.clone());
                let op = relabel_op(*item, *order, &subject, &[&label]);
                let result = fixture.append(feeds[*feed], vec![op]).await.results[0];
                assert_eq!(
                    matches!(result, OpResult::Appended(_)),
                    oracle.labels(*feed, *item, *order, label)
                );
            }
            Command::Delete { feed, item, order } => {
                let result = fixture
                    .append(feeds[*feed], vec![delete(*item, *order)])
                    .await
                    .results[0];
                assert_eq!(
                    matches!(result, OpResult::Appended(_)),
                    oracle.delete(*feed, *item, *order)
                );
            }
            Command::Take {
                sink,
                feed,
                n,
                rejected,
            } => {
                let sink = names[SINKS[*sink]];
                let taken: Vec<Logged> = oracle.pending(sink, *feed).into_iter().take(*n).collect();
                if taken.is_empty() {
                    continue;
                }
                let rejected: Vec<u64> = taken
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| rejected & (1 << bit) != 0)
                    .map(|(_, logged)| logged.seq)
                    .collect();
                let dead: Vec<Seq> = rejected.iter().copied().map(Seq).collect();
                fixture
                    .ack(sink, feeds[*feed], Seq(taken[taken.len() - 1].seq), &dead)
                    .await;
                oracle.take(sink, *feed, &taken, &rejected);
            }
            Command::Retry { sink } => {
                let which = Letters::OfSink(SinkName::new(SINKS[*sink]));
                let done = fixture
                    .spool
                    .retry_dead_letters(which, relabel())
                    .await
                    .unwrap();
                assert_eq!(done, oracle.retry(names[SINKS[*sink]]));
            }
            Command::Drop { sink } => {
                let which = Letters::OfSink(SinkName::new(SINKS[*sink]));
                let n_dropped = fixture.spool.drop_dead_letters(which).await.unwrap();
                assert_eq!(n_dropped, oracle.drop_letters(names[SINKS[*sink]]));
            }
            Command::Replace { sink } => {
                let name = SINKS[*sink];
                let old = names[name];
                fixture
                    .spool
                    .remove_sink(&SinkName::new(name))
                    .await
                    .unwrap();
                let new = fixture.sink(name).await;
                names.insert(name, new);
                oracle.replace(old, new, feeds.len());
            }
            Command::Reopen => fixture.reopen().await,
        }
        compare(&fixture, &oracle, &feeds, &command).await;
    }
    fixture.spool.close().await;
}

async fn compare(fixture: &Fixture, oracle: &Oracle, feeds: &[FeedId], after: &Command) {
    let mut n_pending = BTreeMap::new();
    for sink in &oracle.sinks {
        for (n, feed) in feeds.iter().enumerate() {
            let got: Vec<_> = fixture
                .pending(*sink, *feed)
                .await
                .iter()
                .map(|record| (record.seq.0, content(&record.record)))
                .collect();
            let expected: Vec<_> = oracle
                .pending(*sink, n)
                .into_iter()
                .map(|logged| (logged.seq, (logged.change, logged.subject, logged.labels)))
                .collect();
            assert_eq!(got, expected, "{sink:?} {feed} after {after:?}");
            *n_pending.entry(*sink).or_insert(0) += expected.len() as u64;
        }
    }
    for counts in fixture.spool.sinks().await.unwrap() {
        assert_eq!(counts.n_pending, n_pending[&counts.id], "after {after:?}");
        let open =
            |letter: &&Letter| letter.sink == counts.id && letter.status == LetterStatus::Open;
        assert_eq!(
            counts.n_dead_letters,
            oracle.letters.iter().filter(open).count() as u64,
            "after {after:?}"
        );
    }
    let letters = fixture
        .spool
        .dead_letters(LetterFilter::default(), 1_000)
        .await
        .unwrap();
    let mut got: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter.sink.to_string(),
                letter.seq.0,
                letter.status.as_str(),
            )
        })
        .collect();
    let counts = fixture.spool.sinks().await.unwrap();
    let name = |id| {
        counts
            .iter()
            .find(|counts| counts.id == id)
            .map(|counts| counts.name.to_string())
    };
    let mut expected: Vec<_> = oracle
        .letters
        .iter()
        .map(|letter| {
            (
                name(letter.sink).unwrap(),
                letter.seq,
                letter.status.as_str(),
            )
        })
        .collect();
    got.sort_unstable();
    expected.sort_unstable();
    assert_eq!(got, expected, "after {after:?}");
    fixture.wait_for_retained(&oracle.retained()).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: n_cases(48), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_spool_agrees_with_its_model(commands in proptest::collection::vec(command(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run(commands));
    }
}
