//! Reading nodes in place.

use edge_core::Timestamp;

use super::{OBJECT_HEADER_BYTES, Stamp, kind};

/// One node in stored bytes. What does not fit the format is not found; nothing panics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) kind: u8,
    pub(crate) stamp: Stamp,
    /// What follows the stamp: for strings and arrays the text, for objects the members.
    pub(crate) body: &'a [u8],
    /// Of an object: its members as JSON with a comma each.
    pub(crate) weight: u32,
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) node: Node<'a>,
    /// Where it begins and ends among the members.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> Node<'a> {
    /// Reads the node that the bytes begin with, and returns it with its length.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (&[kind, t0, t1, t2, t3, t4, t5], rest) = bytes.split_first_chunk::<7>()?;
        let at = Timestamp::from_unix_ms(u64::from_le_bytes([t0, t1, t2, t3, t4, t5, 0, 0]));
        let (version, rest) = varint(rest)?;
        let stamp = Stamp { at, version };
        let mut skipped = bytes.len() - rest.len();
        let (body, weight) = match kind {
            kind::NULL | kind::FALSE | kind::TRUE => (rest.get(..0)?, 0),
            kind::INTEGER => {
                let (_, behind) = varint(rest)?;
                (rest.get(..rest.len() - behind.len())?, 0)
            }
            kind::FLOAT => (rest.get(..8)?, 0),
            kind::STRING | kind::ARRAY => {
                let (len, text) = varint(rest)?;
                skipped += rest.len() - text.len();
                (text.get(..usize::try_from(len).ok()?)?, 0)
            }
            kind::OBJECT => {
                let (&[l0, l1, l2, l3, w0, w1, w2, w3], members) =
                    rest.split_first_chunk::<OBJECT_HEADER_BYTES>()?;
                skipped += OBJECT_HEADER_BYTES;
                let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
                (members.get(..len)?, u32::from_le_bytes([w0, w1, w2, w3]))
            }
            _ => return None,
        };
        Some((Self { kind, stamp, body, weight }, skipped + body.len()))
    }

    /// Returns the members of an object; those of another value are none.
    pub(crate) fn members(&self) -> Members<'a> {
        let all = if self.kind == kind::OBJECT { self.body } else { &[] };
        Members { all, at: 0 }
    }

    /// Returns the value of an integer.
    pub(crate) fn integer(&self) -> Option<i64> {
        let (zigzag, _) = varint(self.body)?;
        Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// Returns the value of a float.
    pub(crate) fn float(&self) -> Option<f64> {
        self.body.first_chunk().map(|bytes| f64::from_le_bytes(*bytes))
    }

    /// Returns the text of a string or an array.
    pub(crate) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.body).ok()
    }
}

/// The members of an object, by rising key.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    all: &'a [u8],
    at: usize,
}

impl Members<'_> {
    /// Returns whether all bytes were understood, once the last member was given.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.at == self.all.len()
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let rest = self.all.get(self.at..)?;
        let (len, text) = varint(rest)?;
        let (key, nodes) = text.split_at_checked(usize::try_from(len).ok()?)?;
        let (node, len) = Node::read(nodes)?;
        let start = self.at;
        self.at += rest.len() - nodes.len() + len;
        Some(Member { key, node, start, end: self.at })
    }
}

/// Reads a number that takes as many bytes as it needs, and returns what follows.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && bits > 1 {
            return None;
        }
        number |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}
