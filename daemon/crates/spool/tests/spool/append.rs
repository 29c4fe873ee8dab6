//! Appends: newest wins, walks and marks, failed items, cursor with its records, revisions.

use crate::fixture::*;
use nuncio_model::{Append, Change, Clock, Op, OpResult, Revision, StoreError};
use nuncio_spool::Spool;
use proptest::prelude::*;

fn appended(result: &OpResult) -> bool {
    matches!(result, OpResult::Appended(_))
}

#[tokio::test]
async fn each_kind_of_step_has_its_result() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let results = fixture
        .append(
            feed,
            vec![
                upsert(1, 10, "one", &["INBOX"]),
                upsert(1, 9, "old", &[]),
                upsert(1, 10, "one", &["INBOX"]),
                upsert(1, 11, "one", &["INBOX"]),
                upsert(1, 12, "uno", &["INBOX"]),
                upsert(1, 12, "eins", &["INBOX"]),
                relabel_op(1, 11, "eins", &[]),
                relabel_op(1, 13, "eins", &["INBOX"]),
                relabel_op(1, 14, "eins", &["UNREAD"]),
                relabel_op(2, 14, "eins", &["UNREAD"]),
                mark(1),
                mark(2),
                delete(1, 13),
                delete(1, 14),
                delete(1, 15),
                delete(3, 15),
                Op::Settle { item: item(9) },
            ],
        )
        .await
        .results;
    let words: Vec<&str> = results
        .iter()
        .map(|result| match result {
            OpResult::Appended(_) => "appended",
            OpResult::Indexed => "indexed",
            OpResult::Stale => "stale",
            OpResult::Unknown => "unknown",
        })
        .collect();
    assert_eq!(
        words,
        [
            "appended", "stale", "stale", "indexed", "appended", "appended", "stale", "indexed",
            "appended", "unknown", "indexed", "unknown", "stale", "appended", "unknown", "unknown",
            "unknown"
        ]
    );
    let records = fixture.pending(sink, feed).await;
    let contents: Vec<_> = records
        .iter()
        .map(|record| content(&record.record))
        .collect();
    let (inbox, unread) = (vec!["INBOX".to_owned()], vec!["UNREAD".to_owned()]);
    assert_eq!(
        contents,
        [
            (Change::Created, "one".into(), inbox.clone()),
            (Change::Updated, "uno".into(), inbox.clone()),
            (Change::Updated, "eins".into(), inbox),
            (Change::Labels, String::new(), unread),
            (Change::Deleted, String::new(), vec![]),
        ]
    );
    let given: Vec<Revision> = results
        .iter()
        .filter_map(|result| match result {
            OpResult::Appended(revision) => Some(*revision),
            _ => None,
        })
        .collect();
    assert_eq!(
        records
            .iter()
            .map(|record| record.record.revision)
            .collect::<Vec<_>>(),
        given
    );
    assert!(records.iter().all(|record| record.record.lane == feed));
}

#[tokio::test]
async fn labels_of_the_same_order_correct_what_was_folded_over_a_gap() {
    let fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    fixture
        .append(feed, vec![upsert(1, 10, "mail", &["INBOX"])])
        .await;
    // UNREAD came in a gap; the change after it is folded over labels without it.
    let folded = vec![relabel_op(1, 20, "mail", &["INBOX", "STARRED"])];
    fixture.append(feed, folded).await;
    let read = vec![relabel_op(1, 20, "mail", &["INBOX", "STARRED", "UNREAD"])];
    assert!(appended(
        &fixture.append(feed, read.clone()).await.results[0]
    ));
    let again = fixture.append(feed, read).await.results;
    assert_eq!(again, [OpResult::Stale], "the same labels change nothing");
    let older = vec![relabel_op(1, 19, "mail", &["INBOX"])];
    assert_eq!(fixture.append(feed, older).await.results, [OpResult::Stale]);
}

