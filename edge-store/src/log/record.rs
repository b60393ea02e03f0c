//! Records, read from their bytes.

use edge_core::{DropCause, Overflow};

use super::{
    MAX_NUMBERS, MAX_OFFSET, NEVER, PACKED, RECORD_HEADER_BYTES, TARGET_BYTES, get_u32, get_u64, unpack,
    unpacked_len,
};
use crate::state::Tally;

/// Bytes of each cause in the record of an account.
const DROPPED_BYTES: usize = 16;

/// Marks where a record may begin.
const MARK: u16 = 0x5ED6;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A message and the queues it is in.
    Message = 1,
    /// The name of a queue, its head and its next offset.
    Queue = 2,
    /// The name of a route.
    Route = 3,
    /// The head of a queue has moved.
    Trim = 4,
    /// Offsets of a queue are given up.
    Hole = 5,
    /// The index of the segment's entries.
    Index = 6,
    /// How many entries of a queue and a route have left, and how.
    Account = 7,
    /// What a route wants to happen at overflow of a queue.
    Policy = 8,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Message,
            2 => Self::Queue,
            3 => Self::Route,
            4 => Self::Trim,
            5 => Self::Hole,
            6 => Self::Index,
            7 => Self::Account,
            8 => Self::Policy,
            _ => return None,
        })
    }
}

/// The first 16 bytes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) checksum: u32,
    /// Bytes of the payload.
    pub(crate) len: u32,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// How many targets a message has; otherwise 0.
    pub(crate) targets: u32,
}

impl RecordHeader {
    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let [c0, c1, c2, c3] = self.checksum.to_le_bytes();
        let [l0, l1, l2, l3] = self.len.to_le_bytes();
        let [m0, m1] = MARK.to_le_bytes();
        let [t0, t1, t2, t3] = self.targets.to_le_bytes();
        [c0, c1, c2, c3, l0, l1, l2, l3, self.kind as u8, self.flags, m0, m1, t0, t1, t2, t3]
    }

    /// Reads a header that may be one: its mark and kind are right.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let &[c0, c1, c2, c3, l0, l1, l2, l3, kind, flags, m0, m1, t0, t1, t2, t3] = bytes.first_chunk()?;
        if u16::from_le_bytes([m0, m1]) != MARK {
            return None;
        }
        Some(Self {
            checksum: u32::from_le_bytes([c0, c1, c2, c3]),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            kind: Kind::from_number(kind)?,
            flags,
            targets: u32::from_le_bytes([t0, t1, t2, t3]),
        })
    }
}

/// One queue of a message record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetEntry {
    pub(crate) queue: u32,
    pub(crate) route: u32,
    pub(crate) offset: u64,
    /// Milliseconds since 1970; [`NEVER`] is never.
    pub(crate) expires: u64,
}

impl TargetEntry {
    pub(crate) fn encode(&self) -> [u8; TARGET_BYTES] {
        let mut bytes = [0; TARGET_BYTES];
        bytes[..4].copy_from_slice(&self.queue.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.route.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..].copy_from_slice(&self.expires.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            queue: get_u32(bytes, 0)?,
            route: get_u32(bytes, 4)?,
            offset: get_u64(bytes, 8)?,
            expires: get_u64(bytes, 16)?,
        })
    }
}

/// What a valid record says.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    Message(MessageRecord<'a>),
    /// Without an endpoint no queue has the number.
    Queue {
        number: u32,
        generation: u16,
        head: u64,
        next: u64,
        priority: u8,
        endpoint: &'a str,
    },
    Route {
        number: u32,
        name: &'a str,
    },
    Trim {
        queue: u32,
        head: u64,
    },
    Hole {
        queue: u32,
        from: u64,
        to: u64,
    },
    Index(&'a [u8]),
    Account {
        queue: u32,
        route: u32,
        tally: Tally,
    },
    Policy {
        queue: u32,
        route: u32,
        overflow: Overflow,
    },
}

/// A message and its targets, not yet taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageRecord<'a> {
    pub(crate) enqueued: u64,
    targets: &'a [u8],
    /// Whether the message is compressed.
    pub(crate) packed: bool,
    /// The message as it stands there: in its stored form unless it is compressed.
    pub(crate) message: &'a [u8],
}

