//! Packets of a client that was let in.

use std::num::NonZeroU16;
use std::time::Instant;

use bytes::BytesMut;
use edge_core::{FeedSet, IdError, IncidentKind};

use super::requests::{self, Sinks};
use super::{Open, Output, Phase, Scratch, ServerSession, Violation};
use crate::TransportLimits;
use crate::iothub::bag;
use crate::iothub::topic::{self, Inbound, Wanted};
use crate::mqtt::packet::{ConnectCode, DecodeError, Filters, Packet, Publish, QoS, Quality, v4};

/// The most bytes of a PUBLISH beside its message: first byte, length, topic with a property bag, packet identifier.
///
/// The property bag counts towards the message too, but percent-encoding can make it three times as long.
const PUBLISH_OVERHEAD_BYTES: usize = 5 + 2 + 65_535 + 2;

impl Violation {
    pub(super) fn no_memory() -> Self {
        Self::new(IncidentKind::Oversize, "no memory is left for packets that arrive in parts")
    }
}

impl From<DecodeError> for Violation {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::TooLarge { .. } => IncidentKind::Oversize,
            DecodeError::ProtocolLevel(_) => IncidentKind::Unsupported,
            _ => IncidentKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

impl ServerSession {
    /// Takes bytes of the client: all whole packets in them become one batch.
    pub(super) fn feed(&mut self, now: Instant, mut input: &[u8], scratch: &mut Scratch) {
        let result = self.feed_packets(now, &mut input, scratch);
        self.publish(scratch);
        scratch.arena = BytesMut::new();
        if let Err(violation) = result {
            self.violated(now, violation);
        }
    }

    fn feed_packets(
        &mut self,
        now: Instant,
        input: &mut &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), Violation> {
        if !self.partial.is_empty() {
            let mut bytes = self.partial.take();
            while let Some(more) = self.missing(&bytes).map(|missing| missing.min(input.len()))
                && let Some((first, rest)) = input.split_at_checked(more)
                && !first.is_empty()
            {
                bytes.extend_from_slice(first);
                *input = rest;
            }
            let used = self.decode_all(now, &bytes, scratch)?;
            bytes.drain(..used);
            if !bytes.is_empty() {
                bytes.extend_from_slice(input);
                if used > 0 {
                    self.partial.restart(now);
                }
                return if self.partial.keep_on(bytes) { Ok(()) } else { Err(Violation::no_memory()) };
            }
            self.partial.discard();
        }
        let used = self.decode_all(now, input, scratch)?;
        match input.get(used..) {
            None | Some([]) => Ok(()),
            Some(_) if matches!(self.phase, Phase::Closing { .. }) => Ok(()),
            Some(rest) if self.partial.keep(now, rest) => Ok(()),
            Some(_) => Err(Violation::no_memory()),
        }
    }

    /// How many bytes the first packet of `bytes` still lacks; `None` when it is whole or wrong.
    fn missing(&self, bytes: &[u8]) -> Option<usize> {
        match v4::frame(bytes, usize::MAX) {
            Ok(None) => Some(1),
            Ok(Some(frame)) => frame.total_bytes.checked_sub(bytes.len()).filter(|&missing| missing > 0),
            Err(_) => None,
        }
    }

    /// Takes all whole packets at the start of `bytes`, and returns how many bytes they have.
    fn decode_all(&mut self, now: Instant, bytes: &[u8], scratch: &mut Scratch) -> Result<usize, Violation> {
        let mut rest = bytes;
        loop {
            let frame = match &self.phase {
                Phase::Greeting { .. } => {
                    let frame = v4::frame(rest, self.limits().max_connect_bytes)?;
                    if frame.is_some_and(|frame| !frame.is_connect()) {
                        return Err(Violation::new(
                            IncidentKind::Malformed,
                            "the first packet is no CONNECT",
                        ));
                    }
                    frame
                }
                Phase::Open(open) if open.requests.waiting() >= self.limits().max_twin_requests => break,
                Phase::Open(_) => {
                    let frame = v4::frame(rest, self.limits().max_message_bytes + PUBLISH_OVERHEAD_BYTES)?;
                    let max = self.limits().max_control_bytes;
                    match frame {
                        Some(frame) if !frame.is_publish() && frame.total_bytes > max => {
                            return Err(DecodeError::TooLarge { bytes: frame.total_bytes, max }.into());
                        }
                        frame => frame,
                    }
                }
                Phase::Opening { .. } | Phase::Closing { .. } => break,
            };
            let Some((packet, after)) = frame.and_then(|frame| rest.split_at_checked(frame.total_bytes))
            else {
                break;
            };
            self.packet(now, packet, rest.len(), scratch)?;
            rest = after;
        }
        let used = bytes.len() - rest.len();
        if used > 0 {
            self.heard = now;
        }
        Ok(used)
    }

