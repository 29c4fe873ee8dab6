//! One sink's task: takes batches from its lanes, calls the sink, and settles what it says. The
//! only place that retries a delivery.

use crate::lanes::Lanes;
use crate::settle::{Dead, RetryPolicy, Sent, Settlement, settle, settle_broken};
use crate::{Health, Sink, State, Throughput};
use nuncio_model::{CallError, Clock, FeedId, Outcome, Record, SinkName, StoreError, Wait};
use nuncio_spool::{Ack, LaneAck, Rejected, Seq, SinkId, Spool};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A sink that stopped with a fatal error is tried again by itself after this time.
const FATAL_RETRY: Duration = Duration::from_secs(5 * 60);

/// Decides whether a sink asked for a record.
pub type Wants = Arc<dyn Fn(&Record) -> bool + Send + Sync>;

/// What dispatch needs to know of a sink.
#[derive(Clone)]
pub struct Options {
    /// Its name.
    pub name: SinkName,
    /// Its number in the spool.
    pub sink: SinkId,
    /// Records in a batch.
    pub batch_records: usize,
    /// Bytes in a batch; a larger record goes alone.
    pub batch_bytes: u64,
    /// How long a batch waits to be filled.
    pub batch_delay: Duration,
    /// Calls under way at once.
    pub in_flight: usize,
    /// When to give up.
    pub retry: RetryPolicy,
    /// Whether the plugin asked for a record like this one; others count as delivered.
    pub wants: Wants,
}

/// A lane's part of a batch.
struct LanePart {
    feed: FeedId,
    /// The last record that was settled before.
    position: u64,
    n_attempts: u32,
    entries: Vec<Entry>,
}

/// A record of a batch.
struct Entry {
    sent: Sent,
    /// Where it stands in the call; none: the sink has no use for it.
    index: Option<usize>,
}

/// A call that ended.
struct Done {
    parts: Vec<LanePart>,
    answer: Result<Vec<Outcome>, CallError>,
}

/// One sink's delivery.
pub struct Dispatch {
    options: Options,
    spool: Spool,
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    health: watch::Sender<Health>,
    lanes: Lanes,
    calls: JoinSet<Done>,
    paused_until: Option<Instant>,
    /// Failed calls since the last good one.
    n_failed_calls: u32,
    /// When the first ready record was seen; batches wait from there.
    ready_since: Option<Instant>,
    /// Records noted since the last batch, so that a full one does not wait.
    n_noted: usize,
    /// Why the sink cannot take records yet, known from its opening.
    not_yet: Option<CallError>,
}

impl Dispatch {
    /// Delivery that is not started yet.
    pub fn new(
        options: Options,
        spool: Spool,
        sink: Arc<dyn Sink>,
        clock: Arc<dyn Clock>,
        health: watch::Sender<Health>,
    ) -> Self {
        Self {
            options,
            spool,
            sink,
            clock,
            health,
            lanes: Lanes::default(),
            calls: JoinSet::new(),
            paused_until: None,
            n_failed_calls: 0,
            ready_since: None,
            n_noted: 0,
            not_yet: None,
        }
    }

    /// The sink was opened but said that it cannot work yet, as a failed call would: it begins
    /// paused, with that reason.
    pub fn not_yet(mut self, reason: Option<CallError>) -> Self {
        self.not_yet = reason;
        self
    }

