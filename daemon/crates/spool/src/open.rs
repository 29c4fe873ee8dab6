//! Opens the database file: one process at a time, version and integrity checked before anything
//! is written, settings that must stand before the first table. Never repairs anything.

use crate::error::Error;
use crate::schema::{APPLICATION_ID, CREATE, MIGRATIONS, PAGE_SIZE, SCHEMA_VERSION, SMALL_TABLES};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database within the state folder.
pub(crate) const FILE_NAME: &str = "spool.db";
/// Held locked while a process has the spool open.
const LOCK_NAME: &str = "spool.lock";
/// Up to this size the whole file is checked at open (about a second); beyond it the small tables.
const FULL_CHECK_BYTES: u64 = 256 * 1024 * 1024;
/// Reads run beside the writer; more than this only wait for the disk.
const N_READERS: usize = 4;
/// Statements kept prepared in each connection; there are about 60.
const STATEMENT_CACHE: usize = 96;

/// An open spool's parts.
pub(crate) struct Opened {
    pub(crate) writer: Connection,
    pub(crate) readers: Vec<Connection>,
    /// Unlocks when it is dropped.
    pub(crate) lock: File,
    pub(crate) last_revision: i64,
}

/// Opens or creates the spool in `dir`.
pub(crate) fn open(dir: &Path) -> Result<Opened, Error> {
    let folder = |source| Error::Folder {
        dir: dir.to_owned(),
        source,
    };
    // Mail content lives here: nobody else reads it.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(folder)?;
    let lock = lock(dir)?;
    let file = dir.join(FILE_NAME);
    let mut created = false;
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
    {
        Ok(_) => created = true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(folder(error)),
    }
    let fault = |source: rusqlite::Error| classify(&file, source);
    let writer = Connection::open_with_flags(
        &file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(fault)?;
    check_version(&writer, &file)?;
    if is_empty(&writer).map_err(fault)? {
        configure_file(&writer).map_err(fault)?;
        configure(&writer).map_err(fault)?;
        create(&writer).map_err(fault)?;
    } else {
        check_integrity(&writer, &file)?;
        configure(&writer).map_err(fault)?;
        migrate(&writer).map_err(fault)?;
    }
    if created {
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(folder)?;
    }
    let last_revision = writer
        .query_row(
            "SELECT max(coalesce((SELECT value FROM meta WHERE name = 'last_revision'), 0),
                        coalesce((SELECT max(revision) FROM records), 0))",
            [],
            |row| row.get(0),
        )
        .map_err(fault)?;
    let readers = (0..N_READERS)
        .map(|_| open_reader(&file))
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    Ok(Opened {
        writer,
        readers,
        lock,
        last_revision,
    })
}

fn lock(dir: &Path) -> Result<File, Error> {
    let folder = |source| Error::Folder {
        dir: dir.to_owned(),
        source,
    };
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(LOCK_NAME))
        .map_err(folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked {
            dir: dir.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(folder(error)),
    }
}

fn classify(file: &Path, source: rusqlite::Error) -> Error {
    let file: PathBuf = file.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Error::Damaged {
            file,
            detail: source.to_string(),
        },
        _ => Error::Sqlite { file, source },
    }
}

/// Looks before anything is written, so that a refused file stays as it is.
fn check_version(conn: &Connection, file: &Path) -> Result<(), Error> {
    let number = |name: &str| -> Result<i32, Error> {
        conn.pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| classify(file, error))
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let empty = is_empty(conn).map_err(|error| classify(file, error))?;
    if empty && application == 0 && version == 0 {
        return Ok(());
    }
    if application != APPLICATION_ID {
        return Err(Error::Foreign {
            file: file.to_owned(),
        });
    }
    if version > SCHEMA_VERSION {
        return Err(Error::Newer {
            file: file.to_owned(),
            found: version,
            supported: SCHEMA_VERSION,
        });
    }
    if empty || version < 1 {
        let detail = "it has our mark but no tables".to_owned();
        return Err(Error::Damaged {
            file: file.to_owned(),
            detail,
        });
    }
    Ok(())
}

fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )
}

/// What is fixed before the first table, and would write to a file that has some.
fn configure_file(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "page_size", PAGE_SIZE.cast_signed())?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // 16 MiB of log between checkpoints; what a long read makes it grow beyond 64 MiB is cut.
    conn.pragma_update(None, "wal_autocheckpoint", 1_000)?;
    conn.pragma_update_and_check(None, "journal_size_limit", 64 * 1024 * 1024, |_| Ok(()))?;
    // Negative: KiB.
    conn.pragma_update(None, "cache_size", -65_536)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(())
}

/// All or nothing: a crash in between leaves an empty file, which is created again.
fn create(conn: &Connection) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    transaction.execute_batch(CREATE)?;
    for (_, addition) in MIGRATIONS {
        transaction.execute_batch(addition)?;
    }
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES
           ('instance_id', lower(hex(randomblob(16)))), ('last_revision', 0)",
        [],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// Brings an older file up to this release's schema, all or nothing.
fn migrate(conn: &Connection) -> rusqlite::Result<()> {
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let transaction = conn.unchecked_transaction()?;
    for (_, addition) in MIGRATIONS
        .iter()
        .filter(|(added_in, _)| *added_in > version)
    {
        transaction.execute_batch(addition)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

fn check_integrity(conn: &Connection, file: &Path) -> Result<(), Error> {
    let fault = |error| classify(file, error);
    let n_pages: i64 = conn
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .map_err(fault)?;
    let verdict = |sql: &str| -> Result<(), Error> {
        let verdict: String = conn.query_row(sql, [], |row| row.get(0)).map_err(fault)?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(Error::Damaged {
            file: file.to_owned(),
            detail: verdict,
        })
    };
    if n_pages.cast_unsigned().saturating_mul(PAGE_SIZE) <= FULL_CHECK_BYTES {
        return verdict("PRAGMA quick_check(1)");
    }
    SMALL_TABLES
        .iter()
        .try_for_each(|table| verdict(&format!("PRAGMA quick_check('{table}')")))
}

fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // Only while the log is being recovered or cut can a reader meet a lock.
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "cache_size", -8_192)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(conn)
}
