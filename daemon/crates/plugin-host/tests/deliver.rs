//! What goes into a guest and what comes back: outcomes, errors, bytes, content, time.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::{
    Bytes, batch, capture_log, engine, guest_path, lines_of, mail, mail_with_bytes, open, options,
    sink,
};
use nuncio_dispatch::Sink;
use nuncio_model::{
    BlobRef, CallError, Change, Content, DeleteCause, Deleted, LabelChange, MailCategory,
    MailFlags, ManualClock, Outcome, Payload, Record, Wait,
};
use nuncio_plugin_host::{DirGrant, DirMode, Error, Plugin};
use serde_json::json;

fn wait(after: Option<u64>) -> Wait {
    Wait {
        after: after.map(Duration::from_millis),
        reason: "not now, as asked".into(),
    }
}

#[tokio::test]
async fn outcomes_of_all_kinds_arrive_in_order() {
    let settings = json!({ "do": "outcomes", "reject_key": "bad", "retry_key": "again", "defer_key": "late", "after_ms": 1500, "code": "too-large" });
    let sink = open(options("outcomes", settings)).await.unwrap().sink;
    let outcomes = sink
        .write(batch(&["good", "bad", "again", "late", "good2"]))
        .await
        .unwrap();
    assert_eq!(
        outcomes,
        [
            Outcome::Delivered,
            Outcome::Rejected {
                code: "too-large".into(),
                reason: "rejected as asked".into()
            },
            Outcome::Retry(wait(Some(1500))),
            Outcome::Deferred(wait(Some(1500))),
            Outcome::Delivered,
        ]
    );
}

#[tokio::test]
async fn errors_of_the_whole_call_arrive() {
    for (trick, expected) in [
        ("unavailable", CallError::Unavailable(wait(None))),
        ("throttled", CallError::Throttled(wait(None))),
        (
            "fatal",
            CallError::Fatal {
                code: "as-asked".into(),
                reason: "stopped as asked".into(),
            },
        ),
    ] {
        let sink = sink(trick, trick).await;
        assert_eq!(sink.write(batch(&["a"])).await, Err(expected.clone()));
        assert_eq!(sink.write(batch(&["a"])).await, Err(expected));
    }
}

#[tokio::test]
async fn an_instance_is_used_again() {
    // Only the guest's memory knows that the record came before.
    let settings = json!({ "do": "outcomes", "retry_key": "again", "retry_times": 1 });
    let sink = open(options("reused", settings)).await.unwrap().sink;
    assert_eq!(
        sink.write(batch(&["again"])).await,
        Ok(vec![Outcome::Retry(wait(None))])
    );
    assert_eq!(
        sink.write(batch(&["again"])).await,
        Ok(vec![Outcome::Delivered])
    );
    sink.close().await;
    assert_eq!(
        sink.write(batch(&["again"])).await,
        Ok(vec![Outcome::Retry(wait(None))]),
        "a new one after close"
    );
}

#[tokio::test]
async fn an_instance_that_holds_most_of_its_memory_is_replaced() {
    let mut memory_bytes = 0;
    let sink = loop {
        // The least memory that it can live with is past its high water at once.
        memory_bytes += 64 << 10;
        let settings = json!({ "do": "outcomes", "retry_key": "again", "retry_times": 1 });
        let mut options = options("worn", settings);
        options.memory_bytes = memory_bytes;
        match open(options).await {
            Ok(opened) => break opened.sink,
            Err(Error::Open { code: "memory", .. }) => {}
            Err(other) => panic!("{other}"),
        }
    };
    for _ in 0..2 {
        assert_eq!(
            sink.write(batch(&["again"])).await,
            Ok(vec![Outcome::Retry(wait(None))]),
            "{memory_bytes} bytes"
        );
    }
}

#[tokio::test]
async fn a_problem_of_the_target_at_opening_leaves_a_sink_that_tries_again() {
    for (trick, expected) in [
        ("open_unavailable", CallError::Unavailable(wait(None))),
        (
            "open_fatal",
            CallError::Fatal {
                code: "as-asked".into(),
                reason: "stopped as asked".into(),
            },
        ),
    ] {
        let opened = open(options(trick, json!({ "do": trick }))).await.unwrap();
        assert_eq!(opened.problem, Some(expected.clone()));
        assert_eq!(opened.sink.write(batch(&["a"])).await, Err(expected));
    }
}

#[tokio::test]
async fn records_of_all_kinds_reach_the_guest() {
    capture_log();
    let sink = open(options("kinds", json!({ "do": "ok", "log_records": true })))
        .await
        .unwrap()
        .sink;
    let labels = Record {
        change: Change::Labels,
        payload: Payload::Labels(LabelChange {
            thread_id: "t".into(),
            flags: MailFlags::STARRED,
            category: MailCategory::None,
            labels: vec!["A".into()],
        }),
        ..mail("two")
    };
    let deleted = Record {
        change: Change::Deleted,
        payload: Payload::Deleted(Deleted {
            cause: DeleteCause::Removed,
            thread_id: None,
            ical_uid: None,
            name: None,
        }),
        notes: vec!["cut".into()],
        extra: vec![("email.importance".into(), "high".into())],
        ..mail("three")
    };
    let batch = vec![Arc::new(mail("one")), Arc::new(labels), Arc::new(deleted)];
    assert_eq!(sink.write(batch).await.unwrap().len(), 3);
    let lines = lines_of("kinds");
    for (key, kind) in [("one", "email"), ("two", "labels"), ("three", "deleted")] {
        let expected = format!("key=gmail/ana@example.com/{key} revision=7 lane=1 kind={kind}");
        assert!(
            lines.iter().any(|line| line.contains(&expected)),
            "{expected}: {lines:?}"
        );
    }
}