    /// Delivers until `stop`, then lets calls under way end and closes the sink.
    ///
    /// # Errors
    /// Only of the spool: then the process cannot go on.
    ///
    /// # Cancel safety
    /// Dropping it cuts calls; what they held counts as not delivered.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut appended = self.spool.subscribe();
        self.reload().await?;
        self.health.send_modify(|health| {
            health.state = State::Running;
            health.error = None;
            health
                .throughput
                .get_or_insert_with(|| Throughput::new(Instant::now()));
        });
        if let Some(reason) = self.not_yet.take() {
            self.failed_call(reason, &[]);
        }
        loop {
            self.lanes.wake(Instant::now());
            while self.may_send() {
                self.send().await?;
            }
            let wake = self.next_wake();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = self.calls.join_next() => self.ended(done).await?,
                note = appended.recv() => match note {
                    Ok(news) if self.lanes.note(news.feed, news.newest.0) => self.noted(1),
                    // A lane that was idle since the start: its position is in the spool.
                    Ok(_) => self.reload().await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => self.reload().await?,
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                () = sleep_until(wake) => {}
            }
        }
        while let Some(done) = self.calls.join_next().await {
            self.ended(done).await?;
        }
        self.sink.close().await;
        Ok(())
    }

    /// Reads from the spool which lanes have something to deliver.
    async fn reload(&mut self) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        for lane in self.spool.pending_lanes(self.options.sink).await? {
            let wait = u64::try_from(lane.next_try - now_ms).unwrap_or_default();
            let not_before = (wait > 0).then(|| Instant::now() + Duration::from_millis(wait));
            self.lanes.restore(
                lane.feed,
                lane.newest.0,
                lane.position.0,
                lane.n_attempts,
                not_before,
            );
        }
        self.noted(1);
        Ok(())
    }

    fn noted(&mut self, n_records: usize) {
        self.n_noted = self.n_noted.saturating_add(n_records);
        self.ready_since.get_or_insert_with(Instant::now);
    }

    fn may_send(&self) -> bool {
        let now = Instant::now();
        self.lanes.has_ready()
            && self.calls.len() < self.options.in_flight
            && self.paused_until.is_none_or(|until| until <= now)
            && (self.n_noted >= self.options.batch_records
                || self
                    .ready_since
                    .is_none_or(|since| since + self.options.batch_delay <= now))
    }

    fn next_wake(&self) -> Option<Instant> {
        let filled = self
            .ready_since
            .filter(|_| self.lanes.has_ready() && self.calls.len() < self.options.in_flight)
            .map(|since| since + self.options.batch_delay);
        let wake = [filled, self.lanes.next_wake()].into_iter().flatten().min();
        match (self.paused_until, wake) {
            (Some(until), Some(wake)) => Some(until.max(wake)),
            (Some(until), None) => self.lanes.has_ready().then_some(until),
            (None, wake) => wake,
        }
    }

    /// Fills a batch from ready lanes and starts its call.
    async fn send(&mut self) -> Result<(), StoreError> {
        self.paused_until = None;
        let mut parts = Vec::new();
        let mut batch: Vec<Arc<Record>> = Vec::new();
        let mut n_bytes = 0;
        while batch.len() < self.options.batch_records && n_bytes < self.options.batch_bytes {
            let Some((feed, lane)) = self.lanes.take() else {
                break;
            };
            let alone = lane.position < lane.alone_until;
            if alone && !batch.is_empty() {
                self.lanes.settled(feed, None, lane.n_attempts, None);
                break;
            }
            let limit = if alone {
                1
            } else {
                self.options.batch_records - batch.len()
            };
            let records = self
                .spool
                .read_lane(
                    self.options.sink,
                    feed,
                    Seq(lane.position),
                    limit,
                    self.options.batch_bytes - n_bytes,
                )
                .await?;
            if records.is_empty() {
                self.lanes.empty(feed);
                continue;
            }
            let mut entries = Vec::with_capacity(records.len());
            for spooled in records {
                let record = spooled.record;
                let wanted = (self.options.wants)(&record);
                n_bytes += spooled.n_bytes;
                entries.push(Entry {
                    sent: Sent { seq: spooled.seq.0 },
                    index: wanted.then_some(batch.len()),
                });
                if wanted {
                    batch.push(Arc::new(record));
                }
            }
            parts.push(LanePart {
                feed,
                position: lane.position,
                n_attempts: lane.n_attempts,
                entries,
            });
            if alone {
                break;
            }
        }
        // A full batch means that there is more: then nothing is to be waited for.
        let was_full =
            batch.len() >= self.options.batch_records || n_bytes >= self.options.batch_bytes;
        self.n_noted = if was_full {
            self.options.batch_records
        } else {
            0
        };
        self.ready_since = self.lanes.has_ready().then(Instant::now);
        if batch.is_empty() {
            return self
                .settle(Done {
                    parts,
                    answer: Ok(Vec::new()),
                })
                .await;
        }
        let sink = Arc::clone(&self.sink);
        self.calls.spawn(async move {
            let n_records = batch.len();
            let answer = match sink.write(batch).await {
                Ok(outcomes) if outcomes.len() != n_records => Err(CallError::Broken {
                    code: "wrong-length",
                    reason: format!("{} outcomes for {n_records} records", outcomes.len()),
                }),
                answer => answer,
            };
            Done { parts, answer }
        });
        Ok(())
    }

    async fn ended(
        &mut self,
        done: Result<Done, tokio::task::JoinError>,
    ) -> Result<(), StoreError> {
        match done {
            Ok(done) => self.settle(done).await,
            Err(error) => {
                // The lanes of that call are in flight for ever: read them again.
                tracing::error!(sink = %self.options.name, error = %error, "a call panicked, which is a bug");
                self.lanes = Lanes::default();
                while let Some(done) = self.calls.join_next().await {
                    if let Ok(done) = done {
                        self.settle(done).await?;
                    }
                }
                self.lanes = Lanes::default();
                self.reload().await
            }
        }
    }

    /// Writes down what a call's answer means and gives its lanes back.
    async fn settle(&mut self, done: Done) -> Result<(), StoreError> {
        let settlements = match done.answer {
            Ok(outcomes) => {
                self.n_failed_calls = 0;
                let settlements = settle_all(&done.parts, outcomes, &self.options.retry);
                let reason = settlements.iter().find_map(|s| {
                    s.pause
                        .as_ref()
                        .map(|wait| wait.reason.clone())
                        .or(s.reason.clone())
                });
                self.good(reason);
                settlements
            }
            Err(error) => self.failed_call(error, &done.parts),
        };
        let pause = settlements
            .iter()
            .find_map(|settlement| settlement.pause.clone());
        if let Some(wait) = pause {
            // A sink that gets nowhere and names no time must not be asked in a tight loop.
            let progressed = settlements
                .iter()
                .any(|settlement| settlement.position.is_some());
            let wait = match wait.after {
                Some(after) if progressed => after.min(self.options.retry.max_delay),
                after => self.options.retry.delay(1, after),
            };
            self.pause(wait);
        }
        let now = Instant::now();
        let now_ms = self.clock.now_ms();
        let mut ack = Ack {
            sink: self.options.sink,
            lanes: Vec::new(),
            dead: Vec::new(),
        };
        let mut moves = Vec::new();
        for (part, settlement) in done.parts.iter().zip(settlements) {
            let next_try = settlement
                .wait
                .map(|wait| now_ms + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            moves.push((
                part.feed,
                settlement.position,
                settlement.n_attempts,
                settlement.wait.map(|wait| now + wait),
            ));
            if settlement.position.is_some() || settlement.n_attempts != part.n_attempts {
                ack.lanes.push(lane_ack(part, &settlement, next_try));
                ack.dead.extend(
                    settlement
                        .dead
                        .into_iter()
                        .map(|dead| rejected(part.feed, dead)),
                );
            }
        }
        if !ack.lanes.is_empty() {
            let n_delivered = ack.lanes.iter().map(|lane| lane.n_delivered).sum();
            self.spool.ack(ack).await?;
            self.health.send_modify(|health| {
                if let Some(throughput) = &mut health.throughput {
                    throughput.add(n_delivered, Instant::now());
                }
            });
        }
        for (feed, position, n_attempts, until) in moves {
            self.lanes.settled(feed, position, n_attempts, until);
        }
        Ok(())
    }

    fn good(&self, reason: Option<String>) {
        self.health.send_modify(|health| {
            health.state = State::Running;
            health.error = reason.map(|reason| ("retry".to_owned(), reason));
        });
    }

    /// What follows from a call that failed as a whole.
    fn failed_call(&mut self, error: CallError, parts: &[LanePart]) -> Vec<Settlement> {
        self.n_failed_calls += 1;
        let unchanged: Vec<Settlement> = parts
            .iter()
            .map(|part| Settlement {
                n_attempts: part.n_attempts,
                ..Settlement::default()
            })
            .collect();
        let (state, code, reason) = match &error {
            CallError::Unavailable(wait) => (State::Paused, "unavailable", wait.reason.clone()),
            CallError::Throttled(wait) => (State::Paused, "throttled", wait.reason.clone()),
            CallError::Fatal { code, reason } => (State::Failed, code.as_str(), reason.clone()),
            CallError::Broken { code, reason } => (State::Running, *code, reason.clone()),
        };
        self.health.send_modify(|health| {
            if health.error.as_ref().map(|(known, _)| known.as_str()) != Some(code) {
                tracing::warn!(
                    sink = %self.options.name,
                    code,
                    reason = %nuncio_model::untrusted(&reason),
                    "a call of the sink failed"
                );
            }
            health.state = state;
            health.error = Some((code.to_owned(), reason.clone()));
        });
        match error {
            CallError::Unavailable(wait) | CallError::Throttled(wait) => {
                let Wait { after, .. } = wait;
                self.pause(self.options.retry.delay(self.n_failed_calls, after));
                unchanged
            }
            CallError::Fatal { .. } => {
                self.pause(FATAL_RETRY);
                unchanged
            }
            CallError::Broken { code, reason } => self.broken(code, reason, parts, unchanged),
        }
    }

    /// A trap, a memory limit, a timeout or a wrong answer: one of the records may be the cause.
    /// The records go one by one until the lanes are past them; only the one that does it alone
    /// uses up attempts.
    fn broken(
        &mut self,
        code: &'static str,
        reason: String,
        parts: &[LanePart],
        unchanged: Vec<Settlement>,
    ) -> Vec<Settlement> {
        if let [part] = parts
            && let [entry] = part.entries.as_slice()
        {
            return vec![settle_broken(
                entry.sent,
                code,
                reason,
                part.n_attempts,
                &self.options.retry,
            )];
        }
        for part in parts {
            if let Some(last) = part.entries.last() {
                self.lanes.isolate(part.feed, last.sent.seq);
            }
        }
        unchanged
    }

    fn pause(&mut self, wait: Duration) {
        let jittered = wait.mul_f64(1.0 + fastrand::f64() * 0.1);
        self.paused_until = Some(Instant::now() + jittered);
    }
}

