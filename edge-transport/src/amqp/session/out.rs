//! Bytes on their way to the client.

use std::time::Instant;

use crate::amqp::wire::{FrameKind, Performative, Protocol, begin_frame, empty_frame, end_frame};

/// The bytes that wait for the socket.
#[derive(Debug)]
pub(super) struct Out {
    bytes: Vec<u8>,
    sent: usize,
    blocked_since: Option<Instant>,
    /// When something was last written.
    wrote: Instant,
}

impl Out {
    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: Vec::new(), sent: 0, blocked_since: None, wrote: now }
    }

    pub(super) fn header(&mut self, protocol: Protocol) {
        self.bytes.extend_from_slice(&protocol.header());
    }

    pub(super) fn frame(&mut self, channel: u16, performative: &Performative<'_>) {
        let start = begin_frame(&mut self.bytes, FrameKind::Amqp, channel);
        performative.write(&mut self.bytes);
        end_frame(&mut self.bytes, start);
    }

    pub(super) fn heartbeat(&mut self) {
        empty_frame(&mut self.bytes);
    }

    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Since when the socket takes nothing although something waits for it.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    pub(super) fn wrote(&self) -> Instant {
        self.wrote
    }

    pub(super) fn written(&mut self, now: Instant, bytes: usize) {
        self.sent += bytes;
        if bytes > 0 {
            self.wrote = now;
        }
        if self.sent >= self.bytes.len() {
            self.discard();
        } else if bytes > 0 {
            self.blocked_since = Some(now);
        } else {
            self.blocked_since.get_or_insert(now);
        }
    }

    pub(super) fn discard(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.blocked_since = None;
    }

    /// Exchanges buffers when there is nothing in either; and moves what waits into a buffer of its own size.
    pub(super) fn swap_buffer(&mut self, buffer: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            std::mem::swap(&mut self.bytes, buffer);
        } else if buffer.capacity() == 0 {
            let rest = self.pending().to_vec();
            *buffer = std::mem::replace(&mut self.bytes, rest);
            buffer.clear();
            self.sent = 0;
        }
    }
}
