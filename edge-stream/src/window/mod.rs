//! The windows of one key: what they hold, and what comes out as event time passes.
//!
//! Event time only moves on by the *watermark*, which trails the latest event of the key by the lateness. A window
//! closes, once and for good, when the watermark has reached its end.

mod panes;
mod sessions;
mod sliding;

pub(crate) use panes::Panes;
pub(crate) use sessions::{Session, Sessions};
pub(crate) use sliding::Sliding;

use crate::stats::{Group, Rules};

/// When windows begin and end. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Windows of `size` that begin at each multiple of `hop`, moved by `offset`; tumbling when the two are equal.
    Hopping { size: i64, hop: i64, offset: i64 },
    /// For each time of an event, the window that ends with it.
    Sliding { size: i64 },
    /// As long as events come less than `gap` apart, and within one multiple of `max`.
    Session { gap: i64, max: i64 },
}

/// The windows of one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Windows {
    Panes(Panes),
    Sessions(Sessions),
    Sliding(Sliding),
}

/// A window that has closed; it takes in what it needs of the group before it returns.
pub(crate) struct Closed<'g> {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) group: &'g mut Group,
}

impl Windows {
    pub(crate) fn new(shape: Shape, fields: usize) -> Self {
        match shape {
            Shape::Hopping { .. } => Self::Panes(Panes::default()),
            Shape::Session { .. } => Self::Sessions(Sessions::default()),
            Shape::Sliding { .. } => Self::Sliding(Sliding::new(fields)),
        }
    }

    /// Takes an event in; returns whether a window is still open for it.
    pub(crate) fn add(
        &mut self,
        shape: Shape,
        time: i64,
        values: &[f64],
        mark: i64,
        rules: Rules<'_>,
    ) -> bool {
        match (self, shape) {
            (Self::Panes(panes), Shape::Hopping { size, hop, offset }) => {
                panes.add((size, hop, offset), time, values, mark, rules)
            }
            (Self::Sessions(sessions), Shape::Session { gap, max }) => {
                sessions.add((gap, max), time, values, mark, rules)
            }
            (Self::Sliding(sliding), Shape::Sliding { size }) => sliding.add(size, time, values, mark, rules),
            _ => false,
        }
    }

    /// Closes what ends above `from` and not above `to`.
    pub(crate) fn close(
        &mut self,
        shape: Shape,
        (from, to): (i64, i64),
        rules: Rules<'_>,
        out: &mut dyn FnMut(Closed<'_>),
    ) {
        match (self, shape) {
            (Self::Panes(panes), Shape::Hopping { size, hop, offset }) => {
                panes.close((size, hop, offset), (from, to), rules, out);
            }
            (Self::Sessions(sessions), Shape::Session { gap, max }) => sessions.close((gap, max), to, out),
            (Self::Sliding(sliding), Shape::Sliding { size }) => sliding.close(size, to, rules, out),
            _ => {}
        }
    }

    /// Returns the end of the last window that is open; `None` when none is.
    pub(crate) fn last_end(&self, shape: Shape) -> Option<i64> {
        match (self, shape) {
            (Self::Panes(panes), Shape::Hopping { size, hop, offset }) => panes.last_end((size, hop, offset)),
            (Self::Sessions(sessions), Shape::Session { gap, max }) => sessions.last_end((gap, max)),
            (Self::Sliding(sliding), _) => sliding.last_end(),
            _ => None,
        }
    }

    /// Returns how many values are kept.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Panes(panes) => panes.held(),
            Self::Sessions(sessions) => sessions.held(),
            Self::Sliding(sliding) => sliding.held(),
        }
    }
}

/// Returns the multiple of `step`, moved by `offset`, at or below `time`.
fn floor(time: i64, step: i64, offset: i64) -> i64 {
    (time - offset).div_euclid(step) * step + offset
}
