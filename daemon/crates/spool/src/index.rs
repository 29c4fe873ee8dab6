//! Reads of the item index. It is written by appends only.

use crate::Spool;
use crate::encode::{PackedId, UnpackedId, from_sql, hash_from_sql, to_sql};
use crate::error::Fault;
use nuncio_model::{FeedId, IndexRow, ItemId, LabelSet, StoreError, ThreadId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The columns, in the order that `row_of` reads them.
const SELECT: &str = "SELECT i.item, i.ord, i.hash, l.labels, i.thread, i.generation
                      FROM items i CROSS JOIN label_sets l ON l.id = i.label_set";

impl Spool {
    /// The rows of these items, `None` for those that are not known.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn lookup(
        &self,
        feed: FeedId,
        items: &[ItemId],
    ) -> Result<Vec<Option<IndexRow>>, StoreError> {
        let items = items.to_vec();
        self.read(move |conn| items.iter().map(|item| row(conn, feed, item)).collect())
            .await
    }

    /// Up to `limit` rows after the item `after`, in the index's own order.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn rows(
        &self,
        feed: FeedId,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.page(
            feed,
            Unmarked {
                generation: u64::MAX,
                baseline: u64::MAX,
            },
            after,
            limit,
        )
        .await
    }

    /// Up to `limit` rows after the item `after` that the walk of `generation` did not see,
    /// though their newest state is not after `baseline`.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.page(
            feed,
            Unmarked {
                generation,
                baseline,
            },
            after,
            limit,
        )
        .await
    }

    /// How many rows [`Spool::unmarked`] would give without a limit.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn count_unmarked(
        &self,
        feed: FeedId,
        generation: u64,
        baseline: u64,
    ) -> Result<u64, StoreError> {
        self.read(move |conn| {
            let n: i64 = conn
                .prepare_cached(
                    "SELECT count(*) FROM items WHERE feed = ?1 AND generation < ?2 AND ord <= ?3",
                )?
                .query_row(
                    params![to_sql(feed.0), to_sql(generation), to_sql(baseline)],
                    |row| row.get(0),
                )?;
            Ok(from_sql(n))
        })
        .await
    }

    /// A generation higher than that of every row of the feed. Cost: one pass over its rows.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn next_generation(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.read(move |conn| {
            let newest: i64 = conn
                .prepare_cached("SELECT coalesce(max(generation), 0) FROM items WHERE feed = ?1")?
                .query_row([to_sql(feed.0)], |row| row.get(0))?;
            Ok(from_sql(newest) + 1)
        })
        .await
    }

    /// How many items the feed has.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn count_items(&self, feed: FeedId) -> Result<u64, StoreError> {
        self.read(move |conn| {
            let n: i64 = conn
                .prepare_cached("SELECT count(*) FROM items WHERE feed = ?1")?
                .query_row([to_sql(feed.0)], |row| row.get(0))?;
            Ok(from_sql(n))
        })
        .await
    }

    async fn page(
        &self,
        feed: FeedId,
        which: Unmarked,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.read(move |conn| {
            // A number comes before every text and every blob.
            let first = rusqlite::types::Value::Integer(0);
            let after: &dyn rusqlite::ToSql = match &after {
                Some(item) => &PackedId(item.as_str()),
                None => &first,
            };
            let mut statement = conn.prepare_cached(&format!(
                "{SELECT} WHERE i.feed = ?1 AND i.item > ?2 AND i.generation < ?3 AND i.ord <= ?4
                 ORDER BY i.item LIMIT ?5"
            ))?;
            let rows = statement.query_map(
                params![
                    to_sql(feed.0),
                    after,
                    to_sql(which.generation),
                    to_sql(which.baseline),
                    to_sql(limit as u64)
                ],
                Stored::from_row,
            )?;
            rows.map(|row| row.map_err(Fault::from)?.into_index_row())
                .collect()
        })
        .await
    }
}

/// Which rows of a page are wanted.
struct Unmarked {
    generation: u64,
    baseline: u64,
}

/// The row of one item.
pub(crate) fn row(
    conn: &Connection,
    feed: FeedId,
    item: &ItemId,
) -> Result<Option<IndexRow>, Fault> {
    conn.prepare_cached(&format!("{SELECT} WHERE i.feed = ?1 AND i.item = ?2"))?
        .query_row(
            params![to_sql(feed.0), PackedId(item.as_str())],
            Stored::from_row,
        )
        .optional()?
        .map(Stored::into_index_row)
        .transpose()
}

/// A row as it is read.
struct Stored {
    item: UnpackedId,
    order: i64,
    hash: i64,
    labels: String,
    thread: UnpackedId,
    generation: i64,
}

impl Stored {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            item: row.get(0)?,
            order: row.get(1)?,
            hash: row.get(2)?,
            labels: row.get(3)?,
            thread: row.get(4)?,
            generation: row.get(5)?,
        })
    }

    fn into_index_row(self) -> Result<IndexRow, Fault> {
        let labels: LabelSet = serde_json::from_str(&self.labels)
            .map_err(|_| Fault::failed("a stored label set cannot be read"))?;
        Ok(IndexRow {
            item: ItemId::new(self.item.0),
            order: from_sql(self.order),
            hash: hash_from_sql(self.hash),
            labels,
            thread: ThreadId::new(self.thread.0),
            generation: from_sql(self.generation),
        })
    }
}
