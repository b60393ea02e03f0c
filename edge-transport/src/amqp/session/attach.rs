//! Links come and go.

use std::collections::VecDeque;

use edge_core::{Credentials, Feed, FeedSet, Identity, IncidentKind};

use super::authority::Waiter;
use super::link::{Link, LinkKey, Purpose, Way};
use super::{Awaited, HANDLE_MAX, MAX_LINKS, Output, ServerConnection, Violation};
use crate::amqp::wire::{AmqpError, Attach, Detach, Performative, Role, Terminus, condition};
use crate::iothub::link::{LinkAddress, LinkTopic};

/// The most links of a connection on which nobody was let in: enough to put a token.
const MAX_LINKS_BEFORE: usize = 8;

/// What is needed to answer an ATTACH.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) key: LinkKey,
    name: &'a str,
    /// The client's end.
    role: Role,
    source: Option<&'a [u8]>,
    target: Option<&'a [u8]>,
}

/// An ATTACH that waits until the gateway has let its identity in.
#[derive(Debug)]
pub(super) struct PendingAttach {
    key: LinkKey,
    name: String,
    role: Role,
    source: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    identity: Identity,
    topic: LinkTopic,
    delivery_count: u32,
}

impl PendingAttach {
    pub(super) fn as_answer(&self) -> Answer<'_> {
        Answer {
            key: self.key,
            name: &self.name,
            role: self.role,
            source: self.source.as_deref(),
            target: self.target.as_deref(),
        }
    }
}

impl ServerConnection {
    /// Takes a client's ATTACH.
    pub(super) fn attach(&mut self, channel: u16, attach: &Attach<'_>) -> Result<(), Violation> {
        let key = (channel, attach.handle);
        if attach.handle > HANDLE_MAX {
            return Err(Violation::malformed("a handle above handle-max"));
        }
        if self.links.contains_key(&key) {
            let detail = "a handle that is in use";
            return Err(Violation::new(IncidentKind::Malformed, condition::HANDLE_IN_USE, detail));
        }
        let answer = Answer {
            key,
            name: attach.name,
            role: attach.role,
            source: attach.source.map(|source| source.raw),
            target: attach.target.map(|target| target.raw),
        };
        let max = if self.until.is_some() { MAX_LINKS_BEFORE } else { MAX_LINKS };
        if self.links.len() >= max {
            self.report(None, IncidentKind::TooManyConnections, "too many links on one connection");
            self.refuse(answer, condition::LIMIT, "too many links on one connection");
            return Ok(());
        }
        // The gateway's end of the link has the address.
        let terminus = if attach.role.is_receiver() { attach.source } else { attach.target };
        let Some(Terminus { address: Some(address), dynamic: false, .. }) = terminus else {
            self.report(None, IncidentKind::Unsupported, "a link without an address");
            self.refuse(answer, condition::NOT_FOUND, "the link has no address");
            return Ok(());
        };
        let delivery_count = attach.initial_delivery_count.unwrap_or(0);
        let service = |connection: &mut Self, purpose| {
            if connection.is_service {
                connection.accept(answer, purpose, None, delivery_count);
            } else {
                connection.report(
                    None,
                    IncidentKind::ForeignTopic,
                    "a link of the service side without its token",
                );
                connection.refuse(answer, condition::UNAUTHORIZED, "no token allows this");
            }
        };
        match (LinkAddress::parse(address), attach.role) {
            (Some(LinkAddress::Cbs), Role::Sender) => {
                self.accept(answer, Purpose::PutToken, None, delivery_count)
            }
            (Some(LinkAddress::Cbs), Role::Receiver) => self.accept(answer, Purpose::TokenAnswers, None, 0),
            (Some(LinkAddress::ServiceSend), Role::Sender) => service(self, Purpose::ServiceSend),
            (Some(LinkAddress::ServiceFeedback), Role::Receiver) => {
                if self.is_service && !self.feedback_attached(key) {
                    let detail = "there is a link for feedback already";
                    self.report(None, IncidentKind::Unsupported, detail);
                    self.refuse(answer, condition::LIMIT, detail);
                } else {
                    service(self, Purpose::Feedback);
                }
            }
            (Some(LinkAddress::Of(identity, topic)), role) => {
                if let Some(who) = self.who(&identity) {
                    self.attach_topic(answer, who, topic, delivery_count);
                } else if !self.chain.is_empty() {
                    let pending = PendingAttach {
                        key,
                        name: attach.name.to_owned(),
                        role,
                        source: answer.source.map(<[u8]>::to_vec),
                        target: answer.target.map(<[u8]>::to_vec),
                        identity: identity.clone(),
                        topic,
                        delivery_count,
                    };
                    let credentials = Credentials::X509(self.chain.clone());
                    self.open(identity, credentials, Waiter::Attach(Box::new(pending)));
                } else {
                    self.report(
                        None,
                        IncidentKind::ForeignTopic,
                        format!("a link of {identity} without its token"),
                    );
                    self.refuse(answer, condition::UNAUTHORIZED, "no token for this identity was put");
                }
            }
            _ => {
                self.report(None, IncidentKind::ForeignTopic, "a link to an address that is none");
                self.refuse(answer, condition::NOT_FOUND, "there is nothing at this address");
            }
        }
        Ok(())
    }

