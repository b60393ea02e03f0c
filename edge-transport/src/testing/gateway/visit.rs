//! A client of [`FakeGateway`] without a session.

use std::time::Duration;

use async_trait::async_trait;
use edge_core::service::{LockOutcome, ServiceError};
use edge_core::{Authenticated, Message, Receipt, SystemKey, Visit};

use super::{FakeGateway, lock};

/// A client that comes for one request.
#[derive(Debug)]
pub(super) struct FakeVisit {
    pub(super) gateway: FakeGateway,
    pub(super) authenticated: Authenticated,
}

#[async_trait]
impl Visit for FakeVisit {
    fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    fn publish(&mut self, batch: Vec<Message>) -> Receipt {
        self.gateway.change(|state| {
            state.batches.push(batch.len());
            state.published.extend(batch);
        });
        self.gateway.receipt()
    }

    async fn receive(&mut self, _lock: Option<Duration>) -> Result<Option<Message>, ServiceError> {
        let state = lock(&self.gateway.0.state);
        Ok(state.queues.get(&self.authenticated.identity).and_then(|queue| queue.front().cloned()))
    }

    async fn settle(&mut self, lock_token: &str, outcome: LockOutcome) -> Result<(), ServiceError> {
        self.gateway.change(|state| {
            let queue = state.queues.get_mut(&self.authenticated.identity).ok_or(ServiceError::LockLost)?;
            let front = queue.front().and_then(|front| front.system().value(SystemKey::LockToken));
            if front != Some(lock_token) {
                return Err(ServiceError::LockLost);
            }
            if outcome != LockOutcome::Abandon {
                queue.pop_front();
            }
            state.outcomes.push((lock_token.to_owned(), outcome));
            Ok(())
        })
    }
}
