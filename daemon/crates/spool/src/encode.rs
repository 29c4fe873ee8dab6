//! How values are stored: ids packed to 8 bytes, numbers as SQLite's 64 bits, records as
//! compressed JSON. No statement is run here.

use crate::error::Fault;
use crate::schema::FORMAT_JSON_ZSTD;
use nuncio_model::{Change, FeedId, Record, Revision};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

/// zstd's level: the writer is bound by bytes, the encoder by its core; 1 was the best trade.
const LEVEL: i32 = 1;

/// A record that claims to be larger is not read: no source makes one.
const MAX_RAW_BYTES: usize = 256 * 1024 * 1024;

/// A number as SQLite has it; none of ours comes near the limit.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number that [`to_sql`] stored.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A hash keeps its bits, whatever the sign.
pub(crate) fn hash_to_sql(hash: u64) -> i64 {
    hash.cast_signed()
}

/// The hash that [`hash_to_sql`] stored.
pub(crate) fn hash_from_sql(hash: i64) -> u64 {
    hash.cast_unsigned()
}

/// An id of Google's on its way in: Gmail's 16 hex digits take 8 bytes.
#[derive(Clone, Copy)]
pub(crate) struct PackedId<'a>(pub(crate) &'a str);

impl ToSql for PackedId<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let packable = self.0.len() == 16
            && self
                .0
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        Ok(match u64::from_str_radix(self.0, 16) {
            Ok(number) if packable => {
                ToSqlOutput::Owned(Value::Blob(number.to_be_bytes().to_vec()))
            }
            _ => ToSqlOutput::Borrowed(ValueRef::Text(self.0.as_bytes())),
        })
    }
}

/// An id of Google's on its way out.
pub(crate) struct UnpackedId(pub(crate) String);

impl FromSql for UnpackedId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Blob(bytes) => {
                let bytes: [u8; 8] =
                    bytes
                        .try_into()
                        .map_err(|_| FromSqlError::InvalidBlobSize {
                            expected_size: 8,
                            blob_size: bytes.len(),
                        })?;
                Ok(Self(format!("{:016x}", u64::from_be_bytes(bytes))))
            }
            other => other.as_str().map(|text| Self(text.to_owned())),
        }
    }
}

/// The change's name in the column.
pub(crate) fn change_name(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Labels => "labels",
        Change::Deleted => "deleted",
    }
}

/// The change that [`change_name`] stored.
pub(crate) fn change_of(name: &str) -> Result<Change, Fault> {
    match name {
        "created" => Ok(Change::Created),
        "updated" => Ok(Change::Updated),
        "labels" => Ok(Change::Labels),
        "deleted" => Ok(Change::Deleted),
        _ => Err(Fault::failed(
            "a row holds a change that this release does not know",
        )),
    }
}

/// A record as it is stored.
pub(crate) struct Body {
    /// The record's key, for the column.
    pub(crate) key: String,
    /// Bytes of the JSON.
    pub(crate) raw_len: usize,
    /// The JSON, compressed.
    pub(crate) bytes: Vec<u8>,
}

/// Makes bodies; keeps zstd's workspace from one to the next.
pub(crate) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    json: Vec<u8>,
}

impl Encoder {
    pub(crate) fn try_new() -> Result<Self, Fault> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)
            .map_err(|error| Fault::failed(format!("cannot compress: {error}")))?;
        Ok(Self {
            compressor,
            json: Vec::new(),
        })
    }

    pub(crate) fn encode(&mut self, record: &Record) -> Result<Body, Fault> {
        self.json.clear();
        // The messages of these errors carry no content: writing can only fail in a serializer.
        serde_json::to_writer(&mut self.json, record)
            .map_err(|_| Fault::failed("a record cannot be written as JSON"))?;
        let bytes = self
            .compressor
            .compress(&self.json)
            .map_err(|error| Fault::failed(format!("cannot compress: {error}")))?;
        Ok(Body {
            key: record.key.as_str().to_owned(),
            raw_len: self.json.len(),
            bytes,
        })
    }
}

