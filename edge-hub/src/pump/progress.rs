//! How far an endpoint is with one of its queues.

use std::collections::{BTreeMap, BTreeSet};

use edge_core::{Offset, Outcome, Stored};

/// The place in one queue, and what is settled above it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    cursor: Offset,
    settled: BTreeSet<Offset>,
    refusals: BTreeMap<Offset, u32>,
}

/// What the outcomes of a batch mean.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Entries that were delivered.
    pub(crate) delivered: Vec<Stored>,
    /// Entries that were refused as often as allowed, with the last reason.
    pub(crate) dead: Vec<(Stored, String)>,
    /// How many entries are to be sent again.
    pub(crate) again: usize,
}

impl Progress {
    pub(crate) fn at(cursor: Offset) -> Self {
        Self { cursor, ..Self::default() }
    }

    /// Returns the offset to read from.
    pub(crate) fn cursor(&self) -> Offset {
        self.cursor
    }

    /// Takes entries that are settled already out of what was read.
    pub(crate) fn retain_open(&self, entries: &mut Vec<Stored>) {
        if !self.settled.is_empty() {
            entries.retain(|stored| !self.settled.contains(&stored.offset));
        }
    }

    /// Judges the outcomes of a batch; nothing is settled by it yet.
    pub(crate) fn judge(&mut self, batch: Vec<Stored>, outcomes: Vec<Outcome>, max_refusals: u32) -> Verdict {
        let mut verdict = Verdict::default();
        let outcomes = outcomes.into_iter().chain(std::iter::repeat(Outcome::Released));
        for (stored, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Accepted => verdict.delivered.push(stored),
                Outcome::Rejected { reason } => {
                    let refusals = self.refusals.entry(stored.offset).or_default();
                    *refusals += 1;
                    if *refusals >= max_refusals {
                        verdict.dead.push((stored, reason));
                    } else {
                        verdict.again += 1;
                    }
                }
                _ => verdict.again += 1,
            }
        }
        verdict
    }

    /// Takes note that an entry needs nothing more.
    pub(crate) fn settle(&mut self, offset: Offset) {
        self.refusals.remove(&offset);
        if offset >= self.cursor {
            self.settled.insert(offset);
        }
    }

    /// Returns whether an entry needs nothing more.
    pub(crate) fn is_settled(&self, offset: Offset) -> bool {
        offset < self.cursor || self.settled.contains(&offset)
    }

    /// Moves the cursor over what is settled, within a batch that ended at `next`; returns the new cursor.
    ///
    /// `open` is the lowest offset of the batch that is not settled.
    pub(crate) fn advance(&mut self, open: Option<Offset>, next: Offset) -> Offset {
        let to = open.unwrap_or(next).max(self.cursor);
        self.cursor = to;
        self.settled = self.settled.split_off(&to);
        self.refusals = self.refusals.split_off(&to);
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_core::{Message, Source, Timestamp};

    fn entries(offsets: std::ops::Range<Offset>) -> Vec<Stored> {
        let message = Message::builder(&Source::telemetry()).build();
        let route: edge_core::RouteName = "r".parse().unwrap();
        offsets
            .map(|o| Stored::new(o, Timestamp::from_unix_ms(0), None, route.clone(), message.clone()))
            .collect()
    }

    fn refused() -> Outcome {
        Outcome::Rejected { reason: "no".into() }
    }

    #[test]
    fn a_poison_message_does_not_hold_the_others_for_ever() {
        let mut progress = Progress::at(0);
        for round in 0..3 {
            let mut batch = entries(0..3);
            progress.retain_open(&mut batch);
            let outcomes = if round == 0 {
                vec![refused(), Outcome::Accepted, Outcome::Accepted]
            } else {
                vec![refused()]
            };
            assert_eq!(batch.len(), outcomes.len());
            let verdict = progress.judge(batch, outcomes, 3);
            for stored in &verdict.delivered {
                progress.settle(stored.offset);
            }
            for (stored, _) in &verdict.dead {
                progress.settle(stored.offset);
            }
            assert_eq!(verdict.dead.len(), usize::from(round == 2));
            let open = (round < 2).then_some(0);
            assert_eq!(progress.advance(open, 3), if round < 2 { 0 } else { 3 });
        }
        assert!(progress.settled.is_empty() && progress.refusals.is_empty());
    }

    #[test]
    fn missing_outcomes_mean_again() {
        let mut progress = Progress::at(0);
        let verdict = progress.judge(entries(0..3), vec![Outcome::Accepted], 3);
        assert_eq!((verdict.delivered.len(), verdict.again), (1, 2));
    }
}