    /// Takes one packet, whose bytes are the first of `left`.
    fn packet(
        &mut self,
        now: Instant,
        bytes: &[u8],
        left: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Violation> {
        let packet = match v4::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                if let DecodeError::ProtocolLevel(_) = error {
                    self.refuse(now, ConnectCode::ProtocolLevel);
                }
                return Err(error.into());
            }
        };
        let Phase::Open(open) = &mut self.phase else {
            let Packet::Connect(connect) = packet else { return Ok(()) };
            return self.connect(now, &connect).map_err(|(code, violation)| {
                if let Some(code) = code {
                    self.refuse(now, code);
                }
                violation
            });
        };
        match packet {
            Packet::Publish(publish) => {
                let limits = self.resources.limits();
                let sinks = Sinks { out: &mut self.out, outputs: &mut self.outputs };
                open.publish(&publish, limits, (bytes.len(), left), scratch, sinks)
            }
            Packet::PubAck(id) => {
                open.deliveries.taken(id);
                Ok(())
            }
            Packet::PingReq => {
                let _written = self.out.put(&Packet::PingResp);
                Ok(())
            }
            Packet::Subscribe { packet_id, filters } => {
                self.subscribe(packet_id, filters, scratch);
                Ok(())
            }
            Packet::Unsubscribe { packet_id, filters } => {
                self.unsubscribe(packet_id, filters, scratch);
                Ok(())
            }
            Packet::Disconnect => {
                self.publish(scratch);
                self.end(now, true);
                Ok(())
            }
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                Err(Violation::new(IncidentKind::Unsupported, "QoS 2 is not offered"))
            }
            _ => Err(Violation::new(IncidentKind::Malformed, "a packet that no client may send now")),
        }
    }

    fn subscribe(&mut self, packet_id: NonZeroU16, filters: Filters<'_>, scratch: &mut Scratch) {
        self.publish(scratch);
        let Phase::Open(open) = &mut self.phase else { return };
        let mut feeds = FeedSet::EMPTY;
        let mut codes = Vec::new();
        for (filter, qos) in filters {
            match topic::wanted(open.origin.identity(), filter) {
                Wanted::Feed(feed) => {
                    feeds = feeds.with(feed);
                    open.at_most_once = match qos {
                        QoS::AtMostOnce => open.at_most_once.with(feed),
                        _ => open.at_most_once.without(feed.into()),
                    };
                }
                Wanted::Nothing => {}
                Wanted::Foreign => {
                    let detail = format!("a subscription to {:?}", shown(filter));
                    self.outputs.push_back(Output::Report(IncidentKind::ForeignTopic, detail));
                }
            }
            codes.push((qos as u8).min(1));
        }
        open.feeds = open.feeds.union(feeds);
        open.unacknowledged.push_subscribe(packet_id, codes.into());
        self.outputs.push_back(Output::Subscribe(feeds));
    }

    fn unsubscribe(&mut self, packet_id: NonZeroU16, filters: Filters<'_>, scratch: &mut Scratch) {
        self.publish(scratch);
        let Phase::Open(open) = &mut self.phase else { return };
        let mut feeds = FeedSet::EMPTY;
        for (filter, _) in filters {
            if let Wanted::Feed(feed) = topic::wanted(open.origin.identity(), filter) {
                feeds = feeds.with(feed);
            }
        }
        open.feeds = open.feeds.without(feeds);
        open.unacknowledged.push_unsubscribe(packet_id);
        self.outputs.push_back(Output::Unsubscribe(feeds));
    }

    /// Hands on the messages decoded so far.
    fn publish(&mut self, scratch: &mut Scratch) {
        let batch = std::mem::take(&mut scratch.batch);
        let bytes = std::mem::take(&mut scratch.batch_bytes);
        let acks = std::mem::take(&mut scratch.batch_acks);
        let Phase::Open(open) = &mut self.phase else { return };
        if !batch.is_empty() {
            open.unacknowledged.push_batch(batch.len(), bytes, acks);
            self.outputs.push_back(Output::Publish(batch));
        } else if acks > 0 {
            open.unacknowledged.push_acks(acks, &mut self.out);
        }
    }
}