#[tokio::test]
async fn a_walk_that_fetched_before_a_deletion_does_not_bring_the_item_back() {
    let fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    fixture.set_walk(feed, Some(walk(1, 10))).await;
    // The live side meets the deletion while the walk's copy is on its way.
    assert_eq!(
        fixture.append(feed, vec![delete(1, 12)]).await.results,
        [OpResult::Unknown]
    );
    assert_eq!(
        fixture
            .append(feed, vec![upsert(1, 10, "gone", &[])])
            .await
            .results,
        [OpResult::Stale]
    );
    assert_eq!(fixture.spool.count_items(feed).await.unwrap(), 0);
    // Restored at Google: newer than the deletion.
    assert!(appended(
        &fixture
            .append(feed, vec![upsert(1, 13, "back", &[])])
            .await
            .results[0]
    ));
    // The trace is needed no more once no walk runs and a day has passed.
    fixture.append(feed, vec![delete(1, 14)]).await;
    let later = fixture.clock.now_ms() + 25 * 60 * 60 * 1_000;
    fixture.spool.purge(later).await.unwrap();
    assert_eq!(
        fixture.column("SELECT count(*) FROM tombstones"),
        [1],
        "a walk is in progress"
    );
    fixture.set_walk(feed, None).await;
    fixture.spool.purge(later).await.unwrap();
    assert_eq!(fixture.column("SELECT count(*) FROM tombstones"), [0]);
}

#[tokio::test]
async fn only_rows_that_the_walk_did_not_see_and_that_are_not_newer_are_unmarked() {
    let fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    let ops = (1..=8).map(|n| upsert(n, n, "x", &[])).collect();
    fixture.append(feed, ops).await;
    // The walk that an append sets holds for its own steps already.
    let first = Append {
        feed,
        ops: vec![mark(1)],
        cursor: None,
        walk: Some(Some(walk(5, 100))),
    };
    fixture.spool.append(first).await.unwrap();
    fixture
        .append(
            feed,
            vec![
                upsert(2, 2, "x", &[]),
                upsert(3, 3, "changed", &[]),
                relabel_op(4, 9, "x", &["INBOX"]),
                fail(5, 0),
                upsert(6, 101, "after the walk began", &[]),
            ],
        )
        .await;
    let unmarked = fixture
        .spool
        .unmarked(feed, 5, 100, None, 10)
        .await
        .unwrap();
    assert_eq!(
        unmarked
            .iter()
            .map(|row| row.item.clone())
            .collect::<Vec<_>>(),
        [item(7), item(8)]
    );
    assert_eq!(fixture.spool.count_unmarked(feed, 5, 100).await.unwrap(), 2);
    assert_eq!(fixture.spool.count_unmarked(feed, 5, 7).await.unwrap(), 1);
    let next = fixture
        .spool
        .unmarked(feed, 5, 100, Some(item(7)), 10)
        .await
        .unwrap();
    assert_eq!(next.len(), 1);
    assert_eq!(fixture.spool.rows(feed, None, 3).await.unwrap().len(), 3);
    assert_eq!(
        fixture
            .spool
            .rows(feed, Some(item(6)), 30)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_cursor_and_a_walk_come_with_their_records_or_not_at_all() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await;
    assert_eq!(
        (&feed.cursor, &feed.walk, feed.complete),
        (&None, &None, false)
    );
    let mut append = Append {
        feed: feed.id,
        ops: vec![upsert(1, 1, "one", &[])],
        cursor: cursor("100"),
        walk: Some(Some(walk(1, 100))),
    };
    fixture.spool.append(append.clone()).await.unwrap();
    // The second step of this one cannot be stored.
    let mut broken = blob(vec![1]);
    broken.sha256 = "not a hash".into();
    append.ops = vec![
        upsert(2, 2, "two", &[]),
        upsert_with_blobs(3, 3, "three", &[], vec![broken]),
    ];
    append.cursor = cursor("200");
    append.walk = Some(None);
    assert!(matches!(
        fixture.spool.append(append).await,
        Err(StoreError::Failed(_))
    ));
    fixture.reopen().await;
    let stored = fixture.spool.feed(feed.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.cursor, stored.walk, stored.complete),
        (cursor("100"), Some(walk(1, 100)), false)
    );
    assert_eq!(fixture.pending(sink, feed.id).await.len(), 1);
    fixture.set_walk(feed.id, None).await;
    let stored = fixture.spool.feed(feed.id).await.unwrap().unwrap();
    assert_eq!((stored.walk, stored.complete), (None, true));
    assert_eq!(fixture.spool.feeds().await.unwrap().len(), 1);
}

