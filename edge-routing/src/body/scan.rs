//! One pass over a body: every wanted path gets its value, and the whole is checked to be JSON.

use alloc::vec::Vec;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

use super::date::is_date;
use super::path::Segment;
use super::trie::{NodeId, ROOT, Trie};
use crate::json::{Cursor, Json, Malformed, RawStr, parse};
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
    found: Vec<(u32, BodyValue<'m>)>,
    /// For each node of the trie the pass that last came by.
    seen: Vec<u32>,
    pass: u32,
}

impl<'m> Extract<'m> {
    /// Makes room for the slots of `trie` and forgets what was found.
    pub(crate) fn reset(&mut self, trie: &Trie) {
        self.found.clear();
        if self.places.len() < trie.slots() {
            self.places.resize(trie.slots(), 0);
        }
        if self.seen.len() < trie.len() || self.pass == u32::MAX {
            self.seen.clear();
            self.seen.resize(trie.len(), 0);
            self.pass = 0;
        }
        self.pass += 1;
    }

    /// The same buffers for a message of another lifetime.
    pub(crate) fn recycle<'n>(mut self) -> Extract<'n> {
        self.found.clear();
        let found = self.found.into_iter().map(|_| (0, BodyValue::Null)).collect();
        Extract { places: self.places, found, seen: self.seen, pass: self.pass }
    }

    pub(crate) fn value(&self, slot: u32) -> Option<BodyValue<'m>> {
        let place = *self.places.get(slot as usize)?;
        self.found.get(place as usize).filter(|(owner, _)| *owner == slot).map(|(_, value)| *value)
    }

    /// The slots that have a value.
    pub(crate) fn slot_at(&self, place: usize) -> Option<u32> {
        self.found.get(place).map(|(slot, _)| *slot)
    }

    fn put(&mut self, slot: u32, value: BodyValue<'m>) {
        if let Some(place) = self.places.get_mut(slot as usize) {
            *place = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
            self.found.push((slot, value));
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(&place) = self.places.get(slot as usize) else { return };
        if self.found.get(place as usize).is_none_or(|(owner, _)| *owner != slot) {
            return;
        }
        self.found.swap_remove(place as usize);
        if let Some((moved, _)) = self.found.get(place as usize)
            && let Some(moved_place) = self.places.get_mut(*moved as usize)
        {
            *moved_place = place;
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
            let child = self.trie.named(node, if name.escaped { self.unescape(name) } else { name.raw });
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
        self.forget(child);
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
            Some(b'"') => self.string(cursor.string()?),
            Some(b't') => cursor.word("true").map(|()| BodyValue::Bool(true))?,
            Some(b'f') => cursor.word("false").map(|()| BodyValue::Bool(false))?,
            Some(b'n') => cursor.word("null").map(|()| BodyValue::Null)?,
            _ => BodyValue::Number(parse_json(cursor.number()?)),
        };
        if let Some(slot) = self.trie.slot(child) {
            self.out.put(slot, value);
        }
        Ok(())
    }

    /// Of members of one name the last counts: drops what an earlier one left.
    fn forget(&mut self, child: NodeId) {
        let pass = self.out.pass;
        match self.out.seen.get_mut(child as usize) {
            Some(seen) if *seen == pass => {}
            Some(seen) => {
                *seen = pass;
                return;
            }
            None => return,
        }
        let out = &mut *self.out;
        self.trie.slots_below(child, &mut |slot| out.remove(slot));
    }

    fn unescape(&self, raw: RawStr<'m>) -> &'m str {
        let mut text = BumpString::with_capacity_in(raw.raw.len(), self.bump);
        raw.unescape_to(&mut text);
        text.into_bump_str()
    }

    fn string(&self, raw: RawStr<'m>) -> BodyValue<'m> {
        let text = if raw.escaped { self.unescape(raw) } else { raw.raw };
        if is_date(text) { BodyValue::Structured } else { BodyValue::Str(text) }
    }
}

/// Follows a path with wildcards through the whole document: nothing found is `Ok(None)`, several values count as
/// structured.
pub(crate) fn find<'m>(
    text: &str,
    path: &[Segment],
    bump: &'m Bump,
) -> Result<Option<BodyValue<'m>>, Malformed> {
    let root = parse(text, MAX_BODY_DEPTH)?;
    if !matches!(root, Json::Object(_)) {
        return Err(Malformed { at: 0 });
    }
    let mut current: Vec<&Json> = alloc::vec![&root];
    for segment in path {
        current = current.iter().flat_map(|json| step(json, segment)).collect();
    }
    Ok(match current.as_slice() {
        [] => None,
        [Json::Null] => Some(BodyValue::Null),
        [Json::Bool(value)] => Some(BodyValue::Bool(*value)),
        [Json::Number(value)] => Some(BodyValue::Number(*value)),
        [Json::Str(text)] if !is_date(text) => Some(BodyValue::Str(bump.alloc_str(text))),
        _ => Some(BodyValue::Structured),
    })
}

fn step<'j>(json: &'j Json, segment: &Segment) -> Vec<&'j Json> {
    match (segment, json) {
        (Segment::Name(name), _) => json.member(name).into_iter().collect(),
        (Segment::Index(index), Json::Array(items)) => items.get(*index as usize).into_iter().collect(),
        (Segment::All, Json::Array(items)) => items.iter().collect(),
        (Segment::All, Json::Object(members)) => {
            let last = |(at, (name, _)): &(usize, &(_, Json))| {
                members.iter().skip(at + 1).all(|(other, _)| other != name)
            };
            members.iter().enumerate().filter(last).map(|(_, (_, value))| value).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
