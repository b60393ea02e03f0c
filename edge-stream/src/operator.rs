//! All keys: takes events and the time, gives results. No input or output, and the same results for the same inputs.

use std::sync::Arc;

use hashlink::LruCache;

use crate::config::Definition;
use crate::event::Event;
use crate::recent::Recent;
use crate::result::{ClosedBy, WindowResult};
use crate::window::{Closed, Windows};

/// Before every event.
const NEVER: i64 = -(1 << 60);

/// What was counted since the state began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Events that are in a window.
    pub events: u64,
    /// Events whose windows had all closed.
    pub late: u64,
    /// Events that were left out because their `distinct` value was seen before.
    pub repeated: u64,
    /// Messages that came again after they had been counted, for instance after a crash; they are not counted twice.
    pub redelivered: u64,
    /// Messages that could not be read.
    pub errors: u64,
    /// Results.
    pub results: u64,
    /// Keys whose windows closed early because of a limit.
    pub evicted: u64,
    /// Keys without open windows whose last time was forgotten because of a limit.
    pub forgotten: u64,
}

impl Counts {
    pub(crate) fn fields(&mut self) -> [&mut u64; 8] {
        let Self { events, late, repeated, redelivered, errors, results, evicted, forgotten } = self;
        [events, late, repeated, redelivered, errors, results, evicted, forgotten]
    }
}

/// One key with open windows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keyed {
    /// When its last event came, by the gateway's clock.
    pub(crate) seen: i64,
    /// The watermark: windows that end at or below it have closed.
    pub(crate) mark: i64,
    pub(crate) windows: Windows,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Counted,
    Repeated,
    Late,
}

/// The state of all windows.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) definition: Arc<Definition>,
    /// The longest silent first.
    pub(crate) open: LruCache<Box<str>, Keyed>,
    /// Watermarks of keys without open windows.
    pub(crate) closed: LruCache<Box<str>, i64>,
    pub(crate) recent: Recent,
    pub(crate) held: usize,
    pub(crate) next: u64,
    pub(crate) counts: Counts,
}

impl Operator {
    pub(crate) fn new(definition: Arc<Definition>) -> Self {
        Self {
            recent: Recent::new(definition.max_distinct),
            definition,
            open: LruCache::new_unbounded(),
            closed: LruCache::new_unbounded(),
            held: 0,
            next: 0,
            counts: Counts::default(),
        }
    }

    /// Takes an event that came at `now`, and adds the results of windows that it closes.
    pub(crate) fn event(&mut self, event: &Event, now: i64, out: &mut Vec<WindowResult>) -> Taken {
        if event.distinct.is_some_and(|value| !self.recent.insert(value)) {
            self.counts.repeated += 1;
            return Taken::Repeated;
        }
        let definition = self.definition.clone();
        let (shape, rules) = (definition.shape, definition.rules());
        if !self.open.contains_key(&event.key) {
            let mark = self.closed.remove(&event.key).unwrap_or(NEVER);
            let windows = Windows::new(shape, rules.needs.len());
            self.open.insert(event.key.clone(), Keyed { seen: now, mark, windows });
        }
        let Some(keyed) = self.open.get_mut(&event.key) else { return Taken::Late };
        keyed.seen = now;
        let before = keyed.windows.held();
        let taken = keyed.windows.add(shape, event.time, &event.values, keyed.mark, rules);
        if taken {
            self.counts.events += 1;
        } else {
            self.counts.late += 1;
        }
        let mark = keyed.mark.max(event.time - definition.lateness);
        if mark > keyed.mark {
            let span = (keyed.mark, mark);
            keyed.mark = mark;
            let mut emit = Emit { definition: &definition, key: &event.key, next: &mut self.next, out };
            keyed.windows.close(shape, span, rules, &mut |closed| emit.result(closed, ClosedBy::Time));
        }
        self.held = (self.held + keyed.windows.held()).saturating_sub(before);
        if keyed.windows.last_end(shape).is_none() && !matches!(keyed.windows, Windows::Sliding(_)) {
            // A late event of a key without open windows.
            let mark = keyed.mark;
            self.open.remove(&event.key);
            self.close_key(event.key.clone(), mark);
        }
        self.keep_within_limits(out);
        self.counts.results = self.next;
        if taken { Taken::Counted } else { Taken::Late }
    }

    /// Closes the windows of keys that have been silent for too long at `now`.
    pub(crate) fn tick(&mut self, now: i64, out: &mut Vec<WindowResult>) {
        let Some(idle) = self.definition.idle else { return };
        while self.open.iter().next().is_some_and(|(_, keyed)| now.saturating_sub(keyed.seen) >= idle) {
            self.flush_oldest(ClosedBy::Silence, out);
        }
        self.counts.results = self.next;
    }

    /// Returns when the next key will have been silent for too long.
    pub(crate) fn next_tick(&self) -> Option<i64> {
        let idle = self.definition.idle?;
        self.open.iter().next().map(|(_, keyed)| keyed.seen.saturating_add(idle))
    }

    fn keep_within_limits(&mut self, out: &mut Vec<WindowResult>) {
        let (keys, values) = (self.definition.max_keys, self.definition.max_total_values);
        while self.open.len() > keys || (self.held > values && self.open.len() > 1) {
            self.counts.evicted += 1;
            self.flush_oldest(ClosedBy::Limit, out);
        }
    }

    /// Closes all windows of the key that has been silent longest.
    fn flush_oldest(&mut self, by: ClosedBy, out: &mut Vec<WindowResult>) {
        let Some((key, mut keyed)) = self.open.remove_lru() else { return };
        let definition = self.definition.clone();
        self.held = self.held.saturating_sub(keyed.windows.held());
        if let Some(end) = keyed.windows.last_end(definition.shape) {
            let mut emit = Emit { definition: &definition, key: &key, next: &mut self.next, out };
            let span = (keyed.mark, end);
            let out = &mut |closed: Closed<'_>| emit.result(closed, by);
            keyed.windows.close(definition.shape, span, definition.rules(), out);
            keyed.mark = keyed.mark.max(end);
        }
        self.close_key(key, keyed.mark);
    }

    fn close_key(&mut self, key: Box<str>, mark: i64) {
        self.closed.insert(key, mark);
        if self.closed.len() > self.definition.max_keys {
            self.closed.remove_lru();
            self.counts.forgotten += 1;
        }
    }
}

/// Makes results of closed windows.
struct Emit<'o> {
    definition: &'o Definition,
    key: &'o str,
    next: &'o mut u64,
    out: &'o mut Vec<WindowResult>,
}

impl Emit<'_> {
    fn result(&mut self, closed: Closed<'_>, by: ClosedBy) {
        self.out.push(WindowResult::of(self.definition, self.key, &closed, by, *self.next));
        *self.next += 1;
    }
}
