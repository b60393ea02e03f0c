//! One pump for each endpoint: reads its queues, most urgent first, and sends.

mod bury;
mod driver;
mod lane;
mod meter;
mod purse;
mod runs;
mod schedule;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use edge_core::{Endpoint, Priority};
use tokio::sync::{Notify, watch};

pub(crate) use bury::DEAD_LETTER_REASON;
pub(crate) use driver::{Pump, PumpError};
pub(crate) use schedule::{RANKS, priority};

use crate::DeliveryPolicy;

/// Tells a pump which of its queues have something new.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    ranks: AtomicU16,
    notify: Notify,
}

impl Signal {
    /// Takes note that the queue of this priority has something.
    pub(crate) fn raise(&self, priority: Priority) {
        let before = self.ranks.fetch_or(1 << priority.rank(), Ordering::Release);
        if before == 0 {
            self.notify.notify_one();
        }
    }

    /// Returns the ranks raised since the last call, one bit each.
    fn take(&self) -> u16 {
        self.ranks.swap(0, Ordering::Acquire)
    }

    /// Waits until something is raised.
    async fn raised(&self) {
        while self.ranks.load(Ordering::Acquire) == 0 {
            self.notify.notified().await;
        }
    }
}

/// An endpoint, how its queues are delivered, and the signal of its pump.
#[derive(Clone, Debug)]
pub(crate) struct Feeder {
    pub(crate) endpoint: Arc<dyn Endpoint>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) policy: watch::Sender<DeliveryPolicy>,
}

impl Feeder {
    pub(crate) fn new(endpoint: Arc<dyn Endpoint>, policy: DeliveryPolicy) -> Self {
        Self { endpoint, signal: Arc::default(), policy: watch::Sender::new(policy) }
    }
}
