//! Takes bytes apart, and hands each frame to whom it concerns.

use std::time::Instant;

use edge_core::IncidentKind;

use super::link::{Channel, INCOMING_WINDOW, Way};
use super::{CHANNEL_MAX, HANDLE_MAX, MAX_FRAME_BYTES, Phase, Scratch, ServerConnection, Violation};
use crate::amqp::wire::{
    Begin, Close, Detach, End, Flow, FrameHead, FrameKind, Performative, condition, frame,
};

/// The bytes of a protocol header.
const HEADER_BYTES: usize = 8;

impl ServerConnection {
    /// Takes bytes of the client, with those that waited.
    pub(super) fn feed(&mut self, now: Instant, bytes: &[u8], scratch: &mut Scratch) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        self.heard = now;
        let kept = std::mem::take(&mut self.partial);
        if kept.is_empty() {
            let used = self.decode(now, bytes, scratch);
            self.publish(scratch);
            self.keep(now, bytes.get(used..).unwrap_or_default().to_vec(), true);
        } else {
            let mut all = kept;
            all.extend_from_slice(bytes);
            let used = self.decode(now, &all, scratch);
            self.publish(scratch);
            all.drain(..used.min(all.len()));
            all.shrink_to_fit();
            self.keep(now, all, used > 0);
        }
    }

    /// Keeps what is no whole frame yet, or is not to be looked at yet.
    fn keep(&mut self, now: Instant, rest: Vec<u8>, begins: bool) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        if begins {
            self.partial_since = now;
        }
        // What is whole and waits its turn is at most one read, while nothing more is read: it takes no memory from others.
        let in_part = if self.is_busy() { 0 } else { rest.capacity() };
        if !self.share.resize(in_part) {
            let detail = "no memory is left for what arrives in part";
            return self.violated(now, Violation::new(IncidentKind::Oversize, condition::LIMIT, detail));
        }
        self.partial = rest;
    }

    /// Decodes whole frames, and returns how many bytes were used.
    fn decode(&mut self, now: Instant, bytes: &[u8], scratch: &mut Scratch) -> usize {
        let mut used = 0;
        loop {
            // What waits for a decision, or for receipts, is looked at afterwards.
            if self.opening.is_some()
                || self.is_busy_with(scratch.messages, scratch.bytes)
                || matches!(self.phase, Phase::Closing { .. } | Phase::SaslOpening)
            {
                return used;
            }
            let rest = bytes.get(used..).unwrap_or_default();
            let step = match self.phase {
                Phase::Header { after_sasl } => match rest.first_chunk::<HEADER_BYTES>() {
                    Some(header) => self.header(now, header, after_sasl).map(|()| HEADER_BYTES),
                    None if !b"AMQP".starts_with(rest.get(..4.min(rest.len())).unwrap_or_default()) => {
                        Err(Violation::malformed("the connection does not begin with AMQP"))
                    }
                    None => return used,
                },
                _ => match self.whole_frame(rest) {
                    Ok(Some(head)) => {
                        let body = rest.get(head.body..head.total).unwrap_or_default();
                        self.take_frame(now, head, body, scratch).map(|()| head.total)
                    }
                    Ok(None) => return used,
                    Err(violation) => Err(violation),
                },
            };
            match step {
                Ok(bytes) => used += bytes,
                Err(violation) => {
                    // What was taken before it counts.
                    self.publish(scratch);
                    self.violated(now, violation);
                    return bytes.len();
                }
            }
        }
    }

    fn whole_frame(&self, rest: &[u8]) -> Result<Option<FrameHead>, Violation> {
        let max = if self.until.is_some() && !matches!(self.phase, Phase::Open) {
            self.limits().max_connect_bytes
        } else {
            usize::try_from(MAX_FRAME_BYTES).unwrap_or(usize::MAX)
        };
        let head = frame(rest, max).map_err(Violation::malformed)?;
        Ok(head.filter(|head| head.total <= rest.len()))
    }

    fn take_frame(
        &mut self,
        now: Instant,
        head: FrameHead,
        body: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), Violation> {
        match (head.kind, &self.phase) {
            (FrameKind::Sasl, Phase::Sasl) => self.sasl(body),
            (FrameKind::Amqp, Phase::Greeting | Phase::Open) if body.is_empty() => Ok(()),
            (FrameKind::Amqp, Phase::Greeting) => {
                match Performative::read(body).map_err(Violation::malformed)? {
                    Performative::Open(open) => self.greeted(&open),
                    _ => Err(Violation::malformed("the first frame is not OPEN")),
                }
            }
            (FrameKind::Amqp, Phase::Open) => {
                let performative = Performative::read(body).map_err(Violation::malformed)?;
                self.take(now, head.channel, performative, scratch)
            }
            _ => Err(Violation::malformed("a frame of the other layer")),
        }
    }

    fn take(
        &mut self,
        now: Instant,
        channel: u16,
        performative: Performative<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Violation> {
        let is_known = self.channels.contains_key(&channel);
        match performative {
            Performative::Open(_) => Err(Violation::malformed("a second OPEN")),
            Performative::Close(close) => {
                if let Some(error) = close.error {
                    tracing::debug!(peer = ?self.peer, condition = error.condition, "a client closes with an error");
                }
                self.publish(scratch);
                self.out.frame(0, &Performative::Close(Close { error: None }));
                self.end(now);
                Ok(())
            }
            Performative::Begin(begin) if !is_known => self.begin(channel, &begin),
            Performative::Begin(_) => Err(Violation::malformed("BEGIN on a channel that is in use")),
            // Frames that were on their way when the server ended a session or detached a link mean nothing any more.
            _ if !is_known => Err(Violation::malformed("a frame on a channel that is not in use")),
            Performative::Attach(attach) => self.attach(channel, &attach),
            Performative::Flow(flow) => {
                self.flow(channel, &flow);
                Ok(())
            }
            Performative::Transfer(transfer) => self.transfer(now, channel, &transfer, scratch),
            Performative::Disposition(disposition) => {
                self.disposition(channel, &disposition);
                Ok(())
            }
            Performative::Detach(detach) => {
                // What was sent before the link went is published under it.
                self.publish(scratch);
                self.detached(channel, &detach);
                Ok(())
            }
            Performative::End(_) => {
                self.publish(scratch);
                let links: Vec<u32> =
                    self.links.range((channel, 0)..=(channel, u32::MAX)).map(|(k, _)| k.1).collect();
                for handle in links {
                    self.remove_link((channel, handle));
                }
                self.channels.remove(&channel);
                self.out.frame(channel, &Performative::End(End { error: None }));
                Ok(())
            }
        }
    }

    /// Ends all links and sessions before a CLOSE: the Node SDK does so when it hears one, and waits 45 s for answers that
    /// cannot come.
    pub(super) fn end_sessions(&mut self) {
        for (channel, handle) in std::mem::take(&mut self.links).into_keys() {
            let detach = Detach { handle, closed: true, error: None };
            self.out.frame(channel, &Performative::Detach(detach));
        }
        for channel in std::mem::take(&mut self.channels).into_keys() {
            self.out.frame(channel, &Performative::End(End { error: None }));
        }
    }

    fn begin(&mut self, channel: u16, begin: &Begin) -> Result<(), Violation> {
        if channel > CHANNEL_MAX {
            return Err(Violation::malformed("a channel above channel-max"));
        }
        let state = Channel {
            next_incoming: begin.next_outgoing_id,
            incoming_window: INCOMING_WINDOW,
            next_outgoing: 0,
            outgoing_window: begin.incoming_window,
            next_delivery: 0,
            unsettled: std::collections::BTreeMap::new(),
        };
        let answer = Begin {
            remote_channel: Some(channel),
            next_outgoing_id: 0,
            incoming_window: INCOMING_WINDOW,
            outgoing_window: INCOMING_WINDOW,
            handle_max: Some(HANDLE_MAX),
        };
        self.out.frame(channel, &Performative::Begin(answer));
        self.channels.insert(channel, state);
        Ok(())
    }

    /// Takes what the client says of windows and credit. AMQP 1.0 §2.5.6, §2.6.7.
    fn flow(&mut self, channel: u16, flow: &Flow) {
        let Some(state) = self.channels.get_mut(&channel) else { return };
        // What the client has not seen yet counts against its window.
        let seen = flow.next_incoming_id.unwrap_or(0);
        let unseen = state.next_outgoing.wrapping_sub(seen);
        state.outgoing_window = flow.incoming_window.saturating_sub(unseen);
        let Some(handle) = flow.handle else {
            if flow.echo {
                self.write_flow((channel, u32::MAX), None, false);
            }
            return;
        };
        let key = (channel, handle);
        let Some(link) = self.links.get_mut(&key) else { return };
        if let Way::Out { drain, .. } = &mut link.way {
            let unseen = link.delivery_count.wrapping_sub(flow.delivery_count.unwrap_or(0));
            link.credit = flow.link_credit.unwrap_or(0).saturating_sub(unseen);
            *drain = flow.drain;
            self.pump(key);
            self.drained(key);
        }
        if flow.echo {
            self.write_flow(key, Some(handle), false);
        }
    }

    /// Gives back the credit of a client that wants what there is and nothing later.
    fn drained(&mut self, key: (u16, u32)) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let Way::Out { drain, queue } = &mut link.way else { return };
        if std::mem::take(drain) && queue.is_empty() {
            link.delivery_count = link.delivery_count.wrapping_add(link.credit);
            link.credit = 0;
            self.write_flow(key, Some(key.1), true);
        }
    }

    /// Says how the session's windows and a link's credit stand.
    pub(super) fn write_flow(&mut self, key: (u16, u32), handle: Option<u32>, drain: bool) {
        let Some(state) = self.channels.get_mut(&key.0) else { return };
        state.incoming_window = INCOMING_WINDOW;
        let link = handle.and_then(|_| self.links.get(&key));
        let flow = Flow {
            next_incoming_id: Some(state.next_incoming),
            incoming_window: state.incoming_window,
            next_outgoing_id: state.next_outgoing,
            outgoing_window: INCOMING_WINDOW,
            handle: link.and(handle),
            delivery_count: link.map(|link| link.delivery_count),
            link_credit: link.map(|link| link.credit),
            drain,
            echo: false,
        };
        self.out.frame(key.0, &Performative::Flow(flow));
    }
}