    /// Attaches the link of somebody whose certificate was accepted.
    pub(super) fn attach_allowed(&mut self, pending: PendingAttach) {
        if let Some(who) = self.who(&pending.identity) {
            self.attach_topic(pending.as_answer(), who, pending.topic, pending.delivery_count);
        }
    }

    fn attach_topic(&mut self, answer: Answer<'_>, who: u32, topic: LinkTopic, delivery_count: u32) {
        let is_module = self.clients.get(&who).is_some_and(|client| client.identity.module().is_some());
        let (purpose, feed) = match (topic, answer.role) {
            (LinkTopic::Events, Role::Sender) => (Purpose::Telemetry, None),
            (LinkTopic::Events, Role::Receiver) if is_module => (Purpose::Inputs, Some(Feed::Inputs)),
            (LinkTopic::CloudToDevice, Role::Receiver) => (Purpose::CloudToDevice, Some(Feed::CloudToDevice)),
            (LinkTopic::Twin, Role::Sender) => (Purpose::TwinRequests, None),
            (LinkTopic::Twin, Role::Receiver) => (Purpose::TwinAnswers, Some(Feed::TwinResponses)),
            (LinkTopic::Methods, Role::Sender) => (Purpose::MethodAnswers, None),
            (LinkTopic::Methods, Role::Receiver) => (Purpose::Methods, Some(Feed::Methods)),
            _ => {
                self.report(
                    Some(who),
                    IncidentKind::ForeignTopic,
                    "a link in the direction that its address has not",
                );
                return self.refuse(answer, condition::NOT_ALLOWED, "the link has the wrong direction");
            }
        };
        self.accept(answer, purpose, Some(who), delivery_count);
        let Some(client) = self.clients.get_mut(&who) else { return };
        let slot = match purpose {
            Purpose::Inputs => &mut client.inputs,
            Purpose::CloudToDevice => &mut client.cloud,
            Purpose::TwinAnswers => &mut client.twin,
            Purpose::Methods => &mut client.methods,
            _ => return,
        };
        *slot = Some(answer.key);
        if let Some(feed) = feed {
            let mut feeds = FeedSet::from(feed);
            if feed == Feed::TwinResponses {
                // Azure IoT Edge's hub tells of changes from the moment that the link is there.
                feeds = feeds.with(Feed::Desired);
            }
            self.subscribe(who, feeds);
        }
    }

    pub(super) fn subscribe(&mut self, who: u32, feeds: FeedSet) {
        let Some(client) = self.clients.get_mut(&who) else { return };
        client.feeds = client.feeds.union(feeds);
        client.awaited.push_back(Awaited::Feeds);
        self.waiting_messages += 1;
        self.outputs.push_back(Output::Subscribe { who, feeds });
    }

    pub(super) fn unsubscribe(&mut self, who: u32, feeds: FeedSet) {
        let Some(client) = self.clients.get_mut(&who) else { return };
        client.feeds = client.feeds.without(feeds);
        client.awaited.push_back(Awaited::Feeds);
        self.waiting_messages += 1;
        self.outputs.push_back(Output::Unsubscribe { who, feeds });
    }

    fn accept(&mut self, answer: Answer<'_>, purpose: Purpose, who: Option<u32>, delivery_count: u32) {
        let credit = self.full_credit(purpose);
        let is_sender = answer.role.is_receiver();
        let way = if is_sender {
            Way::Out { queue: VecDeque::new(), drain: false }
        } else {
            Way::In { unanswered: 0, incoming: None }
        };
        let count = if is_sender { 0 } else { delivery_count };
        let credit = if is_sender { 0 } else { credit };
        self.links.insert(answer.key, Link { purpose, who, delivery_count: count, credit, way });
        self.write_attach(answer, true, Some(purpose));
        if !is_sender {
            self.write_flow(answer.key, Some(answer.key.1), false);
        }
    }

    /// How many deliveries a link of the client may have begun and not answered.
    pub(super) fn full_credit(&self, purpose: Purpose) -> u32 {
        let limits = self.limits();
        let messages = match purpose {
            Purpose::TwinRequests => limits.max_twin_requests * 4,
            Purpose::PutToken | Purpose::MethodAnswers => 64,
            _ => limits.max_unacknowledged_messages,
        };
        u32::try_from(messages).unwrap_or(u32::MAX).clamp(1, 1 << 16)
    }

