//! Delivery's side: positions of sinks, acknowledgement, release, bounds, news.

use crate::fixture::*;
use nuncio_model::{Append, FeedId, SinkName, StoreError};
use nuncio_spool::{Ack, LaneAck, Seq, SinkId};

async fn counts(fixture: &Fixture, name: &str) -> (u64, u64, u64) {
    let all = fixture.spool.sinks().await.unwrap();
    let counts = all
        .iter()
        .find(|counts| counts.name.as_str() == name)
        .unwrap();
    (counts.n_delivered, counts.n_pending, counts.n_dead_letters)
}

#[tokio::test]
async fn each_sink_has_its_own_position_and_the_slowest_keeps_the_records() {
    let mut fixture = Fixture::new().await;
    let (fast, slow) = (fixture.sink("fast").await, fixture.sink("slow").await);
    let (ana, ben) = (fixture.feed("ana").await.id, fixture.feed("ben").await.id);
    fixture
        .append(ana, (1..=3).map(|n| upsert(n, 1, "a", &[])).collect())
        .await;
    fixture.append(ben, vec![upsert(1, 1, "b", &[])]).await;
    assert_eq!(fixture.spool.pending_lanes(fast).await.unwrap().len(), 2);
    let seqs: Vec<Seq> = fixture
        .pending(fast, ana)
        .await
        .iter()
        .map(|record| record.seq)
        .collect();
    fixture.ack(fast, ana, seqs[2], &[]).await;
    assert!(fixture.pending(fast, ana).await.is_empty());
    assert_eq!(fixture.pending(slow, ana).await.len(), 3);
    assert_eq!(counts(&fixture, "fast").await, (1, 1, 0));
    assert_eq!(counts(&fixture, "slow").await, (0, 4, 0));
    assert_eq!(fixture.spool.count_pending(ana).await.unwrap(), 3);
    // It is the position on the disk that counts.
    fixture.reopen().await;
    assert!(fixture.pending(fast, ana).await.is_empty());
    assert_eq!(fixture.retained().len(), 4);
    fixture.ack(slow, ana, seqs[1], &[]).await;
    fixture.wait_for_retained(&[seqs[2].0, seqs[2].0 + 1]).await;
    assert_eq!(fixture.spool.count_pending(ana).await.unwrap(), 1);
}

#[tokio::test]
async fn a_lane_is_read_in_order_and_within_its_bounds() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    fixture
        .append(
            feed,
            (1..=5)
                .map(|n| upsert(n, 1, &format!("mail {n}"), &[]))
                .collect(),
        )
        .await;
    let read = |after, records, bytes| fixture.spool.read_lane(sink, feed, after, records, bytes);
    let all = read(Seq(0), 10, u64::MAX).await.unwrap();
    let subjects: Vec<String> = all.iter().map(|record| content(&record.record).1).collect();
    assert_eq!(subjects, ["mail 1", "mail 2", "mail 3", "mail 4", "mail 5"]);
    assert_eq!(read(Seq(0), 2, u64::MAX).await.unwrap(), all[..2]);
    assert_eq!(read(all[1].seq, 2, u64::MAX).await.unwrap(), all[2..4]);
    assert_eq!(
        read(Seq(0), 10, all[0].n_bytes + all[1].n_bytes)
            .await
            .unwrap(),
        all[..2]
    );
    assert_eq!(
        read(Seq(0), 10, 0).await.unwrap(),
        all[..1],
        "one always comes, else a lane would stop"
    );
    // In the file the revision is still 0: one digit instead of 16.
    assert_eq!(
        all[0].n_bytes,
        serde_json::to_vec(&all[0].record).unwrap().len() as u64 - 15
    );
}

#[tokio::test]
async fn an_ack_keeps_attempts_and_never_goes_back() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    fixture
        .append(feed, (1..=3).map(|n| upsert(n, 1, "a", &[])).collect())
        .await;
    let seqs: Vec<Seq> = fixture
        .pending(sink, feed)
        .await
        .iter()
        .map(|record| record.seq)
        .collect();
    let lane = |position, n_attempts, next_try| LaneAck {
        feed,
        position,
        n_delivered: 0,
        n_attempts,
        next_try,
    };
    let ack = |lane| {
        fixture.spool.ack(Ack {
            sink,
            lanes: vec![lane],
            dead: vec![],
        })
    };
    ack(lane(seqs[1], 0, 0)).await.unwrap();
    ack(lane(seqs[0], 2, 5_000)).await.unwrap();
    fixture.reopen().await;
    let state = fixture.spool.pending_lanes(sink).await.unwrap().remove(0);
    assert_eq!(
        (
            state.position,
            state.newest,
            state.n_attempts,
            state.next_try
        ),
        (seqs[1], seqs[2], 2, 5_000)
    );
}

#[tokio::test]
async fn a_wrong_ack_is_refused_whole() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let (ana, ben) = (fixture.feed("ana").await.id, fixture.feed("ben").await.id);
    fixture.append(ana, vec![upsert(1, 1, "a", &[])]).await;
    fixture.append(ben, vec![upsert(1, 1, "b", &[])]).await;
    let seq = fixture.pending(sink, ana).await[0].seq;
    let beyond = fixture.pending(sink, ben).await[0].seq;
    let lane = |feed, position| LaneAck {
        feed,
        position,
        n_delivered: 1,
        n_attempts: 0,
        next_try: 0,
    };
    for (what, wrong) in [
        (
            "beyond the feed's records",
            Ack {
                sink,
                lanes: vec![lane(ana, beyond)],
                dead: vec![],
            },
        ),
        (
            "unknown feed",
            Ack {
                sink,
                lanes: vec![lane(ana, seq), lane(FeedId(9), seq)],
                dead: vec![],
            },
        ),
        (
            "unknown sink",
            Ack {
                sink: SinkId(9),
                lanes: vec![lane(ana, seq)],
                dead: vec![],
            },
        ),
        ("dead letter of another feed", {
            let mut wrong = ack(sink, ana, seq, &[beyond]);
            wrong.sink = sink;
            wrong
        }),
    ] {
        assert!(
            matches!(fixture.spool.ack(wrong).await, Err(StoreError::Failed(_))),
            "{what}"
        );
        assert_eq!(fixture.pending(sink, ana).await.len(), 1, "{what}");
    }
    assert_eq!(counts(&fixture, "a").await, (0, 2, 0));
}

