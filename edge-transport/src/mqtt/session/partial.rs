//! The first part of a packet whose rest has not arrived.

use std::time::Instant;

use crate::limits::Share;

/// What arrived and could not be used yet, in memory as large as that, drawn from a shared budget.
#[derive(Debug)]
pub(super) struct Partial {
    bytes: Vec<u8>,
    share: Share,
    since: Instant,
}

impl Partial {
    pub(super) fn new(share: Share, now: Instant) -> Self {
        Self { bytes: Vec::new(), share, since: now }
    }

    /// Goes on with another budget; `false` when that has not enough left.
    pub(super) fn move_to(&mut self, mut share: Share) -> bool {
        let enough = share.resize(self.bytes.capacity());
        self.share = share;
        enough
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn incomplete_since(&self) -> Option<Instant> {
        if self.bytes.is_empty() { None } else { Some(self.since) }
    }

    pub(super) fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    /// Takes the bytes out; [`Partial::keep`] or [`Partial::keep_on`] puts back what is left.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Keeps the first bytes of a packet; `false` when the budget does not have so many.
    pub(super) fn keep(&mut self, now: Instant, bytes: &[u8]) -> bool {
        self.since = now;
        self.keep_on(bytes.to_vec())
    }

    /// Keeps more bytes of the same packet; `false` when the budget does not have so many.
    pub(super) fn keep_on(&mut self, bytes: Vec<u8>) -> bool {
        self.bytes = bytes;
        self.share.resize(self.bytes.capacity())
    }

    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
        self.share.resize(0);
    }
}
