//! Bytes on their way to the client.

use std::time::Instant;

/// The bytes that wait for the socket; each protocol adds how it writes into them.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    sent: usize,
    blocked_since: Option<Instant>,
}

impl Outbound {
    /// Where to write what is to be sent.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Since when the socket takes nothing although something waits for it.
    pub(crate) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    pub(crate) fn written(&mut self, now: Instant, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.bytes.len() {
            self.discard();
        } else if bytes > 0 {
            self.blocked_since = Some(now);
        } else {
            self.blocked_since.get_or_insert(now);
        }
    }

    pub(crate) fn discard(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.blocked_since = None;
    }

    /// Exchanges buffers when there is nothing in either; and moves what waits into a buffer of its own size.
    pub(crate) fn swap_buffer(&mut self, buffer: &mut Vec<u8>) {
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
