//! Registered sinks and what is known of each as a whole. Their positions are in `lanes`.

use crate::encode::from_sql;
use crate::error::Fault;
use crate::release::ACTIVE;
use crate::{SinkId, Spool};
use nuncio_model::{SinkName, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

/// A sink's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkCounts {
    /// Its number.
    pub id: SinkId,
    /// Its name in the config.
    pub name: SinkName,
    /// Records that it took since it was registered.
    pub n_delivered: u64,
    /// Records that it has not taken yet.
    pub n_pending: u64,
    /// Records that it refused and that nobody has dealt with.
    pub n_dead_letters: u64,
}

impl Spool {
    /// The number of the sink of this name. A new one gets a lane in every feed that begins
    /// with the oldest record that another sink still waits for (records that are only kept
    /// for somebody's dead letter are not in order any more, and not for it).
    ///
    /// Records are released as soon as every *registered* sink has them, so register all sinks
    /// before the first append, and new ones before old ones are removed.
    ///
    /// # Errors
    /// As for [`Spool::append`].
    pub async fn register_sink(&self, name: &SinkName) -> Result<SinkId, StoreError> {
        let name = name.clone();
        self.write(0, move |state| {
            let now_ms = state.clock.now_ms();
            let conn = &state.conn;
            if let Some(id) = find(conn, &name)? {
                return Ok(SinkId(from_sql(id)));
            }
            conn.prepare_cached("INSERT INTO sinks (name, registered_at) VALUES (?1, ?2)")?
                .execute(params![name.as_str(), now_ms])?;
            let id = conn.last_insert_rowid();
            conn.prepare_cached(
                "INSERT INTO lanes (sink, feed, position)
                 SELECT ?1, f.id, coalesce((SELECT min(l.position) FROM sinks s CROSS JOIN lanes l
                                            ON l.sink = s.id AND l.feed = f.id), 0)
                 FROM feeds f",
            )?
            .execute([id])?;
            Ok(SinkId(from_sql(id)))
        })
        .await
    }

    /// Forgets a sink with its positions and dead letters; what only it waited for is
    /// released. Whether there was one of this name.
    ///
    /// # Errors
    /// As for [`Spool::append`].
    pub async fn remove_sink(&self, name: &SinkName) -> Result<bool, StoreError> {
        let name = name.clone();
        self.write(0, move |state| {
            let Some(id) = find(&state.conn, &name)? else {
                return Ok(false);
            };
            // Its lanes and dead letters go along.
            state
                .conn
                .prepare_cached("DELETE FROM sinks WHERE id = ?1")?
                .execute([id])?;
            state.release.forget_progress();
            state.release.look_at_all(&state.conn)?;
            Ok(true)
        })
        .await
    }

    /// All registered sinks with their counts, by number. Cost: one pass over the index of
    /// the records that wait.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn sinks(&self) -> Result<Vec<SinkCounts>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(&format!(
                "{ACTIVE} SELECT s.id, s.name, s.delivered,
                   (SELECT coalesce(sum((SELECT count(*) FROM records r
                                         WHERE r.feed = l.feed AND r.seq > l.position
                                           AND (r.only_sink IS NULL OR r.only_sink = s.id))), 0)
                    FROM active a CROSS JOIN lanes l ON l.sink = s.id AND l.feed = a.feed),
                   (SELECT count(*) FROM dead_letters d WHERE d.sink = s.id AND d.status = 'open')
                 FROM sinks s ORDER BY s.id"
            ))?;
            let rows = statement.query_map([], |row| {
                Ok(SinkCounts {
                    id: SinkId(from_sql(row.get(0)?)),
                    name: SinkName::new(row.get::<_, String>(1)?),
                    n_delivered: from_sql(row.get(2)?),
                    n_pending: from_sql(row.get(3)?),
                    n_dead_letters: from_sql(row.get(4)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// The number of a sink.
fn find(conn: &Connection, name: &SinkName) -> Result<Option<i64>, Fault> {
    Ok(conn
        .prepare_cached("SELECT id FROM sinks WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?)
}