/// A record's row as it is read.
pub(crate) struct StoredBody {
    pub(crate) seq: i64,
    pub(crate) feed: i64,
    pub(crate) revision: i64,
    pub(crate) change: String,
    pub(crate) format: i64,
    pub(crate) raw_len: i64,
    pub(crate) bytes: Vec<u8>,
}

impl StoredBody {
    /// The columns, in the order that [`StoredBody::from_row`] reads them.
    pub(crate) const COLUMNS: &str =
        "r.seq, r.feed, r.revision, r.change, r.format, r.raw_len, r.body";

    pub(crate) fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            feed: row.get(1)?,
            revision: row.get(2)?,
            change: row.get(3)?,
            format: row.get(4)?,
            raw_len: row.get(5)?,
            bytes: row.get(6)?,
        })
    }
}

/// Reads bodies.
pub(crate) struct Decoder(zstd::bulk::Decompressor<'static>);

impl Decoder {
    pub(crate) fn try_new() -> Result<Self, Fault> {
        zstd::bulk::Decompressor::new()
            .map(Self)
            .map_err(|error| Fault::failed(format!("cannot decompress: {error}")))
    }

    /// The record; what stands in columns wins over its JSON.
    pub(crate) fn decode(&mut self, stored: &StoredBody) -> Result<Record, Fault> {
        let seq = stored.seq;
        if stored.format != FORMAT_JSON_ZSTD {
            return Err(Fault::failed(format!(
                "record {seq} has the format {}, which this release does not know",
                stored.format
            )));
        }
        let raw_len = usize::try_from(stored.raw_len).unwrap_or(usize::MAX);
        if raw_len > MAX_RAW_BYTES {
            return Err(Fault::failed(format!(
                "record {seq} claims to hold {raw_len} bytes"
            )));
        }
        let json = self.0.decompress(&stored.bytes, raw_len).map_err(|error| {
            Fault::failed(format!("record {seq} cannot be decompressed: {error}"))
        })?;
        // serde_json's own message quotes the value, which is mail content.
        let mut record: Record = serde_json::from_slice(&json).map_err(|error| {
            Fault::failed(format!(
                "record {seq} cannot be read: {:?} error at byte {}",
                error.classify(),
                error.column()
            ))
        })?;
        record.change = change_of(&stored.change)?;
        record.revision = Revision(from_sql(stored.revision));
        record.lane = FeedId(from_sql(stored.feed));
        Ok(record)
    }
}

/// The 32 bytes that 64 hex digits name.
pub(crate) fn sha256_bytes(hex: &str) -> Result<[u8; 32], Fault> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(Fault::failed("a blob's name is not a SHA-256"));
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16)
            .map_err(|_| Fault::failed("a blob's name is not a SHA-256"))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_packing_and_only_gmails_form_is_packed() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        for (id, kind) in [
            ("18c2a4f09b7e1d35", "blob"),
            ("0000000000000001", "blob"),
            ("ffffffffffffffff", "blob"),
            ("18C2A4F09B7E1D35", "text"),
            ("+8c2a4f09b7e1d35", "text"),
            ("18c2a4f09b7e1d3", "text"),
            ("draft:18c2a4f09b7e", "text"),
            ("", "text"),
            ("äöü", "text"),
        ] {
            let (back, stored): (UnpackedId, String) = conn
                .query_row("SELECT ?1, typeof(?1)", [PackedId(id)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            assert_eq!((back.0.as_str(), stored.as_str()), (id, kind));
        }
    }

    #[test]
    fn hashes_keep_all_their_bits() {
        for hash in [0, 1, u64::MAX, 1 << 63] {
            assert_eq!(hash_from_sql(hash_to_sql(hash)), hash);
        }
    }

    #[test]
    fn a_blob_name_that_is_no_hash_is_refused() {
        assert_eq!(sha256_bytes(&"0f".repeat(32)).unwrap(), [0x0f; 32]);
        for bad in ["", "0f", &"0g".repeat(32), &"é".repeat(32)] {
            assert!(sha256_bytes(bad).is_err(), "{bad}");
        }
    }
}
