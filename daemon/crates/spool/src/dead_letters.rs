//! Dead letters: records that a sink will never take, kept with the cause until an operator
//! deals with them, a newer state of the item is delivered, or they are too old. While a letter
//! is open its record is not released.

use crate::append::{NewRecord, insert};
use crate::encode::{
    Decoder, Encoder, PackedId, StoredBody, UnpackedId, change_of, from_sql, to_sql,
};
use crate::error::Fault;
use crate::writer::State;
use crate::{Seq, Spool, blobs, index};
use nuncio_model::{
    Change, FeedId, ItemId, LabelSet, Origin, Record, RecordKey, Revision, SinkName, StoreError,
};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use std::sync::Arc;

/// How long a letter is kept, milliseconds.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// How long a tombstone is kept: far longer than any item is on its way from Google to the
/// spool.
const TOMBSTONE_MS: i64 = 24 * 60 * 60 * 1_000;
/// Letters that are dealt with in one command, so that others are not held up.
const SLICE: i64 = 100;
/// Characters of a reason that are kept; it comes from a plugin.
const REASON_CHARS: usize = 1_000;

/// A record that a sink rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its feed.
    pub feed: FeedId,
    /// Its place.
    pub seq: Seq,
    /// Groups letters.
    pub code: String,
    /// For the operator. Untrusted text, cut to 1,000 characters.
    pub reason: String,
    /// How often it was tried.
    pub n_attempts: u32,
}

/// The number of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId(pub u64);

/// A dead letter as the spool has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub id: DeadLetterId,
    /// The sink that did not take the record.
    pub sink: SinkName,
    /// The record's place.
    pub seq: Seq,
    /// The record's feed.
    pub feed: FeedId,
    /// The record's key.
    pub key: RecordKey,
    /// The record's revision.
    pub revision: Revision,
    /// What the record said.
    pub change: Change,
    /// Groups letters.
    pub code: String,
    /// For the operator. Untrusted text.
    pub reason: String,
    /// How often the record was tried.
    pub n_attempts: u32,
    /// When it became one, milliseconds since 1970.
    pub at: i64,
    /// What became of it.
    pub status: LetterStatus,
}

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LetterStatus {
    /// Waits for an operator.
    Open,
    /// Appended again, as a new record for its sink.
    Retried,
    /// A newer state of the item was delivered or is on its way.
    Superseded,
    /// An operator gave it up.
    Dropped,
}

impl LetterStatus {
    const ALL: [Self; 4] = [Self::Open, Self::Retried, Self::Superseded, Self::Dropped];

    /// The name in the spool and for the operator.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Retried => "retried",
            Self::Superseded => "superseded",
            Self::Dropped => "dropped",
        }
    }
}

/// Which dead letters to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Of this sink; none: of all.
    pub sink: Option<SinkName>,
    /// In this state; none: in any.
    pub status: Option<LetterStatus>,
    /// With a higher number, for the next page.
    pub after: Option<DeadLetterId>,
}

/// Which open dead letters to deal with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letters {
    /// All.
    All,
    /// All of one sink.
    OfSink(SinkName),
    /// These.
    These(Vec<DeadLetterId>),
}

/// What became of letters that were to be retried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Appended again.
    pub n_retried: u64,
    /// A newer state of the item makes them needless.
    pub n_superseded: u64,
}

/// What [`Spool::purge`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Letters that were dealt with before.
    pub n_closed: u64,
    /// Letters that nobody dealt with in time: records that their sink never got.
    pub n_open: u64,
}

/// Puts an item's present labels into its record.
pub type Relabel = Arc<dyn Fn(&mut Record, &LabelSet) + Send + Sync>;

