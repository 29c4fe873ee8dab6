//! Kill -9: this test runs itself as a child that appends, acknowledges and says what it was
//! answered; it is killed at a random point and what it was told must be in the file. Loss of
//! power is not tested by this: the page cache survives.

use crate::fixture::*;
use nuncio_model::{Append, FeedId, SystemClock};
use nuncio_spool::{Seq, SinkId, Spool};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const CHILD: &str = "NUNCIO_SPOOL_CRASH_DIR";
const NAME: &str = "crash::nothing_acknowledged_is_lost_through_kill_9";
/// Records of one append; one that is kept in part would show.
const BATCH: u64 = 7;

/// What the child was told: batches appended by feed, positions of the sink that takes.
#[derive(Default)]
struct Told {
    batches: BTreeMap<u64, u64>,
    positions: BTreeMap<u64, u64>,
}

#[test]
fn nothing_acknowledged_is_lost_through_kill_9() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let Some(dir) = std::env::var_os(CHILD) {
        runtime.block_on(child(Path::new(&dir)));
        return;
    }
    let n_rounds = n_cases(10);
    let seed = 7;
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    let mut last_revision = 0;
    let mut n_lost_answers = 0;
    for round in 0..n_rounds {
        let n_lines = random.usize(2..80);
        run_child_until(dir.path(), n_lines, &mut told);
        last_revision =
            runtime.block_on(check(dir.path(), &told, last_revision, &mut n_lost_answers));
        println!(
            "round {round} (seed {seed}): killed after {n_lines} answers, {:?} batches",
            told.batches
        );
    }
    println!(
        "{n_rounds} kills, {n_lost_answers} batches were durable before their answer was read"
    );
    assert!(
        told.batches.values().sum::<u64>() > 0 && !told.positions.is_empty(),
        "the child did nothing"
    );
}

/// Starts the child, reads its answers and kills it after some.
fn run_child_until(dir: &Path, n_lines: usize, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut n_read = 0;
    let mut killed = false;
    let mut line = String::new();
    // What is in the pipe after the kill was told as well.
    while output.read_line(&mut line).unwrap() > 0 {
        if line.ends_with('\n') && tell(&line, told) {
            n_read += 1;
        }
        if n_read >= n_lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
    }
    let status = child.wait().unwrap();
    assert!(killed, "the child ended by itself: {status}");
}

fn tell(line: &str, told: &mut Told) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, feed, number] = words[..] else {
        return false;
    };
    let (Ok(feed), Ok(number)) = (feed.parse(), number.parse()) else {
        return false;
    };
    match kind {
        "appended" => told.batches.insert(feed, number),
        "acknowledged" => told.positions.insert(feed, number),
        _ => return false,
    };
    true
}

async fn child(dir: &Path) {
    let spool = open(dir, PLENTY, Arc::new(SystemClock)).await.unwrap();
    let taker = spool
        .register_sink(&nuncio_model::SinkName::new("taker"))
        .await
        .unwrap();
    // Never takes anything, so that every record can be looked at afterwards.
    spool
        .register_sink(&nuncio_model::SinkName::new("keeper"))
        .await
        .unwrap();
    let (ana, ben) = (
        spool.open_feed(spec("ana"), None).await.unwrap(),
        spool.open_feed(spec("ben"), None).await.unwrap(),
    );
    let begin = |cursor: Option<nuncio_model::Cursor>| {
        cursor.map_or(0, |cursor| cursor.0.parse::<u64>().unwrap())
    };
    tokio::join!(
        append_for_ever(&spool, ana.id, begin(ana.cursor)),
        append_for_ever(&spool, ben.id, begin(ben.cursor)),
        take_for_ever(&spool, taker),
    );
}

async fn append_for_ever(spool: &Spool, feed: FeedId, begin: u64) {
    for batch in begin + 1.. {
        let ops = (0..BATCH)
            .map(|n| {
                upsert(
                    batch * BATCH + n,
                    batch,
                    &format!("batch {batch}"),
                    &["INBOX"],
                )
            })
            .collect();
        spool
            .append(Append {
                feed,
                ops,
                cursor: cursor(batch.to_string()),
                walk: None,
            })
            .await
            .unwrap();
        say("appended", feed, batch);
    }
}

async fn take_for_ever(spool: &Spool, sink: SinkId) {
    let mut news = spool.subscribe();
    loop {
        for lane in spool.pending_lanes(sink).await.unwrap() {
            let records = spool
                .read_lane(sink, lane.feed, lane.position, 10, u64::MAX)
                .await
                .unwrap();
            let position = records[records.len() - 1].seq;
            spool
                .ack(ack(sink, lane.feed, position, &[]))
                .await
                .unwrap();
            say("acknowledged", lane.feed, position.0);
        }
        // Lagging is as good as news.
        drop(news.recv().await);
    }
}

/// One write for a line, so that it is read whole or not at all.
fn say(what: &str, feed: FeedId, number: u64) {
    std::io::stdout()
        .write_all(format!("\n{what} {feed} {number}\n").as_bytes())
        .unwrap();
}

/// Compares the file with what the child was told; the highest revision.
async fn check(dir: &Path, told: &Told, last_revision: u64, n_lost_answers: &mut u64) -> u64 {
    let spool = open(dir, PLENTY, Arc::new(SystemClock)).await.unwrap();
    let sinks = spool.sinks().await.unwrap();
    let sink = |name: &str| {
        sinks
            .iter()
            .find(|sink| sink.name.as_str() == name)
            .map(|sink| sink.id)
    };
    let mut revisions = Vec::new();
    for feed in spool.feeds().await.unwrap() {
        let n_told = told.batches.get(&feed.id.0).copied().unwrap_or(0);
        let n_durable = feed
            .cursor
            .map_or(0, |cursor| cursor.0.parse::<u64>().unwrap());
        assert!(
            n_durable >= n_told,
            "feed {}: batch {n_told} was answered, {n_durable} are there",
            feed.id
        );
        // At most the one append that was under way.
        assert!(
            n_durable <= n_told + 1,
            "feed {}: {n_durable} batches after {n_told} answers",
            feed.id
        );
        *n_lost_answers += n_durable - n_told;
        let Some(keeper) = sink("keeper") else {
            continue;
        };
        let records = spool
            .read_lane(keeper, feed.id, Seq(0), 1_000_000, u64::MAX)
            .await
            .unwrap();
        assert_eq!(
            records.len() as u64,
            n_durable * BATCH,
            "feed {}: cursor and records differ",
            feed.id
        );
        assert_eq!(spool.count_items(feed.id).await.unwrap(), n_durable * BATCH);
        for (n, record) in (BATCH..).zip(&records) {
            assert_eq!(content(&record.record).1, format!("batch {}", n / BATCH));
            assert!(record.record.key.as_str().ends_with(item(n).as_str()));
        }
        revisions.extend(records.iter().map(|record| record.record.revision.0));
        if let (Some(position), Some(taker)) = (told.positions.get(&feed.id.0), sink("taker")) {
            let pending = spool.pending_lanes(taker).await.unwrap();
            let lane = pending.iter().find(|lane| lane.feed == feed.id);
            assert!(
                lane.is_none_or(|lane| lane.position.0 >= *position),
                "{lane:?} after ack of {position}"
            );
        }
    }
    let n_revisions = revisions.len();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), n_revisions, "a revision was given twice");
    spool.close().await;
    let highest = revisions.last().copied().unwrap_or(0);
    assert!(highest >= last_revision);
    highest
}
