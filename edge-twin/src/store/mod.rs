//! Where twins are kept.

mod memory;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{Disposition, Durability, Identity};

use crate::{DecodeError, Twin};

pub use memory::MemoryTwins;

/// Keeps the twins of devices and modules.
///
/// A store compares and swaps, nothing more: whoever changes a twin loads it, changes it, and saves it over the version
/// that was loaded; on a conflict, again.
///
/// # Contract
/// - After `save` or `remove` has returned, `load` and `list` MUST show what was done, and MUST still do after a crash
///   when the level is `Written` or `Synced`.
/// - A `save` over another version than the stored one MUST be refused with `Conflict` and change nothing. Of several
///   that are made at the same time over the same version, one succeeds.
/// - The version of a twin MUST NOT go back: a twin that is not newer than the stored one is refused with `Conflict`.
/// - A device and its modules are different identities; a change of one MUST NOT change another.
/// - `list` MUST return twins by rising identity, behind `after`, no more than asked for, and at least one when there is
///   any: an empty page is the end.
///
/// The conformance kit is `edge_twin::testing::twin_store`, behind the feature `testing`.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{Identity, Timestamp};
/// use edge_twin::{MemoryTwins, Twin, TwinStore};
///
/// let store = MemoryTwins::default();
/// let press: Identity = "press-7".parse()?;
/// store.save(&press, None, Twin::new(Timestamp::from_unix_ms(0))).await?;
/// assert_eq!(store.load(&press).await?.map(|twin| twin.version()), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[async_trait]
pub trait TwinStore: fmt::Debug + Send + Sync + 'static {
    /// Returns a twin, or `None` when there is none.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing changes.
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError>;

    /// Puts a twin in the place of that version of it, or, over `None`, in a place that is empty; returns how durable it
    /// is now.
    ///
    /// # Cancel safety
    /// Whole or not at all: of a save whose future is dropped nobody hears whether it was made.
    async fn save(
        &self,
        identity: &Identity,
        over: Option<u64>,
        twin: Twin,
    ) -> Result<Durability, TwinStoreError>;

    /// Removes a twin; returns whether there was one.
    ///
    /// # Cancel safety
    /// Whole or not at all: of a removal whose future is dropped nobody hears whether it was made.
    async fn remove(&self, identity: &Identity) -> Result<bool, TwinStoreError>;

    /// Returns up to `limit` twins behind an identity, or from the first one; a page may be shorter than asked for when
    /// its twins are large.
    ///
    /// The modules of a device come right behind the device.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing changes.
    async fn list(
        &self,
        after: Option<&Identity>,
        limit: NonZeroUsize,
    ) -> Result<Vec<(Identity, Twin)>, TwinStoreError>;
}

const _: Option<&dyn TwinStore> = None;

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TwinStoreError {
    /// The stored twin has another version, or the new one is not newer.
    #[error("twin has changed: {}", version(*.found))]
    Conflict {
        /// The version that is stored; `None` when there is no twin.
        found: Option<u64>,
    },
    /// The stored twin cannot be read.
    #[error("twin of {identity} cannot be read")]
    Damaged {
        /// Whose twin it is.
        identity: Identity,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The disk or the database does not do what it should.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The store has been closed.
    #[error("store is closed")]
    Closed,
}

fn version(found: Option<u64>) -> String {
    found.map_or_else(|| "there is none".to_owned(), |version| format!("it has version {version}"))
}

impl TwinStoreError {
    /// Returns what to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Conflict { .. } | Self::Io { .. } => Disposition::Retry,
            Self::Damaged { .. } => Disposition::Reject,
            Self::Closed => Disposition::Fatal,
        }
    }

    /// Returns the conflict that saving `twin` over `over` has with what is stored, if any.
    ///
    /// # Examples
    /// ```
    /// use edge_core::Timestamp;
    /// use edge_twin::{Twin, TwinStoreError};
    ///
    /// let twin = Twin::new(Timestamp::from_unix_ms(0));
    /// assert!(TwinStoreError::conflict(None, None, twin.version()).is_ok());
    /// assert!(TwinStoreError::conflict(Some(1), None, twin.version()).is_err());
    /// ```
    ///
    /// # Errors
    /// [`TwinStoreError::Conflict`] when there is one.
    pub fn conflict(found: Option<u64>, over: Option<u64>, new: u64) -> Result<(), Self> {
        let is_newer = found.is_none_or(|found| new > found);
        if found == over && is_newer { Ok(()) } else { Err(Self::Conflict { found }) }
    }
}
