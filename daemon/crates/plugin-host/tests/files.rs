//! Real plugins that read files and list folders. There the C library of the guest takes lists
//! from the host and frees them itself, next to records that are Rust's: an allocator that mixes
//! the two up traps here or breaks what is read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use common::{Bytes, engine, guest_path, mail, mail_with_bytes, options};
use nuncio_dispatch::Sink;
use nuncio_model::{
    BlobRef, Change, LabelChange, MailCategory, MailFlags, Outcome, Payload, Record, Revision,
};
use nuncio_plugin_host::{DirGrant, DirMode, Plugin, PluginSink};
use serde_json::{Value, json};

/// Enough that a listing takes many calls and memory is used again and again.
const MAILS: usize = 200;

/// A fresh instance of a plugin on a folder: what it knows of it, it reads.
async fn open(package: &str, dir: &Path) -> PluginSink {
    let plugin = Plugin::load(engine(), &guest_path(package)).await.unwrap();
    let raw = b"Subject: numbers\r\n\r\nAll work.\r\n".to_vec();
    let mut options = options(package, json!({}));
    options.blobs = Arc::new(Bytes([("raw".to_owned(), raw)].into()));
    options.dirs = vec![DirGrant {
        guest: "/out".into(),
        host: dir.to_owned(),
        mode: DirMode::ReadWrite,
    }];
    let opened = nuncio_plugin_host::open(engine(), &plugin, options).await;
    let opened = opened.unwrap();
    assert_eq!(opened.problem, None);
    opened.sink
}

async fn deliver(sink: &PluginSink, records: Vec<Record>) {
    let n_records = records.len();
    let batch = records.into_iter().map(Arc::new).collect();
    let outcomes = sink.write(batch).await.unwrap();
    assert_eq!(outcomes, vec![Outcome::Delivered; n_records]);
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'), "the last line is whole");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn jsonl_reads_its_file_and_cuts_off_half_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gmail-1.jsonl");
    let mut expected = Vec::new();
    for round in 0..20 {
        // Half a line longer than what is read at a time, so that it is looked for in steps.
        let mut text = std::fs::read_to_string(&file).unwrap_or_default();
        text.push_str(&format!("{{\"torn\":\"{}", "x".repeat(20_000 * round)));
        std::fs::write(&file, text).unwrap();
        let sink = open("plugin-jsonl", dir.path()).await;
        for call in 0..3 {
            let records: Vec<Record> = (0..10)
                .map(|n| mail(&format!("{round}-{call}-{n}")))
                .collect();
            expected.extend(records.iter().map(|record| {
                let Payload::Email(email) = &record.payload else {
                    unreachable!("made as mails")
                };
                (record.key.to_string(), email.text.clone())
            }));
            deliver(&sink, records).await;
        }
        sink.close().await;
    }
    let found: Vec<(String, Option<String>)> = lines(&file)
        .iter()
        .map(|line| {
            let text = line["email"]["text"].as_str().map(str::to_owned);
            (line["key"].as_str().unwrap().to_owned(), text)
        })
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn archive_lists_its_folder_and_moves_every_mail() {
    let dir = tempfile::tempdir().unwrap();
    let name = |n: usize| format!("{n:016x}");
    let raw = BlobRef {
        sha256: "raw".into(),
        size: 31,
    };
    let sink = open("plugin-archive", dir.path()).await;
    let mails = (0..MAILS).map(|n| {
        let mut record = mail_with_bytes(&name(n), raw.clone(), raw.clone());
        if let Payload::Email(email) = &mut record.payload {
            email.attachments.clear();
        }
        record
    });
    deliver(&sink, mails.collect()).await;
    sink.close().await;

    // Another instance knows no file names: it has to list them.
    let sink = open("plugin-archive", dir.path()).await;
    let labels = (0..MAILS).map(|n| Record {
        revision: Revision(8),
        change: Change::Labels,
        payload: Payload::Labels(LabelChange {
            thread_id: "18c0ffee".into(),
            flags: MailFlags::STARRED.with(MailFlags::INBOX),
            category: MailCategory::Personal,
            labels: vec![],
        }),
        ..mail(&name(n))
    });
    deliver(&sink, labels.collect()).await;
    sink.close().await;

    let found: BTreeSet<String> = std::fs::read_dir(dir.path().join("ana@example.com/cur"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let expected = (0..MAILS).map(|n| format!("{}:2,FS", name(n))).collect();
    assert_eq!(found, expected);
}