#[tokio::test]
async fn without_a_sink_records_go_at_once_and_a_new_sink_gets_what_is_retained() {
    let fixture = Fixture::new().await;
    let feed = fixture.feed("ana").await.id;
    fixture
        .append(feed, vec![upsert(1, 1, "for nobody", &[])])
        .await;
    fixture.wait_for_retained(&[]).await;
    let first = fixture.sink("first").await;
    assert_eq!(fixture.sink("first").await, first);
    fixture
        .append(feed, (2..=4).map(|n| upsert(n, 1, "a", &[])).collect())
        .await;
    let seqs: Vec<Seq> = fixture
        .pending(first, feed)
        .await
        .iter()
        .map(|record| record.seq)
        .collect();
    // The first is only kept for its dead letter: no part of the order any more.
    fixture.ack(first, feed, seqs[0], &[seqs[0]]).await;
    let second = fixture.sink("second").await;
    let got: Vec<Seq> = fixture
        .pending(second, feed)
        .await
        .iter()
        .map(|record| record.seq)
        .collect();
    assert_eq!(got, seqs[1..]);
    // Removing a sink releases what only it waited for.
    fixture.ack(second, feed, seqs[2], &[]).await;
    assert!(
        fixture
            .spool
            .remove_sink(&SinkName::new("first"))
            .await
            .unwrap()
    );
    assert!(
        !fixture
            .spool
            .remove_sink(&SinkName::new("first"))
            .await
            .unwrap()
    );
    fixture.wait_for_retained(&[]).await;
    assert_ne!(fixture.sink("first").await, first);
}

#[tokio::test]
async fn full_means_refused_and_room_comes_back_with_acks() {
    const MAX: u64 = 3 * 1024 * 1024;
    let fixture = Fixture::with_max_bytes(MAX).await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let mut random = fastrand::Rng::with_seed(1);
    let mut appended = Vec::new();
    let full = loop {
        let n = appended.len() as u64;
        let bytes: Vec<u8> = (0..100_000).map(|_| random.u8(..)).collect();
        let ops = vec![upsert_with_blobs(
            n,
            1,
            &format!("mail {n}"),
            &[],
            vec![blob(bytes)],
        )];
        match fixture
            .spool
            .append(Append {
                feed,
                ops,
                cursor: cursor(n.to_string()),
                walk: None,
            })
            .await
        {
            Ok(_) => appended.push(n),
            Err(error) => break error,
        }
        assert!(appended.len() < 100, "the bound was never reached");
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert!(fixture.spool.used_bytes() > MAX && fixture.spool.used_bytes() < MAX + 300_000);
    assert!(fixture.spool.is_above(100) && !fixture.spool.is_above(120));
    let stored = fixture.spool.feed(feed).await.unwrap().unwrap();
    assert_eq!(
        stored.cursor,
        cursor((appended.len() - 1).to_string()),
        "nothing of the refused one is kept"
    );
    // Nothing was dropped to make room.
    let records = fixture.pending(sink, feed).await;
    assert_eq!(records.len(), appended.len());
    fixture
        .ack(sink, feed, records[records.len() - 1].seq, &[])
        .await;
    fixture.wait_for_retained(&[]).await;
    let again = vec![upsert(1_000, 1, "room again", &[])];
    fixture.append(feed, again).await;
    assert!(!fixture.spool.is_above(70));
}

#[tokio::test]
async fn an_append_is_news_once_it_is_durable() {
    let fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let mut news = fixture.spool.subscribe();
    fixture.append(feed, vec![mark(1)]).await;
    fixture
        .append(feed, vec![upsert(1, 1, "a", &[]), upsert(2, 1, "b", &[])])
        .await;
    let first = news.recv().await.unwrap();
    let newest = fixture.pending(sink, feed).await[1].seq;
    assert_eq!(
        (first.feed, first.newest),
        (feed, newest),
        "a mark is no news"
    );
}

#[tokio::test]
async fn commands_of_many_callers_share_commits_and_all_are_kept() {
    let mut fixture = Fixture::new().await;
    let sink = fixture.sink("a").await;
    let feed = fixture.feed("ana").await.id;
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..200 {
        let spool = fixture.spool.clone();
        callers.spawn(async move {
            let ops = vec![upsert(n, 1, "x", &[])];
            spool
                .append(Append {
                    feed,
                    ops,
                    cursor: None,
                    walk: None,
                })
                .await
                .unwrap()
                .n_records()
        });
    }
    let n_records: usize = callers.join_all().await.into_iter().sum();
    assert_eq!(n_records, 200);
    fixture.reopen().await;
    let records = fixture.pending(sink, feed).await;
    assert_eq!(records.len(), 200);
    assert!(records.is_sorted_by(|a, b| a.seq < b.seq && a.record.revision < b.record.revision));
}
