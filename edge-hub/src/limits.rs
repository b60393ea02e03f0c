//! Every bound of the hub in one place.

use std::num::NonZeroUsize;
use std::time::Duration;

use edge_transport::TransportLimits;

/// Every bound of a gateway; the unit is in the name or the type.
///
/// The hub keeps its own; what listeners and the store keep is here too, for whoever makes them:
/// `Resources::new(limits.transport.clone())`, `StoreOptions::default().with_max_bytes(limits.max_store_bytes)`.
///
/// # Examples
/// ```
/// use edge_hub::Limits;
///
/// let mut limits = Limits::default();
/// limits.max_clients = 10;
/// assert_eq!(limits.max_message_bytes, 262_144);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// What listeners bound: connections, packets, buffers, messages that wait for their acknowledgement.
    pub transport: TransportLimits,
    /// The most bytes that the store may hold on disk. The default is 1 GiB.
    pub max_store_bytes: u64,
    /// The most clients with a session at a time. The default is 20,000.
    pub max_clients: usize,
    /// The largest message taken: body, and names and values of the application's properties. The default is 262,144.
    pub max_message_bytes: usize,
    /// The most messages that an in-process client may have waiting for durability. The default is 1,024.
    pub max_client_inflight_messages: NonZeroUsize,
    /// The most messages that a pump reads and sends at a time, whatever its endpoint wants. The default is 1,000.
    pub max_pump_batch_messages: NonZeroUsize,
    /// The most bytes that a pump reads at a time. The default is 1 MiB.
    pub max_pump_batch_bytes: usize,
    /// The most messages that one queue passes over because their key waits, see
    /// [`Order::PerKey`](crate::Order::PerKey). The default is 10,000, which cost about 1 MB of memory.
    pub max_passed_over_messages: NonZeroUsize,
    /// The most bytes of the messages that one queue passes over; they stay on the disk. The default is 64 MiB.
    pub max_passed_over_bytes: usize,
    /// The most messages on their way to one module input. The default is 64.
    pub max_input_inflight_messages: NonZeroUsize,
    /// How long a module may take to acknowledge an input message before it is sent again. The default is 30 s.
    pub input_ack_timeout: Duration,
    /// The most direct methods that wait for their answers at a time. The default is 1,000.
    pub max_method_calls: usize,
    /// How long one send to an endpoint may take. The default is 300 s.
    pub send_timeout: Duration,
    /// How often an endpoint may refuse a message before it goes to the dead-letter queue. The default is 3.
    pub max_refusals: u32,
    /// How long a message stays in a dead-letter queue. The default is 7 days.
    pub dead_letter_time_to_live: Duration,
    /// How long `run` waits for endpoints and connections when it stops. The default is 10 s.
    pub shutdown_grace: Duration,
    /// The most series of one metric that names clients; more are counted together. The default is 10,000.
    pub max_metric_series: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transport: TransportLimits::default(),
            max_store_bytes: 1 << 30,
            max_clients: 20_000,
            max_message_bytes: edge_core::MAX_MESSAGE_BYTES,
            max_client_inflight_messages: nonzero(1024),
            max_pump_batch_messages: nonzero(1000),
            max_pump_batch_bytes: 1 << 20,
            max_passed_over_messages: nonzero(10_000),
            max_passed_over_bytes: 64 << 20,
            max_input_inflight_messages: nonzero(64),
            input_ack_timeout: Duration::from_secs(30),
            max_method_calls: 1000,
            send_timeout: Duration::from_secs(300),
            max_refusals: 3,
            dead_letter_time_to_live: Duration::from_secs(7 * 24 * 3600),
            shutdown_grace: Duration::from_secs(10),
            max_metric_series: 10_000,
        }
    }
}

/// Returns `n`, or one when it is zero.
const fn nonzero(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}
