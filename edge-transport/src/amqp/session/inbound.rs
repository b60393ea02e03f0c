//! Transfers from the client, and what became of them.

use std::time::Instant;

use edge_core::{IncidentKind, PortName, Settlement};

use super::link::{INCOMING_WINDOW, Incoming, LinkKey, Purpose, Way};
use super::{Awaited, Batch, Output, Range, Scratch, ServerConnection, Violation};
use crate::amqp::wire::{
    AmqpError, Body, DeliveryState, Disposition, Performative, Reader, Role, Sections, Transfer, Value,
    condition,
};
use crate::iothub::amqp::{self, Author};
use crate::iothub::link::recipient;

/// The format of a message whose data sections are messages. Azure Service Bus, batched messages over AMQP.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// How much larger a message may be on the wire than its properties and body.
const ENCODING_BYTES: usize = 64 << 10;

/// Why a message is not taken: a condition, a description, and what to count it as.
type Refused = (&'static str, String, IncidentKind);

impl ServerConnection {
    /// The most bytes of a delivery that are gathered.
    pub(super) fn max_transfer_bytes(&self) -> usize {
        self.limits().max_message_bytes.saturating_add(ENCODING_BYTES)
    }

    pub(super) fn transfer(
        &mut self,
        now: Instant,
        channel: u16,
        transfer: &Transfer<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Violation> {
        let Some(state) = self.channels.get_mut(&channel) else { return Ok(()) };
        if state.incoming_window == 0 {
            let detail = "more transfers than the session's window has";
            return Err(Violation::new(IncidentKind::Malformed, condition::WINDOW, detail));
        }
        state.incoming_window -= 1;
        state.next_incoming = state.next_incoming.wrapping_add(1);
        if state.incoming_window < INCOMING_WINDOW / 2 {
            self.write_flow((channel, u32::MAX), None, false);
        }
        let key = (channel, transfer.handle);
        let (max, share) = (self.max_transfer_bytes(), self.resources.partial());
        let (max_token, max_gathered) =
            (self.limits().max_connect_bytes, self.limits().max_partial_bytes_per_connection);
        // A link that the gateway has detached: what was on its way to it is lost with it.
        let Some(link) = self.links.get_mut(&key) else { return Ok(()) };
        let (purpose, credit) = (link.purpose, link.credit);
        let max = if purpose == Purpose::PutToken { max_token } else { max };
        let Way::In { unanswered, incoming } = &mut link.way else {
            return Err(Violation::malformed("a transfer on a link by which the client receives"));
        };
        let mut begun = match incoming.take() {
            Some(begun) => {
                self.gathering.remove(&key);
                self.gathered_bytes -= begun.bytes.capacity();
                begun
            }
            None => {
                if credit == 0 {
                    self.report(None, IncidentKind::Malformed, "a transfer without credit");
                    self.detach(key, condition::TRANSFER_LIMIT, "there was no credit for this transfer");
                    return Ok(());
                }
                let Some(id) = transfer.delivery_id else {
                    return Err(Violation::malformed("a first transfer without a delivery-id"));
                };
                link.credit -= 1;
                link.delivery_count = link.delivery_count.wrapping_add(1);
                *unanswered += 1;
                let format = transfer.message_format.unwrap_or(0);
                if !transfer.more && !transfer.aborted {
                    let settled = transfer.settled.unwrap_or(false);
                    self.complete(key, purpose, (id, settled, format), transfer.payload, scratch);
                    return Ok(());
                }
                Box::new(Incoming { id, settled: false, format, bytes: Vec::new(), share, since: now })
            }
        };
        if transfer.aborted {
            *unanswered -= 1;
            self.replenish(key);
            return Ok(());
        }
        begun.settled |= transfer.settled.unwrap_or(false);
        if begun.bytes.len() + transfer.payload.len() > max {
            self.report(None, IncidentKind::Oversize, format!("a message of more than {max} bytes"));
            self.detach(key, condition::MESSAGE_SIZE, "the message is too large");
            return Ok(());
        }
        begun.bytes.extend_from_slice(transfer.payload);
        if transfer.more {
            let gathered = self.gathered_bytes + begun.bytes.capacity();
            if gathered > max_gathered && !self.gathering.is_empty() {
                let detail = "too much has arrived in part on this connection";
                self.report(None, IncidentKind::Oversize, detail);
                self.detach(key, condition::LIMIT, detail);
                return Ok(());
            }
            if !begun.share.resize(begun.bytes.capacity()) {
                let detail = "no memory is left for what arrives in part";
                return Err(Violation::new(IncidentKind::Oversize, condition::LIMIT, detail));
            }
            *incoming = Some(begun);
            self.gathering.insert(key);
            self.gathered_bytes = gathered;
            return Ok(());
        }
        let Incoming { id, settled, format, bytes, .. } = *begun;
        self.complete(key, purpose, (id, settled, format), &bytes, scratch);
        Ok(())
    }

    /// Takes a whole message.
    fn complete(
        &mut self,
        key: LinkKey,
        purpose: Purpose,
        (id, settled, format): (u32, bool, u32),
        payload: &[u8],
        scratch: &mut Scratch,
    ) {
        let result = match purpose {
            Purpose::Telemetry => match self.telemetry(key, (id, settled, format), payload, scratch) {
                // The receipt answers it.
                Ok(()) => return,
                Err((condition::LIMIT, detail, kind)) => {
                    let who = self.links.get(&key).and_then(|link| link.who);
                    self.report(who, kind, detail.clone());
                    return self.detach(key, condition::LIMIT, &detail);
                }
                Err(refused) => Err(refused),
            },
            Purpose::ServiceSend => match self.send_to_device(key, (id, settled), payload, scratch) {
                Ok(()) => return,
                Err(refused) => Err(refused),
            },
            _ => match Sections::read(payload) {
                Ok(sections) => match purpose {
                    Purpose::PutToken => {
                        self.put_token(key, &sections);
                        Ok(())
                    }
                    Purpose::TwinRequests => self.twin_request(key, &sections, &mut scratch.body),
                    _ => self.method_answer(key, &sections, &mut scratch.body),
                },
                Err(error) => Err((condition::DECODE, error.to_string(), IncidentKind::Malformed)),
            },
        };
        self.answer(key, id, settled, result);
    }

    /// Settles a delivery that waits for nothing.
    fn answer(&mut self, key: LinkKey, id: u32, settled: bool, result: Result<(), Refused>) {
        if let Err((_, detail, kind)) = &result {
            let who = self.links.get(&key).and_then(|link| link.who);
            self.report(who, *kind, detail.clone());
        }
        if !settled {
            let state = match &result {
                Ok(()) => DeliveryState::Accepted,
                Err((condition, description, _)) => {
                    DeliveryState::Rejected(Some(AmqpError { condition, description }))
                }
            };
            self.write_disposition(key.0, Role::Receiver, id, 1, state);
        }
        self.answered(key, 1);
    }

    fn write_disposition(
        &mut self,
        channel: u16,
        role: Role,
        first: u32,
        count: u32,
        state: DeliveryState<'_>,
    ) {
        let last = (count > 1).then(|| first.wrapping_add(count - 1));
        let disposition = Disposition { role, first, last, settled: true, state: Some(state) };
        self.out.frame(channel, &Performative::Disposition(disposition));
    }

    fn answered(&mut self, key: LinkKey, count: u32) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if let Way::In { unanswered, .. } = &mut link.way {
            *unanswered = unanswered.saturating_sub(count);
            self.replenish(key);
        }
    }

    /// Gives a link credit again once there is room for half of what it may have.
    fn replenish(&mut self, key: LinkKey) {
        let Some(link) = self.links.get(&key) else { return };
        let full = self.full_credit(link.purpose);
        let Way::In { unanswered, .. } = link.way else { return };
        let room = full.saturating_sub(unanswered).saturating_sub(link.credit);
        if room > full / 2 || (link.credit == 0 && room > 0) {
            if let Some(link) = self.links.get_mut(&key) {
                link.credit += room;
            }
            self.write_flow(key, Some(key.1), false);
        }
    }

    fn telemetry(
        &mut self,
        key: LinkKey,
        (id, settled, format): (u32, bool, u32),
        payload: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), Refused> {
        let decode = |error: crate::amqp::wire::WireError| {
            (condition::DECODE, error.to_string(), IncidentKind::Malformed)
        };
        let lost =
            || (condition::UNAUTHORIZED, "the identity is gone".to_owned(), IncidentKind::ForeignTopic);
        let who = self.links.get(&key).and_then(|link| link.who).ok_or_else(lost)?;
        let mut messages = Vec::new();
        if format == BATCH_FORMAT {
            let sections = Sections::read(payload).map_err(decode)?;
            let many = match sections.body {
                Body::Data(one) => {
                    messages.push(self.message(who, one, scratch)?);
                    &[][..]
                }
                Body::ManyData(many) => many,
                _ => return Err(decode(crate::amqp::wire::WireError::Field("a batch"))),
            };
            let (mut reader, max) = (Reader::new(many), self.limits().max_unacknowledged_messages);
            while !reader.is_empty() {
                if let Value::Described(0x75, raw) = reader.value().map_err(decode)?
                    && let Value::Binary(one) = Reader::new(raw).value().map_err(decode)?
                {
                    // A few bytes make a message that takes many times as much.
                    if messages.len() >= max {
                        let detail = format!("a batch of more than {max} messages");
                        return Err((condition::LIMIT, detail, IncidentKind::Oversize));
                    }
                    messages.push(self.message(who, one, scratch)?);
                }
            }
        } else {
            messages.push(self.message(who, payload, scratch)?);
        }
        let at = match scratch.batches.iter().position(|batch| batch.who == who) {
            Some(at) => at,
            None => {
                let awaited = Awaited::Messages { ranges: Vec::new(), count: 0, bytes: 0 };
                scratch.batches.push(Batch { who, messages: Vec::new(), awaited });
                scratch.batches.len() - 1
            }
        };
        let Some(Batch { messages: all, awaited: Awaited::Messages { ranges, count, bytes }, .. }) =
            scratch.batches.get_mut(at)
        else {
            return Err(lost());
        };
        let size = messages.iter().map(|message| message.size()).sum::<usize>();
        *count += messages.len();
        *bytes += size;
        scratch.messages += messages.len();
        scratch.bytes += size;
        all.append(&mut messages);
        if settled {
            self.answered(key, 1);
        } else {
            match ranges.last_mut() {
                Some(last) if last.link == key && last.first.wrapping_add(last.count) == id => {
                    last.count += 1
                }
                _ => ranges.push(Range { link: key, first: id, count: 1 }),
            }
        }
        Ok(())
    }

    /// Makes a message of its bytes, stamped with who sent it.
    fn message(
        &self,
        who: u32,
        payload: &[u8],
        scratch: &mut Scratch,
    ) -> Result<edge_core::Message, Refused> {
        let decode = |error: crate::amqp::wire::WireError| {
            (condition::DECODE, error.to_string(), IncidentKind::Malformed)
        };
        let sections = Sections::read(payload).map_err(decode)?;
        let Scratch { builder, arena, body: buffer, .. } = scratch;
        builder.reset("");
        let found = amqp::read(&sections, Author::Client, builder).map_err(decode)?;
        let Some(body) = sections.body_bytes(buffer) else {
            return Err(decode(crate::amqp::wire::WireError::Field("the body of a message")));
        };
        let (size, max) = (found.bytes + body.len(), self.resources.limits().max_message_bytes);
        if size > max {
            let detail = format!("the message has {size} bytes, at most {max} are allowed");
            return Err((condition::MESSAGE_SIZE, detail, IncidentKind::Oversize));
        }
        let output: Option<PortName> = match found.output.as_deref().map(str::parse).transpose() {
            Ok(output) => output,
            Err(_) => {
                let detail = "the name of the output is no name".to_owned();
                return Err((condition::ARGUMENT, detail, IncidentKind::Malformed));
            }
        };
        let Some(client) = self.clients.get(&who) else {
            let detail = "the identity is gone".to_owned();
            return Err((condition::UNAUTHORIZED, detail, IncidentKind::ForeignTopic));
        };
        client.origin.stamp(builder, output.as_ref());
        Ok(builder.finish(arena, body))
    }

    fn send_to_device(
        &mut self,
        key: LinkKey,
        (id, settled): (u32, bool),
        payload: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), Refused> {
        let argument = |detail: &str| (condition::ARGUMENT, detail.to_owned(), IncidentKind::Malformed);
        let sections = Sections::read(payload)
            .map_err(|error| (condition::DECODE, error.to_string(), IncidentKind::Malformed))?;
        let to = sections.properties.to.text().and_then(recipient);
        let identity = to.ok_or_else(|| argument("the message does not say for which device it is"))?;
        let Scratch { builder, body: buffer, .. } = scratch;
        builder.reset(edge_core::Source::telemetry().as_str());
        amqp::read(&sections, Author::Client, builder)
            .map_err(|error| (condition::DECODE, error.to_string(), IncidentKind::Malformed))?;
        let body = sections.body_bytes(buffer).ok_or_else(|| argument("the body is no bytes"))?;
        let message = builder.finish(&mut bytes::BytesMut::new(), body);
        self.waiting_messages += 1;
        self.waiting_bytes += message.size();
        self.sending.push_back((key, id, if settled { usize::MAX } else { message.size() }));
        if settled {
            // Nobody is told what became of it, so nothing has to be remembered but its place.
            self.waiting_bytes -= message.size();
        }
        self.outputs.push_back(Output::SendToDevice { identity, message });
        Ok(())
    }

    /// Takes what became of the oldest message to a device.
    pub(super) fn sent(&mut self, answer: Result<(), (&'static str, String)>) {
        let Some((key, id, size)) = self.sending.pop_front() else { return };
        self.waiting_messages = self.waiting_messages.saturating_sub(1);
        if size == usize::MAX {
            return self.answered(key, 1);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(size);
        let state = match &answer {
            Ok(()) => DeliveryState::Accepted,
            Err((condition, description)) => {
                DeliveryState::Rejected(Some(AmqpError { condition, description }))
            }
        };
        if self.channels.contains_key(&key.0) {
            self.write_disposition(key.0, Role::Receiver, id, 1, state);
        }
        self.answered(key, 1);
    }

    /// Publishes what one read brought, one batch for each identity.
    pub(super) fn publish(&mut self, scratch: &mut Scratch) {
        (scratch.messages, scratch.bytes) = (0, 0);
        for Batch { who, messages, awaited } in scratch.batches.drain(..) {
            let Some(client) = self.clients.get_mut(&who) else { continue };
            if let Awaited::Messages { count, bytes, .. } = &awaited {
                self.waiting_messages += count;
                self.waiting_bytes += bytes;
            }
            client.awaited.push_back(awaited);
            self.outputs.push_back(Output::Publish { who, batch: messages });
        }
    }

    /// Takes the resolution of the oldest receipt of an identity.
    pub(super) fn resolved(&mut self, now: Instant, who: u32, ok: bool) {
        let Some(awaited) = self.clients.get_mut(&who).and_then(|client| client.awaited.pop_front()) else {
            return;
        };
        let Awaited::Messages { ranges, count, bytes } = awaited else {
            self.waiting_messages = self.waiting_messages.saturating_sub(1);
            if !ok {
                self.close(now, condition::INTERNAL, "a subscription could not be kept");
            }
            return;
        };
        self.waiting_messages = self.waiting_messages.saturating_sub(count);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        for Range { link, first, count } in ranges {
            if self.channels.contains_key(&link.0) {
                // Not `released`, which the Node SDK reports to its application as success.
                let state = if ok {
                    DeliveryState::Accepted
                } else {
                    let description = "the message could not be kept";
                    DeliveryState::Rejected(Some(AmqpError { condition: condition::INTERNAL, description }))
                };
                self.write_disposition(link.0, Role::Receiver, first, count, state);
            }
            self.answered(link, count);
        }
    }

    /// Takes what became of deliveries to the client.
    pub(super) fn disposition(&mut self, channel: u16, disposition: &Disposition<'_>) {
        let Some(state) = self.channels.get_mut(&channel) else { return };
        let settlement = match disposition.state {
            Some(DeliveryState::Accepted) => Settlement::Accept,
            Some(DeliveryState::Rejected(_)) => Settlement::Reject,
            Some(DeliveryState::Released | DeliveryState::Modified { .. }) => Settlement::Release,
            // Forgotten without a word: nobody knows whether it was taken.
            _ if disposition.settled => Settlement::Release,
            _ => return,
        };
        if disposition.role == Role::Sender {
            return;
        }
        let (first, last) = (disposition.first, disposition.last.unwrap_or(disposition.first));
        // Ids wrap around; what is looked at is what is there, however wide the range.
        let ids: Vec<u32> = if first <= last {
            state.unsettled.range(first..=last).map(|(id, _)| *id).collect()
        } else {
            state.unsettled.range(first..).chain(state.unsettled.range(..=last)).map(|(id, _)| *id).collect()
        };
        let settled: Vec<_> = ids.into_iter().filter_map(|id| state.unsettled.remove(&id)).collect();
        for unsettled in settled {
            self.forget_delivery(unsettled.who, unsettled.bytes);
            unsettled.delivery.settle(settlement);
        }
        if !disposition.settled {
            let answer = Disposition { role: Role::Sender, settled: true, ..*disposition };
            self.out.frame(channel, &Performative::Disposition(answer));
        }
    }
}
