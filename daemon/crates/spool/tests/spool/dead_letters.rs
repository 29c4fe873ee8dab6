//! Dead letters: superseding, retry with present labels, drop, purge.

use crate::fixture::*;
use nuncio_model::{Change, Clock, FeedId, Origin, SinkName};
use nuncio_spool::{LetterFilter, LetterStatus, Letters, Purged, Retried, Seq, SinkId};

async fn statuses(fixture: &Fixture) -> Vec<LetterStatus> {
    let letters = fixture
        .spool
        .dead_letters(LetterFilter::default(), 100)
        .await
        .unwrap();
    letters.iter().map(|letter| letter.status).collect()
}

/// Appends, then settles all of it, the first `n_rejected` records as dead letters.
async fn settle(
    fixture: &Fixture,
    sink: SinkId,
    feed: FeedId,
    ops: Vec<nuncio_model::Op>,
    n_rejected: usize,
) -> Vec<Seq> {
    fixture.append(feed, ops).await;
    let seqs: Vec<Seq> = fixture
        .pending(sink, feed)
        .await
        .iter()
        .map(|record| record.seq)
        .collect();
    fixture
        .ack(sink, feed, seqs[seqs.len() - 1], &seqs[..n_rejected])
        .await;
    seqs
}

#[tokio::test]
async fn a_rejected_record_is_kept_with_its_cause_and_the_lane_goes_on() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let seqs = settle(
        &fixture,
        sink,
        feed,
        vec![upsert(1, 1, "bad", &[]), upsert(2, 1, "good", &[])],
        1,
    )
    .await;
    fixture.wait_for_retained(&[seqs[0].0]).await;
    // Repeating an ack changes nothing.
    fixture.ack(sink, feed, seqs[1], &[seqs[0]]).await;
    fixture.reopen().await;
    let letters = fixture
        .spool
        .dead_letters(LetterFilter::default(), 10)
        .await
        .unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(
        (letter.sink.as_str(), letter.seq, letter.feed),
        ("a", seqs[0], feed)
    );
    assert_eq!(
        (
            letter.code.as_str(),
            letter.reason.as_str(),
            letter.n_attempts
        ),
        ("bad", "no", 1)
    );
    assert_eq!(
        (letter.change, letter.status, letter.at),
        (Change::Created, LetterStatus::Open, fixture.clock.now_ms())
    );
    assert_eq!(letter.key.as_str(), format!("gmail/ana/{}", item(1)));
    for (filter, n) in [
        (
            LetterFilter {
                sink: Some(SinkName::new("b")),
                ..LetterFilter::default()
            },
            0,
        ),
        (
            LetterFilter {
                sink: Some(SinkName::new("a")),
                status: Some(LetterStatus::Open),
                after: None,
            },
            1,
        ),
        (
            LetterFilter {
                status: Some(LetterStatus::Dropped),
                ..LetterFilter::default()
            },
            0,
        ),
        (
            LetterFilter {
                after: Some(letter.id),
                ..LetterFilter::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            fixture
                .spool
                .dead_letters(filter.clone(), 10)
                .await
                .unwrap()
                .len(),
            n,
            "{filter:?}"
        );
    }
    assert_eq!(fixture.spool.sinks().await.unwrap()[0].n_dead_letters, 1);
}

