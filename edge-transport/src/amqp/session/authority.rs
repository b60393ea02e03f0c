//! Who may do what on a connection: tokens, user names and certificates.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use edge_core::{
    AuthError, Authenticated, CloseReason, Credentials, FeedSet, Hello, Identity, IncidentKind, Origin,
    Refusal,
};

use super::attach::PendingAttach;
use super::link::{LinkKey, Purpose};
use super::{Client, MAX_IDENTITIES, Output, PROTOCOL, ServerConnection};
use crate::amqp::wire::{Properties, Sections, Value, Writer, condition};
use crate::iothub::link::CbsAudience;

/// Something that the gateway or its service API is to decide; nothing more is read before it has.
#[derive(Debug)]
pub(super) struct Opening {
    who: u32,
    /// Who it is about; `None` for the service API.
    identity: Option<Identity>,
    waiter: Waiter,
    pub(super) until: Instant,
}

/// Who waits for the decision.
#[derive(Debug)]
pub(super) enum Waiter {
    /// The SASL exchange.
    Sasl,
    /// A request with a token: the link that it came by, and its id, as it is to be answered.
    Token(LinkKey, Vec<u8>),
    /// A link of somebody who shows a certificate.
    Attach(Box<PendingAttach>),
}

impl ServerConnection {
    /// Asks the gateway for a session, in the place of the one that the identity may have.
    pub(super) fn open(&mut self, identity: Identity, credentials: Credentials, waiter: Waiter) {
        let known = self.clients.iter().find(|(_, client)| client.identity == identity).map(|(who, _)| *who);
        let who = known.unwrap_or(self.next_who);
        if known.is_none() {
            self.next_who = self.next_who.wrapping_add(1);
        }
        let mut hello = Hello::new(identity.clone(), credentials, PROTOCOL, self.peer);
        // What a client is subscribed to is what it has links for: nothing is kept when it goes.
        hello.clean = true;
        let until = self.heard + self.limits().connect_timeout;
        self.opening = Some(Opening { who, identity: Some(identity), waiter, until });
        self.outputs.push_back(Output::Open { who, hello: Box::new(hello) });
    }

    /// Asks the service API whether a policy's token allows sending to devices.
    pub(super) fn authorize(&mut self, token: String, waiter: Waiter) {
        let until = self.heard + self.limits().connect_timeout;
        self.opening = Some(Opening { who: 0, identity: None, waiter, until });
        self.outputs.push_back(Output::Authorize { token });
    }

    /// Returns the number of an identity that was let in on this connection.
    pub(super) fn who(&self, identity: &Identity) -> Option<u32> {
        self.clients.iter().find(|(_, client)| client.identity == *identity).map(|(who, _)| *who)
    }

    /// Whether a newer token of an identity is being judged.
    pub(super) fn is_renewing(&self, who: u32) -> bool {
        self.opening.as_ref().is_some_and(|opening| opening.identity.is_some() && opening.who == who)
    }

    /// Takes a request of the claims-based security node; returns whether it was one.
    pub(super) fn put_token(&mut self, link: LinkKey, sections: &Sections<'_>) -> bool {
        let mut id = Vec::new();
        Writer::new(&mut id).value(sections.properties.message_id);
        let text = |name| sections.application.value(name).and_then(Value::text);
        let token = match sections.body {
            crate::amqp::wire::Body::Value(Value::Text(token)) => Some(token),
            crate::amqp::wire::Body::Data(token) => std::str::from_utf8(token).ok(),
            _ => None,
        };
        let is_put = text("operation").is_some_and(|operation| operation.eq_ignore_ascii_case("put-token"));
        let (Some(token), Some(name), true) = (token, text("name"), is_put) else {
            self.report(None, IncidentKind::BadHello, "a request to $cbs that puts no token");
            self.answer_token(link, &id, 400, "put-token, a name and a token are needed");
            return true;
        };
        match CbsAudience::parse(name) {
            Some(CbsAudience::Of(identity)) => {
                let is_new = self.who(&identity).is_none();
                if is_new && self.clients.len() >= MAX_IDENTITIES {
                    self.report(
                        None,
                        IncidentKind::TooManyConnections,
                        "too many identities on one connection",
                    );
                    self.answer_token(link, &id, 429, "too many identities on one connection");
                    return true;
                }
                self.open(identity, Credentials::SasToken(token.to_owned()), Waiter::Token(link, id));
            }
            Some(CbsAudience::Hub) => self.authorize(token.to_owned(), Waiter::Token(link, id)),
            None => {
                self.report(None, IncidentKind::BadHello, "a token for nobody who could be");
                self.answer_token(link, &id, 400, "the name is no audience");
            }
        }
        true
    }