#[tokio::test]
async fn failed_items_count_attempts_until_they_are_settled() {
    let fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    let first_at = fixture.clock.now_ms();
    fixture
        .append(
            feed,
            vec![fail(1, 500), fail(2, 100), fail(3, 2_000), fail(4, 100)],
        )
        .await;
    fixture.clock.set_us(START_US + 5_000_000);
    fixture.append(feed, vec![fail(1, 900)]).await;
    let due = fixture.spool.due_failures(feed, 1_000, 10).await.unwrap();
    assert_eq!(
        due.iter()
            .map(|failed| failed.failure.item.clone())
            .collect::<Vec<_>>(),
        [item(2), item(4), item(1)]
    );
    assert_eq!(
        (due[2].n_attempts, due[2].first_at, due[2].failure.next_try),
        (2, first_at, 900)
    );
    assert_eq!(due[2].failure.code, "GML500");
    let results = fixture
        .append(
            feed,
            vec![
                upsert(1, 1, "had", &[]),
                delete(2, 1),
                Op::Settle { item: item(3) },
            ],
        )
        .await
        .results;
    assert_eq!(results[2], OpResult::Indexed);
    assert_eq!(fixture.spool.count_failed().await.unwrap(), 1);
    assert_eq!(
        fixture.spool.failed_items(10).await.unwrap()[0]
            .failure
            .item,
        item(4)
    );
}

#[tokio::test]
async fn revisions_grow_when_the_clock_stands_or_goes_back() {
    let mut fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    let mut last = Revision(0);
    let mut n = 0;
    for clock_us in [START_US, START_US, START_US - 3_600_000_000, START_US + 10] {
        fixture.clock.set_us(clock_us);
        for _ in 0..2 {
            n += 1;
            let OpResult::Appended(revision) = fixture
                .append(feed, vec![upsert(n, 1, "x", &[])])
                .await
                .results[0]
            else {
                panic!("a new item is appended")
            };
            assert!(revision > last, "{revision:?} after {last:?}");
            assert!(revision.0 < 1 << 53);
            last = revision;
        }
        // Its records are gone, since there is no sink: the last revision is remembered.
        fixture.wait_for_retained(&[]).await;
        fixture.reopen().await;
    }
}

#[tokio::test]
async fn an_unknown_feed_is_refused() {
    let fixture = Fixture::new().await;
    let append = Append {
        feed: nuncio_model::FeedId(7),
        ops: vec![],
        cursor: None,
        walk: None,
    };
    assert!(matches!(
        fixture.spool.append(append).await,
        Err(StoreError::Failed(_))
    ));
}

/// One true history of an item: subject and label, `None` for a deletion. The order is the place
/// in it.
type History = Vec<Option<(u8, u8)>>;

/// How a source tells of a change of labels.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// As Gmail: content never changes, and a label change is told as such.
    Mail,
    /// As a calendar: every change is the full state.
    Event,
}

