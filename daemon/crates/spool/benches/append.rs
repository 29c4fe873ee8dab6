//! Appends of 100 mails of 2 kB each, one durable commit each, against plain inserts of the
//! same compressed bodies by rusqlite in the same run. The ratio is the price of item index,
//! newest wins, compression and the way through the writer's thread; a mailbox of 100,000 mails
//! takes 100,000 divided by the rate. Also what several callers get at once.

use nuncio_model::{
    AccountKey, Append, Change, Direction, Email, FeedId, FeedSpec, IndexRow, ItemId, MailCategory,
    MailFlags, Op, Origin, Payload, Record, RecordKey, Revision, SinkName, Source, SystemClock,
    ThreadId,
};
use nuncio_spool::{Ack, LaneAck, Options, Spool};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

const BATCHES: u64 = 100;
const BATCH: u64 = 100;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let raw = raw_inserts()?;
    let (one, several, delivery) = runtime.block_on(ours())?;
    let mut out = std::io::stdout();
    writeln!(out, "raw inserts         {raw:>8.0} records/s")?;
    writeln!(
        out,
        "append, one caller  {one:>8.0} records/s, {:.2} x raw",
        one / raw
    )?;
    writeln!(
        out,
        "append, four        {several:>8.0} records/s, {:.2} x raw",
        several / raw
    )?;
    writeln!(
        out,
        "read and ack        {delivery:>8.0} records/s, {:.2} x raw",
        delivery / raw
    )?;
    Ok(())
}

/// Records per second of the plainest table.
fn raw_inserts() -> Result<f64, Failure> {
    let dir = tempfile::tempdir()?;
    let mut conn = rusqlite::Connection::open(dir.path().join("raw.db"))?;
    conn.pragma_update(None, "page_size", 16_384)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.execute_batch("CREATE TABLE records (seq INTEGER PRIMARY KEY, key TEXT, body BLOB)")?;
    let bodies: Vec<Vec<u8>> = (0..BATCH)
        .map(|n| Ok(zstd::bulk::compress(&serde_json::to_vec(&record(n))?, 1)?))
        .collect::<Result<_, Failure>>()?;
    let began = Instant::now();
    for _ in 0..BATCHES {
        let transaction = conn.transaction()?;
        for (n, body) in bodies.iter().enumerate() {
            transaction
                .prepare_cached("INSERT INTO records (key, body) VALUES (?1, ?2)")?
                .execute((format!("gmail/ana/{n:016x}"), body))?;
        }
        transaction.commit()?;
    }
    Ok((BATCHES * BATCH) as f64 / began.elapsed().as_secs_f64())
}

/// Records per second with one caller, with four, and on the way out.
async fn ours() -> Result<(f64, f64, f64), Failure> {
    let dir = tempfile::tempdir()?;
    let options = Options {
        dir: dir.path().to_owned(),
        max_bytes: 1 << 40,
        clock: Arc::new(SystemClock),
    };
    let spool = Spool::open(options).await?;
    let sink = spool.register_sink(&SinkName::new("sink")).await?;
    let mut feeds = Vec::new();
    for name in ["one", "a", "b", "c", "d"] {
        let spec = FeedSpec {
            account: AccountKey::new(name),
            source: Source::Gmail,
            collection: String::new(),
        };
        feeds.push(spool.open_feed(spec, None).await?.id);
    }
    let batches = |feed| (0..BATCHES).map(|n| batch(feed, n)).collect::<Vec<_>>();

    let prepared = batches(feeds[0]);
    let began = Instant::now();
    append_all(&spool, prepared).await?;
    let one = (BATCHES * BATCH) as f64 / began.elapsed().as_secs_f64();

    let prepared: Vec<_> = feeds[1..].iter().map(|feed| batches(*feed)).collect();
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for batches in prepared {
        let spool = spool.clone();
        callers.spawn(async move {
            append_all(&spool, batches)
                .await
                .map_err(|error| error.to_string())
        });
    }
    for ended in callers.join_all().await {
        ended?;
    }
    let several = (4 * BATCHES * BATCH) as f64 / began.elapsed().as_secs_f64();

    let began = Instant::now();
    let mut n_taken = 0;
    for lane in spool.pending_lanes(sink).await? {
        let mut position = lane.position;
        loop {
            let records = spool
                .read_lane(sink, lane.feed, position, 100, 1 << 20)
                .await?;
            let Some(last) = records.last() else { break };
            position = last.seq;
            n_taken += records.len();
            let n_delivered = records.len() as u64;
            let lanes = vec![LaneAck {
                feed: lane.feed,
                position,
                n_delivered,
                n_attempts: 0,
                next_try: 0,
            }];
            spool
                .ack(Ack {
                    sink,
                    lanes,
                    dead: vec![],
                })
                .await?;
        }
    }
    let delivery = n_taken as f64 / began.elapsed().as_secs_f64();
    spool.close().await;
    Ok((one, several, delivery))
}

