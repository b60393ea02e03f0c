//! Reading JSON (RFC 8259) without copying: a cursor for those who want parts, a tree for those who want all.

mod cursor;
mod tree;

pub(crate) use cursor::{Cursor, RawStr};
pub(crate) use tree::{Json, parse};

/// Not JSON, or deeper than the limit; `at` is the byte where reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) at: usize,
}
