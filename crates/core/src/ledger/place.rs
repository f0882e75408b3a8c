//! The ledger's file: made for its owner's eyes only, recognised, moved aside when it is damaged.
//!
//! Several gateways may write to one file, as during a binary upgrade: SQLite's locks keep their transactions
//! apart. What SQLite does not guard is exchanging the file itself, so that happens under a lock of our own.
//! The file must not be opened here while SQLite has it open: closing it would drop SQLite's locks.

use super::trouble::LedgerError;
use jiff::Timestamp;
use std::{
    ffi::OsString,
    fmt,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Nobody holds the lock for longer than it takes to make an empty database.
const LOCK_WAIT: Duration = Duration::from_secs(3);

const LOCK_POLL: Duration = Duration::from_millis(20);

/// Which file it is, whatever its name: device and inode.
pub(super) type Identity = (u64, u64);

/// Where a ledger is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a file.
    File(PathBuf),
    /// In this process, under a name of its own.
    Memory(String),
}

impl Place {
    /// The file at the path, now.
    pub(super) fn identity(&self) -> Option<Identity> {
        let Self::File(path) = self else { return None };
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    }

    /// Makes an empty file where there is none.
    pub(super) fn prepare(&self) -> Result<(), LedgerError> {
        let Self::File(path) = self else { return Ok(()) };
        // Records hold addresses and names of people.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(wrong(path)(error)),
        }
    }

    /// Keeps other processes from exchanging the file as long as the guard lives. Makes the folder where there is
    /// none.
    #[expect(clippy::disallowed_methods, reason = "the ledger's thread is our own and no runtime worker")]
    pub(super) fn lock(&self) -> Result<Option<File>, LedgerError> {
        let Self::File(path) = self else { return Ok(None) };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong(folder))?;
        }
        let path = beside(path, ".lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(wrong(&path))?;
        let end = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => return Err(wrong(&path)(io::ErrorKind::WouldBlock.into())),
                Err(TryLockError::Error(error)) => return Err(wrong(&path)(error)),
            }
        }
    }

    /// Moves the file out of the way, with what belongs to it, if it is still this one. Tells where to.
    pub(super) fn move_aside(&self, damaged: Identity) -> Result<Option<PathBuf>, LedgerError> {
        let Self::File(path) = self else { return Ok(None) };
        let _lock = self.lock()?;
        if self.identity() != Some(damaged) {
            // Another process was faster; its new file is a good one.
            return Ok(None);
        }
        let aside = beside(path, &format!(".corrupt-{}", Timestamp::now().as_millisecond()));
        // The log first: a new database must not find the old one's.
        for end in ["-wal", "-shm"] {
            match std::fs::rename(beside(path, end), beside(&aside, end)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(path)(error)),
                _ => {}
            }
        }
        std::fs::rename(path, &aside).map_err(wrong(path))?;
        Ok(Some(aside))
    }
}

/// For people.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory(_) => f.write_str("memory"),
        }
    }
}

/// The path with something appended to its last part.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

fn wrong(path: &Path) -> impl Fn(io::Error) -> LedgerError + '_ {
    |source| LedgerError::Place { path: path.to_owned(), source }
}