/// Sorts a call's outcomes to its lanes.
fn settle_all(parts: &[LanePart], outcomes: Vec<Outcome>, policy: &RetryPolicy) -> Vec<Settlement> {
    let mut outcomes: Vec<Option<Outcome>> = outcomes.into_iter().map(Some).collect();
    parts
        .iter()
        .map(|part| {
            let sent: Vec<Sent> = part.entries.iter().map(|entry| entry.sent).collect();
            let of_lane = part
                .entries
                .iter()
                .map_while(|entry| match entry.index {
                    Some(index) => outcomes.get_mut(index).and_then(Option::take),
                    None => Some(Outcome::Delivered),
                })
                .collect();
            settle(&sent, of_lane, part.n_attempts, policy)
        })
        .collect()
}

fn lane_ack(part: &LanePart, settlement: &Settlement, next_try: Option<i64>) -> LaneAck {
    let was_sent = |seq: &u64| {
        part.entries
            .iter()
            .any(|entry| entry.sent.seq == *seq && entry.index.is_some())
    };
    let n_delivered = settlement
        .delivered
        .iter()
        .filter(|seq| was_sent(seq))
        .count();
    LaneAck {
        feed: part.feed,
        position: Seq(settlement.position.unwrap_or(part.position)),
        n_delivered: n_delivered as u64,
        n_attempts: settlement.n_attempts,
        next_try: next_try.unwrap_or(0),
    }
}

fn rejected(feed: FeedId, dead: Dead) -> Rejected {
    let Dead {
        seq,
        code,
        reason,
        n_attempts,
    } = dead;
    Rejected {
        feed,
        seq: Seq(seq),
        code,
        reason,
        n_attempts,
    }
}

/// Never, where there is nothing to wait for.
async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
