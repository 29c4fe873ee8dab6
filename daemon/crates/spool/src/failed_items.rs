//! Items that could not be had, kept until they are. When to try again is decided by the
//! source that failed.

use crate::Spool;
use crate::encode::{PackedId, UnpackedId, from_sql, to_sql};
use crate::error::Fault;
use nuncio_model::{FailedItem, Failure, FeedId, ItemId, StoreError};
use rusqlite::{Connection, Row, params};

const SELECT: &str =
    "SELECT feed, item, code, message, attempts, next_try, first_at FROM failed_items";

impl Spool {
    /// The feed's failed items that are due at `now_ms`, the longest due first.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn due_failures(
        &self,
        feed: FeedId,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<FailedItem>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(&format!(
                "{SELECT} WHERE feed = ?1 AND next_try <= ?2 ORDER BY next_try, item LIMIT ?3"
            ))?;
            let rows = statement.query_map(
                params![to_sql(feed.0), now_ms, to_sql(limit as u64)],
                failed_item,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Failed items of all feeds.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn failed_items(&self, limit: usize) -> Result<Vec<FailedItem>, StoreError> {
        self.read(move |conn| {
            let mut statement =
                conn.prepare_cached(&format!("{SELECT} ORDER BY feed, item LIMIT ?1"))?;
            let rows = statement.query_map([to_sql(limit as u64)], failed_item)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Failed items of one feed.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn failed_items_of(
        &self,
        feed: FeedId,
        limit: usize,
    ) -> Result<Vec<FailedItem>, StoreError> {
        self.read(move |conn| {
            let mut statement =
                conn.prepare_cached(&format!("{SELECT} WHERE feed = ?1 ORDER BY item LIMIT ?2"))?;
            let rows = statement.query_map([to_sql(feed.0), to_sql(limit as u64)], failed_item)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Lets failed items of a feed be tried again from `now_ms` on, instead of when it was their
    /// turn. Those that are none any more are none.
    ///
    /// # Errors
    /// As for [`Spool::append`].
    pub async fn hasten_failures(
        &self,
        feed: FeedId,
        items: Vec<ItemId>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(0, move |state| {
            let mut statement = state.conn.prepare_cached(
                "UPDATE failed_items SET next_try = min(next_try, ?3)
                 WHERE feed = ?1 AND item = ?2",
            )?;
            for item in &items {
                statement.execute(params![to_sql(feed.0), PackedId(item.as_str()), now_ms])?;
            }
            Ok(())
        })
        .await
    }

    /// How many failed items there are in all feeds.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn count_failed(&self) -> Result<u64, StoreError> {
        self.read(|conn| {
            let n: i64 = conn
                .prepare_cached("SELECT count(*) FROM failed_items")?
                .query_row([], |row| row.get(0))?;
            Ok(from_sql(n))
        })
        .await
    }
}

/// Enters a failure, or counts another attempt of it.
pub(crate) fn fail(
    conn: &Connection,
    feed: i64,
    failure: &Failure,
    now_ms: i64,
) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO failed_items (feed, item, code, message, attempts, next_try, first_at)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
         ON CONFLICT (feed, item) DO UPDATE SET code = excluded.code, message = excluded.message,
           attempts = attempts + 1, next_try = excluded.next_try",
    )?
    .execute(params![
        feed,
        PackedId(failure.item.as_str()),
        failure.code,
        failure.message,
        failure.next_try,
        now_ms
    ])?;
    Ok(())
}

/// Removes a failure; whether there was one.
pub(crate) fn settle(conn: &Connection, feed: i64, item: &str) -> Result<bool, Fault> {
    let n_rows = conn
        .prepare_cached("DELETE FROM failed_items WHERE feed = ?1 AND item = ?2")?
        .execute(params![feed, PackedId(item)])?;
    Ok(n_rows > 0)
}

fn failed_item(row: &Row<'_>) -> rusqlite::Result<FailedItem> {
    let item: UnpackedId = row.get(1)?;
    Ok(FailedItem {
        feed: FeedId(from_sql(row.get(0)?)),
        failure: Failure {
            item: ItemId::new(item.0),
            code: row.get(2)?,
            message: row.get(3)?,
            next_try: row.get(5)?,
        },
        n_attempts: row.get(4)?,
        first_at: row.get(6)?,
    })
}
