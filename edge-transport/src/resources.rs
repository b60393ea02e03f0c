//! What all listeners of a gateway share: the limits, and what they bound.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::TransportLimits;
use crate::limits::{Budget, Share};
use crate::workspace::{Pool, Workspace};

/// The limits, and the memory and connections that they bound; clones share them.
///
/// Listeners made with the same resources stay within the limits together.
///
/// # Examples
/// ```
/// use edge_transport::{Resources, TransportLimits};
///
/// let resources = Resources::new(TransportLimits { max_connections: 100, ..TransportLimits::default() });
/// assert_eq!(resources.limits().max_connections, 100);
/// assert_eq!(resources.connections(), 0);
/// ```
#[derive(Clone)]
pub struct Resources(Arc<Inner>);

struct Inner {
    limits: TransportLimits,
    connections: AtomicUsize,
    partial: Arc<Budget>,
    requests: Arc<Budget>,
    partial_before_connect: Arc<Budget>,
    pool: Pool,
}

impl Resources {
    /// Returns unused resources within `limits`.
    #[must_use]
    pub fn new(limits: TransportLimits) -> Self {
        Self(Arc::new(Inner {
            connections: AtomicUsize::new(0),
            partial: Budget::new(limits.max_partial_bytes),
            requests: Budget::new(limits.max_partial_bytes / 2),
            partial_before_connect: Budget::new(limits.max_partial_bytes_before_connect),
            pool: Pool::default(),
            limits,
        }))
    }

    /// Returns the limits.
    #[must_use]
    pub fn limits(&self) -> &TransportLimits {
        &self.0.limits
    }

    /// Returns how many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Takes the place of one connection; `None` when there are as many as allowed.
    pub(crate) fn connection(&self) -> Option<ConnectionSlot> {
        let taken = self.0.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
            (n < self.0.limits.max_connections).then_some(n + 1)
        });
        taken.is_ok().then(|| ConnectionSlot(self.clone()))
    }

    pub(crate) fn partial_before_connect(&self) -> Share {
        Share::of(&self.0.partial_before_connect)
    }

    #[cfg(test)]
    pub(crate) fn partial_bytes(&self) -> usize {
        self.0.partial.used() + self.0.partial_before_connect.used()
    }

    pub(crate) fn partial(&self) -> Share {
        Share::of(&self.0.partial)
    }

    /// Returns what the body of a request takes in addition, which bounds all requests together.
    pub(crate) fn requests(&self) -> Share {
        Share::of(&self.0.requests)
    }

    /// Lends buffers for one turn of one connection.
    pub(crate) fn lend(&self) -> Workspace {
        self.0.pool.lend()
    }

    pub(crate) fn give_back(&self, workspace: Workspace) {
        self.0.pool.give_back(workspace);
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources")
            .field("connections", &self.connections())
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// The place of one connection; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct ConnectionSlot(Resources);

impl ConnectionSlot {
    pub(crate) fn resources(&self) -> &Resources {
        &self.0
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_freed() {
        let resources = Resources::new(TransportLimits { max_connections: 1, ..TransportLimits::default() });
        let slot = resources.connection().unwrap();
        assert!(resources.connection().is_none());
        drop(slot);
        assert!(resources.connection().is_some());
    }
}