impl Spool {
    /// Up to `limit` dead letters, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn dead_letters(
        &self,
        filter: LetterFilter,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT d.id, s.name, d.seq, d.feed, d.key, d.revision, d.change, d.code, d.reason,
                        d.attempts, d.at, d.status
                 FROM dead_letters d JOIN sinks s ON s.id = d.sink
                 WHERE d.id > ?1 AND (?2 IS NULL OR s.name = ?2) AND (?3 IS NULL OR d.status = ?3)
                 ORDER BY d.id LIMIT ?4",
            )?;
            let mut rows = statement.query(params![
                filter.after.map_or(0, |id| to_sql(id.0)),
                filter.sink.as_ref().map(SinkName::as_str),
                filter.status.map(LetterStatus::as_str),
                to_sql(limit as u64),
            ])?;
            let mut letters = Vec::new();
            while let Some(row) = rows.next()? {
                letters.push(letter(row)?);
            }
            Ok(letters)
        })
        .await
    }

    /// Appends the records of open dead letters again, each for its own sink: a new revision
    /// with the old content and, put in by `relabel`, the item's present labels. Where the
    /// item is gone or a newer full state of it is in the spool, the letter is superseded
    /// instead; a deletion is superseded where the item is there again.
    ///
    /// # Errors
    /// As for [`Spool::append`], and where a record cannot be read; letters before it are
    /// done.
    pub async fn retry_dead_letters(
        &self,
        letters: Letters,
        relabel: Relabel,
    ) -> Result<Retried, StoreError> {
        let mut total = Retried::default();
        let mut after = 0;
        for which in slices(letters) {
            loop {
                let (which, relabel) = (which.clone(), Arc::clone(&relabel));
                let (done, last) = self
                    .write(0, move |state| retry(state, &which, after, &relabel))
                    .await?;
                total.n_retried += done.n_retried;
                total.n_superseded += done.n_superseded;
                match last {
                    Some(last) => after = last,
                    None => break,
                }
            }
            after = 0;
        }
        Ok(total)
    }

    /// Gives open dead letters up; how many.
    ///
    /// # Errors
    /// As for [`Spool::ack`].
    pub async fn drop_dead_letters(&self, letters: Letters) -> Result<u64, StoreError> {
        let mut n_dropped = 0;
        for which in slices(letters) {
            loop {
                let which = which.clone();
                let n = self
                    .write(0, move |state| {
                        let open = open_letters(state, &which, 0)?;
                        for letter in &open {
                            close(state, letter, LetterStatus::Dropped)?;
                        }
                        Ok(open.len() as u64)
                    })
                    .await?;
                n_dropped += n;
                if n == 0 {
                    break;
                }
            }
        }
        Ok(n_dropped)
    }

    /// Removes what is too old at `now_ms`: dead letters of 30 days, and the traces of
    /// deletions where no walk could still meet them.
    ///
    /// # Errors
    /// As for [`Spool::ack`].
    pub async fn purge(&self, now_ms: i64) -> Result<Purged, StoreError> {
        let mut total = Purged::default();
        loop {
            let (done, more) = self.write(0, move |state| purge(state, now_ms)).await?;
            total.n_closed += done.n_closed;
            total.n_open += done.n_open;
            if !more {
                return Ok(total);
            }
        }
    }
}

/// Enters a dead letter. The same one again changes nothing.
pub(crate) fn enter(state: &State, sink: i64, rejected: &Rejected) -> Result<(), Fault> {
    let reason: String = rejected.reason.chars().take(REASON_CHARS).collect();
    let n_rows = state
        .conn
        .prepare_cached(
            "INSERT INTO dead_letters (sink, seq, feed, item, key, revision, change, code, reason, attempts, at)
             SELECT ?1, seq, feed, item, key, revision, change, ?4, ?5, ?6, ?7 FROM records
             WHERE seq = ?2 AND feed = ?3
             ON CONFLICT (sink, seq) DO NOTHING",
        )?
        .execute(params![
            sink,
            to_sql(rejected.seq.0),
            to_sql(rejected.feed.0),
            rejected.code,
            reason,
            rejected.n_attempts,
            state.clock.now_ms(),
        ])?;
    if n_rows == 0 {
        let known: bool = state
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM dead_letters WHERE sink = ?1 AND seq = ?2)",
            )?
            .query_row(params![sink, to_sql(rejected.seq.0)], |row| row.get(0))?;
        if !known {
            return Err(Fault::failed(format!(
                "feed {} has no record {} to be a dead letter",
                rejected.feed, rejected.seq.0
            )));
        }
    }
    Ok(())
}

