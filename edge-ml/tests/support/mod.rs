//! A gateway's session that takes results, refuses them, or keeps its answer to itself.

pub(crate) mod models;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use edge_core::{
    Authenticated, Durability, FeedSet, Message, MethodAnswer, Receipt, ReceiptSender, Session, SessionEvent,
    StoreError, TwinRequest,
};
use tokio::sync::Notify;

/// What the far side has, and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct Far {
    pub(crate) taken: Vec<Message>,
    pub(crate) fails: bool,
    pub(crate) withholds: bool,
    held: VecDeque<(ReceiptSender, Vec<Message>)>,
}

/// The far side, shared by the test and the session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gateway(Arc<Mutex<Far>>, Arc<Notify>);

impl Gateway {
    pub(crate) fn far(&self) -> MutexGuard<'_, Far> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a session of the module `name`.
    pub(crate) fn session(&self, name: &str) -> Box<dyn Session> {
        let identity = format!("edge1/{name}").parse().unwrap();
        Box::new(Taker { far: self.clone(), who: Authenticated::new(identity, "process", None) })
    }

    /// Resolves when something is held back.
    pub(crate) async fn withheld(&self) {
        self.1.notified().await;
    }

    /// Answers what was held back, and from now on everything at once.
    pub(crate) fn answer(&self) {
        let mut far = self.far();
        far.withholds = false;
        while let Some((receipt, batch)) = far.held.pop_front() {
            far.taken.extend(batch);
            receipt.send(Ok(Durability::Memory));
        }
    }
}

#[derive(Debug)]
struct Taker {
    far: Gateway,
    who: Authenticated,
}

impl Session for Taker {
    fn authenticated(&self) -> &Authenticated {
        &self.who
    }

    fn resumed(&self) -> bool {
        false
    }

    fn feeds(&self) -> FeedSet {
        FeedSet::EMPTY
    }

    fn publish(&mut self, batch: Vec<Message>) -> Receipt {
        let mut far = self.far.far();
        if far.fails {
            return Receipt::ready(Err(StoreError::Full { used_bytes: 1, limit_bytes: 1 }));
        }
        if far.withholds {
            let (sender, receipt) = Receipt::pair();
            far.held.push_back((sender, batch));
            self.far.1.notify_one();
            return receipt;
        }
        far.taken.extend(batch);
        Receipt::ready(Ok(Durability::Memory))
    }

    fn subscribe(&mut self, _: FeedSet) -> Receipt {
        Receipt::ready(Ok(Durability::Memory))
    }

    fn unsubscribe(&mut self, _: FeedSet) -> Receipt {
        Receipt::ready(Ok(Durability::Memory))
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<SessionEvent> {
        Poll::Pending
    }

    fn poll_urgent(&mut self, _: &mut Context<'_>) -> Poll<SessionEvent> {
        Poll::Pending
    }

    fn twin(&mut self, _: Bytes, _: TwinRequest) {}

    fn answer_method(&mut self, _: u64, _: MethodAnswer) {}
}
