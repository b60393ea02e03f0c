//! One pass over a body: every wanted path gets its value, and the whole is checked to be JSON.

use alloc::vec::Vec;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

use super::date::is_date;
use super::trie::{NodeId, ROOT, Trie};
use crate::json::{Cursor, Malformed, RawStr};
use crate::limits::MAX_BODY_DEPTH;
use crate::number::parse_json;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum BodyValue<'m> {
    Null,
    Bool(bool),
    Number(f64),
    Str(&'m str),
    /// An object, an array, or a point in time: there, but without a value.
    Structured,
}

/// The values found by one pass, kept sparsely: cost is per value found, not per path asked for.
#[derive(Debug, Default)]
pub(crate) struct Extract<'m> {
    /// For each slot the index in `found`, valid only if that entry names the slot.
    places: Vec<u32>,
    /// Each value with its slot, in the order of the body; [`GONE`] where a later member of the same name counts.
    found: Vec<(u32, BodyValue<'m>)>,
    /// For each node of the trie what its last member found.
    seen: Vec<Seen>,
    pass: u32,
}

/// What the last member at a node has found: a range of the values, of the pass that is told.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    pass: u32,
    first: u32,
    end: u32,
}

/// The slot of a value that does not count.
const GONE: u32 = u32::MAX;

/// Values for which there is always room.
const KEPT_VALUES: usize = 512;

impl<'m> Extract<'m> {
    /// Makes room for the slots of `trie` and forgets what was found.
    pub(crate) fn reset(&mut self, trie: &Trie) {
        self.found.clear();
        if self.places.len() < trie.slots() {
            self.places.resize(trie.slots(), 0);
        }
        if self.seen.len() < trie.len() || self.pass == u32::MAX {
            self.seen.clear();
            self.seen.resize(trie.len(), Seen::default());
            self.pass = 0;
        }
        self.pass += 1;
    }

    /// The same buffers for a message of another lifetime, without the room that a body took which repeats its names.
    pub(crate) fn recycle<'n>(mut self, slots: usize) -> Extract<'n> {
        self.found.clear();
        if self.found.capacity() > KEPT_VALUES.max(2 * slots) {
            self.found.shrink_to(KEPT_VALUES.max(slots));
        }
        let found = self.found.into_iter().map(|_| (0, BodyValue::Null)).collect();
        Extract { places: self.places, found, seen: self.seen, pass: self.pass }
    }

    pub(crate) fn value(&self, slot: u32) -> Option<BodyValue<'m>> {
        let place = *self.places.get(slot as usize)?;
        self.found.get(place as usize).filter(|(owner, _)| *owner == slot).map(|(_, value)| *value)
    }

    /// The slot of the value at a place, or one that no path has where the value does not count.
    pub(crate) fn slot_at(&self, place: usize) -> Option<u32> {
        self.found.get(place).map(|(slot, _)| *slot)
    }

    fn put(&mut self, slot: u32, value: BodyValue<'m>) {
        if let Some(place) = self.places.get_mut(slot as usize) {
            *place = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
            self.found.push((slot, value));
        }
    }

    /// How many values there are, those that do not count among them.
    fn end(&self) -> u32 {
        u32::try_from(self.found.len()).unwrap_or(u32::MAX)
    }

    /// Of members of one name the last counts: drops what an earlier one at `node` has found.
    fn forget(&mut self, node: NodeId) {
        let Some(seen) = self.seen.get(node as usize).filter(|seen| seen.pass == self.pass) else { return };
        for (slot, _) in self.found.get_mut(seen.first as usize..seen.end as usize).into_iter().flatten() {
            *slot = GONE;
        }
    }

    /// Notes that the member at `node` has found what there is from `first` on.
    fn note(&mut self, node: NodeId, first: u32) {
        let end = self.end();
        if let Some(seen) = self.seen.get_mut(node as usize) {
            *seen = Seen { pass: self.pass, first, end };
        }
    }
}

/// Reads `text`, which must be one object, and puts the values of the paths of `trie` into `out`.
pub(crate) fn extract<'m>(
    text: &'m str,
    trie: &Trie,
    bump: &'m Bump,
    out: &mut Extract<'m>,
) -> Result<(), Malformed> {
    out.reset(trie);
    let mut cursor = Cursor::new(text);
    if cursor.peek() != Some(b'{') {
        return cursor.malformed();
    }
    let mut scan = Scan { trie, bump, out };
    scan.object(&mut cursor, ROOT, MAX_BODY_DEPTH)?;
    cursor.end()
}

struct Scan<'s, 'm> {
    trie: &'s Trie,
    bump: &'m Bump,
    out: &'s mut Extract<'m>,
}

impl<'m> Scan<'_, 'm> {
    fn object(&mut self, cursor: &mut Cursor<'m>, node: NodeId, depth: usize) -> Result<(), Malformed> {
        cursor.members(depth, |cursor, name| {
            let child = self.trie.named(node, text(name, self.bump));
            self.child(cursor, child, depth)
        })
    }

    fn child(
        &mut self,
        cursor: &mut Cursor<'m>,
        child: Option<NodeId>,
        depth: usize,
    ) -> Result<(), Malformed> {
        let below = depth.saturating_sub(1);
        let Some(child) = child else { return cursor.skip(below) };
        self.out.forget(child);
        let first = self.out.end();
        let value = match cursor.peek() {
            Some(b'{') if !self.trie.is_leaf(child) => {
                self.object(cursor, child, below)?;
                BodyValue::Structured
            }
            Some(b'[') if !self.trie.is_leaf(child) => {
                cursor.items(below, |cursor, index| {
                    let item = self.trie.item(child, index);
                    self.child(cursor, item, below)
                })?;
                BodyValue::Structured
            }
            Some(b'{' | b'[') => {
                cursor.skip(below)?;
                BodyValue::Structured
            }
            Some(b'"') => value_of(cursor.string()?, self.bump),
            Some(b't') => cursor.word("true").map(|()| BodyValue::Bool(true))?,
            Some(b'f') => cursor.word("false").map(|()| BodyValue::Bool(false))?,
            Some(b'n') => cursor.word("null").map(|()| BodyValue::Null)?,
            _ => BodyValue::Number(parse_json(cursor.number()?)),
        };
        if let Some(slot) = self.trie.slot(child) {
            self.out.put(slot, value);
        }
        self.out.note(child, first);
        Ok(())
    }
}

/// A string without its escapes.
pub(super) fn text<'m>(raw: RawStr<'m>, bump: &'m Bump) -> &'m str {
    if !raw.escaped {
        return raw.raw;
    }
    let mut text = BumpString::with_capacity_in(raw.raw.len(), bump);
    raw.unescape_to(&mut text);
    text.into_bump_str()
}

/// What a string counts as.
pub(super) fn value_of<'m>(raw: RawStr<'m>, bump: &'m Bump) -> BodyValue<'m> {
    let text = text(raw, bump);
    if is_date(text) { BodyValue::Structured } else { BodyValue::Str(text) }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
