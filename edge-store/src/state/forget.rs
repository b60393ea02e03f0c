//! Trimming, expiry and removal.

use edge_core::{Gone, Offset, QueueId, StoreError, Timestamp};

use super::State;
use super::queue::Freed;

impl State {
    pub(crate) fn trim(&mut self, id: &QueueId, below: Offset) -> Result<(), StoreError> {
        self.check_open()?;
        if let Some(&number) = self.queue_numbers.get(id) {
            self.trim_number(number, below);
        }
        Ok(())
    }

    pub(crate) fn expire(&mut self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        self.check_open()?;
        self.mail.retry = true;
        let mut all = Vec::new();
        for number in 0.. {
            let Some(queue) = self.queues.get_mut(number as usize) else { break };
            let (freed, holes) = queue.expire(now.as_unix_ms());
            if holes.is_empty() {
                continue;
            }
            let id = queue.id.clone();
            self.mail.holes.extend(holes.into_iter().map(|(from, to)| (number, from, to)));
            all.extend(self.gone(&id, &freed.gone));
            self.release(&freed);
        }
        Ok(all)
    }

    pub(crate) fn remove(&mut self, id: &QueueId) -> Result<Vec<Gone>, StoreError> {
        self.check_open()?;
        let Some(&number) = self.queue_numbers.get(id) else { return Ok(Vec::new()) };
        let freed = self.trim_number(number, Offset::MAX);
        Ok(self.gone(id, &freed.gone))
    }

    fn trim_number(&mut self, number: u32, below: Offset) -> Freed {
        let Some(queue) = self.queues.get_mut(number as usize) else { return Freed::default() };
        let before = queue.head;
        let freed = queue.trim(below);
        if queue.head > before && !queue.trim_told {
            queue.trim_told = true;
            self.mail.trims.push(number);
        }
        self.release(&freed);
        freed
    }

    fn release(&mut self, freed: &Freed) {
        for &sequence in &freed.sequences {
            self.tail.release(sequence);
        }
        for &segment in &freed.segments {
            self.release_segment(segment);
        }
        self.evict();
    }

    pub(super) fn release_segment(&mut self, number: u64) {
        let Some(segment) = self.segments.get_mut(&number) else { return };
        segment.extents = segment.extents.saturating_sub(1);
        if segment.extents == 0 && segment.sealed {
            self.mail.dead.push(number);
        }
    }

    /// Takes out of the tail what needs not be there.
    pub(crate) fn evict(&mut self) {
        while let Some((sequence, bound)) = self.tail.evict() {
            for target in bound.iter() {
                let Some(queue) = self.queues.get_mut(target.queue as usize) else { continue };
                queue.tail.pop_front_if(|oldest| oldest.sequence == sequence);
            }
        }
    }
}
