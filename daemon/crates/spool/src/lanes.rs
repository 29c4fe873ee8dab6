//! Lanes: what each sink has still to get of each feed, in order, and the acknowledgement that
//! moves its position. Which records to send when is decided by dispatch.

use crate::dead_letters::{self, Rejected};
use crate::encode::{Decoder, StoredBody, from_sql, to_sql};
use crate::error::Fault;
use crate::release::ACTIVE;
use crate::writer::State;
use crate::{Seq, SinkId, Spool};
use nuncio_model::{FeedId, Record, StoreError};
use rusqlite::{OptionalExtension, params};

/// A lane with something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneState {
    /// The feed.
    pub feed: FeedId,
    /// The last record that is settled.
    pub position: Seq,
    /// The newest record that waits.
    pub newest: Seq,
    /// How often the first record that waits was tried.
    pub n_attempts: u32,
    /// Not to be tried before, milliseconds since 1970; 0: at once.
    pub next_try: i64,
}

/// A record as the spool has it.
#[derive(Debug, Clone, PartialEq)]
pub struct SpooledRecord {
    /// Its place; what a [`LaneAck`] names.
    pub seq: Seq,
    /// The record.
    pub record: Record,
    /// Bytes of its JSON form.
    pub n_bytes: u64,
}

/// What a sink has settled: one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The sink.
    pub sink: SinkId,
    /// Its lanes that moved or are to be tried again.
    pub lanes: Vec<LaneAck>,
    /// Records at or before the new positions that the sink will never take.
    pub dead: Vec<Rejected>,
}

/// The new state of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneAck {
    /// The feed.
    pub feed: FeedId,
    /// The last settled record: it and all before it are delivered or among [`Ack::dead`]. A
    /// position never goes back.
    pub position: Seq,
    /// How many of the newly settled were delivered.
    pub n_delivered: u64,
    /// How often the next record was tried.
    pub n_attempts: u32,
    /// When to try the next record, milliseconds since 1970; 0: at once.
    pub next_try: i64,
}

impl Spool {
    /// The sink's lanes with records that wait. Idle feeds cost nothing.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn pending_lanes(&self, sink: SinkId) -> Result<Vec<LaneState>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(&format!(
                "{ACTIVE} SELECT l.feed, l.position, l.attempts, l.next_try,
                   (SELECT r.seq FROM records r WHERE r.feed = l.feed AND r.seq > l.position
                      AND (r.only_sink IS NULL OR r.only_sink = l.sink) ORDER BY r.seq DESC LIMIT 1) AS newest
                 FROM active a CROSS JOIN lanes l ON l.sink = ?1 AND l.feed = a.feed
                 WHERE newest IS NOT NULL"
            ))?;
            let rows = statement.query_map([to_sql(sink.0)], |row| {
                Ok(LaneState {
                    feed: FeedId(from_sql(row.get(0)?)),
                    position: Seq(from_sql(row.get(1)?)),
                    n_attempts: row.get(2)?,
                    next_try: row.get(3)?,
                    newest: Seq(from_sql(row.get(4)?)),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The lane's records after `after`, in order: at most `max_records` and, beyond the
    /// first, at most `max_bytes` of JSON. Records for other sinks only are left out.
    ///
    /// # Errors
    /// [`StoreError::Failed`] also where a stored record cannot be read; [`StoreError::Closed`].
    pub async fn read_lane(
        &self,
        sink: SinkId,
        feed: FeedId,
        after: Seq,
        max_records: usize,
        max_bytes: u64,
    ) -> Result<Vec<SpooledRecord>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(&format!(
                "SELECT {} FROM records r WHERE r.feed = ?1 AND r.seq > ?2
                   AND (r.only_sink IS NULL OR r.only_sink = ?3) ORDER BY r.seq LIMIT ?4",
                StoredBody::COLUMNS
            ))?;
            let mut rows = statement.query(params![
                to_sql(feed.0),
                to_sql(after.0),
                to_sql(sink.0),
                to_sql(max_records as u64)
            ])?;
            let mut decoder = Decoder::try_new()?;
            let mut records = Vec::new();
            let mut total = 0;
            while let Some(row) = rows.next()? {
                let stored = StoredBody::from_row(row)?;
                let n_bytes = from_sql(stored.raw_len);
                total += n_bytes;
                if total > max_bytes && !records.is_empty() {
                    break;
                }
                let record = decoder.decode(&stored)?;
                records.push(SpooledRecord {
                    seq: Seq(from_sql(stored.seq)),
                    record,
                    n_bytes,
                });
            }
            Ok(records)
        })
        .await
    }

    /// Takes back what a sink has settled, in one transaction, and returns once that is on
    /// stable storage. Records that every sink has settled are released from then on. A full
    /// record that was delivered supersedes the sink's older dead letters of its item.
    ///
    /// # Errors
    /// [`StoreError::Failed`] for an unknown sink, lane or record: nothing was kept.
    /// Acknowledging goes on while the spool is full, but needs some disk for the log.
    ///
    /// # Cancel safety
    /// If dropped early the ack may still be carried out, as a whole.
    pub async fn ack(&self, ack: Ack) -> Result<(), StoreError> {
        self.write(0, move |state| carry_out(state, &ack)).await
    }

    /// How many records of the feed some sink still waits for.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn count_pending(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.read(move |conn| {
            let n: i64 = conn
                .prepare_cached(
                    "SELECT count(*) FROM records r WHERE r.feed = ?1 AND EXISTS (
                       SELECT 1 FROM sinks s CROSS JOIN lanes l ON l.sink = s.id AND l.feed = ?1
                       WHERE r.seq > l.position AND (r.only_sink IS NULL OR r.only_sink = l.sink))",
                )?
                .query_row([to_sql(feed.0)], |row| row.get(0))?;
            Ok(from_sql(n))
        })
        .await
    }
}

