//! Using up what a host must bound: time, memory, stack, host calls, log; and looking at
//! clocks and blobs.

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nuncio_sdk::{Blob, BlobError, Payload, Record, clock, json, log};

/// Makes a JSON document of each record, as a sink for an index does.
pub(crate) fn make_documents(batch: &[Record]) {
    for record in batch {
        black_box(json::record(record));
    }
}

/// Computes without calling the host.
pub(crate) fn compute_for_ever() -> ! {
    let mut number = 1_u64;
    loop {
        number = black_box(
            number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1),
        );
    }
}

/// Takes memory, a MiB at a time, and writes to it.
pub(crate) fn take_memory_for_ever() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Calls itself; the sum afterwards keeps it from being made a loop.
#[expect(unconditional_recursion, reason = "this is the trick")]
pub(crate) fn recurse_for_ever(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse_for_ever(depth + 1) + frame[(depth % 64) as usize]
}

/// Waits in the host, where no epoch reaches the guest.
#[expect(
    clippy::disallowed_methods,
    reason = "a guest has nothing else to wait on, and waiting is the trick"
)]
pub(crate) fn wait_in_host(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Calls the host `count` times, or without end for 0.
pub(crate) fn call_host(count: i64) {
    let mut n_calls = 0_i64;
    while count == 0 || n_calls < count {
        black_box(clock::now_ms());
        n_calls += 1;
    }
}

/// Logs `count` messages that are too large in each way.
pub(crate) fn flood_log(count: i64) {
    let value = "v".repeat(1024);
    let names: Vec<String> = (0..100).map(|at| format!("field{at}")).collect();
    let fields: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), value.as_str()))
        .collect();
    let message = "flood \u{1b}[2J ".repeat(1000);
    for _ in 0..count {
        log::info(&message, &fields);
    }
}

/// Prints what a terminal must not get to both outputs.
pub(crate) fn print() {
    let text = "printed \u{1b}[2J by the guest\n";
    for result in [
        std::io::stdout().write_all(text.as_bytes()),
        std::io::stderr().write_all(text.as_bytes()),
    ] {
        if let Err(error) = result {
            log::info("printing is refused", &[("error", &error.to_string())]);
        }
    }
}

/// Logs what the contract's clock and the language's clock tell.
pub(crate) fn tell_clocks() {
    let std_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let remaining_ms = clock::remaining().as_millis();
    let fields = [
        ("now_ms", clock::now_ms().to_string()),
        ("std_ms", std_ms.to_string()),
        ("remaining_ms", remaining_ms.to_string()),
    ];
    log::info(
        "clocks",
        &fields
            .each_ref()
            .map(|(name, value)| (*name, value.as_str())),
    );
}

fn blobs_of(record: &Record) -> Vec<(&'static str, &Blob)> {
    let Payload::Email(email) = &record.payload else {
        return Vec::new();
    };
    let attachments = email
        .attachments
        .iter()
        .filter_map(|attachment| attachment.content.as_ref());
    email
        .raw
        .iter()
        .map(|blob| ("raw", blob))
        .chain(attachments.map(|blob| ("attachment", blob)))
        .collect()
}

/// Reads each blob by chunks of odd size and logs what it found (`blob` at info): its size,
/// the bytes read, their sum modulo 2^32, what a read at the end and one beyond it answered.
pub(crate) fn read_blobs(batch: &[Record]) {
    for record in batch {
        for (what, blob) in blobs_of(record) {
            let size = blob.size();
            let (mut n_read, mut sum) = (0_u64, 0_u32);
            let ended = loop {
                match blob.read(n_read, 77_777) {
                    Ok(chunk) if chunk.is_empty() => break "empty",
                    Ok(chunk) => {
                        n_read += chunk.len() as u64;
                        sum = chunk
                            .iter()
                            .fold(sum, |sum, &byte| sum.wrapping_add(u32::from(byte)));
                    }
                    Err(error) => break name_of(&error),
                }
            };
            let beyond = blob
                .read(size + 1, 1)
                .map_or_else(|error| name_of(&error), |_| "bytes");
            let largest = blob.read(0, u32::MAX).map_or(0, |chunk| chunk.len());
            let fields = [
                ("key", record.key.clone()),
                ("what", what.to_owned()),
                ("size", size.to_string()),
                ("read", n_read.to_string()),
                ("sum", sum.to_string()),
                ("ended", ended.to_owned()),
                ("beyond", beyond.to_owned()),
                ("largest", largest.to_string()),
            ];
            log::info(
                "blob",
                &fields
                    .each_ref()
                    .map(|(name, value)| (*name, value.as_str())),
            );
        }
    }
}

/// Takes a blob out of a batch.
pub(crate) fn take_blob(batch: &mut [Record]) -> Option<Blob> {
    batch
        .iter_mut()
        .find_map(|record| match &mut record.payload {
            Payload::Email(email) => email.raw.take(),
            _ => None,
        })
}

/// Reads a blob of an earlier call and logs the answer (`stale blob` at info).
pub(crate) fn read_stale(blob: &Blob) {
    let answer = blob
        .read(0, 1)
        .map_or_else(|error| name_of(&error), |_| "bytes");
    log::info("stale blob", &[("answer", answer)]);
}

fn name_of(error: &BlobError) -> &'static str {
    match error {
        BlobError::Expired => "expired",
        BlobError::OutOfRange => "out-of-range",
        BlobError::Other(_) => "other",
    }
}
