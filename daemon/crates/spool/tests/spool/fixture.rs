//! A spool in a temporary folder, and the shortest way to say what goes into it.

use nuncio_model::{
    AccountKey, Append, Appended, Blob, Change, Clock, Cursor, DeleteCause, Deleted, Direction,
    Email, Failure, Feed, FeedId, FeedSpec, IndexRow, ItemId, LabelChange, LabelSet, MailCategory,
    MailFlags, ManualClock, Op, Origin, Payload, Record, RecordKey, Revision, SinkName, Source,
    ThreadId, Walk, WalkPhase,
};
use nuncio_spool::{Ack, LaneAck, Options, Rejected, Relabel, Seq, SinkId, Spool, SpooledRecord};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 2026-01-01 in microseconds.
pub(crate) const START_US: i64 = 1_767_225_600_000_000;
pub(crate) const PLENTY: u64 = 1 << 40;

pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) spool: Spool,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with_max_bytes(PLENTY).await
    }

    pub(crate) async fn with_max_bytes(max_bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START_US));
        let spool = open(dir.path(), max_bytes, clock.clone()).await.unwrap();
        Self { dir, clock, spool }
    }

    pub(crate) async fn reopen(&mut self) {
        self.spool.close().await;
        self.spool = open(self.dir.path(), PLENTY, self.clock.clone())
            .await
            .unwrap();
    }

    pub(crate) async fn sink(&self, name: &str) -> SinkId {
        self.spool
            .register_sink(&SinkName::new(name))
            .await
            .unwrap()
    }

    pub(crate) async fn feed(&self, account: &str) -> Feed {
        self.spool.open_feed(spec(account), None).await.unwrap()
    }

    pub(crate) async fn append(&self, feed: FeedId, ops: Vec<Op>) -> Appended {
        self.spool
            .append(Append {
                feed,
                ops,
                cursor: None,
                walk: None,
            })
            .await
            .unwrap()
    }

    pub(crate) async fn set_walk(&self, feed: FeedId, walk: Option<Walk>) {
        self.spool
            .append(Append {
                feed,
                ops: vec![],
                cursor: None,
                walk: Some(walk),
            })
            .await
            .unwrap();
    }

    /// What the sink has still to get.
    pub(crate) async fn pending(&self, sink: SinkId, feed: FeedId) -> Vec<SpooledRecord> {
        let lanes = self.spool.pending_lanes(sink).await.unwrap();
        let Some(lane) = lanes.into_iter().find(|lane| lane.feed == feed) else {
            return vec![];
        };
        let records = self
            .spool
            .read_lane(sink, feed, lane.position, 10_000, u64::MAX)
            .await
            .unwrap();
        assert_eq!(records.last().map(|record| record.seq), Some(lane.newest));
        records
    }

    /// Settles all up to `position`, `rejected` of it as dead letters.
    pub(crate) async fn ack(&self, sink: SinkId, feed: FeedId, position: Seq, rejected: &[Seq]) {
        self.spool
            .ack(ack(sink, feed, position, rejected))
            .await
            .unwrap();
    }

    /// The places of all records that are retained, whoever they are for.
    pub(crate) fn retained(&self) -> Vec<u64> {
        self.column("SELECT seq FROM records ORDER BY seq")
    }

    /// A look into the file, past the API.
    pub(crate) fn column(&self, sql: &str) -> Vec<u64> {
        let conn = rusqlite::Connection::open(self.dir.path().join("spool.db")).unwrap();
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        rows.map(|row| row.unwrap().cast_unsigned()).collect()
    }

    /// Release runs beside: waits until exactly these records are retained.
    pub(crate) async fn wait_for_retained(&self, expected: &[u64]) {
        let began = Instant::now();
        loop {
            let retained = self.retained();
            if retained == expected {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "retained {retained:?}, expected {expected:?}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// How many cases or rounds a long test does: few by default, more in CI, as `NUNCIO_SOAK` says.
pub(crate) fn n_cases(short: u32) -> u32 {
    match std::env::var("NUNCIO_SOAK").as_deref() {
        Ok("medium") => short * 4,
        Ok("long") => short * 20,
        _ => short,
    }
}

pub(crate) async fn open(
    dir: &Path,
    max_bytes: u64,
    clock: Arc<dyn Clock>,
) -> Result<Spool, nuncio_spool::Error> {
    Spool::open(Options {
        dir: dir.to_owned(),
        max_bytes,
        clock,
    })
    .await
}

pub(crate) fn spec(account: &str) -> FeedSpec {
    FeedSpec {
        account: AccountKey::new(account),
        source: Source::Gmail,
        collection: String::new(),
    }
}

pub(crate) fn ack(sink: SinkId, feed: FeedId, position: Seq, rejected: &[Seq]) -> Ack {
    let lane = LaneAck {
        feed,
        position,
        n_delivered: 1,
        n_attempts: 0,
        next_try: 0,
    };
    let dead = rejected
        .iter()
        .map(|seq| Rejected {
            feed,
            seq: *seq,
            code: "bad".into(),
            reason: "no".into(),
            n_attempts: 1,
        })
        .collect();
    Ack {
        sink,
        lanes: vec![lane],
        dead,
    }
}

pub(crate) fn item(n: u64) -> ItemId {
    ItemId::new(format!("{n:016x}"))
}

pub(crate) fn labels(ids: &[&str]) -> LabelSet {
    ids.iter().copied().collect()
}

/// The hash of an item's content with its labels, as a source would make it.
pub(crate) fn content_hash(subject: &str, labels: &LabelSet) -> u64 {
    let mut hash = Sha256::new();
    hash.update(subject);
    labels
        .iter()
        .for_each(|label| hash.update(format!("\n{label}")));
    u64::from_be_bytes(hash.finalize()[..8].try_into().unwrap())
}

pub(crate) fn upsert(n: u64, order: u64, subject: &str, label_ids: &[&str]) -> Op {
    upsert_with_blobs(n, order, subject, label_ids, vec![])
}

pub(crate) fn upsert_with_blobs(
    n: u64,
    order: u64,
    subject: &str,
    label_ids: &[&str],
    blobs: Vec<Blob>,
) -> Op {
    let labels = labels(label_ids);
    let row = IndexRow {
        item: item(n),
        order,
        hash: content_hash(subject, &labels),
        thread: ThreadId::new(item(n).as_str()),
        generation: 0,
        labels: labels.clone(),
    };
    let record = record(
        n,
        order,
        Payload::Email(Box::new(email(n, subject, &labels))),
    );
    Op::Upsert {
        row,
        record: Box::new(record),
        blobs,
    }
}

pub(crate) fn relabel_op(n: u64, order: u64, subject: &str, label_ids: &[&str]) -> Op {
    let labels = labels(label_ids);
    let change = LabelChange {
        thread_id: item(n).as_str().to_owned(),
        flags: labels.flags(),
        category: MailCategory::None,
        labels: labels.iter().map(str::to_owned).collect(),
    };
    let hash = content_hash(subject, &labels);
    Op::Labels {
        item: item(n),
        order,
        hash,
        labels,
        record: Box::new(record(n, order, Payload::Labels(change))),
    }
}

pub(crate) fn delete(n: u64, order: u64) -> Op {
    let deleted = Deleted {
        cause: DeleteCause::Removed,
        thread_id: None,
        ical_uid: None,
        name: None,
    };
    Op::Delete {
        item: item(n),
        order,
        record: Box::new(record(n, order, Payload::Deleted(deleted))),
    }
}

pub(crate) fn mark(n: u64) -> Op {
    Op::Mark { item: item(n) }
}

pub(crate) fn fail(n: u64, next_try: i64) -> Op {
    Op::Fail(Failure {
        item: item(n),
        code: "GML500".into(),
        message: "backend error".into(),
        next_try,
    })
}

pub(crate) fn walk(generation: u64, baseline: u64) -> Walk {
    Walk {
        origin: Origin::Resync,
        reason: Some("history expired".into()),
        generation,
        baseline,
        phase: WalkPhase::List,
        page: Some("page-2".into()),
        done: 3,
        total: Some(9),
    }
}

pub(crate) fn cursor(text: impl Into<String>) -> Option<Cursor> {
    Some(Cursor(text.into()))
}

pub(crate) fn blob(bytes: Vec<u8>) -> Blob {
    let sha256 = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Blob {
        sha256,
        bytes: Arc::new(bytes),
    }
}

/// Puts label ids into the record as if they were names.
pub(crate) fn relabel() -> Relabel {
    Arc::new(|record, labels| {
        let names = labels.iter().map(str::to_owned).collect();
        match &mut record.payload {
            Payload::Email(email) => email.labels = names,
            Payload::Labels(change) => change.labels = names,
            Payload::Event(_) | Payload::File(_) | Payload::Deleted(_) => {}
        }
    })
}

/// The subject of an email, the names of labels, or nothing: enough to tell records apart.
pub(crate) fn content(record: &Record) -> (Change, String, Vec<String>) {
    let (subject, labels) = match &record.payload {
        Payload::Email(email) => (email.subject.clone(), email.labels.clone()),
        Payload::Labels(change) => (String::new(), change.labels.clone()),
        Payload::Event(event) => (event.summary.clone(), vec![]),
        Payload::File(file) => (file.name.clone(), vec![]),
        Payload::Deleted(_) => (String::new(), vec![]),
    };
    (record.change, subject, labels)
}

fn record(n: u64, order: u64, payload: Payload) -> Record {
    Record {
        key: RecordKey::gmail_message(&AccountKey::new("ana"), &item(n)),
        revision: Revision(0),
        source_version: order,
        // The spool says what it is.
        change: Change::Created,
        source: Source::Gmail,
        origin: Origin::Live,
        lane: FeedId(0),
        user: "ana@example.com".into(),
        account: "ana@example.com".into(),
        collection: String::new(),
        observed_at: START_US / 1_000,
        notes: vec![],
        extra: vec![],
        payload,
    }
}

fn email(n: u64, subject: &str, labels: &LabelSet) -> Email {
    Email {
        id: item(n).as_str().to_owned(),
        thread_id: item(n).as_str().to_owned(),
        draft_id: None,
        message_id: format!("{n}@example.com"),
        message_key: format!("{n}"),
        flags: MailFlags::default(),
        category: MailCategory::None,
        labels: labels.iter().map(str::to_owned).collect(),
        direction: Direction::Inbound,
        internal: false,
        from: None,
        sender: None,
        reply_to: vec![],
        to: vec![],
        cc: vec![],
        bcc: vec![],
        subject: subject.to_owned(),
        snippet: String::new(),
        date: None,
        date_offset: 0,
        internal_date: 0,
        in_reply_to: None,
        references: vec![],
        list_id: None,
        auto_submitted: None,
        has_invite: false,
        text: None,
        html: None,
        truncated: false,
        attachments: vec![],
        size: 0,
        headers: None,
        raw: None,
    }
}
