//! What is kept of a client's session while it is away.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::{FeedSet, Identity, Receipt, StoreError};

/// Keeps the subscriptions of clients, so that they survive reconnects and restarts.
///
/// The device SDKs rely on it: they never subscribe again after a reconnect of their own.
///
/// # Contract
/// - After the receipt of `save` has resolved, `load` MUST return what was saved, also after a crash.
/// - Saving an empty set MUST remove the entry: nothing grows with clients that are gone.
/// - The calls MUST NOT block on the disk; `load` answers from memory.
///
/// The conformance kit is `edge_core::testing::session_store`, behind the feature `testing`.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{Feed, FeedSet, Identity, MemorySessions, SessionStore};
///
/// let sessions = MemorySessions::default();
/// let filter: Identity = "edge1/filter".parse()?;
/// sessions.save(&filter, Feed::Inputs.into()).await?;
/// assert_eq!(sessions.load(&filter), FeedSet::from(Feed::Inputs));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Returns what the client is subscribed to; nothing for one that is not known.
    fn load(&self, identity: &Identity) -> FeedSet;

    /// Sets what the client is subscribed to; the receipt resolves when it would survive a restart.
    fn save(&self, identity: &Identity, feeds: FeedSet) -> Receipt;

    /// Returns everybody who is subscribed to something.
    fn all(&self) -> Vec<(Identity, FeedSet)>;
}

const _: Option<&dyn SessionStore> = None;

/// Subscriptions in memory: they survive reconnects, and no restart.
///
/// # Examples
/// ```
/// use edge_core::{MemorySessions, SessionStore};
///
/// assert!(MemorySessions::default().all().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct MemorySessions {
    feeds: Mutex<BTreeMap<Identity, FeedSet>>,
}

impl SessionStore for MemorySessions {
    fn load(&self, identity: &Identity) -> FeedSet {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.get(identity).copied().unwrap_or_default()
    }

    fn save(&self, identity: &Identity, feeds: FeedSet) -> Receipt {
        let mut all = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if feeds.is_empty() {
            all.remove(identity);
        } else {
            all.insert(identity.clone(), feeds);
        }
        Receipt::ready(Ok::<_, StoreError>(crate::Durability::Memory))
    }

    fn all(&self) -> Vec<(Identity, FeedSet)> {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.iter().map(|(identity, feeds)| (identity.clone(), *feeds)).collect()
    }
}
