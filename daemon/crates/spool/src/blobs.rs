//! Bytes that records refer to, stored once whatever the number of records, in chunks. They go
//! with the last record that refers to them. Names are SHA-256 in lower-case hex; that a name
//! is right is for whoever makes the blob.

use crate::Spool;
use crate::encode::{from_sql, sha256_bytes, to_sql};
use crate::error::Fault;
use nuncio_model::StoreError;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// Bytes of a chunk: a read of a part costs at most this much more than it gives.
const CHUNK_BYTES: usize = 256 * 1024;

/// A blob on its way in.
pub(crate) struct NewBlob {
    pub(crate) sha256: [u8; 32],
    pub(crate) bytes: Arc<Vec<u8>>,
}

impl Spool {
    /// Up to `n_bytes` of a blob from `offset`; fewer only at its end, none beyond it.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where no retained record refers to a blob of this name.
    pub async fn read_blob(
        &self,
        sha256: &str,
        offset: u64,
        n_bytes: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let name = sha256_bytes(sha256)?;
        self.read(move |conn| read(conn, &name, offset, u64::from(n_bytes)))
            .await
    }
}

fn read(conn: &Connection, name: &[u8; 32], offset: u64, n_bytes: u64) -> Result<Vec<u8>, Fault> {
    let size: Option<i64> = conn
        .prepare_cached("SELECT size FROM blobs WHERE sha256 = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let size = size.ok_or_else(|| Fault::failed("the blob is not in the spool"))?;
    let end = offset.saturating_add(n_bytes).min(from_sql(size));
    let mut bytes = Vec::new();
    let mut at = offset;
    let mut statement = conn.prepare_cached(
        "SELECT substr(data, ?3, ?4) FROM blob_chunks WHERE sha256 = ?1 AND n = ?2",
    )?;
    let chunk_bytes = CHUNK_BYTES as u64;
    while at < end {
        let (n, within) = (at / chunk_bytes, at % chunk_bytes);
        let wanted = (end - at).min(chunk_bytes - within);
        let part: Vec<u8> = statement.query_row(
            params![name, to_sql(n), to_sql(within + 1), to_sql(wanted)],
            |row| row.get(0),
        )?;
        if part.len() as u64 != wanted {
            return Err(Fault::failed(
                "a blob in the spool is shorter than its size says",
            ));
        }
        bytes.extend_from_slice(&part);
        at += wanted;
    }
    Ok(bytes)
}

/// Makes a record refer to a blob; stores the bytes if they are new.
pub(crate) fn attach(conn: &Connection, seq: i64, blob: &NewBlob) -> Result<(), Fault> {
    if !refer(conn, seq, &blob.sha256)? {
        return Ok(());
    }
    let n_refs: i64 = conn
        .prepare_cached(
            "INSERT INTO blobs (sha256, size, refs) VALUES (?1, ?2, 1)
             ON CONFLICT (sha256) DO UPDATE SET refs = refs + 1 RETURNING refs",
        )?
        .query_row(
            params![blob.sha256, to_sql(blob.bytes.len() as u64)],
            |row| row.get(0),
        )?;
    if n_refs == 1 {
        let mut statement =
            conn.prepare_cached("INSERT INTO blob_chunks (sha256, n, data) VALUES (?1, ?2, ?3)")?;
        for (n, chunk) in blob.bytes.chunks(CHUNK_BYTES).enumerate() {
            statement.execute(params![blob.sha256, to_sql(n as u64), chunk])?;
        }
    }
    Ok(())
}

/// Makes the record `to` refer to all blobs of the record `from`.
pub(crate) fn copy(conn: &Connection, from: i64, to: i64) -> Result<(), Fault> {
    for name in names(conn, from)? {
        if refer(conn, to, &name)? {
            conn.prepare_cached("UPDATE blobs SET refs = refs + 1 WHERE sha256 = ?1")?
                .execute([name])?;
        }
    }
    Ok(())
}

/// Ends what [`attach`] began, for all blobs of a record.
pub(crate) fn detach(conn: &Connection, seq: i64) -> Result<(), Fault> {
    let names = names(conn, seq)?;
    if names.is_empty() {
        return Ok(());
    }
    conn.prepare_cached("DELETE FROM record_blobs WHERE seq = ?1")?
        .execute([seq])?;
    for name in names {
        let n_refs: i64 = conn
            .prepare_cached("UPDATE blobs SET refs = refs - 1 WHERE sha256 = ?1 RETURNING refs")?
            .query_row([name], |row| row.get(0))?;
        if n_refs <= 0 {
            // Takes the chunks along.
            conn.prepare_cached("DELETE FROM blobs WHERE sha256 = ?1")?
                .execute([name])?;
        }
    }
    Ok(())
}

/// Whether the reference is new: a record may name the same bytes twice.
fn refer(conn: &Connection, seq: i64, name: &[u8; 32]) -> Result<bool, Fault> {
    let n_rows = conn
        .prepare_cached("INSERT OR IGNORE INTO record_blobs (seq, sha256) VALUES (?1, ?2)")?
        .execute(params![seq, name])?;
    Ok(n_rows == 1)
}

fn names(conn: &Connection, seq: i64) -> Result<Vec<[u8; 32]>, Fault> {
    let mut statement = conn.prepare_cached("SELECT sha256 FROM record_blobs WHERE seq = ?1")?;
    let rows = statement.query_map([seq], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
