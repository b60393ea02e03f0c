//! A lane is how far an endpoint is with one of its queues, and what it wants of it next. It knows no clock and no store.

mod newest;
mod per_key;
mod refusals;
mod strict;

use std::time::Instant;

use edge_core::{Backoff, Offset, ReadBatch, Stored};

pub(crate) use newest::NewestFirst;
pub(crate) use per_key::PerKey;
pub(crate) use refusals::Refusals;
pub(crate) use strict::Strict;

use super::runs::Fate;
use crate::{Limits, Order};

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) from: Offset,
    /// The most entries; zero is none.
    pub(crate) most: usize,
}

/// What a lane does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Reads these parts, in this order, for one batch.
    Read(Vec<Part>),
    /// Waits for something new, at most until then.
    Wait(Option<Instant>),
}

/// One queue of an endpoint, in the order that was chosen for it.
#[derive(Debug)]
pub(crate) enum Lane {
    Strict(Strict),
    PerKey(PerKey),
    NewestFirst(NewestFirst),
}

impl Lane {
    /// Returns the lane of a queue whose lowest entry is at `head`, for sends of at most `most` entries.
    pub(crate) fn new(order: &Order, head: Offset, most: usize, limits: &Limits, backoff: Backoff) -> Self {
        match order {
            Order::PerKey(key) => Self::PerKey(PerKey::new(key.clone(), head, limits, backoff)),
            Order::NewestFirst { above } => Self::NewestFirst(NewestFirst::new(*above, head, most)),
            Order::Strict => Self::Strict(Strict::new(head)),
        }
    }

    /// Returns what to do; `bounds` says where the queue begins and where its next entry will be.
    pub(crate) fn plan(&mut self, now: Instant, bounds: impl FnOnce() -> (Offset, Offset)) -> Plan {
        match self {
            Self::Strict(lane) => lane.plan(),
            Self::PerKey(lane) => lane.plan(now),
            Self::NewestFirst(lane) => {
                let (head, next) = bounds();
                lane.plan(head, next)
            }
        }
    }

    /// Returns which of the entries that were read for `part` are to be sent now, and whether the lane has moved on
    /// though it sends nothing.
    pub(crate) fn loaded(&mut self, part: Part, batch: ReadBatch) -> Loaded {
        match self {
            Self::Strict(lane) => lane.loaded(part, batch),
            Self::PerKey(lane) => lane.loaded(part, batch),
            Self::NewestFirst(lane) => lane.loaded(batch),
        }
    }

    /// Counts a refusal, and returns how many there are of this entry.
    pub(crate) fn refused(&mut self, offset: Offset) -> u32 {
        match self {
            Self::Strict(lane) => lane.refusals.count(offset),
            Self::PerKey(lane) => lane.refusals.count(offset),
            Self::NewestFirst(lane) => lane.refusals.count(offset),
        }
    }

    /// Takes note of what became of a batch; `random` is drawn from 0 to 1.
    pub(crate) fn judged(&mut self, now: Instant, fates: &[(Offset, Fate)], random: f64) {
        match self {
            Self::Strict(lane) => lane.judged(fates),
            Self::PerKey(lane) => lane.judged(now, fates, random),
            Self::NewestFirst(lane) => lane.judged(fates),
        }
    }

    /// Takes note that nothing is known of what became of a batch: all of it is sent again.
    pub(crate) fn failed(&mut self, now: Instant, fates: &[(Offset, Fate)]) {
        match self {
            Self::Strict(lane) => lane.judged(fates),
            Self::PerKey(lane) => lane.failed(now, fates),
            Self::NewestFirst(lane) => lane.judged(fates),
        }
    }

    /// Returns when there may be something to do though nothing new has come.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        match self {
            Self::PerKey(lane) => lane.next_turn(),
            Self::Strict(_) | Self::NewestFirst(_) => None,
        }
    }

    /// Returns whether an entry that stays holds up only its own key, so that the pump need not wait for it.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, Self::PerKey(_))
    }
}

/// What is to be done with what was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// To be sent, by rising offset.
    pub(crate) send: Vec<Stored>,
    /// Whether the lane knows more than before, so that it is worth asking again.
    pub(crate) moved: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_core::{Message, Source, SystemKey, Timestamp};

    pub(super) fn keyed(offset: Offset, device: &str) -> Stored {
        let message =
            Message::builder(&Source::telemetry()).system(SystemKey::ConnectionDeviceId, device).build();
        Stored::new(offset, Timestamp::from_unix_ms(0), None, "r".parse().unwrap(), message)
    }

    pub(super) fn entries(offsets: &[Offset]) -> Vec<Stored> {
        offsets.iter().map(|offset| keyed(*offset, "d")).collect()
    }

    pub(super) fn read(offsets: &[Offset], next: Offset) -> ReadBatch {
        ReadBatch::new(entries(offsets), next, 0)
    }
}