fn carry_out(state: &mut State, ack: &Ack) -> Result<(), Fault> {
    let sink = to_sql(ack.sink.0);
    // Dead letters first, so that a position does not pass a record whose letter fails, and a
    // rejected record does not count as a delivered one below.
    for rejected in &ack.dead {
        dead_letters::enter(state, sink, rejected)?;
    }
    let mut n_delivered = 0;
    for lane in &ack.lanes {
        move_lane(state, sink, lane)?;
        n_delivered += lane.n_delivered;
    }
    state
        .conn
        .prepare_cached("UPDATE sinks SET delivered = delivered + ?2 WHERE id = ?1")?
        .execute(params![sink, to_sql(n_delivered)])?;
    Ok(())
}

fn move_lane(state: &mut State, sink: i64, lane: &LaneAck) -> Result<(), Fault> {
    let (feed, position) = (to_sql(lane.feed.0), to_sql(lane.position.0));
    let before: Option<i64> = state
        .conn
        .prepare_cached("SELECT position FROM lanes WHERE sink = ?1 AND feed = ?2")?
        .query_row(params![sink, feed], |row| row.get(0))
        .optional()?;
    let before =
        before.ok_or_else(|| Fault::failed(format!("sink {sink} has no lane in feed {feed}")))?;
    if position > before {
        // A position beyond what was appended would pass records that come later.
        let newest: Option<i64> = state
            .conn
            .prepare_cached("SELECT max(seq) FROM records WHERE feed = ?1")?
            .query_row([feed], |row| row.get(0))?;
        if newest.is_none_or(|newest| position > newest) {
            return Err(Fault::failed(format!(
                "feed {feed} has no record {position} to acknowledge"
            )));
        }
        dead_letters::supersede(state, sink, feed, before, position)?;
        state.release.look_at(feed);
    }
    state
        .conn
        .prepare_cached(
            "UPDATE lanes SET position = max(position, ?3), attempts = ?4, next_try = ?5
             WHERE sink = ?1 AND feed = ?2",
        )?
        .execute(params![
            sink,
            feed,
            position,
            lane.n_attempts,
            lane.next_try
        ])?;
    Ok(())
}