impl Open {
    /// Takes a message of `sizes.0` bytes on the wire, `sizes.1` with all that came behind it.
    fn publish(
        &mut self,
        publish: &Publish<'_>,
        limits: &TransportLimits,
        sizes: (usize, usize),
        scratch: &mut Scratch,
        sinks: Sinks<'_>,
    ) -> Result<(), Violation> {
        if let Quality::ExactlyOnce(_) = publish.quality {
            return Err(Violation::new(IncidentKind::Unsupported, "QoS 2 is not offered"));
        }
        match topic::inbound(self.origin.identity(), publish.topic) {
            Some(Inbound::Telemetry { bag }) => {
                self.telemetry(publish, bag, limits.max_message_bytes, sizes, scratch)?;
            }
            Some(Inbound::Twin { operation, rid }) => {
                self.ask_twin(operation, rid, publish.payload, limits, sinks)?;
            }
            Some(Inbound::MethodResponse { id, status }) => {
                requests::answer_method(id, status, publish, limits, sinks.outputs);
            }
            None => {
                let detail = format!("a message to {:?}", shown(publish.topic));
                return Err(Violation::new(IncidentKind::ForeignTopic, detail));
            }
        }
        if let Quality::AtLeastOnce(id) = publish.quality {
            scratch.batch_acks += 1;
            self.unacknowledged.push_id(id);
        }
        Ok(())
    }

    fn telemetry(
        &mut self,
        publish: &Publish<'_>,
        bag: &str,
        max_bytes: usize,
        (packet_bytes, left): (usize, usize),
        scratch: &mut Scratch,
    ) -> Result<(), Violation> {
        let builder = &mut scratch.builder;
        builder.reset("");
        let malformed = |detail: String| Violation::new(IncidentKind::Malformed, detail);
        let read = bag::read(bag, builder).map_err(|error| malformed(error.to_string()))?;
        let bytes = read.bytes + publish.payload.len();
        if bytes > max_bytes {
            let detail = format!("a message of {bytes} bytes, at most {max_bytes} are allowed");
            return Err(Violation::new(IncidentKind::Oversize, detail));
        }
        if publish.retain {
            builder.set_property(bag::RETAIN, Some("true"));
        }
        if publish.dup {
            builder.set_property(bag::DUP, Some("true"));
        }
        let is_module = self.origin.identity().module().is_some();
        let output = match read.output.filter(|name| is_module && !name.is_empty()) {
            Some(name) => {
                if self.last_output.as_ref().is_none_or(|last| last.as_str() != name) {
                    self.last_output =
                        Some(name.parse().map_err(|error: IdError| malformed(error.to_string()))?);
                }
                self.last_output.as_ref()
            }
            None => None,
        };
        self.origin.stamp(builder, output);
        if scratch.arena.capacity() == 0 {
            // One allocation for the whole batch, if its messages are like the first.
            let overhead = if self.overhead == 0 { 192 } else { self.overhead };
            scratch.arena.reserve(left + (left / packet_bytes.max(1) + 1) * overhead);
        }
        let message = scratch.builder.finish(&mut scratch.arena, publish.payload);
        self.overhead = message.encoded().len().saturating_sub(packet_bytes);
        scratch.batch_bytes += message.size();
        scratch.batch.push(message);
        Ok(())
    }
}

/// Returns the first bytes of a text that a client chose, for the log.
pub(super) fn shown(text: &str) -> &str {
    let end = (0..=text.len().min(120)).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
