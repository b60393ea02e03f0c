//! One client's session, as its transport sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use edge_core::{
    Answered, Authenticated, Delivery, Durability, Feed, FeedSet, Message, MethodAnswer, Receipt, Session,
    SessionEvent, StoreError, SystemKey, TwinRequest,
};

use crate::clients::Connected;
use crate::metrics::Handle;
use crate::routes::Scratch;
use crate::shared::Shared;
use crate::twins::Twins;

/// A client's session; dropping it ends it.
#[derive(Debug)]
pub(crate) struct HubSession {
    hub: Arc<Shared>,
    client: Arc<Connected>,
    authenticated: Authenticated,
    resumed: bool,
    scratch: Scratch,
    received: Option<(String, Handle)>,
    sizes: (Handle, Handle),
}

impl HubSession {
    pub(crate) fn new(
        hub: Arc<Shared>,
        client: Arc<Connected>,
        authenticated: Authenticated,
        resumed: bool,
    ) -> Self {
        hub.metrics.connected(&client.identity);
        let sizes = hub.metrics.sizes();
        Self { hub, client, authenticated, resumed, scratch: Scratch::default(), received: None, sizes }
    }

    /// Takes messages at a level of the caller's choice.
    pub(crate) fn publish_at(&mut self, batch: Vec<Message>, level: Durability) -> Receipt {
        if self.client.outbox.is_closed() {
            return Receipt::ready(Err(StoreError::Closed));
        }
        self.count(&batch);
        self.hub.dispatcher.publish(batch, level, &mut self.scratch)
    }

    /// Returns whether the session was ended.
    pub(crate) fn is_over(&self) -> bool {
        self.client.outbox.is_closed()
    }

    /// Takes the next delivery; `None` when the session is over.
    pub(crate) fn poll_delivery(&self, cx: &Context<'_>) -> Poll<Option<Delivery>> {
        self.client.outbox.poll_delivery(cx)
    }

    /// Returns the twins of the hub.
    pub(crate) fn twins(&self) -> Arc<Twins> {
        self.hub.twins.clone()
    }

    /// Releases what the client has not taken yet.
    pub(crate) fn withdraw_all(&self) {
        self.client.outbox.withdraw_all();
    }

    /// Counts messages by output; a batch mostly has one.
    fn count(&mut self, batch: &[Message]) {
        let bytes: usize = batch.iter().map(Message::size).sum();
        self.sizes.0.fetch_add(bytes as u64, Relaxed);
        self.sizes.1.fetch_add(batch.len() as u64, Relaxed);
        for message in batch {
            let output = message.system().value(SystemKey::OutputName).unwrap_or_default();
            match &self.received {
                Some((last, handle)) if last == output => {
                    handle.fetch_add(1, Relaxed);
                }
                _ => {
                    let handle = self.hub.metrics.received(&self.client.identity, output);
                    handle.fetch_add(1, Relaxed);
                    self.received = Some((output.to_owned(), handle));
                }
            }
        }
    }

    fn change(&self, add: FeedSet, remove: FeedSet) -> Receipt {
        // What is kept is the successor's by now.
        if self.is_over() {
            return Receipt::ready(Err(StoreError::Closed));
        }
        let feeds = self.hub.clients.change(&self.client, add, remove);
        if add.contains(Feed::CloudToDevice) {
            self.hub.mail.call(&self.client.identity);
        }
        if self.client.clean {
            return Receipt::ready(Ok(Durability::Memory));
        }
        self.hub.sessions.save(&self.client.identity, feeds)
    }
}

impl Session for HubSession {
    fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    fn resumed(&self) -> bool {
        self.resumed
    }

    fn feeds(&self) -> FeedSet {
        self.client.feeds()
    }

    fn publish(&mut self, batch: Vec<Message>) -> Receipt {
        self.publish_at(batch, self.hub.durability)
    }

    fn publish_answers(&mut self, batch: Vec<Message>, answered: &[Answered]) -> Receipt {
        if self.client.outbox.is_closed() {
            return Receipt::ready(Err(StoreError::Closed));
        }
        self.count(&batch);
        // Nobody answers for another: what is not the client's own is not touched.
        let of_client = format!("{}/", self.client.identity);
        let is_own = |one: &Answered| one.queue.endpoint().as_str().starts_with(&of_client);
        let is_module = self.client.identity.module().is_some();
        let answered = if is_module && answered.iter().all(is_own) { answered } else { &[] };
        let level = self.hub.durability;
        self.hub.dispatcher.publish_answers(batch, answered, level, &mut self.scratch)
    }

    fn subscribe(&mut self, feeds: FeedSet) -> Receipt {
        self.change(feeds, FeedSet::EMPTY)
    }

    fn unsubscribe(&mut self, feeds: FeedSet) -> Receipt {
        self.change(FeedSet::EMPTY, feeds)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        self.client.outbox.poll(cx)
    }

    fn poll_urgent(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        self.client.outbox.poll_urgent(cx)
    }

    fn twin(&mut self, tag: Bytes, request: TwinRequest) {
        self.hub.twins.ask(&self.client, tag, request);
    }

    fn answer_method(&mut self, id: u64, answer: MethodAnswer) {
        self.hub.methods.answer(&self.client.identity, id, answer);
    }
}

impl Drop for HubSession {
    fn drop(&mut self) {
        if self.hub.clients.leave(&self.client) {
            self.hub.clients.note(&self.client.identity, self.hub.clock.wall());
        }
        self.hub.metrics.disconnected(&self.client.identity);
    }
}
