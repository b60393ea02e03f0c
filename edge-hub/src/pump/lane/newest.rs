//! Live messages first, then the backlog from its newest end down.

use edge_core::{Offset, ReadBatch};

use super::super::runs::Fate;
use super::{Loaded, Part, Plan, Refusals};

/// Where live messages begin, and up to where the backlog has not been delivered.
///
/// The store knows what has left: after a restart, and when a new backlog comes on top of an old one, the way down
/// passes what was delivered before. Wide gaps are halved until their upper end is found.
#[derive(Debug)]
pub(crate) struct NewestFirst {
    above: u64,
    /// How many offsets of the backlog make a batch.
    chunk: u64,
    /// Where live messages are read.
    live: Offset,
    /// All of the backlog is below.
    top: Offset,
    /// How many offsets below `top` are looked at next.
    width: u64,
    at: At,
    /// Where the batch that was read last ended.
    read_to: Offset,
    pub(super) refusals: Refusals,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum At {
    Live,
    /// The backlog from here to the top.
    Backlog(Offset),
}

impl NewestFirst {
    pub(crate) fn new(above: u64, head: Offset, chunk: usize) -> Self {
        let chunk = u64::try_from(chunk).unwrap_or(u64::MAX).max(1);
        let refusals = Refusals::default();
        Self { above, chunk, live: head, top: head, width: chunk, at: At::Live, read_to: head, refusals }
    }

    pub(super) fn plan(&mut self, head: Offset, next: Offset) -> Plan {
        if next.saturating_sub(self.live) > self.above {
            (self.top, self.live, self.width) = (next, next, self.chunk);
        }
        let most = usize::try_from(self.chunk).unwrap_or(usize::MAX);
        if self.live < next {
            self.at = At::Live;
            Plan::Read(vec![Part { from: self.live, most }])
        } else if self.top > head {
            let from = self.top.saturating_sub(self.width).max(head);
            self.at = At::Backlog(from);
            Plan::Read(vec![Part { from, most }])
        } else {
            Plan::Wait(None)
        }
    }

    pub(super) fn loaded(&mut self, batch: ReadBatch) -> Loaded {
        let ReadBatch { mut entries, next, .. } = batch;
        match self.at {
            At::Live => {
                let moved = next > self.live;
                self.read_to = next.max(self.live);
                if entries.is_empty() {
                    self.live = self.read_to;
                }
                Loaded { send: entries, moved }
            }
            At::Backlog(from) => {
                entries.retain(|stored| stored.offset < self.top);
                match entries.first() {
                    None => {
                        self.top = from;
                        self.width = self.width.saturating_mul(2);
                    }
                    Some(first) if self.width > self.chunk => {
                        self.width = ((self.top - first.offset) / 2).max(self.chunk);
                        entries.clear();
                    }
                    Some(_) => {}
                }
                Loaded { send: entries, moved: true }
            }
        }
    }

    pub(super) fn judged(&mut self, fates: &[(Offset, Fate)]) {
        if let At::Live = self.at {
            let open = fates.iter().find(|(_, fate)| *fate == Fate::Again);
            self.live = open.map_or(self.read_to, |(offset, _)| *offset);
        }
        for (offset, fate) in fates {
            if *fate != Fate::Again {
                self.refusals.forget(*offset);
            }
        }
        let from = match self.at {
            At::Live => self.top.saturating_sub(self.chunk),
            At::Backlog(from) => from,
        };
        self.refusals.forget_below(from);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entries, read};
    use super::*;
    use std::collections::BTreeSet;

    /// Delivers all that is in `open`, and returns the order; `news` come after the first batch.
    fn drain(
        lane: &mut NewestFirst,
        open: &mut BTreeSet<Offset>,
        mut next: Offset,
        news: u64,
    ) -> Vec<Offset> {
        let mut order = Vec::new();
        let mut news = Some(news);
        for _ in 0..10_000 {
            let head = open.first().copied().unwrap_or(next);
            let Plan::Read(parts) = lane.plan(head, next) else { break };
            let found: Vec<_> = open.range(parts[0].from..).copied().take(parts[0].most).collect();
            let to = found.last().map_or_else(|| next.max(parts[0].from), |last| last + 1);
            let loaded = lane.loaded(read(&found, to));
            let fates: Vec<_> = loaded.send.iter().map(|stored| (stored.offset, Fate::Delivered)).collect();
            if !fates.is_empty() {
                lane.judged(&fates);
                for (offset, _) in &fates {
                    open.remove(offset);
                    order.push(*offset);
                }
                if let Some(news) = news.take() {
                    open.extend(next..next + news);
                    next += news;
                }
            }
        }
        assert!(open.is_empty(), "{open:?}");
        order
    }

    #[test]
    fn live_messages_go_before_the_backlog_and_that_goes_down() {
        let mut lane = NewestFirst::new(5, 0, 4);
        let order = drain(&mut lane, &mut (0..10).collect(), 10, 2);
        assert_eq!(order, [6, 7, 8, 9, 10, 11, 2, 3, 4, 5, 0, 1]);
    }

    #[test]
    fn a_short_queue_keeps_its_order() {
        let mut lane = NewestFirst::new(20, 0, 4);
        let order = drain(&mut lane, &mut (0..10).collect(), 10, 2);
        assert_eq!(order, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn gaps_are_passed_in_few_steps() {
        let mut open: BTreeSet<_> = (0..8).chain(1_000_000..1_000_008).collect();
        let mut lane = NewestFirst::new(5, 0, 4);
        let order = drain(&mut lane, &mut open, 1_000_008, 0);
        let expected =
            [1_000_004, 1_000_005, 1_000_006, 1_000_007, 1_000_000, 1_000_001, 1_000_002, 1_000_003];
        assert_eq!(order[..8], expected);
        assert_eq!(order.len(), 16);
        assert!(order[8..12].iter().all(|offset| (3..8).contains(offset)), "{order:?}");
    }

    #[test]
    fn a_batch_that_stays_is_read_again() {
        let mut lane = NewestFirst::new(1, 0, 4);
        let Plan::Read(parts) = lane.plan(0, 8) else { panic!("nothing to do") };
        assert_eq!(parts[0].from, 4);
        let loaded = lane.loaded(read(&[4, 5, 6, 7], 8));
        assert_eq!(loaded.send, entries(&[4, 5, 6, 7]));
        lane.judged(&[(4, Fate::Delivered), (5, Fate::Again), (6, Fate::Delivered), (7, Fate::Delivered)]);
        let Plan::Read(parts) = lane.plan(0, 8) else { panic!("nothing to do") };
        assert_eq!(parts[0].from, 4);
        assert_eq!(lane.loaded(read(&[5], 6)).send, entries(&[5]));
    }
}