#[tokio::test]
async fn only_a_delivered_later_full_record_of_the_same_item_supersedes() {
    let fixture = Fixture::new().await;
    let (sink, other) = (fixture.sink("a").await, fixture.sink("other").await);
    let feed = fixture.feed("ana").await.id;
    settle(&fixture, sink, feed, vec![upsert(1, 1, "bad", &[])], 1).await;
    settle(
        &fixture,
        sink,
        feed,
        vec![
            relabel_op(1, 2, "bad", &["INBOX"]),
            upsert(2, 1, "another", &[]),
        ],
        0,
    )
    .await;
    assert_eq!(
        statuses(&fixture).await,
        [LetterStatus::Open],
        "labels and other items do not"
    );
    fixture
        .append(feed, vec![upsert(1, 3, "still bad", &[])])
        .await;
    let pending = fixture.pending(sink, feed).await;
    fixture
        .ack(sink, feed, pending[0].seq, &[pending[0].seq])
        .await;
    assert_eq!(
        statuses(&fixture).await,
        [LetterStatus::Open; 2],
        "a rejected one does not"
    );
    let for_other = fixture.pending(other, feed).await;
    fixture
        .ack(other, feed, for_other[for_other.len() - 1].seq, &[])
        .await;
    assert_eq!(
        statuses(&fixture).await,
        [LetterStatus::Open; 2],
        "another sink's delivery does not"
    );
    settle(&fixture, sink, feed, vec![delete(1, 4)], 0).await;
    assert_eq!(statuses(&fixture).await, [LetterStatus::Superseded; 2]);
    let last = fixture.pending(other, feed).await[0].seq;
    fixture.ack(other, feed, last, &[]).await;
    fixture.wait_for_retained(&[]).await;
}

#[tokio::test]
async fn a_record_delivered_in_the_same_ack_supersedes_the_one_rejected_before_it() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    settle(
        &fixture,
        sink,
        feed,
        vec![upsert(1, 1, "bad", &[]), upsert(1, 2, "good", &[])],
        1,
    )
    .await;
    assert_eq!(statuses(&fixture).await, [LetterStatus::Superseded]);
    fixture.wait_for_retained(&[]).await;
}

#[tokio::test]
async fn a_retry_sends_the_old_content_with_the_present_labels_to_its_sink_alone() {
    let fixture = Fixture::new().await;
    let (sink, other) = (fixture.sink("a").await, fixture.sink("other").await);
    let feed = fixture.feed("ana").await.id;
    let raw = blob(b"raw bytes".to_vec());
    let first = vec![upsert_with_blobs(
        1,
        1,
        "bad",
        &["INBOX"],
        vec![raw.clone()],
    )];
    settle(&fixture, sink, feed, first, 1).await;
    settle(
        &fixture,
        sink,
        feed,
        vec![relabel_op(1, 2, "bad", &["STARRED"])],
        0,
    )
    .await;
    let for_other = fixture.pending(other, feed).await;
    fixture.ack(other, feed, for_other[1].seq, &[]).await;
    let old = fixture
        .spool
        .dead_letters(LetterFilter::default(), 1)
        .await
        .unwrap()
        .remove(0);
    let mut news = fixture.spool.subscribe();
    let done = fixture
        .spool
        .retry_dead_letters(Letters::These(vec![old.id]), relabel())
        .await
        .unwrap();
    assert_eq!(
        done,
        Retried {
            n_retried: 1,
            n_superseded: 0
        }
    );
    assert_eq!(statuses(&fixture).await, [LetterStatus::Retried]);
    let again = fixture.pending(sink, feed).await;
    assert_eq!(again.len(), 1);
    assert_eq!(news.recv().await.unwrap().newest, again[0].seq);
    assert_eq!(
        content(&again[0].record),
        (Change::Created, "bad".into(), vec!["STARRED".to_owned()])
    );
    assert!(again[0].record.revision > old.revision);
    assert_eq!(
        (again[0].record.origin, &again[0].record.key),
        (Origin::Replay, &old.key)
    );
    // The old record goes, its bytes stay for the new one, the other sink sees nothing of it.
    assert!(fixture.pending(other, feed).await.is_empty());
    fixture.wait_for_retained(&[again[0].seq.0]).await;
    assert_eq!(
        fixture.spool.read_blob(&raw.sha256, 0, 100).await.unwrap(),
        b"raw bytes"
    );
    assert_eq!(
        fixture
            .spool
            .retry_dead_letters(Letters::All, relabel())
            .await
            .unwrap(),
        Retried::default()
    );
    fixture.ack(sink, feed, again[0].seq, &[]).await;
    fixture.wait_for_retained(&[]).await;
}

