//! What the tests of the plugin host share: guests built once, records, bytes, the captured log.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "test code, and each test binary uses its part of it"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use nuncio_dispatch::Blobs;
use nuncio_model::{
    Attachment, BlobRef, Change, Direction, Email, FeedId, MailCategory, MailFlags, Origin,
    Participant, Payload, Record, RecordKey, Revision, SinkName, Source, SystemClock, Who,
};
use nuncio_plugin_host::{Engine, EngineOptions, Error, Opened, Plugin, PluginSink, SinkOptions};
use serde_json::{Value, json};

/// The component of a guest crate.
pub fn guest(package: &str) -> Vec<u8> {
    let path = guest_path(package);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where the component of a guest crate is. The environment names folders with guests that are
/// built already (`NUNCIO_PLUGINS_DIR`, `NUNCIO_TEST_PLUGINS_DIR`); otherwise cargo builds it.
pub fn guest_path(package: &str) -> PathBuf {
    static FOUND: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut found = FOUND
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    found
        .get_or_insert_default()
        .entry(package.to_owned())
        .or_insert_with(|| prebuilt(package).unwrap_or_else(|| build(package)))
        .clone()
}

fn prebuilt(package: &str) -> Option<PathBuf> {
    let name = package.strip_prefix("plugin-").unwrap_or(package);
    ["NUNCIO_PLUGINS_DIR", "NUNCIO_TEST_PLUGINS_DIR"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(|dir| Path::new(&dir).join(format!("{name}.wasm")))
        .find(|path| path.exists())
}

fn build(package: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "--target",
            "wasm32-wasip2",
            "--package",
            package,
        ])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "building {package} for wasm32-wasip2 failed"
    );
    target
        .join("wasm32-wasip2/release")
        .join(format!("{}.wasm", package.replace('-', "_")))
}

/// One engine for all tests of a binary. The time to describe is generous: tests share few cores.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let options = EngineOptions {
            describe_time: Duration::from_secs(20),
            max_instances: 32,
            ..EngineOptions::default()
        };
        Engine::new(options).unwrap()
    })
}

pub async fn hostile() -> Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    if let Some(plugin) = PLUGIN.get() {
        return plugin.clone();
    }
    let plugin = Plugin::load(engine(), &guest_path("hostile-guest"))
        .await
        .unwrap();
    PLUGIN.get_or_init(|| plugin).clone()
}

pub fn options(name: &str, settings: Value) -> SinkOptions {
    SinkOptions {
        name: SinkName::new(name),
        settings,
        content: None,
        dirs: vec![],
        memory_bytes: 64 << 20,
        call_time: Duration::from_secs(60),
        in_flight: 1,
        log_per_minute: 200,
        blobs: Arc::new(Bytes::default()),
        clock: Arc::new(SystemClock),
    }
}

pub async fn open(options: SinkOptions) -> Result<Opened, Error> {
    nuncio_plugin_host::open(engine(), &hostile().await, options).await
}

/// A sink that does `trick`; nothing was wrong at its opening.
pub async fn sink(name: &str, trick: &str) -> PluginSink {
    let opened = open(options(name, json!({ "do": trick }))).await.unwrap();
    assert_eq!(opened.problem, None);
    opened.sink
}

/// Bytes by their hash; those of `never` never come.
#[derive(Default)]
pub struct Bytes(pub HashMap<String, Vec<u8>>);

#[async_trait]
impl Blobs for Bytes {
    async fn read(&self, blob: &BlobRef, offset: u64, len: u32) -> Result<Vec<u8>, String> {
        if blob.sha256 == "never" {
            std::future::pending::<()>().await;
        }
        let bytes = self.0.get(&blob.sha256).ok_or("no such blob")?;
        let from = usize::try_from(offset).unwrap();
        let to = (from + len as usize).min(bytes.len());
        Ok(bytes[from..to].to_vec())
    }
}

pub fn person(name: &str) -> Participant {
    Participant {
        name: Some(name.to_owned()),
        address: format!("{name}@example.com"),
        who: Who::User,
    }
}

/// A mail with 2 kB of text.
pub fn mail(item: &str) -> Record {
    Record {
        key: RecordKey::new(format!("gmail/ana@example.com/{item}")),
        revision: Revision(7),
        source_version: 3,
        change: Change::Created,
        source: Source::Gmail,
        origin: Origin::Live,
        lane: FeedId(1),
        user: "ana@example.com".into(),
        account: "ana@example.com".into(),
        collection: String::new(),
        observed_at: 1_700_000_000_000,
        notes: vec![],
        extra: vec![],
        payload: Payload::Email(Box::new(Email {
            id: item.to_owned(),
            thread_id: "18c0ffee".into(),
            draft_id: None,
            message_id: format!("{item}@mail.example.com"),
            message_key: "0123456789abcdef0123456789abcdef".into(),
            flags: MailFlags::UNREAD.with(MailFlags::INBOX),
            category: MailCategory::Personal,
            labels: vec!["Clients/Acme".into(), "Later".into()],
            direction: Direction::Inbound,
            internal: false,
            from: Some(person("bob")),
            sender: None,
            reply_to: vec![],
            to: vec![person("ana"), person("carol")],
            cc: vec![person("dave")],
            bcc: vec![],
            subject: "Quarterly numbers".into(),
            snippet: "Please find the numbers below".into(),
            date: Some(1_700_000_000_000),
            date_offset: 60,
            internal_date: 1_700_000_000_000,
            in_reply_to: Some("first@mail.example.com".into()),
            references: vec!["first@mail.example.com".into()],
            list_id: None,
            auto_submitted: None,
            has_invite: false,
            text: Some("All work and no play. ".repeat(93)),
            html: Some("<p>secret html</p>".into()),
            truncated: false,
            attachments: vec![],
            size: 4096,
            headers: Some(vec![("X-Mailer".into(), "test".into())]),
            raw: None,
        })),
    }
}

/// A mail with a raw message and an attachment.
pub fn mail_with_bytes(item: &str, raw: BlobRef, attachment: BlobRef) -> Record {
    let mut record = mail(item);
    if let Payload::Email(email) = &mut record.payload {
        email.attachments = vec![Attachment {
            part_id: "2".into(),
            filename: "numbers.csv".into(),
            mime_type: "text/csv".into(),
            size: attachment.size,
            content_id: None,
            inline: false,
            content: Some(attachment),
        }];
        email.raw = Some(raw);
    }
    record
}

pub fn batch(items: &[&str]) -> Vec<Arc<Record>> {
    items.iter().map(|item| Arc::new(mail(item))).collect()
}

/// All that was logged since the program began, one line each. Lines of a test are found by
/// its sink's name.
pub fn lines_of(sink: &str) -> Vec<String> {
    let log = captured();
    let text = String::from_utf8_lossy(&log).into_owned();
    text.lines()
        .filter(|line| {
            line.contains(&format!("sink={sink} ")) || line.ends_with(&format!("sink={sink}"))
        })
        .map(str::to_owned)
        .collect()
}

/// Begins to capture the log, at info and above.
pub fn capture_log() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(|| Captured)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn captured() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct Captured;

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        captured().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
