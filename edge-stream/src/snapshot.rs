//! The state as bytes.
//!
//! Version 1, all numbers little-endian, a length before every list, text and block (u32):
//!
//! ```text
//! "EDGEWIN1"                                  8 bytes
//! hash of the definition                      u64
//! generation: the journal that follows it     u64
//! number of the next result                   u64
//! counts                                      8 × u64
//! values of `distinct` that were seen         [u64]
//! messages that were counted                  [route, [offset u64, print u64]]
//! messages that wait                          [output, message as stored]
//! keys without open windows                   [key, watermark i64]
//! keys with open windows, longest silent first[key, last seen i64, watermark i64, windows]
//! CRC-32 of all before it                     u32
//! ```
//!
//! Windows are a kind (u8: 0 panes, 1 sessions, 2 sliding) and what it holds; a group is the number of its events and,
//! for each field, count, sums as digits, extremes, kept values, lost values.

use std::sync::Arc;

use bytes::Bytes;
use edge_core::Message;

use crate::config::Definition;
use crate::event::MAX_TIME;
use crate::operator::Keyed;
use crate::recent::Recent;
use crate::state::{State, Waiting};
use crate::stats::{Exact, Group, Stats};
use crate::window::{Panes, Session, Sessions, Sliding, Windows};
use crate::wire::{Broken, Reader, Writer};

const MAGIC: &[u8; 8] = b"EDGEWIN1";

/// Why bytes are not a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are damaged, or were never a state.
    #[error("the kept state is damaged: remove it to begin anew, or restore it from a backup")]
    Damaged,
    /// The state is of a later version of this crate.
    #[error("the kept state was written by a later version")]
    Version,
    /// The state is of windows that were defined otherwise.
    #[error(
        "the kept state is of windows that were defined otherwise: give the windows another name, or remove the state"
    )]
    OtherDefinition,
}

impl From<Broken> for SnapshotError {
    fn from(_: Broken) -> Self {
        Self::Damaged
    }
}

impl State {
    /// Returns the state as bytes.
    pub(crate) fn encode(&self, generation: u64) -> Vec<u8> {
        let mut out = Writer::default();
        let operator = &self.operator;
        out.0.extend_from_slice(MAGIC);
        out.u64(operator.definition.hash);
        out.u64(generation);
        out.u64(operator.next);
        let mut counts = operator.counts;
        counts.fields().iter().for_each(|count| out.u64(**count));
        out.len(operator.recent.iter().len());
        operator.recent.iter().for_each(|value| out.u64(value));
        out.len(self.seen.0.len());
        for (route, list) in &self.seen.0 {
            out.bytes(route.as_bytes());
            out.len(list.len());
            list.iter().for_each(|(offset, print)| {
                out.u64(*offset);
                out.u64(*print);
            });
        }
        out.len(self.waiting.len());
        for Waiting { output, message } in &self.waiting {
            out.bytes(output.as_str().as_bytes());
            out.bytes(message.encoded());
        }
        out.len(operator.closed.len());
        for (key, mark) in &operator.closed {
            out.bytes(key.as_bytes());
            out.i64(*mark);
        }
        out.len(operator.open.len());
        for (key, keyed) in &operator.open {
            out.bytes(key.as_bytes());
            out.i64(keyed.seen);
            out.i64(keyed.mark);
            put_windows(&mut out, &keyed.windows);
        }
        let sum = crc32fast::hash(&out.0);
        out.0.extend_from_slice(&sum.to_le_bytes());
        out.0
    }

    /// Reads a state, and the generation of its journal.
    pub(crate) fn decode(bytes: &[u8], definition: &Arc<Definition>) -> Result<(Self, u64), SnapshotError> {
        match bytes.first_chunk::<8>() {
            Some(magic) if magic == MAGIC => {}
            Some(magic) if magic.starts_with(b"EDGEWIN") => return Err(SnapshotError::Version),
            _ => return Err(SnapshotError::Damaged),
        }
        let (content, sum) = bytes.split_last_chunk::<4>().ok_or(SnapshotError::Damaged)?;
        if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
            return Err(SnapshotError::Damaged);
        }
        let mut input = Reader(content.get(8..).unwrap_or_default());
        if input.u64()? != definition.hash {
            return Err(SnapshotError::OtherDefinition);
        }
        let generation = input.u64()?;
        let mut state = Self::new(definition.clone());
        state.fill(&mut input)?;
        if input.0.is_empty() { Ok((state, generation)) } else { Err(SnapshotError::Damaged) }
    }

    fn fill(&mut self, input: &mut Reader<'_>) -> Result<(), Broken> {
        let operator = &mut self.operator;
        operator.next = number(input)?;
        for count in operator.counts.fields() {
            *count = number(input)?;
        }
        operator.recent = Recent::new(operator.definition.max_distinct);
        for _ in 0..input.count(8)? {
            operator.recent.insert(input.u64()?);
        }
        for _ in 0..input.count(8)? {
            let list = self.seen.0.entry(input.text()?.into()).or_default();
            for _ in 0..input.count(16)? {
                let mark = (input.u64()?, input.u64()?);
                if list.back().is_some_and(|(last, _)| *last >= mark.0) {
                    return Err(Broken);
                }
                list.push_back(mark);
            }
        }
        for _ in 0..input.count(8)? {
            let output = input.text()?.parse().map_err(|_| Broken)?;
            let message = message(input.bytes()?)?;
            self.waiting.push_back(Waiting { output, message });
        }
        for _ in 0..input.count(12)? {
            let (key, mark) = (input.text()?.into(), time(input)?);
            operator.closed.insert(key, mark);
        }
        for _ in 0..input.count(21)? {
            let key = input.text()?.into();
            let (seen, mark) = (time(input)?, time(input)?);
            let windows = windows(input, &operator.definition)?;
            operator.held += windows.held();
            operator.open.insert(key, Keyed { seen, mark, windows });
        }
        Ok(())
    }
}