fn bytes() -> (Bytes, BlobRef, BlobRef) {
    let raw: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let blob = |name: &str, bytes: &[u8]| BlobRef {
        sha256: name.to_owned(),
        size: bytes.len() as u64,
    };
    let (raw_ref, part_ref) = (blob("raw", &raw), blob("part", b"a,b\n1,2\n"));
    let bytes = HashMap::from([
        ("raw".to_owned(), raw),
        ("part".to_owned(), b"a,b\n1,2\n".to_vec()),
    ]);
    (Bytes(bytes), raw_ref, part_ref)
}

#[tokio::test]
async fn bytes_are_read_whole_and_in_bounds() {
    capture_log();
    let (bytes, raw, part) = bytes();
    let sum: u32 = bytes.0["raw"].iter().map(|byte| u32::from(*byte)).sum();
    let mut options = options("reading", json!({ "do": "blobs" }));
    options.blobs = Arc::new(bytes);
    let sink = open(options).await.unwrap().sink;
    sink.write(vec![Arc::new(mail_with_bytes("m", raw, part))])
        .await
        .unwrap();
    let lines = lines_of("reading");
    let expected = format!(
        "what=raw size=3000000 read=3000000 sum={sum} ended=empty beyond=out-of-range largest=1048576"
    );
    assert!(
        lines.iter().any(|line| line.contains(&expected)),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(
            |line| line.contains("what=attachment size=8 read=8") && line.contains("largest=8")
        ),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_blob_that_cannot_be_read_is_told_to_the_guest() {
    capture_log();
    let (_, raw, part) = bytes();
    let sink = sink("unreadable", "blobs").await;
    sink.write(vec![Arc::new(mail_with_bytes("m", raw, part))])
        .await
        .unwrap();
    let lines = lines_of("unreadable");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("read=0 sum=0 ended=other")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_blob_ends_with_its_call() {
    capture_log();
    let (bytes, raw, part) = bytes();
    let mut options = options("stale", json!({ "do": "stale_blob" }));
    options.blobs = Arc::new(bytes);
    let sink = open(options).await.unwrap().sink;
    for _ in 0..2 {
        sink.write(vec![Arc::new(mail_with_bytes(
            "m",
            raw.clone(),
            part.clone(),
        ))])
        .await
        .unwrap();
    }
    let lines = lines_of("stale");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("stale blob") && line.contains("answer=expired")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_blob_that_never_comes_ends_with_the_call() {
    let (_, _, part) = bytes();
    let mut options = options("never", json!({ "do": "blobs" }));
    options.call_time = Duration::from_millis(300);
    let sink = open(options).await.unwrap().sink;
    let never = BlobRef {
        sha256: "never".into(),
        size: 9,
    };
    let answer = sink
        .write(vec![Arc::new(mail_with_bytes("m", never, part))])
        .await;
    assert!(
        matches!(
            answer,
            Err(CallError::Broken {
                code: "timeout",
                ..
            })
        ),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_sink_gets_no_more_content_than_it_may_have() {
    capture_log();
    for (content, n_blobs) in [
        (Content::Metadata, 0),
        (Content::Html, 0),
        (Content::Full, 1),
        (Content::Raw, 2),
    ] {
        let (bytes, raw, part) = bytes();
        let name = format!("content-{content}");
        let mut options = options(&name, json!({ "do": "blobs" }));
        options.blobs = Arc::new(bytes);
        options.content = Some(content);
        let sink = open(options).await.unwrap().sink;
        assert_eq!(sink.content(), content);
        sink.write(vec![Arc::new(mail_with_bytes("m", raw, part))])
            .await
            .unwrap();
        let n_seen = lines_of(&name)
            .iter()
            .filter(|line| line.contains("what="))
            .count();
        assert_eq!(n_seen, n_blobs, "{content}");
    }
}

#[tokio::test]
async fn the_guest_sees_the_given_time_only() {
    capture_log();
    let mut options = options("timed", json!({ "do": "clock" }));
    options.clock = Arc::new(ManualClock::new(1_234_567_890_123_456));
    options.call_time = Duration::from_secs(90);
    let sink = open(options).await.unwrap().sink;
    sink.write(batch(&["a"])).await.unwrap();
    let lines = lines_of("timed");
    let line = lines.iter().find(|line| line.contains("clocks")).unwrap();
    assert!(
        line.contains("now_ms=1234567890123 std_ms=1234567890123"),
        "{line}"
    );
    let remaining: u64 = line
        .split("remaining_ms=")
        .nth(1)
        .unwrap()
        .trim_matches(|c: char| !c.is_ascii_digit())
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=90_000).contains(&remaining), "{line}");
}

#[tokio::test]
async fn a_plugin_writes_files_into_its_granted_folder() {
    let archive = Plugin::load(engine(), &guest_path("plugin-archive"))
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (bytes, raw, part) = bytes();
    let expected = bytes.0["raw"].clone();
    let mut options = options("archive", json!({}));
    options.blobs = Arc::new(bytes);
    options.dirs = vec![DirGrant {
        guest: "/out".into(),
        host: dir.path().to_owned(),
        mode: DirMode::ReadWrite,
    }];
    let sink = nuncio_plugin_host::open(engine(), &archive, options)
        .await
        .unwrap()
        .sink;
    let batch = vec![Arc::new(mail_with_bytes("m", raw, part))];
    assert_eq!(sink.write(batch).await, Ok(vec![Outcome::Delivered]));
    let mut folders = vec![dir.path().to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(std::fs::read(path).unwrap())
            }
        }
    }
    assert!(
        files.contains(&expected),
        "{} files, none with the message's bytes",
        files.len()
    );
    sink.close().await;
}
