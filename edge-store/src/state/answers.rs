//! Answers: what they answer leaves its queue in the same batch of the log.

use edge_core::{Answered, Durability, Enqueue, Receipt};

use super::State;
use super::outbox::Leaving;
use super::queue::Exits;

impl State {
    /// Takes a batch, and what it answers out of its queues; the log has both or neither.
    pub(crate) fn append_answers(
        &mut self,
        messages: Vec<Enqueue>,
        answered: &[Answered],
        level: Durability,
    ) -> Receipt {
        let before = self.mail.outbox.len();
        let receipt = self.append_any(messages, level);
        if receipt.refusal().is_some() {
            return receipt;
        }
        // A batch of which nothing is stored is none for the log: then it hears of what has left as ever.
        let is_logged = self.mail.outbox.len() > before;
        let of_batch = self.mail.outbox.last_mut().filter(|_| is_logged);
        let mut cleared = of_batch.and_then(|batch| batch.cleared.take()).unwrap_or_default();
        for one in answered {
            let Some(&number) = self.queue_numbers.get(&one.queue) else { continue };
            let Some(queue) = self.queues.get(number as usize) else { continue };
            let (from, to) = (one.offsets.start.max(queue.head), one.offsets.end.min(queue.next));
            let (there, written) = (from..to.max(from), queue.written);
            let ranges: Vec<_> = queue.holes.outside(there.start, there.end).collect();
            if ranges.is_empty() {
                continue;
            }
            let freed = self.leave(number, there, Exits { most: None, dropped: &[] });
            // What stands there must stay until the batch is on the disk.
            freed.segments.iter().for_each(|&(segment, _, _)| cleared.add(segment));
            if to > written {
                cleared.newest = cleared.newest.into_iter().chain([self.active]).min();
            }
            cleared.leaving.push(Leaving { queue: number, ranges, delivered: freed.gone });
        }
        if is_logged && let Some(batch) = self.mail.outbox.last_mut() {
            batch.cleared = Some(cleared);
        }
        receipt
    }
}