/// Sees the item as it was at one point of its history, as a source would: a label change of
/// an item that is not known is looked up.
async fn observe(
    spool: &Spool,
    feed: nuncio_model::FeedId,
    kind: Kind,
    history: &History,
    at: usize,
) {
    let order = at as u64 + 1;
    let Some((subject, label)) = history[at] else {
        append_one(spool, feed, delete(1, order)).await;
        return;
    };
    let (subject, label) = (format!("s{subject}"), format!("L{label}"));
    let was_there = at > 0 && history[at - 1].is_some();
    if was_there && matches!(kind, Kind::Mail) {
        let result = append_one(spool, feed, relabel_op(1, order, &subject, &[&label])).await;
        if result != OpResult::Unknown {
            return;
        }
    }
    append_one(spool, feed, upsert(1, order, &subject, &[&label])).await;
}

async fn append_one(spool: &Spool, feed: nuncio_model::FeedId, op: Op) -> OpResult {
    let append = Append {
        feed,
        ops: vec![op],
        cursor: None,
        walk: None,
    };
    spool.append(append).await.unwrap().results[0]
}

/// A walk and the live side see states of one item in any order, some of them repeatedly; both
/// see the last one. The index and the last record are the newest state, and no two successive
/// records are the same.
#[test]
fn any_interleaving_ends_at_the_newest_state() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let fixture = runtime.block_on(Fixture::new());
    let sink = runtime.block_on(fixture.sink("a"));
    let history =
        proptest::collection::vec(proptest::option::weighted(0.8, (0u8..3, 0u8..3)), 1..6);
    let seen = proptest::collection::vec(any::<proptest::sample::Index>(), 0..10);
    let kind = prop_oneof![Just(Kind::Mail), Just(Kind::Event)];
    let input = (history, seen, any::<proptest::sample::Index>(), kind);
    let config = ProptestConfig {
        cases: n_cases(200),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let n_case = std::cell::Cell::new(0);
    let result = proptest::test_runner::TestRunner::new(config).run(
        &input,
        |(mut history, seen, last_at, kind)| {
            if matches!(kind, Kind::Mail) {
                history
                    .iter_mut()
                    .flatten()
                    .for_each(|(subject, _)| *subject = 0);
            }
            let mut seen: Vec<usize> = seen.iter().map(|at| at.index(history.len())).collect();
            seen.insert(last_at.index(seen.len() + 1), history.len() - 1);
            n_case.set(n_case.get() + 1);
            runtime.block_on(async {
                let feed = fixture.feed(&format!("case {}", n_case.get())).await.id;
                for at in seen {
                    observe(&fixture.spool, feed, kind, &history, at).await;
                }
                check_newest(&fixture, sink, feed, history[history.len() - 1]).await
            })
        },
    );
    result.unwrap();
    runtime.block_on(fixture.spool.close());
}

async fn check_newest(
    fixture: &Fixture,
    sink: nuncio_spool::SinkId,
    feed: nuncio_model::FeedId,
    newest: Option<(u8, u8)>,
) -> Result<(), TestCaseError> {
    let newest = newest.map(|(subject, label)| (format!("s{subject}"), format!("L{label}")));
    let row = fixture
        .spool
        .lookup(feed, &[item(1)])
        .await
        .unwrap()
        .remove(0);
    let expected = newest.clone().map(|(subject, label)| {
        let labels = labels(&[&label]);
        (content_hash(&subject, &labels), labels)
    });
    prop_assert_eq!(row.map(|row| (row.hash, row.labels)), expected);
    let mut shown = None;
    for record in fixture.pending(sink, feed).await {
        let (change, subject, labels) = content(&record.record);
        let next = match (change, &shown) {
            (Change::Deleted, _) => None,
            (Change::Labels, Some((subject, _))) => Some((String::clone(subject), labels)),
            _ => Some((subject, labels)),
        };
        prop_assert_ne!(&next, &shown, "two successive records with equal content");
        shown = next;
    }
    prop_assert_eq!(shown, newest.map(|(subject, label)| (subject, vec![label])));
    Ok(())
}