/// Closes the sink's open letters of each item of which a newer full record was delivered:
/// one after `before` up to `position` that is not a dead letter itself.
pub(crate) fn supersede(
    state: &mut State,
    sink: i64,
    feed: i64,
    before: i64,
    position: i64,
) -> Result<(), Fault> {
    let any: bool = state
        .conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM dead_letters WHERE sink = ?1 AND feed = ?2 AND status = 'open')",
        )?
        .query_row(params![sink, feed], |row| row.get(0))?;
    if !any {
        return Ok(());
    }
    let open: Vec<Open> = {
        let mut statement = state.conn.prepare_cached(
            "SELECT DISTINCT d.id, d.sink, d.seq, d.feed, d.change, d.item
             FROM records r CROSS JOIN dead_letters d
               ON d.sink = ?1 AND d.feed = r.feed AND d.item = r.item AND d.status = 'open' AND d.seq < r.seq
             WHERE r.feed = ?2 AND r.seq > ?3 AND r.seq <= ?4 AND r.change <> 'labels'
               AND (r.only_sink IS NULL OR r.only_sink = ?1)
               AND NOT EXISTS (SELECT 1 FROM dead_letters x WHERE x.sink = ?1 AND x.seq = r.seq)",
        )?;
        let rows = statement.query_map(params![sink, feed, before, position], Open::from_row)?;
        rows.collect::<Result<_, _>>()?
    };
    open.iter()
        .try_for_each(|letter| close(state, letter, LetterStatus::Superseded))
}

/// An open letter on its way to be closed.
struct Open {
    id: i64,
    sink: i64,
    seq: i64,
    feed: i64,
    change: String,
    item: String,
}

impl Open {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let item: UnpackedId = row.get(5)?;
        Ok(Self {
            id: row.get(0)?,
            sink: row.get(1)?,
            seq: row.get(2)?,
            feed: row.get(3)?,
            change: row.get(4)?,
            item: item.0,
        })
    }
}

/// A selection in parts of which each fits into a command or is worked off by itself.
fn slices(letters: Letters) -> Vec<Letters> {
    match letters {
        Letters::These(ids) => ids
            .chunks(SLICE.unsigned_abs() as usize)
            .map(|ids| Letters::These(ids.to_vec()))
            .collect(),
        Letters::All | Letters::OfSink(_) => vec![letters],
    }
}

