//! What SQLite can fail with, in closed words, and what that asks for.

use rusqlite::{Error, ErrorCode};
use std::{fmt, io, path::PathBuf};

/// Why something was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Another process or a copy of the file holds the lock.
    Busy,
    /// No room on the disk.
    Full,
    /// The file is damaged, or no database at all.
    Corrupt,
    /// The file may not be written.
    ReadOnly,
    /// The disk or the file system failed.
    Io,
    /// Anything else.
    Other,
}

impl Trouble {
    /// All values, for families that start at zero.
    pub const ALL: [Self; 6] = [Self::Busy, Self::Full, Self::Corrupt, Self::ReadOnly, Self::Io, Self::Other];

    /// The text of all values.
    pub const WORDS: &'static [&'static str] = &["busy", "full", "corrupt", "read_only", "io", "other"];

    /// The label's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Corrupt => "corrupt",
            Self::ReadOnly => "read_only",
            Self::Io => "io",
            Self::Other => "other",
        }
    }

    /// Will the same connection do once the cause is gone?
    pub(super) const fn keeps_connection(self) -> bool {
        matches!(self, Self::Busy | Self::Full)
    }

    /// The kind of an error of the client library.
    pub(super) fn of(error: &Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Io,
            _ => Self::Other,
        }
    }

    /// Is it this one row that cannot be written, whatever the state of the file?
    pub(super) fn is_of_the_row(error: &Error) -> bool {
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no ledger, or no answer from it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The folder or the file cannot be made or reached.
    #[error("cannot use {}: {source}", path.display())]
    Place {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is another program's database.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// There is no ledger yet.
    #[error("there is no usage ledger at {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("usage ledger: {0}")]
    Database(#[from] Error),
    /// The writer's thread cannot be started.
    #[error("cannot start the ledger's thread: {0}")]
    Thread(io::Error),
}

impl LedgerError {
    /// The kind, for counting.
    pub(super) fn trouble(&self) -> Trouble {
        match self {
            Self::Database(error) => Trouble::of(error),
            Self::Place { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Trouble::ReadOnly,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full,
                io::ErrorKind::WouldBlock => Trouble::Busy,
                _ => Trouble::Io,
            },
            Self::Foreign { .. } | Self::Missing { .. } | Self::Thread(_) => Trouble::Other,
        }
    }
}
