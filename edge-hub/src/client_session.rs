//! A client inside the process as a session, for endpoints that send by it.

use std::task::{Context, Poll};

use bytes::Bytes;
use edge_core::{
    Answered, Authenticated, FeedSet, Message, MethodAnswer, Receipt, Session, SessionEvent, TwinRequest,
};

use crate::client::Client;

/// The session of a client, which the client uses too.
#[derive(Debug)]
pub(crate) struct ClientSession {
    client: Client,
    authenticated: Authenticated,
}

impl ClientSession {
    pub(crate) fn new(client: Client) -> Self {
        let authenticated = client.0.session().authenticated().clone();
        Self { client, authenticated }
    }
}

impl Session for ClientSession {
    fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    fn resumed(&self) -> bool {
        self.client.0.session().resumed()
    }

    fn feeds(&self) -> FeedSet {
        self.client.0.session().feeds()
    }

    fn publish(&mut self, batch: Vec<Message>) -> Receipt {
        self.client.0.session().publish(batch)
    }

    fn publish_answers(&mut self, batch: Vec<Message>, answered: &[Answered]) -> Receipt {
        self.client.0.session().publish_answers(batch, answered)
    }

    fn subscribe(&mut self, feeds: FeedSet) -> Receipt {
        self.client.0.session().subscribe(feeds)
    }

    fn unsubscribe(&mut self, feeds: FeedSet) -> Receipt {
        self.client.0.session().unsubscribe(feeds)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        self.client.0.session().poll_event(cx)
    }

    fn poll_urgent(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        self.client.0.session().poll_urgent(cx)
    }

    fn twin(&mut self, tag: Bytes, request: TwinRequest) {
        self.client.0.session().twin(tag, request);
    }

    fn answer_method(&mut self, id: u64, answer: MethodAnswer) {
        self.client.0.session().answer_method(id, answer);
    }
}