impl<'a> MessageRecord<'a> {
    pub(crate) fn targets(&self) -> impl Iterator<Item = TargetEntry> + use<'a> {
        self.targets.chunks_exact(TARGET_BYTES).filter_map(TargetEntry::decode)
    }

    /// Returns how long the message is in its stored form; of a compressed one that cannot be, as it stands there.
    pub(crate) fn stored_len(&self) -> usize {
        let packed = if self.packed { unpacked_len(self.message) } else { None };
        packed.unwrap_or(self.message.len())
    }

    /// Adds the message in its stored form to `out`; nothing when it is not readable, which reads as damage.
    pub(crate) fn copy_stored(&self, out: &mut Vec<u8>) {
        if !self.packed {
            out.extend_from_slice(self.message);
        } else if unpack(self.message, out).is_none() {
            tracing::debug!("a compressed message cannot be read");
        }
    }
}

impl<'a> Record<'a> {
    /// Takes the payload of a record apart; `None` when it does not hold what its kind says.
    pub(crate) fn decode(header: &RecordHeader, payload: &'a [u8]) -> Option<Self> {
        Some(match header.kind {
            Kind::Message => {
                let enqueued = get_u64(payload, 0)?;
                let targets = (header.targets as usize).checked_mul(TARGET_BYTES)?.checked_add(8)?;
                let message = payload.get(targets..)?;
                let packed = header.flags & PACKED != 0;
                Self::Message(MessageRecord { enqueued, targets: payload.get(8..targets)?, packed, message })
            }
            Kind::Queue => Self::Queue {
                number: get_u32(payload, 0)?,
                priority: *payload.get(4)?,
                generation: u16::from_le_bytes(*payload.get(6..)?.first_chunk()?),
                head: get_u64(payload, 8)?,
                next: get_u64(payload, 16)?,
                endpoint: std::str::from_utf8(payload.get(24..)?).ok()?,
            },
            Kind::Route => Self::Route {
                number: get_u32(payload, 0)?,
                name: std::str::from_utf8(payload.get(4..)?).ok()?,
            },
            Kind::Trim => Self::Trim { queue: get_u32(payload, 0)?, head: get_u64(payload, 8)? },
            Kind::Hole => Self::Hole {
                queue: get_u32(payload, 0)?,
                from: get_u64(payload, 8)?,
                to: get_u64(payload, 16)?,
            },
            Kind::Index => Self::Index(payload),
            Kind::Account => {
                let mut tally = Tally { delivered: get_u64(payload, 8)?, ..Tally::default() };
                for dropped in payload.get(16..)?.chunks_exact(DROPPED_BYTES) {
                    // A cause of a later version is dropped all the same.
                    let code = u8::try_from(get_u64(dropped, 0)?).ok();
                    let cause = code.and_then(DropCause::from_code).unwrap_or(DropCause::Removed);
                    tally.dropped.add(cause, get_u64(dropped, 8)?);
                }
                Self::Account { queue: get_u32(payload, 0)?, route: get_u32(payload, 4)?, tally }
            }
            Kind::Policy => Self::Policy {
                queue: get_u32(payload, 0)?,
                route: get_u32(payload, 4)?,
                overflow: std::str::from_utf8(payload.get(8..)?).ok()?.parse().ok()?,
            },
        })
    }
}

impl Record<'_> {
    /// Returns whether the record can have been written: its numbers and offsets are in range.
    pub(crate) fn is_possible(&self) -> bool {
        let queue = |&number: &u32| number < MAX_NUMBERS;
        match self {
            Self::Message(message) => message
                .targets()
                .all(|target| queue(&target.queue) && queue(&target.route) && target.offset < MAX_OFFSET),
            Self::Queue { number, head, next, .. } => {
                queue(number) && *head <= MAX_OFFSET && *next <= MAX_OFFSET
            }
            Self::Route { number, .. } => queue(number),
            Self::Trim { queue: number, head } => queue(number) && *head <= MAX_OFFSET,
            Self::Hole { queue: number, from, to } => queue(number) && from <= to && *to <= MAX_OFFSET,
            Self::Index(_) => true,
            Self::Account { queue: number, route, .. } | Self::Policy { queue: number, route, .. } => {
                queue(number) && queue(route)
            }
        }
    }
}

/// Returns the expiry of an entry, [`NEVER`] when it cannot be said.
pub(crate) fn expiry(enqueued: u64, time_to_live_ms: u64) -> u64 {
    if time_to_live_ms == NEVER { NEVER } else { enqueued.saturating_add(time_to_live_ms) }
}
