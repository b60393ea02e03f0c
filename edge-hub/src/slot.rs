//! A place for an endpoint that can be replaced while the hub runs.

use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::sync::{Mutex, watch};

/// An endpoint that is another one, or none yet; its queues stay whichever it is.
#[derive(Debug)]
pub(crate) struct Slot {
    id: EndpointId,
    held: watch::Sender<Option<Arc<dyn Endpoint>>>,
    /// Held while a batch is on its way.
    sending: Mutex<()>,
}

impl Slot {
    pub(crate) fn new(id: EndpointId, held: Option<Arc<dyn Endpoint>>) -> Self {
        Self { id, held: watch::Sender::new(held), sending: Mutex::default() }
    }

    /// Returns whether there is an endpoint.
    pub(crate) fn is_taken(&self) -> bool {
        self.held.borrow().is_some()
    }

    /// Puts another endpoint in place, and closes the one before when the batch that it has is answered.
    pub(crate) async fn replace(&self, next: Option<Arc<dyn Endpoint>>) {
        let before = self.held.send_replace(next);
        let _no_batch_is_on_its_way = self.sending.lock().await;
        if let Some(before) = before {
            before.close().await;
        }
    }
}

#[async_trait]
impl Endpoint for Slot {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        self.held.borrow().as_ref().map(|held| held.batch_limit()).unwrap_or_default()
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let _sending = self.sending.lock().await;
        let held = self.held.borrow().clone();
        let Some(held) = held else { return Err(EndpointError::Absent) };
        match held.send(batch).await {
            // It was replaced meanwhile, and what is closed for good is the one before.
            Err(EndpointError::Closed) if !self.is(&held) => Err(EndpointError::Absent),
            answer => answer,
        }
    }

    async fn ready(&self) {
        let mut changes = self.held.subscribe();
        let held = changes.borrow_and_update().clone();
        let ready = async {
            match &held {
                Some(held) => held.ready().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ready => {}
            _ = changes.changed() => {}
        }
    }

    async fn close(&self) {
        let held = self.held.borrow().clone();
        if let Some(held) = held {
            held.close().await;
        }
    }
}

impl Slot {
    fn is(&self, endpoint: &Arc<dyn Endpoint>) -> bool {
        self.held.borrow().as_ref().is_some_and(|held| Arc::ptr_eq(held, endpoint))
    }
}