/// Reads a message; the bytes are copied, so that it holds on to nothing else.
pub(crate) fn message(bytes: &[u8]) -> Result<Message, Broken> {
    Message::decode(Bytes::copy_from_slice(bytes)).map_err(|_| Broken)
}

/// Reads a time that calculations can be done with.
fn time(input: &mut Reader<'_>) -> Result<i64, Broken> {
    let time = input.i64()?;
    if (-(1 << 60)..=2 * MAX_TIME).contains(&time) { Ok(time) } else { Err(Broken) }
}

/// Reads a count that can be added to.
fn number(input: &mut Reader<'_>) -> Result<u64, Broken> {
    let number = input.u64()?;
    if number < 1 << 60 { Ok(number) } else { Err(Broken) }
}

fn put_windows(out: &mut Writer, windows: &Windows) {
    match windows {
        Windows::Panes(panes) => {
            out.u8(0);
            out.len(panes.panes.len());
            for (start, group) in &panes.panes {
                out.i64(*start);
                put_group(out, group);
            }
        }
        Windows::Sessions(sessions) => {
            out.u8(1);
            out.len(sessions.0.len());
            for session in &sessions.0 {
                out.i64(session.first);
                out.i64(session.last);
                put_group(out, &session.group);
            }
        }
        Windows::Sliding(sliding) => {
            out.u8(2);
            out.i64(sliding.dropped.unwrap_or(-1));
            out.len(sliding.inside);
            out.len(sliding.events.len());
            for (time, values) in &sliding.events {
                out.i64(*time);
                values.iter().for_each(|value| out.f64(*value));
            }
        }
    }
}

fn windows(input: &mut Reader<'_>, definition: &Definition) -> Result<Windows, Broken> {
    let fields = definition.fields.len();
    let kind = input.u8()?;
    let windows = match kind {
        0 => {
            let mut panes = Panes::default();
            for _ in 0..input.count(16)? {
                let (start, group) = (time(input)?, group(input, fields)?);
                panes.held += group.held();
                panes.panes.insert(start, group);
            }
            Windows::Panes(panes)
        }
        1 => {
            let mut sessions = Sessions::default();
            for _ in 0..input.count(24)? {
                let (first, last) = (time(input)?, time(input)?);
                let in_order = sessions.0.last().is_none_or(|earlier| earlier.last <= first);
                if !in_order || first > last {
                    return Err(Broken);
                }
                sessions.0.push(Session { first, last, group: group(input, fields)? });
            }
            Windows::Sessions(sessions)
        }
        2 => {
            let dropped = time(input)?;
            let inside = input.count(0)?;
            let mut sliding = Sliding::new(fields);
            sliding.dropped = (dropped >= 0).then_some(dropped);
            for index in 0..input.count(8 + 8 * fields)? {
                let time = time(input)?;
                if sliding.events.back().is_some_and(|(last, _)| *last > time) {
                    return Err(Broken);
                }
                let values = (0..fields).map(|_| value(input, true)).collect::<Result<Box<[f64]>, _>>()?;
                if index < inside {
                    sliding.group.enter(&values, definition.rules());
                }
                sliding.events.push_back((time, values));
            }
            if inside > sliding.events.len() {
                return Err(Broken);
            }
            sliding.inside = inside;
            Windows::Sliding(sliding)
        }
        _ => return Err(Broken),
    };
    let fits = std::mem::discriminant(&windows)
        == std::mem::discriminant(&Windows::new(definition.shape, definition.fields.len()));
    if fits { Ok(windows) } else { Err(Broken) }
}

fn put_group(out: &mut Writer, group: &Group) {
    out.u64(group.events);
    for stats in &group.fields {
        out.u64(stats.count);
        out.u64(stats.lost);
        out.f64(stats.min);
        out.f64(stats.max);
        for sum in [&stats.sum, &stats.squares] {
            let (base, digits) = sum.parts();
            out.i64(base.into());
            out.len(digits.len());
            digits.iter().for_each(|digit| out.i64(*digit));
        }
        out.len(stats.values.len());
        stats.values.iter().for_each(|value| out.f64(*value));
    }
}

fn group(input: &mut Reader<'_>, fields: usize) -> Result<Group, Broken> {
    let events = number(input)?;
    let mut group = Group { events, fields: Vec::new() };
    for _ in 0..fields {
        let (count, lost) = (number(input)?, number(input)?);
        let (min, max) = (input.f64()?, input.f64()?);
        let mut sums = [Exact::default(), Exact::default()];
        for sum in &mut sums {
            let base = i32::try_from(input.i64()?).map_err(|_| Broken)?;
            let len = input.count(8)?;
            let digits = (0..len).map(|_| input.i64()).collect::<Result<_, _>>()?;
            *sum = Exact::from_parts(base, digits).ok_or(Broken)?;
        }
        let [sum, squares] = sums;
        let len = input.count(8)?;
        let values = (0..len).map(|_| value(input, false)).collect::<Result<_, _>>()?;
        group.fields.push(Stats { count, sum, squares, min, max, values, lost });
    }
    Ok(group)
}

/// Reads a finite value, or where it may be missing one that is not a number.
fn value(input: &mut Reader<'_>, may_miss: bool) -> Result<f64, Broken> {
    let value = input.f64()?;
    if value.is_finite() || may_miss && value.is_nan() { Ok(value) } else { Err(Broken) }
}
