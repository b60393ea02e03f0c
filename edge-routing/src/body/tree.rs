//! The whole body, for paths with wildcards: read at most once for a message, however many paths there are.

use alloc::vec::Vec;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::path::Segment;
use super::scan::{BodyValue, text, value_of};
use crate::json::{Cursor, Malformed};
use crate::limits::MAX_BODY_DEPTH;
use crate::number::parse_json;

/// A value and what is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tree<'m> {
    Value(BodyValue<'m>),
    /// Members by name, each name once.
    Object(&'m [Member<'m>]),
    /// Items, without names.
    Array(&'m [Member<'m>]),
}

type Member<'m> = (&'m str, Tree<'m>);

impl<'m> Tree<'m> {
    /// Reads `text`, which must be one object.
    pub(crate) fn read(text: &'m str, bump: &'m Bump) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text);
        if cursor.peek() != Some(b'{') {
            return cursor.malformed();
        }
        let root = Reader { bump, open: Vec::new() }.value(&mut cursor, MAX_BODY_DEPTH)?;
        cursor.end()?;
        Ok(root)
    }

    /// Follows a path with wildcards: nothing found is `None`, several values count as structured.
    pub(crate) fn follow(self, path: &[Segment]) -> Option<BodyValue<'m>> {
        let mut found = None;
        self.walk(path, &mut found);
        found
    }

    /// Adds what is at the path to `found`; whether there is more than one value, so that no other matters.
    fn walk(self, path: &[Segment], found: &mut Option<BodyValue<'m>>) -> bool {
        let Some((first, rest)) = path.split_first() else {
            let several = found.is_some();
            *found = Some(match self {
                Self::Value(value) if !several => value,
                _ => BodyValue::Structured,
            });
            return several;
        };
        match (first, self) {
            (Segment::Name(name), Self::Object(members)) => members
                .binary_search_by(|(key, _)| (**key).cmp(&**name))
                .ok()
                .and_then(|at| members.get(at))
                .is_some_and(|(_, value)| value.walk(rest, found)),
            (Segment::Index(index), Self::Array(items)) => {
                items.get(*index as usize).is_some_and(|(_, item)| item.walk(rest, found))
            }
            (Segment::All, Self::Object(values) | Self::Array(values)) => {
                values.iter().any(|(_, value)| value.walk(rest, found))
            }
            _ => false,
        }
    }
}

struct Reader<'m> {
    bump: &'m Bump,
    /// Members of the objects and arrays that are not yet closed, those of the innermost last.
    open: Vec<Member<'m>>,
}

impl<'m> Reader<'m> {
    fn value(&mut self, cursor: &mut Cursor<'m>, depth: usize) -> Result<Tree<'m>, Malformed> {
        let below = depth.saturating_sub(1);
        let first = self.open.len();
        Ok(match cursor.peek() {
            Some(b'{') => {
                cursor.members(depth, |cursor, name| {
                    let name = text(name, self.bump);
                    let value = self.value(cursor, below)?;
                    self.open.push((name, value));
                    Ok(())
                })?;
                Tree::Object(self.close_object(first))
            }
            Some(b'[') => {
                cursor.items(depth, |cursor, _| {
                    let value = self.value(cursor, below)?;
                    self.open.push(("", value));
                    Ok(())
                })?;
                let items = self.bump.alloc_slice_copy(self.open.get(first..).unwrap_or(&[]));
                self.open.truncate(first);
                Tree::Array(items)
            }
            Some(b'"') => Tree::Value(value_of(cursor.string()?, self.bump)),
            Some(b't') => cursor.word("true").map(|()| Tree::Value(BodyValue::Bool(true)))?,
            Some(b'f') => cursor.word("false").map(|()| Tree::Value(BodyValue::Bool(false)))?,
            Some(b'n') => cursor.word("null").map(|()| Tree::Value(BodyValue::Null))?,
            _ => Tree::Value(BodyValue::Number(parse_json(cursor.number()?))),
        })
    }

    /// The members from `first` on, sorted by name; of members of one name the last counts.
    fn close_object(&mut self, first: usize) -> &'m [Member<'m>] {
        let members = self.open.get_mut(first..).unwrap_or_default();
        members.sort_by_key(|(name, _)| *name);
        let mut kept = BumpVec::with_capacity_in(members.len(), self.bump);
        let mut members = members.iter().peekable();
        while let Some(member) = members.next() {
            if members.peek().is_none_or(|(next, _)| *next != member.0) {
                kept.push(*member);
            }
        }
        self.open.truncate(first);
        kept.into_bump_slice()
    }
}