#[tokio::test]
async fn what_is_out_of_date_is_superseded_instead_of_retried() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let ops = vec![
        upsert(1, 1, "gone by now", &[]),
        upsert(2, 1, "newer on its way", &[]),
        upsert(3, 1, "there", &[]),
    ];
    settle(&fixture, sink, feed, ops, 3).await;
    // All pending: nothing of it is delivered yet.
    settle(
        &fixture,
        sink,
        feed,
        vec![upsert(4, 1, "deleted, but that was rejected", &[])],
        0,
    )
    .await;
    settle(&fixture, sink, feed, vec![delete(4, 2)], 1).await;
    settle(
        &fixture,
        sink,
        feed,
        vec![upsert(5, 1, "came back", &[])],
        0,
    )
    .await;
    settle(&fixture, sink, feed, vec![delete(5, 2)], 1).await;
    fixture
        .append(
            feed,
            vec![
                delete(1, 2),
                upsert(2, 2, "newer", &[]),
                upsert(5, 3, "is back", &[]),
            ],
        )
        .await;
    let done = fixture
        .spool
        .retry_dead_letters(Letters::OfSink(SinkName::new("a")), relabel())
        .await
        .unwrap();
    assert_eq!(
        done,
        Retried {
            n_retried: 2,
            n_superseded: 3
        }
    );
    let sent: Vec<_> = fixture
        .pending(sink, feed)
        .await
        .iter()
        .skip(3)
        .map(|r| content(&r.record))
        .collect();
    assert_eq!(
        sent,
        [
            (Change::Created, "there".into(), vec![]),
            (Change::Deleted, String::new(), vec![])
        ],
        "the deletion of what is gone is still to be told"
    );
}

#[tokio::test]
async fn many_letters_are_retried_and_dropped_in_slices() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    settle(
        &fixture,
        sink,
        feed,
        (0..250).map(|n| upsert(n, 1, "bad", &[])).collect(),
        250,
    )
    .await;
    let done = fixture
        .spool
        .retry_dead_letters(Letters::All, relabel())
        .await
        .unwrap();
    assert_eq!(
        done,
        Retried {
            n_retried: 250,
            n_superseded: 0
        }
    );
    let again = fixture.pending(sink, feed).await;
    let seqs: Vec<Seq> = again.iter().map(|record| record.seq).collect();
    fixture.ack(sink, feed, seqs[249], &seqs).await;
    let open = LetterFilter {
        status: Some(LetterStatus::Open),
        ..LetterFilter::default()
    };
    let ids = fixture
        .spool
        .dead_letters(open, 1_000)
        .await
        .unwrap()
        .iter()
        .map(|letter| letter.id)
        .collect();
    assert_eq!(
        fixture
            .spool
            .drop_dead_letters(Letters::These(ids))
            .await
            .unwrap(),
        250
    );
    assert_eq!(
        fixture.spool.drop_dead_letters(Letters::All).await.unwrap(),
        0
    );
    fixture.wait_for_retained(&[]).await;
}

#[tokio::test]
async fn letters_are_purged_after_30_days() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let seqs = settle(
        &fixture,
        sink,
        feed,
        vec![upsert(1, 1, "a", &[]), upsert(2, 1, "b", &[])],
        2,
    )
    .await;
    let first = fixture
        .spool
        .dead_letters(LetterFilter::default(), 1)
        .await
        .unwrap()[0]
        .id;
    fixture
        .spool
        .drop_dead_letters(Letters::These(vec![first]))
        .await
        .unwrap();
    let now_ms = fixture.clock.now_ms();
    assert_eq!(
        fixture.spool.purge(now_ms + 30 * DAY_MS).await.unwrap(),
        Purged::default()
    );
    fixture.wait_for_retained(&[seqs[1].0]).await;
    let purged = fixture.spool.purge(now_ms + 30 * DAY_MS + 1).await.unwrap();
    assert_eq!(
        purged,
        Purged {
            n_closed: 1,
            n_open: 1
        }
    );
    fixture.wait_for_retained(&[]).await;
}
