//! What a call into a guest costs: batches of 100 mails of 2 kB to a guest that only looks at
//! how many there are, next to a native clone and look at the same batch in the same run. The
//! ratio is what to compare; a mailbox of N mails costs N divided by the rate.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nuncio_dispatch::Sink;
use nuncio_model::{Payload, Record};
use serde_json::json;

const BATCH: usize = 100;
const TIME: Duration = Duration::from_secs(3);

#[expect(clippy::print_stdout, reason = "this is a program for a person")]
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let batch: Vec<Arc<Record>> = (0..BATCH)
        .map(|n| Arc::new(common::mail(&format!("{n:016x}"))))
        .collect();
    let (guest, native) = runtime.block_on(async {
        let opened = common::open(common::options("bench", json!({ "do": "ok" })))
            .await
            .expect("opens");
        let began = Instant::now();
        let mut n_records = 0;
        while began.elapsed() < TIME {
            n_records += opened
                .sink
                .write(batch.clone())
                .await
                .expect("delivered")
                .len();
        }
        let guest = rate(n_records, began);
        let began = Instant::now();
        let (mut n_records, mut n_bytes) = (0, 0);
        while began.elapsed() < TIME {
            let copies: Vec<Record> = batch.iter().map(|record| Record::clone(record)).collect();
            n_bytes += copies.iter().map(looked_at).sum::<usize>();
            n_records += std::hint::black_box(copies).len();
        }
        std::hint::black_box(n_bytes);
        (guest, rate(n_records, began))
    });
    println!(
        "guest         {guest:>10.0} records/s  {:>6.2} us a record",
        1e6 / guest
    );
    println!(
        "native clone  {native:>10.0} records/s  {:>6.2} us a record",
        1e6 / native
    );
    println!("ratio         {:>10.2}", native / guest);
}

fn looked_at(record: &Record) -> usize {
    match &record.payload {
        Payload::Email(email) => email.subject.len() + email.text.as_ref().map_or(0, String::len),
        Payload::Labels(_) | Payload::Deleted(_) => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for show")]
fn rate(n_records: usize, began: Instant) -> f64 {
    n_records as f64 / began.elapsed().as_secs_f64()
}
