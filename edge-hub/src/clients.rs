//! Who is connected, and what they are subscribed to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edge_core::{CloseReason, Feed, FeedSet, Identity, Timestamp};
use tokio::sync::Notify;

use crate::outbox::Outbox;
use crate::twins::Requests;

/// One connected client.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) identity: Identity,
    pub(crate) outbox: Outbox,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) clean: bool,
    feeds: AtomicU8,
    ticket: Arc<()>,
    pub(crate) twin_requests: Requests,
}

impl Connected {
    pub(crate) fn new(identity: Identity, expires: Option<Timestamp>, clean: bool, feeds: FeedSet) -> Self {
        Self {
            identity,
            outbox: Outbox::default(),
            expires,
            clean,
            feeds: AtomicU8::new(feeds.bits()),
            ticket: Arc::default(),
            twin_requests: Requests::default(),
        }
    }

    /// Returns what stands for this session among those of the same identity.
    pub(crate) fn ticket(&self) -> &Arc<()> {
        &self.ticket
    }

    pub(crate) fn feeds(&self) -> FeedSet {
        FeedSet::from_bits(self.feeds.load(Acquire))
    }
}

/// All connected clients, at most one of each identity.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    connected: Mutex<HashMap<Identity, Arc<Connected>>>,
    /// Who waits for a client to come and subscribe; an entry goes with the last who waits.
    waiting: Mutex<HashMap<Identity, Arc<Notify>>>,
    changed: Mutex<HashMap<Identity, Timestamp>>,
}

/// Of how many identities it is remembered when they came or went.
const MAX_REMEMBERED: usize = 100_000;

/// Why a client cannot come in: as many as allowed are there.
#[derive(Debug)]
pub(crate) struct Crowded;

impl Clients {
    fn connected(&self) -> MutexGuard<'_, HashMap<Identity, Arc<Connected>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a client in; one of the same identity is taken over and returned.
    pub(crate) fn enter(
        &self,
        client: &Arc<Connected>,
        limit: usize,
    ) -> Result<Option<Arc<Connected>>, Crowded> {
        let earlier = {
            let mut connected = self.connected();
            if connected.len() >= limit && !connected.contains_key(&client.identity) {
                return Err(Crowded);
            }
            connected.insert(client.identity.clone(), client.clone())
        };
        if let Some(earlier) = &earlier {
            earlier.outbox.close(CloseReason::TakenOver);
        }
        if !client.feeds().is_empty() {
            self.wake(&client.identity);
        }
        Ok(earlier)
    }

    /// Lets a client go, unless another connection has taken its place; returns whether it was still there.
    pub(crate) fn leave(&self, client: &Arc<Connected>) -> bool {
        client.outbox.close(CloseReason::Stopping);
        let mut connected = self.connected();
        let there = connected.get(&client.identity).is_some_and(|found| Arc::ptr_eq(found, client));
        if there {
            connected.remove(&client.identity);
        }
        there
    }

    /// Changes what a client is subscribed to, and returns the new set.
    pub(crate) fn change(&self, client: &Connected, add: FeedSet, remove: FeedSet) -> FeedSet {
        let change = |bits| Some(FeedSet::from_bits(bits).union(add).without(remove).bits());
        let before = client.feeds.fetch_update(AcqRel, Acquire, change).unwrap_or_else(|bits| bits);
        let feeds = FeedSet::from_bits(before).union(add).without(remove);
        if !feeds.is_empty() {
            self.wake(&client.identity);
        }
        feeds
    }

    /// Returns the connected client of this identity that is subscribed to `feed`.
    pub(crate) fn subscribed(&self, identity: &Identity, feed: Feed) -> Option<Arc<Connected>> {
        self.connected().get(identity).filter(|c| c.feeds().contains(feed) && !c.outbox.is_closed()).cloned()
    }

    /// Waits until the client of this identity is connected and subscribed to `feed`.
    pub(crate) async fn until_subscribed(&self, identity: &Identity, feed: Feed) {
        let wait = Wait::new(self, identity);
        loop {
            let notified = wait.notify.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.subscribed(identity, feed).is_some() {
                return;
            }
            notified.await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Identity, Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, identity: &Identity) {
        if let Some(notify) = self.waiting().get(identity) {
            notify.notify_waiters();
        }
    }

    /// Ends the sessions that `whom` picks.
    pub(crate) fn close_where(&self, reason: CloseReason, whom: impl Fn(&Connected) -> bool) {
        let picked: Vec<_> = self.connected().values().filter(|client| whom(client)).cloned().collect();
        for client in picked {
            client.outbox.close(reason);
        }
    }

    /// Returns whether a client of this identity is connected.
    pub(crate) fn is_connected(&self, identity: &Identity) -> bool {
        self.connected().contains_key(identity)
    }

    /// Returns how many devices are connected, without modules.
    pub(crate) fn connected_devices(&self) -> usize {
        self.connected().keys().filter(|identity| identity.module().is_none()).count()
    }

    /// Takes note of when a client came or went.
    pub(crate) fn note(&self, identity: &Identity, now: Timestamp) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.len() < MAX_REMEMBERED || changed.contains_key(identity) {
            changed.insert(identity.clone(), now);
        }
    }

    /// Returns when a client of this identity came or went last, since the hub was started.
    pub(crate) fn changed(&self, identity: &Identity) -> Option<Timestamp> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).get(identity).copied()
    }

    /// Forgets an identity that is known no more.
    pub(crate) fn forget(&self, identity: &Identity) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).remove(identity);
    }

    /// Returns how many clients are connected.
    pub(crate) fn len(&self) -> usize {
        self.connected().len()
    }
}

/// Somebody's wait for a client.
struct Wait<'a> {
    clients: &'a Clients,
    identity: &'a Identity,
    notify: Arc<Notify>,
}

impl<'a> Wait<'a> {
    fn new(clients: &'a Clients, identity: &'a Identity) -> Self {
        let notify = clients.waiting().entry(identity.clone()).or_default().clone();
        Self { clients, identity, notify }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.clients.waiting();
        // The map's own and this one: nobody else waits.
        if waiting.get(self.identity).is_some_and(|notify| Arc::strong_count(notify) <= 2) {
            waiting.remove(self.identity);
        }
    }
}
