//! What a guest does ends its own call at most: time, memory, stack, host calls, output, log
//! and paths are bounded, the reason is readable, and other sinks go on.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use common::{batch, capture_log, hostile, lines_of, mail, open, options, sink};
use nuncio_dispatch::{Blobs, Sink};
use nuncio_model::{BlobRef, CallError, Outcome, Payload};
use nuncio_plugin_host::{DirGrant, DirMode, Error, PluginSink};
use serde_json::json;

/// Writes a batch that must break the guest, and gives code and reason.
async fn broken(sink: &PluginSink) -> (&'static str, String) {
    match sink.write(batch(&["bad"])).await {
        Err(CallError::Broken { code, reason }) => (code, reason),
        other => panic!("expected a broken call, got {other:?}"),
    }
}

/// A sink whose guest does `trick` for a record with `bad` in its key.
async fn trap_for_bad(name: &str, trick: &str, call_time: Duration) -> PluginSink {
    let mut options = options(name, json!({ "do": trick, "only_with": "bad" }));
    options.call_time = call_time;
    open(options).await.expect("it opens").sink
}

async fn goes_on(sink: &PluginSink) {
    assert_eq!(
        sink.write(batch(&["good", "fine"])).await,
        Ok(vec![Outcome::Delivered, Outcome::Delivered])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_ends_with_its_time_and_others_go_on_meanwhile() {
    // One worker would do for two guests, since a running guest yields.
    let looping = trap_for_bad("looping", "loop", Duration::from_millis(1500)).await;
    let other = sink("beside-loop", "ok").await;
    let mut n_calls = 0;
    let began = Instant::now();
    let (code, reason) = {
        let ends = broken(&looping);
        tokio::pin!(ends);
        loop {
            tokio::select! {
                broken = &mut ends => break broken,
                () = goes_on(&other) => n_calls += 1,
            }
        }
    };
    assert_eq!(code, "timeout", "{reason}");
    assert!(reason.contains("hostile_guest::"), "{reason}");
    assert!(began.elapsed() >= Duration::from_millis(1500));
    assert!(n_calls >= 1, "the other sink was held up");
    goes_on(&looping).await;
}

#[tokio::test]
async fn a_guest_that_yields_leaves_a_single_thread_to_others() {
    let looping = trap_for_bad("looping-alone", "loop", Duration::from_millis(1500)).await;
    let other = sink("beside-loop-alone", "ok").await;
    let (ended, ()) = tokio::join!(broken(&looping), goes_on(&other));
    assert_eq!(ended.0, "timeout");
}

#[tokio::test]
async fn memory_is_bounded() {
    let growing = trap_for_bad("growing", "grow", Duration::from_secs(60)).await;
    let (code, reason) = broken(&growing).await;
    assert_eq!(code, "memory", "{reason}");
    assert!(
        reason.starts_with("needs more than its 64 MiB of memory"),
        "{reason}"
    );
    goes_on(&growing).await;
}

#[tokio::test]
async fn traps_say_what_and_where() {
    for (trick, what, place) in [
        ("stack", "stack overflow", "recurse_for_ever"),
        ("trap", "unreachable", ""),
        ("panic", "panic", ""),
    ] {
        let trapping = trap_for_bad(trick, trick, Duration::from_secs(60)).await;
        let (code, reason) = broken(&trapping).await;
        assert_eq!(code, "trap", "{trick}: {reason}");
        assert!(
            reason.contains(what) && reason.contains(place),
            "{trick}: {reason}"
        );
        goes_on(&trapping).await;
    }
}

#[tokio::test]
async fn a_panic_can_be_read_in_the_log() {
    capture_log();
    let panicking = trap_for_bad("panicking", "panic", Duration::from_secs(60)).await;
    let (_, reason) = broken(&panicking).await;
    assert!(
        !reason.contains("panicked as asked"),
        "a guest's own words may be mail: {reason}"
    );
    let lines = lines_of("panicking");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("ERROR nuncio::guest") && line.contains("panicked as asked")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn waiting_in_the_host_ends_with_the_call() {
    let mut options = options(
        "slow",
        json!({ "do": "slow", "ms": 3_600_000, "only_with": "bad" }),
    );
    options.call_time = Duration::from_millis(300);
    let slow = open(options).await.unwrap().sink;
    let began = Instant::now();
    let (code, reason) = broken(&slow).await;
    assert_eq!(code, "timeout", "{reason}");
    assert!(reason.contains("waiting for the host"), "{reason}");
    assert!(began.elapsed() < Duration::from_secs(60));
    goes_on(&slow).await;
}

#[tokio::test]
async fn endless_host_calls_end_with_the_call() {
    let dripping = trap_for_bad("dripping", "drip_host_calls", Duration::from_millis(500)).await;
    assert_eq!(broken(&dripping).await.0, "timeout");
    goes_on(&dripping).await;
}

#[tokio::test]
async fn a_wrong_count_is_a_broken_call() {
    for (count, reason) in [
        (1, "2 outcomes for 1 records"),
        (-1, "0 outcomes for 1 records"),
    ] {
        let wrong = open(options(
            "wrong",
            json!({ "do": "wrong_count", "count": count }),
        ))
        .await
        .unwrap()
        .sink;
        assert_eq!(broken(&wrong).await, ("wrong-length", reason.to_owned()));
    }
}

#[tokio::test]
async fn a_log_flood_is_counted_and_not_kept() {
    capture_log();
    let mut options = options("flooding", json!({ "do": "log_flood", "count": 1000 }));
    options.log_per_minute = 20;
    let flooding = open(options).await.unwrap().sink;
    assert_eq!(
        flooding.write(batch(&["a"])).await,
        Ok(vec![Outcome::Delivered])
    );
    assert_eq!(flooding.n_log_dropped(), 980);
    flooding.close().await;
    let lines = lines_of("flooding");
    let guest: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("nuncio::guest") && line.contains("flood"))
        .collect();
    assert_eq!(
        guest.iter().filter(|line| line.contains("INFO")).count(),
        20
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("were not kept") && line.contains("n_dropped=980")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .all(|line| !line.contains('\u{1b}') && line.len() < 10_000)
    );
}

#[tokio::test]
async fn what_is_printed_becomes_log_lines() {
    capture_log();
    let printing = sink("printing", "print").await;
    goes_on(&printing).await;
    let lines = lines_of("printing");
    let printed = lines.iter().filter(|line| {
        line.contains("INFO nuncio::guest") && line.contains(r"printed \u{1b}[2J by the guest")
    });
    assert_eq!(printed.count(), 2, "{lines:?}");
}

#[tokio::test]
async fn reasons_are_cut() {
    let talking = open(options(
        "talking",
        json!({ "do": "huge_reason", "count": 100_000 }),
    ))
    .await
    .unwrap()
    .sink;
    let outcomes = talking.write(batch(&["a"])).await.unwrap();
    let [Outcome::Retry(wait)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert!(
        (1000..=1024).contains(&wait.reason.len()),
        "{}",
        wait.reason.len()
    );
}

#[tokio::test]
async fn an_answer_larger_than_its_bound_is_refused() {
    let talking = open(options(
        "shouting",
        json!({ "do": "huge_reason", "count": 20 << 20 }),
    ))
    .await
    .unwrap()
    .sink;
    // Whether the guest's memory or the bound of the answer comes first is not of interest.
    let (code, reason) = broken(&talking).await;
    assert!(matches!(code, "trap" | "memory"), "{code}: {reason}");
}

#[tokio::test]
async fn no_path_leads_out_of_the_granted_folder() {
    capture_log();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("deep/out");
    std::fs::create_dir_all(&out).unwrap();
    for (name, dirs) in [
        (
            "escaping",
            vec![DirGrant {
                guest: "/out".into(),
                host: out.clone(),
                mode: DirMode::ReadWrite,
            }],
        ),
        ("escaping-without", vec![]),
    ] {
        let mut options = options(name, json!({ "do": "path_escape" }));
        options.dirs = dirs;
        let escaping = open(options).await.unwrap().sink;
        assert_eq!(
            escaping.write(batch(&["a"])).await,
            Ok(vec![Outcome::Delivered]),
            "{:?}",
            lines_of(name)
        );
    }
    assert!(lines_of("escaping").len() > 20, "the guest tried");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(
        std::fs::read_dir(dir.path().join("deep")).unwrap().count(),
        1
    );
}

#[tokio::test]
async fn there_is_no_network_and_no_environment() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let dialing = open(options(
        "dialing",
        json!({ "do": "socket", "address": address }),
    ))
    .await
    .unwrap()
    .sink;
    assert_eq!(
        dialing.write(batch(&["a"])).await,
        Ok(vec![Outcome::Delivered])
    );
    listener.set_nonblocking(true).unwrap();
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "nobody connected"
    );
    let looking = sink("looking", "env").await;
    assert_eq!(
        looking.write(batch(&["a"])).await,
        Ok(vec![Outcome::Delivered])
    );
}

#[tokio::test]
async fn a_guest_that_breaks_in_open_is_an_error_of_the_sink() {
    let failed = |trick: &'static str, call_time| async move {
        let mut options = options("opening", json!({ "do": trick }));
        options.call_time = call_time;
        open(options).await.unwrap_err()
    };
    let error = failed("open_trap", Duration::from_secs(60)).await;
    assert!(matches!(error, Error::Open { code: "trap", .. }), "{error}");
    let error = failed("open_loop", Duration::from_millis(300)).await;
    assert!(
        matches!(
            error,
            Error::Open {
                code: "timeout",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.code(), "PLG012");
}

#[tokio::test]
async fn a_dropped_call_ends_its_instance_only() {
    let mut options = options(
        "dropped",
        json!({ "do": "slow", "ms": 3_600_000, "only_with": "bad" }),
    );
    options.call_time = Duration::from_secs(3600);
    let slow = open(options).await.unwrap().sink;
    // The one permit comes back with the dropped call, and a new instance is opened.
    assert!(
        tokio::time::timeout(Duration::from_millis(200), slow.write(batch(&["bad"])))
            .await
            .is_err()
    );
    goes_on(&slow).await;
}

/// Bytes that come only when two calls read at once; counts how many do at most.
struct Together {
    both: tokio::sync::Barrier,
    n_reading: AtomicUsize,
    n_most: AtomicUsize,
}

#[async_trait]
impl Blobs for Together {
    async fn read(&self, _blob: &BlobRef, _offset: u64, len: u32) -> Result<Vec<u8>, String> {
        let n_reading = self.n_reading.fetch_add(1, Ordering::SeqCst) + 1;
        self.n_most.fetch_max(n_reading, Ordering::SeqCst);
        self.both.wait().await;
        self.n_reading.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![0; len as usize])
    }
}

#[tokio::test]
async fn calls_run_beside_each_other_up_to_the_limit() {
    let together = Arc::new(Together {
        both: tokio::sync::Barrier::new(2),
        n_reading: AtomicUsize::new(0),
        n_most: AtomicUsize::new(0),
    });
    let mut options = options("parallel", json!({ "do": "blobs" }));
    options.in_flight = 2;
    options.blobs = together.clone();
    let parallel = open(options).await.unwrap().sink;
    let call = || {
        let raw = BlobRef {
            sha256: "raw".into(),
            size: 1,
        };
        let mut record = mail("a");
        if let Payload::Email(email) = &mut record.payload {
            email.raw = Some(raw);
        }
        parallel.write(vec![Arc::new(record)])
    };
    let (first, second, third, fourth) = tokio::join!(call(), call(), call(), call());
    for outcome in [first, second, third, fourth] {
        assert_eq!(outcome, Ok(vec![Outcome::Delivered]));
    }
    assert_eq!(together.n_most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_full_engine_says_so() {
    let small = nuncio_plugin_host::EngineOptions {
        max_instances: 1,
        describe_time: Duration::from_secs(20),
        ..Default::default()
    };
    let small = nuncio_plugin_host::Engine::new(small).unwrap();
    let plugin = nuncio_plugin_host::Plugin::load(&small, hostile().await.path())
        .await
        .unwrap();
    let first = nuncio_plugin_host::open(&small, &plugin, options("first", json!({ "do": "ok" })))
        .await
        .unwrap();
    let error = nuncio_plugin_host::open(&small, &plugin, options("second", json!({ "do": "ok" })))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "PLG013", "{error}");
    drop(first);
}