    /// Answers a request with a token on the link that the client receives answers by.
    fn answer_token(&mut self, asked: LinkKey, id: &[u8], status: i32, description: &str) {
        let answers = |same_channel: bool| {
            let found = self.links.iter().find(|(key, link)| {
                link.purpose == Purpose::TokenAnswers && (!same_channel || key.0 == asked.0)
            });
            found.map(|(key, _)| *key)
        };
        let Some(key) = answers(true).or_else(|| answers(false)) else { return };
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        // The id goes back in the type in which it came.
        let correlation_id = crate::amqp::wire::Reader::new(id).value().unwrap_or(Value::Null);
        Properties { correlation_id, ..Properties::default() }.write(&mut w);
        w.descriptor(0x74);
        w.map(|w| {
            w.string("status-code");
            w.int(status);
            w.string("status-description");
            w.string(description);
            2
        });
        w.descriptor(0x77);
        w.null();
        self.enqueue_settled(key, bytes);
    }

    /// Takes the gateway's decision.
    pub(super) fn opened(&mut self, now: Instant, answer: Result<Authenticated, Refusal>) {
        let Some(Opening { who, identity: Some(identity), waiter, .. }) = self.opening.take() else { return };
        match answer {
            Ok(authenticated) => {
                let origin = Origin::new(&authenticated);
                match self.clients.get_mut(&who) {
                    Some(client) => {
                        (client.origin, client.superseded) = (origin, false);
                        let feeds = client.feeds;
                        let lost = std::mem::take(&mut client.twins);
                        if !feeds.is_empty() {
                            client.awaited.push_back(super::Awaited::Feeds);
                            self.waiting_messages += 1;
                            self.outputs.push_back(Output::Subscribe { who, feeds });
                        }
                        // The earlier session answers no more.
                        self.waiting_twins = self.waiting_twins.saturating_sub(lost.len());
                        for tag in lost {
                            self.refuse_twin(who, &tag, 503, "ask again");
                        }
                    }
                    None => {
                        self.clients.insert(who, Client::new(identity, origin));
                    }
                }
                self.let_in();
                match waiter {
                    Waiter::Sasl => self.sasl_decided(now, true, false),
                    Waiter::Token(link, id) => self.answer_token(link, &id, 200, "OK"),
                    Waiter::Attach(attach) => self.attach_allowed(*attach),
                }
            }
            Err(refusal) => self.refused(now, who, waiter, &refusal),
        }
    }

    fn refused(&mut self, now: Instant, who: u32, waiter: Waiter, refusal: &Refusal) {
        let temporary = match refusal {
            Refusal::Auth(error) => matches!(error, AuthError::Unavailable { .. }),
            _ => true,
        };
        let lost = self.clients.get(&who).is_none_or(|client| client.superseded);
        match waiter {
            Waiter::Sasl => self.sasl_decided(now, false, temporary),
            // Any answer but 200 is final to the SDKs: who may try again is told so by losing the connection.
            _ if temporary => self.close(now, condition::INTERNAL, "the gateway cannot decide now"),
            Waiter::Token(link, id) => self.answer_token(link, &id, 401, "the token is not accepted"),
            Waiter::Attach(attach) => self.refuse(
                attach.as_answer(),
                condition::UNAUTHORIZED,
                "the certificate is not that of this identity",
            ),
        }
        if lost {
            if self.clients.contains_key(&who) {
                self.client_closed(now, who, CloseReason::Expired);
            } else {
                self.outputs.push_back(Output::Drop { who });
            }
        }
    }

    /// Takes the service API's decision.
    pub(super) fn authorized(&mut self, now: Instant, allowed: Option<Duration>) {
        let Some(Opening { identity: None, waiter, .. }) = self.opening.take() else { return };
        if let Some(time) = allowed {
            self.is_service = true;
            // What is too far away to be a time never comes.
            self.service_until = now.checked_add(time);
            self.let_in();
        }
        let allowed = allowed.is_some();
        match waiter {
            Waiter::Sasl => self.sasl_decided(now, allowed, false),
            Waiter::Token(link, id) if allowed => self.answer_token(link, &id, 200, "OK"),
            Waiter::Token(link, id) => self.answer_token(link, &id, 401, "the token is not accepted"),
            Waiter::Attach(_) => {}
        }
    }

    /// Somebody was let in: the time to be let in by is over.
    fn let_in(&mut self) {
        if self.until.take().is_some() {
            let mut share = self.resources.partial();
            if share.resize(self.partial.capacity()) {
                self.share = share;
            }
        }
    }

    /// Gives up on a decision that takes too long.
    pub(super) fn give_up(&mut self, now: Instant) {
        self.outputs.push_back(Output::GiveUp);
        if let Some(Opening { waiter: Waiter::Sasl, .. }) = self.opening.take() {
            self.sasl_decided(now, false, true);
        } else {
            self.close(now, condition::INTERNAL, "the gateway cannot decide now");
        }
    }
}

impl Client {
    fn new(identity: Identity, origin: Origin) -> Self {
        Self {
            identity,
            origin,
            awaited: VecDeque::new(),
            cloud: None,
            inputs: None,
            twin: None,
            methods: None,
            feeds: FeedSet::EMPTY,
            deliveries: 0,
            delivery_bytes: 0,
            twins: Vec::new(),
            superseded: false,
        }
    }
}
