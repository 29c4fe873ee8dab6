//! Deletes records that nobody needs any more, in slices that keep a commit short. A record
//! goes when the position of every sink's lane has passed it and no open dead letter names it;
//! with no sink at all it goes at once.

use crate::blobs;
use crate::error::Fault;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// A slice ends after this many records or this much time, whichever is first.
const SLICE_RECORDS: usize = 2_000;
const SLICE_TIME: Duration = Duration::from_millis(20);
/// Records that are looked up at once.
const LOOK_AHEAD: i64 = 200;

/// Which feeds may have something to release, and how far each was looked through.
#[derive(Default)]
pub(crate) struct Release {
    due: BTreeSet<i64>,
    /// Records at or below are gone or kept by an open dead letter.
    passed: HashMap<i64, i64>,
    paused: bool,
}

impl Release {
    /// Whether a slice has something to do.
    pub(crate) fn is_due(&self) -> bool {
        !self.paused && !self.due.is_empty()
    }

    /// A position of this feed moved.
    pub(crate) fn look_at(&mut self, feed: i64) {
        self.due.insert(feed);
    }

    /// An open dead letter was closed, so its record may go.
    pub(crate) fn look_again(&mut self, feed: i64, seq: i64) {
        if let Some(passed) = self.passed.get_mut(&feed) {
            *passed = (*passed).min(seq - 1);
        }
        self.due.insert(feed);
    }

    /// Looks at every feed that has records.
    pub(crate) fn look_at_all(&mut self, conn: &Connection) -> Result<(), Fault> {
        let mut statement = conn.prepare_cached(&format!(
            "{ACTIVE} SELECT feed FROM active WHERE feed IS NOT NULL"
        ))?;
        for feed in statement.query_map([], |row| row.get(0))? {
            self.due.insert(feed?);
        }
        Ok(())
    }

    /// After a failure: not again before the next command.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// Tries again.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// What was done was undone.
    pub(crate) fn forget_progress(&mut self) {
        let feeds = self.passed.drain().map(|(feed, _)| feed);
        self.due.extend(feeds);
    }

    /// Releases what fits into a slice.
    pub(crate) fn slice(&mut self, conn: &Connection) -> Result<(), Fault> {
        let began = Instant::now();
        let mut n_left = SLICE_RECORDS;
        while let Some(feed) = self.due.first().copied() {
            // Noted first, so that `forget_progress` knows the feed.
            let passed = self.passed.entry(feed).or_insert(0);
            let Some(limit) = settled_by_all(conn, feed)? else {
                self.due.pop_first();
                continue;
            };
            loop {
                let found = next_records(conn, feed, *passed, limit)?;
                if found.is_empty() {
                    break;
                }
                for (seq, kept) in found {
                    if n_left == 0 || began.elapsed() > SLICE_TIME {
                        return Ok(());
                    }
                    n_left -= 1;
                    if !kept {
                        delete(conn, seq)?;
                    }
                    *passed = seq;
                }
            }
            self.due.pop_first();
        }
        Ok(())
    }
}

/// The feeds that have records (and one NULL), without reading the records: one seek for each.
pub(crate) const ACTIVE: &str = "WITH RECURSIVE active (feed) AS (
  SELECT (SELECT min(feed) FROM records)
  UNION ALL
  SELECT (SELECT min(r.feed) FROM records r WHERE r.feed > active.feed)
  FROM active WHERE active.feed IS NOT NULL
)";

/// Up to which record every sink has settled this feed; none if there is no record. A lane
/// whose next records are all for other sinks only is moved up on the way, so that it does
/// not hold them back.
fn settled_by_all(conn: &Connection, feed: i64) -> Result<Option<i64>, Fault> {
    let newest: Option<i64> = conn
        .prepare_cached("SELECT max(seq) FROM records WHERE feed = ?1")?
        .query_row([feed], |row| row.get(0))?;
    let Some(newest) = newest else {
        return Ok(None);
    };
    let mut statement = conn.prepare_cached(
        "SELECT l.sink, l.position FROM sinks s CROSS JOIN lanes l ON l.sink = s.id AND l.feed = ?1",
    )?;
    let lanes: Vec<(i64, i64)> = statement
        .query_map([feed], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut limit = newest;
    for (sink, position) in lanes {
        let next: Option<i64> = conn
            .prepare_cached(
                "SELECT seq FROM records WHERE feed = ?1 AND seq > ?2
                   AND (only_sink IS NULL OR only_sink = ?3) ORDER BY seq LIMIT 1",
            )?
            .query_row(params![feed, position, sink], |row| row.get(0))
            .optional()?;
        let settled = next.map_or(newest, |next| next - 1);
        if settled > position {
            conn.prepare_cached("UPDATE lanes SET position = ?3 WHERE sink = ?1 AND feed = ?2")?
                .execute(params![sink, feed, settled])?;
        }
        limit = limit.min(settled.max(position));
    }
    Ok(Some(limit))
}

/// Records after `passed` up to `limit`, and whether an open dead letter keeps them.
fn next_records(
    conn: &Connection,
    feed: i64,
    passed: i64,
    limit: i64,
) -> Result<Vec<(i64, bool)>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, EXISTS (SELECT 1 FROM dead_letters d WHERE d.seq = r.seq AND d.status = 'open')
         FROM records r WHERE feed = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4",
    )?;
    let rows = statement.query_map(params![feed, passed, limit, LOOK_AHEAD], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn delete(conn: &Connection, seq: i64) -> Result<(), Fault> {
    blobs::detach(conn, seq)?;
    conn.prepare_cached("DELETE FROM records WHERE seq = ?1")?
        .execute([seq])?;
    Ok(())
}
