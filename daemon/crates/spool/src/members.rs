//! Which accounts see which collections of the domain: other calendars than the primary ones, and
//! shared drives. Only remembered here; found out and used by sources.

use crate::Spool;
use nuncio_model::{AccountKey, Membership, Source, StoreError};
use rusqlite::params;

impl Spool {
    /// What an account was last said to see of a source, by collection.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Closed`].
    pub async fn memberships(
        &self,
        source: Source,
        account: &AccountKey,
    ) -> Result<Vec<Membership>, StoreError> {
        let account = account.clone();
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT collection, name, rank FROM members
                 WHERE source = ?1 AND account_key = ?2 ORDER BY collection",
            )?;
            let rows = statement.query_map(params![source.as_str(), account.as_str()], |row| {
                Ok(Membership {
                    collection: row.get(0)?,
                    name: row.get(1)?,
                    rank: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Replaces what an account sees of a source.
    ///
    /// # Errors
    /// As for [`Spool::append`].
    pub async fn set_memberships(
        &self,
        source: Source,
        account: &AccountKey,
        memberships: Vec<Membership>,
    ) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(0, move |state| {
            let key = params![source.as_str(), account.as_str()];
            state
                .conn
                .prepare_cached("DELETE FROM members WHERE source = ?1 AND account_key = ?2")?
                .execute(key)?;
            let mut insert = state.conn.prepare_cached(
                "INSERT INTO members (source, account_key, collection, name, rank)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for seen in &memberships {
                insert.execute(params![
                    source.as_str(),
                    account.as_str(),
                    seen.collection,
                    seen.name,
                    seen.rank
                ])?;
            }
            Ok(())
        })
        .await
    }
}
