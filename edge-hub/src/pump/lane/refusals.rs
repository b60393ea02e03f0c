//! How often an endpoint has refused which entry.

use std::collections::BTreeMap;

use edge_core::Offset;

/// Counts by offset, for entries that have not left.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<Offset, u32>);

impl Refusals {
    /// Counts one more, and returns how many there are.
    pub(crate) fn count(&mut self, offset: Offset) -> u32 {
        let count = self.0.entry(offset).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub(crate) fn forget(&mut self, offset: Offset) {
        self.0.remove(&offset);
    }

    /// Forgets what is not at or above `from`.
    pub(crate) fn forget_below(&mut self, from: Offset) {
        if !self.0.is_empty() {
            self.0 = self.0.split_off(&from);
        }
    }
}
