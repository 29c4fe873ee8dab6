//! The way of a mail from its bytes to a guest, stage by stage: normalize, append (durable), read
//! and deliver, settle. Microseconds of processor time per mail, all threads counted, next to
//! mail-parser's bare parse of the same mails in the same run: the ratio is what lasts. A mailbox
//! of 100,000 mails costs a tenth of a second of processor time per microsecond.
//!
//! Not in it: what comes before (transport, JSON, base64) and what a real sink does.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]

use async_trait::async_trait;
use mail_parser::MessageParser;
use nuncio_benches::{cpu_time, mails};
use nuncio_dispatch::{Blobs, Dispatch, Health, Options as DispatchOptions, RetryPolicy, Sink};
use nuncio_model::{
    AccountKey, Address, Append, BlobRef, CallError, Change, Content, FeedId, FeedSpec, IndexRow,
    ItemId, LabelNames, LabelSet, Op, Origin, Outcome, Payload, People, Person, Record, RecordKey,
    Revision, SinkName, Source, SystemClock, ThreadId,
};
use nuncio_plugin_host::{Engine, EngineOptions, Plugin, PluginSink, SinkOptions};
use nuncio_sources::gmail::normalize::{Context, Raw, email};
use nuncio_spool::{Options as SpoolOptions, Spool};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

const MAILS: usize = 20_000;
/// Different mails; the records of all have keys of their own.
const DIFFERENT: usize = 500;
const BATCH: usize = 100;
/// What a sink for search or a CRM asks for.
const CONTENT: Content = Content::Text;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mails = mails(DIFFERENT, 1);
    let n_bytes = mails.iter().map(Vec::len).sum::<usize>() / mails.len();
    println!("{MAILS} mails of {n_bytes} bytes, content {CONTENT}\n");

    let (parse, ()) = timed(|| {
        for n in 0..MAILS {
            black_box(MessageParser::default().parse(&mails[n % DIFFERENT]));
        }
    });
    let (normalize, records) = timed(|| normalized(&mails));
    let direct: Vec<Arc<Record>> = records.iter().cloned().map(Arc::new).collect();

    let dir = tempfile::tempdir()?;
    let spool = runtime.block_on(Spool::open(SpoolOptions {
        dir: dir.path().to_owned(),
        max_bytes: 1 << 40,
        clock: Arc::new(SystemClock),
    }))?;
    let name = SinkName::new("counting");
    let sink_id = runtime.block_on(spool.register_sink(&name))?;
    let feed = runtime.block_on(spool.open_feed(
        FeedSpec {
            account: AccountKey::new("key"),
            source: Source::Gmail,
            collection: String::new(),
        },
        None,
    ))?;
    let batches = appends(feed.id, records);
    let (append, appended) = timed(|| {
        runtime.block_on(async {
            for batch in batches {
                spool.append(batch).await?;
            }
            Ok::<(), Failure>(())
        })
    });
    appended?;

    let guest = runtime.block_on(Guest::load())?;
    let counting = Arc::new(Counting {
        sink: runtime.block_on(guest.open("ok"))?,
        n_delivered: AtomicUsize::new(0),
        all: Notify::new(),
    });
    let options = DispatchOptions {
        name,
        sink: sink_id,
        batch_records: BATCH,
        batch_bytes: 512 << 10,
        batch_delay: Duration::ZERO,
        in_flight: 1,
        retry: RetryPolicy {
            max_attempts: 3,
            max_delay: Duration::from_secs(1),
        },
        wants: Arc::new(|_| true),
    };
    let (deliver, delivered) = timed(|| {
        let sink: Arc<dyn Sink> = Arc::clone(&counting) as _;
        let (health, _) = watch::channel(Health::default());
        let dispatch = Dispatch::new(options, spool.clone(), sink, Arc::new(SystemClock), health);
        runtime.block_on(async {
            let stop = CancellationToken::new();
            let (ended, ()) = tokio::join!(dispatch.run(stop.clone()), async {
                counting.all.notified().await;
                stop.cancel();
            });
            ended
        })
    });
    delivered?;
    runtime.block_on(spool.close());

    let counted = runtime.block_on(guest.rate("ok", &direct))?;
    let written = runtime.block_on(guest.rate("json", &direct))?;

    println!(
        "{:34} {:>9} {:>9} {:>7}",
        "stage", "CPU us", "wall us", "x parse"
    );
    let show = |stage: &str, cost: Cost| {
        println!(
            "{stage:34} {:>9.1} {:>9.1} {:>7.2}",
            cost.cpu,
            cost.wall,
            cost.cpu / parse.cpu
        );
    };
    show("mail-parser, bare (baseline)", parse);
    show("normalize", normalize);
    show("spool append, durable", append);
    show("read, guest that counts, ack", deliver);
    show("all stages", normalize + append + deliver);
    println!("target for all, with transport: 150 us (stretch 100)\n");
    println!("a guest alone, one core, records/s (wall):");
    println!("{:34} {counted:>9.0}   target 220,000", "that counts");
    println!(
        "{:34} {written:>9.0}   target 100,000",
        "that makes JSON documents"
    );
    Ok(())
}

/// Microseconds per mail.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            wall: self.wall + other.wall,
        }
    }
}

