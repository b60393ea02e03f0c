//! A database that is opened again after its file has failed.

#[cfg(test)]
mod disk;

use std::io;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use redb::Database;

use crate::OpenError;

#[cfg(test)]
pub(crate) use disk::{Backend, Disk, Image};

type Opener = Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>;

/// A database in one file.
///
/// After the first failure of its file a database refuses everything: here it is opened again then, so that a disk that
/// was full can be used as soon as it has room. What was committed is there; of the commit that failed all is there, or
/// nothing. A file whose sync has failed is read as the operating system shows it, as it would be after a restart.
pub(crate) struct Reopening {
    open: Opener,
    slot: RwLock<Slot>,
}

struct Slot {
    /// `None` when it could not be opened again.
    database: Option<Database>,
    /// How often it was tried to open it again.
    openings: u64,
}

impl Reopening {
    /// Opens the database in the file `path`, which errors name.
    pub(crate) fn new(
        open: impl Fn() -> Result<Database, redb::Error> + Send + Sync + 'static,
        path: &Path,
    ) -> Result<Self, OpenError> {
        let database = open().map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen => {
                OpenError::Locked { dir: path.parent().unwrap_or(path).to_owned() }
            }
            error => OpenError::io("opening", path)(io_error(error)),
        })?;
        let slot = Slot { database: Some(database), openings: 0 };
        Ok(Self { open: Box::new(open), slot: RwLock::new(slot) })
    }

    /// Does some work, with a database that is opened again first if it has failed before.
    pub(crate) fn with<T>(
        &self,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let (result, openings) = self.attempt(&work);
        match result {
            Err(redb::Error::PreviousIo) => {
                self.open_again(openings)?;
                self.attempt(&work).0
            }
            other => other,
        }
    }

    fn attempt<T>(
        &self,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> (Result<T, redb::Error>, u64) {
        let slot = self.slot.read().unwrap_or_else(PoisonError::into_inner);
        let result = slot.database.as_ref().map_or(Err(redb::Error::PreviousIo), work);
        (result, slot.openings)
    }

    /// Opens the database again, unless somebody else has since it was opened for the `openings`th time.
    fn open_again(&self, openings: u64) -> Result<(), redb::Error> {
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.openings == openings {
            slot.openings += 1;
            // The file must be closed, for it is locked.
            slot.database = None;
            slot.database = Some((self.open)()?);
            tracing::info!("a database whose file had failed is open again");
        }
        Ok(())
    }
}

/// Returns an error of the database as one of input and output.
pub(crate) fn io_error(error: redb::Error) -> io::Error {
    match error {
        redb::Error::Io(source) => source,
        other => io::Error::other(other),
    }
}
