//! The stored form of a section: a tree in which a change copies what it does not touch.
//!
//! All numbers are little-endian; a varint has seven bits in each byte, the lowest first, and the highest bit where
//! another byte follows.
//!
//! ```text
//! node    kind u8, last updated: ms since 1970 as u48, and version as varint; then by kind
//!   0 null, 1 false, 2 true    nothing
//!   3 integer                  varint of the zigzag form
//!   4 float                    8 bytes, IEEE 754
//!   5 string                   varint length, UTF-8
//!   6 array                    varint length, compact JSON
//!   7 object                   u32 bytes of all members, u32 bytes of all members as JSON with a comma each,
//!                              members by rising key: varint length, key in UTF-8, node
//! ```
//!
//! An array is one value, so it is kept as text. The length of the JSON is kept, so that a limit on it can be checked
//! without writing it.

mod apply;
mod check;
mod encode;
mod node;
mod view;

pub(crate) use apply::apply;
pub(crate) use check::check;
pub(crate) use encode::{put_object, saturate};
pub(crate) use node::Node;
pub(crate) use view::{to_value, write_members, write_metadata};

use edge_core::Timestamp;

/// When a node was changed, and by which version of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) version: u64,
}

/// The kinds of nodes.
pub(crate) mod kind {
    pub(crate) const NULL: u8 = 0;
    pub(crate) const FALSE: u8 = 1;
    pub(crate) const TRUE: u8 = 2;
    pub(crate) const INTEGER: u8 = 3;
    pub(crate) const FLOAT: u8 = 4;
    pub(crate) const STRING: u8 = 5;
    pub(crate) const ARRAY: u8 = 6;
    pub(crate) const OBJECT: u8 = 7;
}

/// The bytes that an object has before its members.
const OBJECT_HEADER_BYTES: usize = 8;

/// Returns the length of an object as JSON, given that of its members with a comma each.
pub(crate) fn object_json_len(weight: u32) -> u32 {
    weight.max(1).saturating_add(1)
}