/// What `work` costs per mail, where it does all of them. Without `/proc` the wall clock counts.
fn timed<T>(work: impl FnOnce() -> T) -> (Cost, T) {
    let (cpu_began, began) = (cpu_time(), Instant::now());
    let done = work();
    let wall = began.elapsed();
    let cpu = match (cpu_began, cpu_time()) {
        (Some(began), Some(ended)) => ended.saturating_sub(began),
        _ => wall,
    };
    let per_mail = |time: Duration| time.as_secs_f64() * 1e6 / MAILS as f64;
    let cost = Cost {
        cpu: per_mail(cpu),
        wall: per_mail(wall),
    };
    (cost, done)
}

fn normalized(mails: &[Vec<u8>]) -> Vec<Record> {
    let user = Address::parse("ana@example.com").expect("an address");
    let persons = [Person {
        email: user.clone(),
        aliases: Vec::new(),
    }];
    let people = People::try_new(&persons, &["example.com".into()]).expect("no clash");
    let labels: LabelSet = ["INBOX", "UNREAD", "CATEGORY_PERSONAL"]
        .into_iter()
        .collect();
    let account = AccountKey::new("key");
    let names = LabelNames::default();
    let context = Context {
        people: &people,
        user: &user,
        account: &account,
        label_names: &names,
        content: CONTENT,
    };
    (0..MAILS)
        .map(|n| {
            let id = format!("{n:016x}");
            let normalized = email(
                &Raw {
                    id: &id,
                    thread_id: &id,
                    snippet: "It&#39;s about the plan &amp; the rest",
                    internal_date: 1_700_000_000_000,
                    labels: &labels,
                    bytes: &mails[n % DIFFERENT],
                },
                &context,
            );
            Record {
                key: RecordKey::gmail_message(&account, &ItemId::new(id)),
                revision: Revision(0),
                source_version: n as u64 + 1,
                change: Change::Created,
                source: Source::Gmail,
                origin: Origin::Backfill,
                lane: FeedId(0),
                user: user.to_string(),
                account: user.to_string(),
                collection: String::new(),
                observed_at: 1_700_000_000_000,
                notes: normalized.notes,
                extra: normalized.extra,
                payload: Payload::Email(Box::new(normalized.email)),
            }
        })
        .collect()
}

/// One transaction for each page of a walk.
fn appends(feed: FeedId, records: Vec<Record>) -> Vec<Append> {
    let ops: Vec<Op> = records
        .into_iter()
        .enumerate()
        .map(|(n, record)| {
            let id = format!("{n:016x}");
            Op::Upsert {
                row: IndexRow {
                    item: ItemId::new(id.as_str()),
                    order: n as u64 + 1,
                    hash: n as u64,
                    labels: ["INBOX", "UNREAD"].into_iter().collect(),
                    thread: ThreadId::new(id),
                    generation: 0,
                },
                record: Box::new(record),
                blobs: Vec::new(),
            }
        })
        .collect();
    ops.chunks(BATCH)
        .map(|ops| Append {
            feed,
            ops: ops.to_vec(),
            cursor: None,
            walk: None,
        })
        .collect()
}

/// A sink that tells when it has all mails.
struct Counting {
    sink: PluginSink,
    n_delivered: AtomicUsize,
    all: Notify,
}

#[async_trait]
impl Sink for Counting {
    async fn write(&self, batch: Vec<Arc<Record>>) -> Result<Vec<Outcome>, CallError> {
        let outcomes = self.sink.write(batch).await?;
        let n_before = self
            .n_delivered
            .fetch_add(outcomes.len(), Ordering::Relaxed);
        if n_before + outcomes.len() >= MAILS {
            self.all.notify_one();
        }
        Ok(outcomes)
    }

    async fn close(&self) {
        self.sink.close().await;
    }
}

/// The guest that counts or makes documents.
struct Guest {
    engine: Engine,
    plugin: Plugin,
}

impl Guest {
    async fn load() -> Result<Self, Failure> {
        let folder = std::env::var_os("NUNCIO_TEST_PLUGINS_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-plugins"),
            PathBuf::from,
        );
        let path = folder.join("hostile-guest.wasm");
        if !path.exists() {
            return Err(format!("{} is missing: run `cargo xtask build`", path.display()).into());
        }
        let engine = Engine::new(EngineOptions::default())?;
        let plugin = Plugin::load(&engine, &path).await?;
        Ok(Self { engine, plugin })
    }

    async fn open(&self, trick: &str) -> Result<PluginSink, Failure> {
        let options = SinkOptions {
            name: SinkName::new("bench"),
            settings: serde_json::json!({ "do": trick }),
            content: Some(CONTENT),
            dirs: Vec::new(),
            memory_bytes: 64 << 20,
            call_time: Duration::from_secs(30),
            in_flight: 1,
            log_per_minute: 200,
            blobs: Arc::new(NoBlobs),
            clock: Arc::new(SystemClock),
        };
        let opened = nuncio_plugin_host::open(&self.engine, &self.plugin, options).await?;
        Ok(opened.sink)
    }

    /// Records a second, batch after batch, without spool and dispatch.
    async fn rate(&self, trick: &str, records: &[Arc<Record>]) -> Result<f64, Failure> {
        let sink = self.open(trick).await?;
        let began = Instant::now();
        for batch in records.chunks(BATCH) {
            sink.write(batch.to_vec())
                .await
                .map_err(|error| format!("{error:?}"))?;
        }
        let rate = records.len() as f64 / began.elapsed().as_secs_f64();
        sink.close().await;
        Ok(rate)
    }
}

struct NoBlobs;

#[async_trait]
impl Blobs for NoBlobs {
    async fn read(&self, _: &BlobRef, _: u64, _: u32) -> Result<Vec<u8>, String> {
        Err("no blobs here".to_owned())
    }
}
