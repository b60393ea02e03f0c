//! Every bound of the southbound transports, in one place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The bounds of the southbound transports; the defaults suit a gateway with some thousands of clients.
///
/// # Examples
/// ```
/// use edge_transport::TransportLimits;
///
/// let limits = TransportLimits { max_connections: 100, ..TransportLimits::default() };
/// assert_eq!(limits.max_message_bytes, 262_144);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "settings are written with `..Default::default()`")]
pub struct TransportLimits {
    /// The most connections at a time; beyond it a connection is accepted and closed at once.
    pub max_connections: usize,
    /// The most bytes of a message, counted as body, property names and property values.
    pub max_message_bytes: usize,
    /// The most bytes of a CONNECT, and of all that a client sends before it is let in.
    pub max_connect_bytes: usize,
    /// The most bytes of any other packet that is not a message.
    pub max_control_bytes: usize,
    /// The most messages of one connection that wait for a receipt, where a change of subscriptions counts as a message
    /// too; beyond it nothing more is read.
    ///
    /// Over MQTT the messages of one read of 64 KiB may come on top. Over AMQP one batch may, and a batch of more
    /// messages than this is refused.
    pub max_unacknowledged_messages: usize,
    /// The most bytes of one connection that wait for a receipt; what may come on top is the same, or one message.
    pub max_unacknowledged_bytes: usize,
    /// The most deliveries to one connection that wait for the client's answer.
    pub max_deliveries: usize,
    /// The most bytes of deliveries to one connection that wait for the client's answer; one more may come on top.
    pub max_delivery_bytes: usize,
    /// The most bytes of the head of an HTTP request, and the most that are read ahead of what is worked on.
    pub max_request_head_bytes: usize,
    /// The most bytes of the body of an HTTP request.
    pub max_request_bytes: usize,
    /// The most bytes that wait for one connection's socket before it gets nothing more; one message may come on top.
    pub max_outbound_bytes: usize,
    /// The most bytes that wait for one connection's socket at all, before the client counts as one that does not read:
    /// methods, changes of its twin and answers go out even when it has more than
    /// [`max_outbound_bytes`](Self::max_outbound_bytes) to read.
    pub max_urgent_bytes: usize,
    /// The most twin requests of one connection that wait for an answer; beyond it nothing more is read.
    pub max_twin_requests: usize,
    /// The most bytes of a change of reported properties; a larger one is answered with status 413.
    pub max_twin_patch_bytes: usize,
    /// The most bytes of an answer to a direct method; a larger one is no answer.
    pub max_method_answer_bytes: usize,
    /// The most bytes of packets that have arrived in part, over all connections of clients that were let in.
    ///
    /// The bodies of HTTP requests get only half of it, so that requests, of which anybody can make many at a time, leave
    /// memory to who has a connection.
    pub max_partial_bytes: usize,
    /// The most bytes of messages that one AMQP connection has in part; the link that brings more is detached.
    ///
    /// One message at a time may always arrive in part. An MQTT connection never has more than one.
    pub max_partial_bytes_per_connection: usize,
    /// The most bytes of what has arrived in part, over all connections of clients that were not let in yet.
    pub max_partial_bytes_before_connect: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long after the handshake a CONNECT may take to arrive, and how long the gateway may take to decide on it.
    pub connect_timeout: Duration,
    /// How long a packet may take from its first byte to its last.
    pub packet_timeout: Duration,
    /// How long a client may go without reading anything while something waits for it.
    pub stall_timeout: Duration,
    /// How long a client may be silent, whatever keep-alive it asks for.
    pub max_silence: Duration,
    /// How long connections have to end by themselves once the listener stops.
    pub stop_grace: Duration,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_message_bytes: edge_core::MAX_MESSAGE_BYTES,
            max_connect_bytes: 16 << 10,
            max_control_bytes: 16 << 10,
            max_unacknowledged_messages: 1024,
            max_unacknowledged_bytes: 256 << 10,
            max_deliveries: 256,
            max_delivery_bytes: 256 << 10,
            max_request_head_bytes: 32 << 10,
            max_request_bytes: 4 << 20,
            max_outbound_bytes: 64 << 10,
            max_urgent_bytes: 1 << 20,
            max_twin_requests: 16,
            max_twin_patch_bytes: 64 << 10,
            max_method_answer_bytes: 128 << 10,
            max_partial_bytes: 64 << 20,
            max_partial_bytes_per_connection: 2 << 20,
            max_partial_bytes_before_connect: 16 << 20,
            handshake_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(30),
            packet_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            max_silence: Duration::from_secs(1767),
            stop_grace: Duration::from_secs(5),
        }
    }
}

/// A number of bytes that many share.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit })
    }

    /// Takes `more` bytes; `false` when so many are not left.
    fn take(&self, more: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|&sum| sum <= self.limit)
        });
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// One holder's share of a [`Budget`]; dropping it gives the share back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    pub(crate) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Makes the share `bytes` large; `false`, and no change, when the budget does not have them.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes && !self.budget.take(bytes - self.bytes) {
            return false;
        }
        if bytes < self.bytes {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_given_back() {
        let budget = Budget::new(10);
        let mut a = Share::of(&budget);
        let mut b = Share::of(&budget);
        assert!(a.resize(6));
        assert!(!b.resize(5));
        assert!(b.resize(4));
        assert!(a.resize(2));
        assert!(b.resize(8));
        drop(b);
        assert_eq!(budget.used(), 2);
    }
}
