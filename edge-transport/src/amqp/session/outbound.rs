//! Messages on their way to the client: as many as it gives credit for, in frames as large as it takes.

use std::time::Instant;

use edge_core::{Channel as Feed, Delivery, IncidentKind, SystemKey};

use super::link::{LinkKey, Queued, Unsettled, Way};
use super::{ServerConnection, Violation};
use crate::amqp::wire::{Performative, Transfer, condition};
use crate::iothub::{amqp, uuid};

/// How many bytes a frame has besides the part of a message that it carries, at most.
const FRAME_OVERHEAD: usize = 64;

impl ServerConnection {
    /// Hands on a delivery of the gateway; without a link for it, it is released.
    pub(super) fn deliver(&mut self, who: u32, delivery: Delivery) {
        let (input, link) = match (delivery.channel(), self.clients.get(&who)) {
            (Feed::Input(input), Some(client)) => (Some(input.to_string()), client.inputs),
            (_, Some(client)) => (None, client.cloud),
            _ => return,
        };
        let Some(key) = link else { return };
        self.deliver_on(key, Some((who, input)), delivery);
    }

    /// Hands on a delivery by a link: to a client's cloud-to-device messages or input, or to the service side.
    pub(super) fn deliver_on(&mut self, key: LinkKey, to: Option<(u32, Option<String>)>, delivery: Delivery) {
        // The service side has no number of a client's.
        let (who, input) = to.unwrap_or((u32::MAX, None));
        let mut bytes = Vec::with_capacity(delivery.message().size() + FRAME_OVERHEAD);
        amqp::write(delivery.message(), amqp::Reader::Client, input.as_deref(), &mut bytes);
        let token = delivery.message().system().value(SystemKey::LockToken).and_then(uuid::from_text);
        let tag = token.unwrap_or_else(|| {
            self.next_tag += 1;
            u128::from(self.next_tag).to_be_bytes()
        });
        let size = bytes.len();
        if let Some(client) = self.clients.get_mut(&who) {
            client.deliveries += 1;
            client.delivery_bytes += size;
        }
        let delivery = Some((delivery, who, size));
        self.enqueue(key, Queued { bytes, sent: 0, tag, delivery, id: None });
    }

    /// Hands on a message that the client does not answer.
    pub(super) fn enqueue_settled(&mut self, key: LinkKey, bytes: Vec<u8>) {
        self.next_tag += 1;
        let tag = u128::from(self.next_tag).to_be_bytes();
        self.urgent_bytes += bytes.len();
        self.enqueue(key, Queued { bytes, sent: 0, tag, delivery: None, id: None });
    }

    fn enqueue(&mut self, key: LinkKey, queued: Queued) {
        if let Some(Way::Out { queue, .. }) = self.links.get_mut(&key).map(|link| &mut link.way) {
            queue.push_back(queued);
            self.backlog.insert(key);
        }
    }

    /// Sends what may be sent.
    pub(super) fn flush(&mut self, now: Instant) {
        let mut after = None;
        loop {
            let next = match after {
                None => self.backlog.first().copied(),
                Some(after) => {
                    use std::ops::Bound::{Excluded, Unbounded};
                    self.backlog.range((Excluded(after), Unbounded)).next().copied()
                }
            };
            let Some(key) = next else { break };
            self.pump(key);
            after = Some(key);
        }
        if self.urgent_bytes > self.limits().max_urgent_bytes {
            let detail = "the client takes nothing of what it asked for";
            self.violated(now, Violation::new(IncidentKind::Stalled, condition::LIMIT, detail));
        }
    }

    /// Sends what may be sent on one link.
    pub(super) fn pump(&mut self, key: LinkKey) {
        let max_outbound = self.resources.limits().max_outbound_bytes;
        let room = self.peer_max_frame.saturating_sub(FRAME_OVERHEAD).max(1);
        let (Some(link), Some(state)) = (self.links.get_mut(&key), self.channels.get_mut(&key.0)) else {
            self.backlog.remove(&key);
            return;
        };
        let Way::Out { queue, .. } = &mut link.way else { return };
        while let Some(front) = queue.front_mut() {
            let may_begin = front.id.is_some() || link.credit > 0;
            let is_full = front.delivery.is_some() && self.out.pending().len() >= max_outbound;
            if !may_begin || is_full || state.outgoing_window == 0 {
                return;
            }
            let is_first = front.id.is_none();
            let id = *front.id.get_or_insert_with(|| {
                link.credit -= 1;
                link.delivery_count = link.delivery_count.wrapping_add(1);
                let id = state.next_delivery;
                state.next_delivery = id.wrapping_add(1);
                id
            });
            let rest = front.bytes.get(front.sent..).unwrap_or_default();
            let payload = rest.get(..room.min(rest.len())).unwrap_or_default();
            let more = payload.len() < rest.len();
            let transfer = Transfer {
                handle: key.1,
                delivery_id: is_first.then_some(id),
                delivery_tag: is_first.then_some(&front.tag[..]),
                message_format: is_first.then_some(0),
                settled: Some(front.delivery.is_none()),
                more,
                aborted: false,
                payload,
            };
            self.out.frame(key.0, &Performative::Transfer(transfer));
            state.next_outgoing = state.next_outgoing.wrapping_add(1);
            state.outgoing_window -= 1;
            front.sent += payload.len();
            if more {
                continue;
            }
            let Some(done) = queue.pop_front() else { return };
            match done.delivery {
                Some((delivery, who, bytes)) => {
                    state.unsettled.insert(id, Unsettled { delivery, who, bytes, link: key });
                }
                None => self.urgent_bytes -= done.bytes.len(),
            }
        }
        *queue = std::collections::VecDeque::new();
        self.backlog.remove(&key);
    }
}
