//! What the tests share: scripted endpoints, and a hub that runs for the time of a test.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use edge_hub::{Hub, HubError, ShutdownReport};
use edge_transport::Stop;
use tokio::sync::Notify;

/// What a scripted endpoint does with a batch.
#[derive(Debug)]
pub enum Act {
    /// Accepts everything.
    Accept,
    /// Fails the send.
    Fail,
    /// Accepts what the body of does not start with this, and rejects the others.
    RejectStarting(u8),
    /// Accepts the first, releases the rest.
    AcceptFirst,
}

/// An endpoint that follows a script, accepts everything after it, and remembers what it accepted.
#[derive(Debug)]
pub struct Scripted {
    id: EndpointId,
    script: Mutex<VecDeque<Act>>,
    pub poison: Option<u8>,
    accepted: Mutex<Vec<Vec<u8>>>,
    changed: Notify,
}

impl Scripted {
    pub fn upstream(script: impl IntoIterator<Item = Act>) -> Self {
        Self {
            id: EndpointId::upstream(),
            script: Mutex::new(script.into_iter().collect()),
            poison: None,
            accepted: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub fn named(id: EndpointId) -> Self {
        Self { id, ..Self::upstream([]) }
    }

    pub fn accepted(&self) -> Vec<Vec<u8>> {
        self.accepted.lock().unwrap().clone()
    }

    /// Waits until so many messages were accepted.
    pub async fn until(&self, n: usize) {
        loop {
            let changed = self.changed.notified();
            if self.accepted.lock().unwrap().len() >= n {
                return;
            }
            changed.await;
        }
    }
}

#[async_trait]
impl Endpoint for Scripted {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::new(NonZeroUsize::new(10).unwrap(), usize::MAX)
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        let act = self.script.lock().unwrap().pop_front().unwrap_or(Act::Accept);
        let mut outcomes = Vec::new();
        for (i, stored) in batch.iter().enumerate() {
            let body = stored.message.body();
            let poisoned = self.poison.is_some_and(|p| body.first() == Some(&p));
            let outcome = match act {
                Act::Fail => return Err(EndpointError::Absent),
                Act::RejectStarting(byte) if body.first() == Some(&byte) => rejected(),
                Act::AcceptFirst if i > 0 => Outcome::Released,
                _ if poisoned => rejected(),
                _ => {
                    self.accepted.lock().unwrap().push(body.to_vec());
                    Outcome::Accepted
                }
            };
            outcomes.push(outcome);
        }
        self.changed.notify_waiters();
        self.changed.notify_one();
        Ok(outcomes)
    }
}

fn rejected() -> Outcome {
    Outcome::Rejected { reason: "not to my taste".into() }
}

/// Runs a hub while `work` runs, and returns how both ended.
pub async fn while_running<T>(
    hub: Hub,
    work: impl Future<Output = T>,
) -> (Result<ShutdownReport, HubError>, T) {
    let (stopper, stop) = Stop::pair();
    let work = async {
        let done = work.await;
        stopper.stop();
        done
    };
    tokio::join!(hub.run(stop), work)
}

/// Lets virtual time pass until something holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        tokio::time::advance(std::time::Duration::from_millis(100)).await;
    }
    panic!("it never came to hold");
}