async fn append_all(spool: &Spool, batches: Vec<Append>) -> Result<(), nuncio_model::StoreError> {
    for batch in batches {
        spool.append(batch).await?;
    }
    Ok(())
}

fn batch(feed: FeedId, n_batch: u64) -> Append {
    let ops = (0..BATCH)
        .map(|n| {
            let n = u64::MAX / 2 - n_batch * BATCH - n;
            let id = format!("{n:016x}");
            let row = IndexRow {
                item: ItemId::new(id.as_str()),
                order: n,
                hash: n,
                labels: ["INBOX", "UNREAD"].into_iter().collect(),
                thread: ThreadId::new(id),
                generation: 0,
            };
            Op::Upsert {
                row,
                record: Box::new(record(n)),
                blobs: vec![],
            }
        })
        .collect();
    Append {
        feed,
        ops,
        cursor: None,
        walk: None,
    }
}

fn record(n: u64) -> Record {
    // Words in no order: compresses about as mail does.
    let mut random = fastrand::Rng::with_seed(n);
    let words = [
        "meeting", "invoice", "tomorrow", "please", "regards", "project", "the", "and", "attached",
        "review",
    ];
    let text: String = (0..180)
        .map(|_| format!("{}{} ", words[random.usize(0..words.len())], random.u8(..)))
        .collect();
    let email = Email {
        id: format!("{n:016x}"),
        thread_id: format!("{n:016x}"),
        draft_id: None,
        message_id: format!("{n}@mail.example.com"),
        message_key: format!("{n:032x}"),
        flags: MailFlags::UNREAD.with(MailFlags::INBOX),
        category: MailCategory::Personal,
        labels: vec![],
        direction: Direction::Inbound,
        internal: false,
        from: None,
        sender: None,
        reply_to: vec![],
        to: vec![],
        cc: vec![],
        bcc: vec![],
        subject: "Re: the project".into(),
        snippet: text[..100].to_owned(),
        date: Some(1_767_225_600_000),
        date_offset: 60,
        internal_date: 1_767_225_600_000,
        in_reply_to: None,
        references: vec![],
        list_id: None,
        auto_submitted: None,
        has_invite: false,
        text: Some(text),
        html: None,
        truncated: false,
        attachments: vec![],
        size: 2_000,
        headers: None,
        raw: None,
    };
    Record {
        key: RecordKey::new(format!("gmail/ana/{n:016x}")),
        revision: Revision(0),
        source_version: n,
        change: Change::Created,
        source: Source::Gmail,
        origin: Origin::Backfill,
        lane: FeedId(0),
        user: "ana@example.com".into(),
        account: "ana@example.com".into(),
        collection: String::new(),
        observed_at: 1_767_225_600_000,
        notes: vec![],
        extra: vec![],
        payload: Payload::Email(Box::new(email)),
    }
}
