//! All routes of a bucket that are looked up by one leaf.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::interval::Intervals;
use super::set::{Interval, Text, ValueSet};
use crate::number;
use crate::value::Value;

/// Routes by the value of a leaf.
#[derive(Debug, Default)]
pub(super) struct Probe {
    texts: Texts,
    prefixes: HashMap<Box<str>, Vec<u32>>,
    /// The lengths of the prefixes, ascending.
    prefix_lengths: Vec<usize>,
    /// By the number that a text reads as.
    reads: Numbers,
    numbers: Numbers,
    any_text: Vec<u32>,
    null_text: Vec<u32>,
    bools: [Vec<u32>; 2],
    null: Vec<u32>,
}

/// Routes by a number: single ones in a table, ranges in a tree.
#[derive(Debug, Default)]
struct Numbers {
    points: HashMap<u64, Vec<u32>>,
    ranges: Intervals,
    all: Vec<u32>,
}

/// Routes by a whole text: a few side by side, many in a table.
#[derive(Debug)]
enum Texts {
    Few(Vec<(Box<str>, Vec<u32>)>),
    Many(HashMap<Box<str>, Vec<u32>>),
}

/// More texts than this are in a table.
const FEW: usize = 4;

impl Probe {
    pub(super) fn new(sets: Vec<(ValueSet, u32)>) -> Self {
        let mut probe = Self::default();
        let mut reads = Vec::new();
        let mut numbers = Vec::new();
        let mut texts: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        for (set, route) in sets {
            match set.text {
                Text::None => {}
                Text::Is(text) => texts.entry(text).or_default().push(route),
                Text::Prefix(prefix) => probe.prefixes.entry(prefix).or_default().push(route),
                Text::Reads(interval) => reads.push((interval, route)),
                Text::Any => probe.any_text.push(route),
            }
            numbers.extend(set.number.map(|interval| (interval, route)));
            if set.null_text {
                probe.null_text.push(route);
            }
            for (list, is_in) in probe.bools.iter_mut().zip(set.bools) {
                if is_in {
                    list.push(route);
                }
            }
            if set.null {
                probe.null.push(route);
            }
        }
        probe.texts =
            if texts.len() > FEW { Texts::Many(texts) } else { Texts::Few(texts.into_iter().collect()) };
        probe.prefix_lengths = probe.prefixes.keys().map(|prefix| prefix.len()).collect();
        probe.prefix_lengths.sort_unstable();
        probe.prefix_lengths.dedup();
        probe.reads = Numbers::new(reads);
        probe.numbers = Numbers::new(numbers);
        probe
    }

    /// Whether a null or missing value leads to a route.
    pub(super) fn takes_null(&self) -> bool {
        !self.null.is_empty()
    }

    /// Adds to `found` the routes whose set holds `value`.
    pub(super) fn find(&self, value: Value<'_>, found: &mut Vec<u32>) {
        match value {
            Value::Undefined => {}
            Value::Null | Value::Missing => found.extend_from_slice(&self.null),
            Value::NullStr => found.extend_from_slice(&self.null_text),
            Value::Bool(value) => {
                found.extend_from_slice(self.bools.get(usize::from(value)).map_or(&[], |list| list));
            }
            Value::Number(value) => self.numbers.find(value, found),
            Value::Str(text) => self.find_text(text, found),
        }
    }

    fn find_text(&self, text: &str, found: &mut Vec<u32>) {
        if let Some(routes) = self.texts.routes(text) {
            found.extend_from_slice(routes);
        }
        for &length in &self.prefix_lengths {
            let Some(prefix) = text.get(..length) else { continue };
            if let Some(routes) = self.prefixes.get(prefix) {
                found.extend_from_slice(routes);
            }
        }
        if !self.reads.is_empty()
            && let Some(value) = number::parse(text)
        {
            self.reads.find(value, found);
        }
        if !self.any_text.is_empty() {
            found.extend_from_slice(&self.any_text);
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Texts {
    fn routes(&self, text: &str) -> Option<&Vec<u32>> {
        match self {
            Self::Few(list) => list.iter().find(|(known, _)| **known == *text).map(|(_, routes)| routes),
            Self::Many(table) => table.get(text),
        }
    }
}

impl Numbers {
    fn new(intervals: Vec<(Interval, u32)>) -> Self {
        let mut points: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut ranges = Vec::new();
        let mut all = Vec::new();
        for (interval, route) in intervals {
            if interval == Interval::ALL {
                all.push(route);
            } else if interval.is_point() {
                points.entry(key(interval.low)).or_default().push(route);
            } else {
                ranges.push((interval, route));
            }
        }
        Self { points, ranges: Intervals::new(ranges), all }
    }

    fn is_empty(&self) -> bool {
        self.points.is_empty() && self.ranges.is_empty() && self.all.is_empty()
    }

    fn find(&self, value: f64, found: &mut Vec<u32>) {
        if let Some(routes) = self.points.get(&key(value)) {
            found.extend_from_slice(routes);
        }
        self.ranges.find(value, found);
        found.extend_from_slice(&self.all);
    }
}

/// Equal numbers have one key: both zeros are one.
fn key(value: f64) -> u64 {
    (value + 0.0).to_bits()
}
