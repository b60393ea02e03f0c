//! Texts that a condition makes: where they live, and how many there may be.

use bumpalo::Bump;

use crate::limits::MAX_MADE_BYTES;

/// Counts the bytes of the texts that are made, of which there is a limit for each condition.
#[derive(Debug)]
pub(crate) struct Maker<'m> {
    bump: &'m Bump,
    /// Bytes that the condition makes. Values that were made for an earlier one count too, so that the outcome does
    /// not depend on the routes beside it.
    made: usize,
    /// Bytes that were made in fact, for all conditions so far.
    held: usize,
}

impl<'m> Maker<'m> {
    pub(crate) const fn new(bump: &'m Bump) -> Self {
        Self { bump, made: 0, held: 0 }
    }

    /// Where the texts live.
    pub(crate) const fn bump(&self) -> &'m Bump {
        self.bump
    }

    /// A new condition begins.
    pub(crate) const fn begin(&mut self) {
        self.made = 0;
    }

    /// Bytes that the condition has made so far.
    pub(crate) const fn made(&self) -> usize {
        self.made
    }

    /// Whether so many bytes may be made; they then count.
    pub(crate) const fn make(&mut self, bytes: usize) -> bool {
        self.reuse(bytes);
        if self.is_over() {
            return false;
        }
        self.held = self.held.saturating_add(bytes);
        true
    }

    /// Counts bytes that are there already.
    pub(crate) const fn reuse(&mut self, bytes: usize) {
        self.made = self.made.saturating_add(bytes);
    }

    /// Whether the condition has gone beyond the limit, and so is undefined.
    pub(crate) const fn is_over(&self) -> bool {
        self.made > MAX_MADE_BYTES
    }

    /// Whether so much is held that the next condition had better begin with nothing.
    pub(crate) const fn is_full(&self) -> bool {
        self.held >= MAX_MADE_BYTES
    }
}