fn open_letters(state: &State, which: &Letters, after: i64) -> Result<Vec<Open>, Fault> {
    let mut sql = "SELECT d.id, d.sink, d.seq, d.feed, d.change, d.item
                   FROM dead_letters d JOIN sinks s ON s.id = d.sink
                   WHERE d.status = 'open' AND d.id > ?1"
        .to_owned();
    let mut parameters: Vec<Box<dyn ToSql>> = vec![Box::new(after)];
    match which {
        Letters::All => {}
        Letters::OfSink(name) => {
            sql.push_str(" AND s.name = ?2");
            parameters.push(Box::new(name.as_str().to_owned()));
        }
        Letters::These(ids) => {
            let marks: Vec<String> = (0..ids.len())
                .map(|index| format!("?{}", index + 2))
                .collect();
            sql.push_str(&format!(" AND d.id IN ({})", marks.join(",")));
            parameters.extend(
                ids.iter()
                    .map(|id| Box::new(to_sql(id.0)) as Box<dyn ToSql>),
            );
        }
    }
    sql.push_str(&format!(" ORDER BY d.id LIMIT {SLICE}"));
    let mut statement = state.conn.prepare(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(parameters), Open::from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn close(state: &mut State, letter: &Open, status: LetterStatus) -> Result<(), Fault> {
    state
        .conn
        .prepare_cached("UPDATE dead_letters SET status = ?2 WHERE id = ?1")?
        .execute(params![letter.id, status.as_str()])?;
    state.release.look_again(letter.feed, letter.seq);
    Ok(())
}

/// One slice; the last letter that was dealt with, none where there was none.
fn retry(
    state: &mut State,
    which: &Letters,
    after: i64,
    relabel: &Relabel,
) -> Result<(Retried, Option<i64>), Fault> {
    state.refuse_if_full()?;
    let open = open_letters(state, which, after)?;
    let mut done = Retried::default();
    let (mut decoder, mut encoder) = (Decoder::try_new()?, Encoder::try_new()?);
    for letter in &open {
        let status = match content_to_retry(state, letter, &mut decoder, relabel)? {
            Some(record) => {
                let record = NewRecord {
                    feed: FeedId(from_sql(letter.feed)),
                    item: &letter.item,
                    change: record.change,
                    only_sink: Some(letter.sink),
                    body: &encoder.encode(&record)?,
                };
                let (seq, _) = insert(state, &record)?;
                blobs::copy(&state.conn, letter.seq, seq)?;
                done.n_retried += 1;
                LetterStatus::Retried
            }
            None => {
                done.n_superseded += 1;
                LetterStatus::Superseded
            }
        };
        close(state, letter, status)?;
    }
    Ok((done, open.last().map(|letter| letter.id)))
}

/// The letter's record with the item's present labels; none where it is out of date.
fn content_to_retry(
    state: &State,
    letter: &Open,
    decoder: &mut Decoder,
    relabel: &Relabel,
) -> Result<Option<Record>, Fault> {
    let feed = FeedId(from_sql(letter.feed));
    let row = index::row(&state.conn, feed, &ItemId::new(letter.item.as_str()))?;
    let is_deletion = change_of(&letter.change)? == Change::Deleted;
    if row.is_none() != is_deletion || has_newer(state, letter)? {
        return Ok(None);
    }
    let stored = state
        .conn
        .prepare_cached(&format!(
            "SELECT {} FROM records r WHERE r.seq = ?1",
            StoredBody::COLUMNS
        ))?
        .query_row([letter.seq], StoredBody::from_row)
        .optional()?
        .ok_or_else(|| {
            Fault::failed(format!(
                "the record {} of a dead letter is gone",
                letter.seq
            ))
        })?;
    let mut record = decoder.decode(&stored)?;
    if let Some(row) = row {
        relabel(&mut record, &row.labels);
    }
    record.origin = Origin::Replay;
    Ok(Some(record))
}

/// Whether a newer full record of the item waits for the sink or is a letter of its own. (One
/// that was delivered has superseded the letter.)
fn has_newer(state: &State, letter: &Open) -> Result<bool, Fault> {
    Ok(state
        .conn
        .prepare_cached(
            "SELECT EXISTS (
               SELECT 1 FROM records r WHERE r.feed = ?1 AND r.item = ?2 AND r.seq > ?3 AND r.change <> 'labels'
                 AND (r.only_sink IS NULL OR r.only_sink = ?4)
                 AND (r.seq > (SELECT position FROM lanes WHERE sink = ?4 AND feed = ?1)
                      OR EXISTS (SELECT 1 FROM dead_letters d
                                 WHERE d.sink = ?4 AND d.seq = r.seq AND d.status = 'open')))",
        )?
        .query_row(params![letter.feed, PackedId(&letter.item), letter.seq, letter.sink], |row| row.get(0))?)
}

fn purge(state: &mut State, now_ms: i64) -> Result<(Purged, bool), Fault> {
    let old: Vec<(i64, i64, i64, bool)> = {
        let mut statement = state.conn.prepare_cached(
            "SELECT id, feed, seq, status = 'open' FROM dead_letters WHERE at < ?1 ORDER BY at LIMIT ?2",
        )?;
        let rows = statement.query_map(params![now_ms - KEPT_MS, SLICE], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.collect::<Result<_, _>>()?
    };
    let mut done = Purged::default();
    for (id, feed, seq, is_open) in &old {
        state
            .conn
            .prepare_cached("DELETE FROM dead_letters WHERE id = ?1")?
            .execute([id])?;
        if *is_open {
            done.n_open += 1;
            state.release.look_again(*feed, *seq);
        } else {
            done.n_closed += 1;
        }
    }
    let more = old.len() as i64 == SLICE;
    if !more {
        state
            .conn
            .prepare_cached(
                "DELETE FROM tombstones WHERE at < ?1
                   AND feed IN (SELECT id FROM feeds WHERE walk IS NULL)",
            )?
            .execute([now_ms - TOMBSTONE_MS])?;
    }
    Ok((done, more))
}

fn letter(row: &Row<'_>) -> Result<DeadLetter, Fault> {
    let (change, status): (String, String) = (row.get(6)?, row.get(11)?);
    let status = LetterStatus::ALL
        .into_iter()
        .find(|known| known.as_str() == status)
        .ok_or_else(|| Fault::failed("a dead letter has a state that is not known"))?;
    Ok(DeadLetter {
        id: DeadLetterId(from_sql(row.get(0)?)),
        sink: SinkName::new(row.get::<_, String>(1)?),
        seq: Seq(from_sql(row.get(2)?)),
        feed: FeedId(from_sql(row.get(3)?)),
        key: RecordKey::new(row.get::<_, String>(4)?),
        revision: Revision(from_sql(row.get(5)?)),
        change: change_of(&change)?,
        code: row.get(7)?,
        reason: row.get(8)?,
        n_attempts: row.get(9)?,
        at: row.get(10)?,
        status,
    })
}