    /// Refuses a link: an ATTACH without the gateway's end, and a DETACH that says why. AMQP 1.0 §2.6.3.
    pub(super) fn refuse(&mut self, answer: Answer<'_>, condition: &str, description: &str) {
        self.write_attach(answer, false, None);
        let (channel, handle) = answer.key;
        let error = Some(AmqpError { condition, description });
        self.out.frame(channel, &Performative::Detach(Detach { handle, closed: true, error }));
    }

    fn write_attach(&mut self, answer: Answer<'_>, accepted: bool, purpose: Option<Purpose>) {
        let echo = |raw: Option<&'_ [u8]>| raw.map(|raw| raw.to_vec());
        let (mut source, mut target) = (echo(answer.source), echo(answer.target));
        let is_sender = answer.role.is_receiver();
        if !accepted {
            *(if is_sender { &mut source } else { &mut target }) = None;
        }
        let source = source.as_deref().map(|raw| Terminus { address: None, dynamic: false, raw });
        let target = target.as_deref().map(|raw| Terminus { address: None, dynamic: false, raw });
        let settles = purpose.is_some_and(Purpose::is_urgent);
        let attach = Attach {
            name: answer.name,
            handle: answer.key.1,
            role: answer.role.other(),
            // Mixed, unless this end is the sender and knows.
            snd_settle_mode: if is_sender { Some(u8::from(settles)) } else { None },
            rcv_settle_mode: None,
            source,
            target,
            initial_delivery_count: is_sender.then_some(0),
            max_message_size: (!is_sender)
                .then(|| u64::try_from(self.max_transfer_bytes()).unwrap_or(u64::MAX)),
            properties: crate::amqp::wire::Map::default(),
        };
        self.out.frame(answer.key.0, &Performative::Attach(attach));
    }

    /// Takes a client's DETACH, and answers it.
    pub(super) fn detached(&mut self, channel: u16, detach: &Detach<'_>) {
        let key = (channel, detach.handle);
        // The answer to a DETACH of the gateway's own needs no answer.
        if self.remove_link(key) {
            let answer = Detach { handle: detach.handle, closed: detach.closed, error: None };
            self.out.frame(channel, &Performative::Detach(answer));
        }
    }

    /// Detaches a link that the client has done something with that it must not.
    pub(super) fn detach(&mut self, key: LinkKey, condition: &str, description: &str) {
        if self.remove_link(key) {
            let error = Some(AmqpError { condition, description });
            self.out.frame(key.0, &Performative::Detach(Detach { handle: key.1, closed: true, error }));
        }
    }

    /// Forgets a link, releases what it has not delivered, and ends what it was subscribed to; `false` when there is none.
    pub(super) fn remove_link(&mut self, key: LinkKey) -> bool {
        let Some(link) = self.links.remove(&key) else { return false };
        self.backlog.remove(&key);
        self.gathering.remove(&key);
        match link.way {
            Way::In { incoming, .. } => {
                let gathered = incoming.map_or(0, |incoming| incoming.bytes.capacity());
                self.gathered_bytes = self.gathered_bytes.saturating_sub(gathered);
            }
            Way::Out { queue, .. } => {
                for queued in queue {
                    match queued.delivery {
                        Some((delivery, who, bytes)) => {
                            self.forget_delivery(who, bytes);
                            drop(delivery);
                        }
                        None => self.urgent_bytes -= queued.bytes.len(),
                    }
                }
            }
        }
        if let Some(state) = self.channels.get_mut(&key.0) {
            let mut forgotten = Vec::new();
            if matches!(link.purpose, Purpose::CloudToDevice | Purpose::Inputs | Purpose::Feedback) {
                state.unsettled.retain(|_, unsettled| {
                    let goes = unsettled.link == key;
                    if goes {
                        forgotten.push((unsettled.who, unsettled.bytes));
                    }
                    !goes
                });
            }
            for (who, bytes) in forgotten {
                self.forget_delivery(who, bytes);
            }
        }
        if link.purpose == Purpose::Feedback {
            self.feedback_detached(key);
        }
        let Some((who, client)) = link.who.and_then(|who| Some((who, self.clients.get_mut(&who)?))) else {
            return true;
        };
        let (slot, feeds) = match link.purpose {
            Purpose::CloudToDevice => (&mut client.cloud, FeedSet::from(Feed::CloudToDevice)),
            Purpose::Inputs => (&mut client.inputs, Feed::Inputs.into()),
            Purpose::TwinAnswers => {
                (&mut client.twin, FeedSet::from(Feed::TwinResponses).with(Feed::Desired))
            }
            Purpose::Methods => (&mut client.methods, Feed::Methods.into()),
            _ => return true,
        };
        if *slot == Some(key) {
            *slot = None;
            self.unsubscribe(who, feeds);
        }
        true
    }

    pub(super) fn forget_delivery(&mut self, who: u32, bytes: usize) {
        if let Some(client) = self.clients.get_mut(&who) {
            client.deliveries = client.deliveries.saturating_sub(1);
            client.delivery_bytes = client.delivery_bytes.saturating_sub(bytes);
        }
    }
}
