//! The order of the queue.

use edge_core::{Offset, ReadBatch};

use super::super::runs::Fate;
use super::{Loaded, Part, Plan, Refusals};

/// A cursor below which everything has left.
#[derive(Debug, Default)]
pub(crate) struct Strict {
    cursor: Offset,
    /// Where the batch that was read last ended.
    read_to: Offset,
    pub(super) refusals: Refusals,
}

impl Strict {
    pub(crate) fn new(cursor: Offset) -> Self {
        Self { cursor, read_to: cursor, ..Self::default() }
    }

    pub(super) fn plan(&self) -> Plan {
        Plan::Read(vec![Part { from: self.cursor, most: usize::MAX }])
    }

    pub(super) fn loaded(&mut self, part: Part, batch: ReadBatch) -> Loaded {
        let moved = batch.next > part.from;
        self.read_to = batch.next.max(self.cursor);
        if batch.entries.is_empty() {
            self.cursor = self.read_to;
        }
        Loaded { send: batch.entries, moved }
    }

    /// Moves the cursor to the first entry that stays.
    pub(super) fn judged(&mut self, fates: &[(Offset, Fate)]) {
        let open = fates.iter().find(|(_, fate)| *fate == Fate::Again);
        self.cursor = open.map_or(self.read_to, |(offset, _)| *offset);
        self.refusals.forget_below(self.cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn what_stays_is_read_first() {
        let mut lane = Strict::new(0);
        let part = Part { from: 0, most: usize::MAX };
        assert_eq!(lane.plan(), Plan::Read(vec![part]));
        let loaded = lane.loaded(part, read(&[0, 1, 2, 3], 4));
        assert_eq!(loaded.send.len(), 4);
        let fates = [(0, Fate::Delivered), (1, Fate::Again), (2, Fate::Delivered), (3, Fate::Delivered)];
        lane.judged(&fates);
        let part = Part { from: 1, most: usize::MAX };
        assert_eq!(lane.plan(), Plan::Read(vec![part]));
        lane.loaded(part, read(&[1, 4], 5));
        lane.judged(&[(1, Fate::Delivered), (4, Fate::Delivered)]);
        assert_eq!(lane.plan(), Plan::Read(vec![Part { from: 5, most: usize::MAX }]));
    }

    #[test]
    fn gaps_are_passed() {
        let mut lane = Strict::new(3);
        assert!(lane.loaded(Part { from: 3, most: 9 }, read(&[], 8)).moved);
        assert_eq!(lane.plan(), Plan::Read(vec![Part { from: 8, most: usize::MAX }]));
        assert!(!lane.loaded(Part { from: 8, most: 9 }, read(&[], 8)).moved);
    }
}
