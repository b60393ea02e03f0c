//! A module's input as an endpoint: messages go to the module that is connected now, and wait while none is.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use edge_core::{
    BatchLimit, Channel, Delivery, DeviceId, Endpoint, EndpointError, EndpointId, Feed, Identity, ModuleId,
    Outcome, PortName, Settlement, Settler, Stored,
};
use tokio::sync::Notify;

use crate::clients::Clients;
use crate::{Limits, timer};

/// The input `input` of the module `identity`.
pub(crate) struct ModuleInput {
    id: EndpointId,
    identity: Identity,
    input: PortName,
    clients: Arc<Clients>,
    limits: Limits,
    again: AtomicBool,
}

impl ModuleInput {
    pub(crate) fn new(
        device: &DeviceId,
        module: ModuleId,
        input: PortName,
        clients: Arc<Clients>,
        limits: Limits,
    ) -> Self {
        let id = EndpointId::module_input(device, &module, &input);
        let identity = Identity::of_module(device.clone(), module);
        Self { id, identity, input, clients, limits, again: AtomicBool::new(false) }
    }

    /// Returns the input that an endpoint id names, for queues that no route feeds any more.
    pub(crate) fn from_id(
        id: &EndpointId,
        device: &DeviceId,
        clients: &Arc<Clients>,
        limits: &Limits,
    ) -> Option<Self> {
        let rest = id.as_str().strip_prefix(device.as_str())?.strip_prefix('/')?;
        let (module, input) = rest.split_once('/')?;
        Some(Self::new(device, module.parse().ok()?, input.parse().ok()?, clients.clone(), limits.clone()))
    }
}

impl fmt::Debug for ModuleInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleInput").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Collects what became of the deliveries of one batch.
#[derive(Debug)]
struct BatchSettler {
    settled: Mutex<Vec<Option<Settlement>>>,
    open: AtomicUsize,
    done: Notify,
}

impl BatchSettler {
    fn new(len: usize) -> Arc<Self> {
        Arc::new(Self {
            settled: Mutex::new(vec![None; len]),
            open: AtomicUsize::new(len),
            done: Notify::new(),
        })
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.iter().map(|settlement| outcome(*settlement)).collect()
    }
}

fn outcome(settlement: Option<Settlement>) -> Outcome {
    match settlement {
        Some(Settlement::Accept) => Outcome::Accepted,
        Some(Settlement::Reject) => Outcome::Rejected { reason: "the module rejected the message".into() },
        _ => Outcome::Released,
    }
}

impl Settler for BatchSettler {
    fn settle(&self, tag: u64, settlement: Settlement) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = usize::try_from(tag).ok().and_then(|tag| settled.get_mut(tag));
        let Some(slot @ None) = slot else { return };
        *slot = Some(settlement);
        drop(settled);
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }
}

#[async_trait]
impl Endpoint for ModuleInput {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(self.limits.max_input_inflight_messages, self.limits.max_pump_batch_bytes)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let Some(client) = self.clients.subscribed(&self.identity, Feed::Inputs) else {
            return Err(EndpointError::Absent);
        };
        let settler = BatchSettler::new(batch.len());
        let again = self.again.swap(true, Ordering::Relaxed);
        let deliveries = batch.iter().zip(0u64..).map(|(stored, tag)| {
            let channel = Channel::Input(self.input.clone());
            let delivery = Delivery::new(stored.message.clone(), channel, settler.clone(), tag);
            if again { delivery.redelivered() } else { delivery }
        });
        let ticket = Arc::new(());
        client.outbox.push(&ticket, deliveries.collect());
        let timeout = self.limits.input_ack_timeout;
        if timer::within(timeout, settler.done.notified()).await.is_none() {
            client.outbox.withdraw(&ticket);
        }
        let outcomes = settler.outcomes();
        let all = outcomes.iter().all(|outcome| *outcome == Outcome::Accepted);
        self.again.store(!all, Ordering::Relaxed);
        Ok(outcomes)
    }

    async fn ready(&self) {
        self.clients.until_subscribed(&self.identity, Feed::Inputs).await;
    }
}
