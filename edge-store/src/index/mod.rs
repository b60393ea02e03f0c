//! What is kept in memory about queues: sums, ranges and sparse places, nothing per entry that is on disk.

mod counts;
mod extent;
mod extents;
mod ranges;
mod tail;

pub(crate) use counts::Counts;
pub(crate) use extent::Extent;
pub(crate) use extents::{Extents, Placed};
pub(crate) use ranges::Ranges;
pub(crate) use tail::{Bound, BoundList, Tail, TailRef};
