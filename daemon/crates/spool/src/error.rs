//! Why a spool cannot be opened, and how a failed statement becomes the store's error. What
//! callers see of a running spool is `nuncio_model::StoreError`.

use crate::codes;
use nuncio_model::StoreError;
use std::path::PathBuf;

/// Why the spool could not be opened. Nothing was changed or repaired.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made or used.
    #[error("cannot use the state folder {}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the spool in {} is in use by another process", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// A newer release wrote it.
    #[error("{} was written by a newer release: schema {found}, this release reads up to {supported}", file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema.
        found: i32,
        /// The highest one that can be read.
        supported: i32,
    },
    /// A database, but not a spool.
    #[error("{} is a database of something else", file.display())]
    Foreign {
        /// The database.
        file: PathBuf,
    },
    /// The content is damaged.
    #[error("{} is damaged: {detail}", file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// SQLite could not open it.
    #[error("cannot open {}", file.display())]
    Sqlite {
        /// The database.
        file: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The writer's thread could not be started.
    #[error("cannot start the spool's writer")]
    Thread(#[source] std::io::Error),
}

impl Error {
    /// The stable code for the operator.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Folder { .. } => "SPL001",
            Error::Locked { .. } => "SPL002",
            Error::Newer { .. } => "SPL003",
            Error::Damaged { .. } => "SPL004",
            Error::Foreign { .. } => "SPL005",
            Error::Sqlite { .. } => "SPL006",
            Error::Thread(_) => "SPL007",
        }
    }

    /// What to do, in plain words.
    pub fn hint(&self) -> &'static str {
        codes::remedy(self.code())
    }
}

/// A failure inside a command or a read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A statement failed.
    Sql(rusqlite::Error),
    /// We refuse, or something is not as it must be.
    Store(StoreError),
}

impl Fault {
    /// A broken expectation, in words without any content.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Fault::Store(StoreError::Failed(what.into()))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Sql(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) =>
            {
                StoreError::Full("no space left for the spool".to_owned())
            }
            Fault::Sql(error) => StoreError::Failed(error.to_string()),
        }
    }
}
