//! Accounts and feeds: what is known of them before and between appends. Cursor and walk are
//! moved by appends only.

use crate::Spool;
use crate::encode::{from_sql, to_sql};
use crate::error::Fault;
use crate::writer::State;
use nuncio_model::{
    AccountKey, Address, Cursor, Feed, FeedId, FeedSpec, NewAccount, Source, StoreError,
    StoredAccount, Walk,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

const ACCOUNT: &str = "SELECT key, address, frozen_at FROM accounts";
const FEED: &str =
    "SELECT id, account_key, source, collection, floor, cursor, walk, complete FROM feeds";

impl Spool {
    /// The account with this address; the one connected last where an address went from one
    /// mailbox to another. Letters' case does not count.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn account_by_address(
        &self,
        address: &Address,
    ) -> Result<Option<StoredAccount>, StoreError> {
        let address = address.clone();
        self.read(move |conn| {
            Ok(conn
                .prepare_cached(&format!(
                    "{ACCOUNT} WHERE address = ?1 ORDER BY frozen_at DESC, rowid DESC LIMIT 1"
                ))?
                .query_row([address.as_str()], account)
                .optional()?)
        })
        .await
    }

    /// The account with this key.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn account_by_key(
        &self,
        key: &AccountKey,
    ) -> Result<Option<StoredAccount>, StoreError> {
        let key = key.clone();
        self.read(move |conn| account_of(conn, &key)).await
    }

    /// All accounts that were ever connected, by key.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn accounts(&self) -> Result<Vec<StoredAccount>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(&format!("{ACCOUNT} ORDER BY key"))?;
            Ok(statement
                .query_map([], account)?
                .collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Freezes an account's key at its first connection. For a key that is known only the
    /// address is noted anew: a mailbox was renamed.
    ///
    /// # Errors
    /// As for [`Spool::append`].
    pub async fn freeze_account(&self, new: NewAccount) -> Result<StoredAccount, StoreError> {
        self.write(0, move |state| {
            let now_ms = state.clock.now_ms();
            state
                .conn
                .prepare_cached(
                    "INSERT INTO accounts (key, address, frozen_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET address = excluded.address",
                )?
                .execute(params![new.key.as_str(), new.address, now_ms])?;
            account_of(&state.conn, &new.key)?.ok_or_else(|| Fault::failed("an account vanished"))
        })
        .await
    }

    /// The feed of this name. A new one gets `floor`, which stays as it is from then on, and a
    /// lane to each registered sink.
    ///
    /// # Errors
    /// As for [`Spool::append`].
    pub async fn open_feed(&self, spec: FeedSpec, floor: Option<i64>) -> Result<Feed, StoreError> {
        self.write(0, move |state| open_feed(state, &spec, floor))
            .await
    }

    /// A feed by its number.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn feed(&self, id: FeedId) -> Result<Option<Feed>, StoreError> {
        self.read(move |conn| {
            conn.prepare_cached(&format!("{FEED} WHERE id = ?1"))?
                .query_row([to_sql(id.0)], StoredFeed::from_row)
                .optional()?
                .map(StoredFeed::into_feed)
                .transpose()
        })
        .await
    }

    /// All feeds by number.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(&format!("{FEED} ORDER BY id"))?;
            let rows = statement.query_map([], StoredFeed::from_row)?;
            rows.map(|row| row.map_err(Fault::from)?.into_feed())
                .collect()
        })
        .await
    }
}

/// A walk as its column has it.
pub(crate) fn parse_walk(json: &str) -> Result<Walk, Fault> {
    serde_json::from_str(json).map_err(|_| Fault::failed("a stored walk cannot be read"))
}

fn open_feed(state: &mut State, spec: &FeedSpec, floor: Option<i64>) -> Result<Feed, Fault> {
    let conn = &state.conn;
    let named = |conn: &Connection| -> Result<Option<Feed>, Fault> {
        conn.prepare_cached(&format!(
            "{FEED} WHERE account_key = ?1 AND source = ?2 AND collection = ?3"
        ))?
        .query_row(
            params![spec.account.as_str(), spec.source.as_str(), spec.collection],
            StoredFeed::from_row,
        )
        .optional()?
        .map(StoredFeed::into_feed)
        .transpose()
    };
    if let Some(feed) = named(conn)? {
        return Ok(feed);
    }
    conn.prepare_cached(
        "INSERT INTO feeds (account_key, source, collection, floor) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        spec.account.as_str(),
        spec.source.as_str(),
        spec.collection,
        floor
    ])?;
    conn.prepare_cached("INSERT INTO lanes (sink, feed, position) SELECT id, ?1, 0 FROM sinks")?
        .execute([conn.last_insert_rowid()])?;
    named(conn)?.ok_or_else(|| Fault::failed("a feed vanished"))
}

fn account_of(conn: &Connection, key: &AccountKey) -> Result<Option<StoredAccount>, Fault> {
    Ok(conn
        .prepare_cached(&format!("{ACCOUNT} WHERE key = ?1"))?
        .query_row([key.as_str()], account)
        .optional()?)
}

fn account(row: &Row<'_>) -> rusqlite::Result<StoredAccount> {
    Ok(StoredAccount {
        key: AccountKey::new(row.get::<_, String>(0)?),
        address: row.get(1)?,
        frozen_at: row.get(2)?,
    })
}

/// A row of `feeds` as it is read.
struct StoredFeed {
    id: i64,
    account: String,
    source: String,
    collection: String,
    floor: Option<i64>,
    cursor: Option<String>,
    walk: Option<String>,
    complete: bool,
}

impl StoredFeed {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            account: row.get(1)?,
            source: row.get(2)?,
            collection: row.get(3)?,
            floor: row.get(4)?,
            cursor: row.get(5)?,
            walk: row.get(6)?,
            complete: row.get(7)?,
        })
    }

    fn into_feed(self) -> Result<Feed, Fault> {
        let source = [Source::Gmail, Source::Calendar, Source::Drive]
            .into_iter()
            .find(|source| source.as_str() == self.source)
            .ok_or_else(|| {
                Fault::failed(format!("feed {} has a source that is not known", self.id))
            })?;
        Ok(Feed {
            id: FeedId(from_sql(self.id)),
            spec: FeedSpec {
                account: AccountKey::new(self.account),
                source,
                collection: self.collection,
            },
            floor: self.floor,
            cursor: self.cursor.map(Cursor),
            walk: self.walk.as_deref().map(parse_walk).transpose()?,
            complete: self.complete,
        })
    }
}
