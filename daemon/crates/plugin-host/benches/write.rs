//! What a call into a guest costs: batches of 100 mails of 2 kB to a guest that only counts them
//! and to one that makes a JSON document of each, next to native code that clones and looks at the
//! same batch, or writes the same documents, in the same run. The ratio is what to compare; a
//! mailbox of N mails costs N divided by the rate.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nuncio_dispatch::Sink;
use nuncio_model::{Payload, Record};
use serde_json::json;

const BATCH: usize = 100;
const TIME: Duration = Duration::from_secs(4);
/// Short enough to fall between two turns of other programs.
const SPAN: Duration = Duration::from_millis(10);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let batch: Vec<Arc<Record>> = (0..BATCH)
        .map(|n| Arc::new(common::mail(&format!("{n:016x}"))))
        .collect();
    let counted = runtime.block_on(guest("ok", &batch));
    let written = runtime.block_on(guest("json", &batch));
    let cloned = native(&batch, |record| looked_at(&Record::clone(record)));
    let serialized = native(&batch, |record| {
        serde_json::to_vec(record).map_or(0, |document| document.len())
    });
    show("guest that counts", counted, "native clone", cloned);
    show("guest, JSON", written, "native JSON", serialized);
}

/// Records a second through a guest that does `trick`.
async fn guest(trick: &str, batch: &[Arc<Record>]) -> f64 {
    let opened = common::open(common::options("bench", json!({ "do": trick })))
        .await
        .expect("opens");
    let mut best = Best::default();
    while best.goes_on() {
        let answer = opened.sink.write(batch.to_vec()).await;
        best.did(answer.expect("delivered").len());
    }
    best.rate
}

/// Records a second through native code.
fn native(batch: &[Arc<Record>], work: impl Fn(&Record) -> usize) -> f64 {
    let mut best = Best::default();
    let mut n_bytes = 0;
    while best.goes_on() {
        n_bytes += batch.iter().map(|record| work(record)).sum::<usize>();
        best.did(batch.len());
    }
    std::hint::black_box(n_bytes);
    best.rate
}

/// The best rate of many short spans: other load on the machine only makes spans slower.
struct Best {
    began: Instant,
    span_began: Instant,
    n_records: usize,
    rate: f64,
}

impl Default for Best {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            span_began: now,
            n_records: 0,
            rate: 0.0,
        }
    }
}

impl Best {
    fn goes_on(&self) -> bool {
        self.began.elapsed() < TIME
    }

    #[expect(clippy::cast_precision_loss, reason = "for show")]
    fn did(&mut self, n_records: usize) {
        self.n_records += n_records;
        let span = self.span_began.elapsed();
        if span >= SPAN {
            self.rate = self.rate.max(self.n_records as f64 / span.as_secs_f64());
            (self.n_records, self.span_began) = (0, Instant::now());
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is a program for a person")]
fn show(guest: &str, guest_rate: f64, native: &str, native_rate: f64) {
    for (name, rate) in [(guest, guest_rate), (native, native_rate)] {
        println!(
            "{name:18} {rate:>10.0} records/s  {:>6.2} us a record",
            1e6 / rate
        );
    }
    println!("{:18} {:>10.2}", "ratio", native_rate / guest_rate);
}

fn looked_at(record: &Record) -> usize {
    match &record.payload {
        Payload::Email(email) => email.subject.len() + email.text.as_ref().map_or(0, String::len),
        Payload::Event(_) | Payload::File(_) | Payload::Labels(_) | Payload::Deleted(_) => 0,
    }
}
