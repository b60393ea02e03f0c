//! Reads a queue from end to end, beside a gateway that may be emptying it.

use std::num::NonZeroUsize;

use edge_core::{Offset, QueueId, ReadLimit, Report, Stored};
use edge_store::Inspection;

use crate::open;

/// Entries and bytes that are read at a time.
const LIMIT: ReadLimit = ReadLimit::new(NonZeroUsize::new(256).expect("is not zero"), 1 << 20);
/// How often in a row the store may change under a read before it is given up.
const MAX_LOOKS: u32 = 64;

/// What became of the entries that were to be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Given to the caller.
    pub(crate) read: u64,
    /// Delivered by the gateway before they could be read.
    pub(crate) passed: u64,
    /// Lost to damage.
    pub(crate) damaged: u64,
}

/// Gives `take` the entries of `queue` from offset `from` on, at most `count`, up to where the queue ended when the
/// look was taken.
///
/// When segments have gone since the look, what shows as damage may be what the gateway has delivered: then a new look
/// is taken, which replaces `inspection`.
pub(crate) fn each(
    inspection: &mut Inspection,
    dir: &str,
    queue: &QueueId,
    from: Offset,
    count: u64,
    mut take: impl FnMut(&Stored) -> Result<(), String>,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let (head, end) = bounds(inspection, queue);
    let mut at = from.max(head);
    let mut looks = 0;
    while at < end && outcome.read < count {
        let batch = inspection.peek(queue, at, LIMIT);
        let is_whole = batch.as_ref().is_ok_and(|batch| batch.damaged == 0);
        if !is_whole && !inspection.is_current().map_err(|error| open::failed(&error))? {
            looks += 1;
            if looks > MAX_LOOKS {
                return Err("the gateway empties the queue faster than it can be read; try again".into());
            }
            *inspection = open::inspect(dir)?;
            let head = bounds(inspection, queue).0.min(end);
            outcome.passed += head.saturating_sub(at);
            at = at.max(head);
            continue;
        }
        looks = 0;
        let batch = batch.map_err(|error| Report(&error).to_string())?;
        outcome.damaged += batch.damaged;
        if batch.entries.is_empty() && batch.next <= at {
            break;
        }
        at = batch.next;
        let left = usize::try_from(count - outcome.read).unwrap_or(usize::MAX);
        for stored in batch.entries.iter().take_while(|stored| stored.offset < end).take(left) {
            take(stored)?;
            outcome.read += 1;
        }
    }
    Ok(outcome)
}

fn bounds(inspection: &Inspection, queue: &QueueId) -> (Offset, Offset) {
    let states = inspection.queues();
    let state = states.iter().find(|state| state.queue == *queue);
    state.map_or((0, 0), |state| (state.head, state.next))
}
