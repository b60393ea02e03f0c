//! The events that are counted together: a pane of a window, a session, or what a sliding window holds.

use super::Exact;

/// What has to be kept of the values at a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent needs")]
pub(crate) struct Needs {
    pub(crate) sum: bool,
    pub(crate) squares: bool,
    pub(crate) extremes: bool,
    pub(crate) values: bool,
}

impl Needs {
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            sum: self.sum || other.sum,
            squares: self.squares || other.squares,
            extremes: self.extremes || other.extremes,
            values: self.values || other.values,
        }
    }
}

/// What is kept of the values at one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stats {
    pub(crate) count: u64,
    pub(crate) sum: Exact,
    pub(crate) squares: Exact,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) values: Vec<f64>,
    /// Values that were counted and not kept.
    pub(crate) lost: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            count: 0,
            sum: Exact::default(),
            squares: Exact::default(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            values: Vec::new(),
            lost: 0,
        }
    }
}

impl Stats {
    fn add(&mut self, value: f64, needs: Needs, limit: usize) {
        self.count += 1;
        if needs.sum {
            self.sum.add(value);
        }
        if needs.squares {
            self.squares.add_square(value);
        }
        if needs.extremes {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
        if needs.values {
            if self.values.len() < limit {
                self.values.push(value);
            } else {
                self.lost += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self, needs: Needs, limit: usize) {
        self.count += other.count;
        self.lost += other.lost;
        if needs.sum {
            self.sum.merge(&other.sum);
        }
        if needs.squares {
            self.squares.merge(&other.squares);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let room = limit.saturating_sub(self.values.len());
        self.values.extend(other.values.iter().take(room));
        self.lost += other.values.len().saturating_sub(room) as u64;
    }

    /// Adds a value to what is kept sorted, and can leave again.
    fn enter(&mut self, value: f64, needs: Needs) {
        self.count += 1;
        if needs.sum {
            self.sum.add(value);
        }
        if needs.squares {
            self.squares.add_square(value);
        }
        if needs.values || needs.extremes {
            let at = self.values.partition_point(|known| *known <= value);
            self.values.insert(at, value);
            self.bounds();
        }
    }

    fn leave(&mut self, value: f64, needs: Needs) {
        self.count = self.count.saturating_sub(1);
        if needs.sum {
            self.sum.remove(value);
        }
        if needs.squares {
            self.squares.remove_square(value);
        }
        if needs.values || needs.extremes {
            let at = self.values.partition_point(|known| *known < value);
            if self.values.get(at) == Some(&value) {
                self.values.remove(at);
            }
            self.bounds();
        }
    }

    fn bounds(&mut self) {
        self.min = self.values.first().copied().unwrap_or(f64::INFINITY);
        self.max = self.values.last().copied().unwrap_or(f64::NEG_INFINITY);
    }
}

/// Events that are counted together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    pub(crate) events: u64,
    pub(crate) fields: Vec<Stats>,
}

/// What a group must know to take events in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'d> {
    pub(crate) needs: &'d [Needs],
    /// The most values kept for percentiles.
    pub(crate) limit: usize,
}

impl Group {
    pub(crate) fn new(fields: usize) -> Self {
        Self { events: 0, fields: vec![Stats::default(); fields] }
    }

    /// Adds an event; a value that is not a number is none.
    pub(crate) fn add(&mut self, values: &[f64], rules: Rules<'_>) {
        self.events += 1;
        self.each(values, rules, |stats, value, needs| stats.add(value, needs, rules.limit));
    }

    /// Adds an event that can leave again.
    pub(crate) fn enter(&mut self, values: &[f64], rules: Rules<'_>) {
        self.events += 1;
        self.each(values, rules, |stats, value, needs| stats.enter(value, needs));
    }

    /// Takes an event away that was added by [`Group::enter`].
    pub(crate) fn leave(&mut self, values: &[f64], rules: Rules<'_>) {
        self.events = self.events.saturating_sub(1);
        self.each(values, rules, |stats, value, needs| stats.leave(value, needs));
    }

    pub(crate) fn merge(&mut self, other: &Self, rules: Rules<'_>) {
        self.events += other.events;
        for ((mine, theirs), needs) in self.fields.iter_mut().zip(&other.fields).zip(rules.needs) {
            mine.merge(theirs, *needs, rules.limit);
        }
    }

    fn each(&mut self, values: &[f64], rules: Rules<'_>, mut change: impl FnMut(&mut Stats, f64, Needs)) {
        for ((stats, value), needs) in self.fields.iter_mut().zip(values).zip(rules.needs) {
            if !value.is_nan() {
                change(stats, *value, *needs);
            }
        }
    }

    /// Returns how many values are kept.
    pub(crate) fn held(&self) -> usize {
        self.fields.iter().map(|stats| stats.values.len()).sum()
    }

    /// Sorts what is kept, as [`super::Function::of`] wants it.
    pub(crate) fn sort(&mut self) {
        self.fields.iter_mut().for_each(|stats| stats.values.sort_unstable_by(f64::total_cmp));
    }
}
