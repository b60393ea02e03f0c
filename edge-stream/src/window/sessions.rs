//! Session windows: events that come less than a gap apart.

use super::{Closed, floor};
use crate::stats::{Group, Rules};

/// The open sessions of one key, by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sessions(pub(crate) Vec<Session>);

/// One session: the times of its first and last event, and what is in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) group: Group,
}

/// Gap, and the multiples that no session crosses.
type Times = (i64, i64);

fn end((gap, max): Times, last: i64) -> i64 {
    (last + gap).min(floor(last, max, 0) + max)
}

impl Sessions {
    pub(super) fn add(
        &mut self,
        times: Times,
        time: i64,
        values: &[f64],
        mark: i64,
        rules: Rules<'_>,
    ) -> bool {
        let (gap, max) = times;
        let slice = floor(time, max, 0);
        let joins = |session: &Session| {
            session.first - gap < time && time < session.last + gap && floor(session.first, max, 0) == slice
        };
        // Open sessions are a gap apart, so that at most two join, and those are neighbours.
        let Some(at) = self.0.iter().position(joins) else {
            if end(times, time) <= mark {
                return false;
            }
            let mut group = Group::new(rules.needs.len());
            group.add(values, rules);
            let at = self.0.partition_point(|session| session.first < time);
            self.0.insert(at, Session { first: time, last: time, group });
            return true;
        };
        let next = if self.0.get(at + 1).is_some_and(joins) { Some(self.0.remove(at + 1)) } else { None };
        if let Some(session) = self.0.get_mut(at) {
            session.group.add(values, rules);
            session.first = session.first.min(time);
            session.last = session.last.max(time);
            if let Some(next) = next {
                session.last = session.last.max(next.last);
                session.group.merge(&next.group, rules);
            }
        }
        true
    }

    pub(super) fn close(&mut self, times: Times, to: i64, out: &mut dyn FnMut(Closed<'_>)) {
        let open = self.0.iter().position(|session| end(times, session.last) > to).unwrap_or(self.0.len());
        for mut session in self.0.drain(..open) {
            session.group.sort();
            out(Closed { start: session.first, end: end(times, session.last), group: &mut session.group });
        }
    }

    pub(super) fn last_end(&self, times: Times) -> Option<i64> {
        self.0.last().map(|session| end(times, session.last))
    }

    pub(super) fn held(&self) -> usize {
        self.0.iter().map(|session| session.group.held()).sum()
    }
}
