//! A client that comes for one request, without a session.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use edge_core::service::{LockOutcome, ServiceError};
use edge_core::{Authenticated, Message, Receipt, SystemKey, Visit};

use crate::routes::Scratch;
use crate::shared::Shared;

/// One request's rights.
#[derive(Debug)]
pub(crate) struct HubVisit {
    hub: Arc<Shared>,
    authenticated: Authenticated,
}

impl HubVisit {
    pub(crate) fn new(hub: Arc<Shared>, authenticated: Authenticated) -> Self {
        Self { hub, authenticated }
    }
}

#[async_trait]
impl Visit for HubVisit {
    fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    fn publish(&mut self, batch: Vec<Message>) -> Receipt {
        let (sum, count) = self.hub.metrics.sizes();
        for message in &batch {
            sum.fetch_add(message.size() as u64, Relaxed);
            count.fetch_add(1, Relaxed);
            let output = message.system().value(SystemKey::OutputName).unwrap_or_default();
            self.hub.metrics.received(&self.authenticated.identity, output).fetch_add(1, Relaxed);
        }
        self.hub.dispatcher.publish(batch, self.hub.durability, &mut Scratch::default())
    }

    async fn receive(&mut self, lock: Option<Duration>) -> Result<Option<Message>, ServiceError> {
        self.hub.mail.fetch(&self.authenticated.identity, lock).await
    }

    async fn settle(&mut self, lock_token: &str, outcome: LockOutcome) -> Result<(), ServiceError> {
        self.hub.mail.settle(&self.authenticated.identity, lock_token, outcome).await
    }
}
