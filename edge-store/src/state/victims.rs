//! Which entry leaves next to make room.

use edge_core::Overflow;

use super::{Definition, Queue, State};

/// An entry that may leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Victim {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// Where it stands, when it is on disk.
    pub(crate) segment: Option<u64>,
}

impl State {
    /// Takes note of what a route wants to happen at overflow; it holds for the route's entries that wait, too.
    pub(super) fn set_policy(
        &mut self,
        number: u32,
        route: u32,
        overflow: &Overflow,
        definitions: &mut Vec<Definition>,
    ) {
        let Some(queue) = self.queues.get_mut(number as usize) else { return };
        if queue.policy(route) == overflow {
            return;
        }
        definitions.push(Definition::Policy(number, route, overflow.clone()));
        queue.set_policy(route, overflow.clone());
        self.begin_policies(number);
    }

    /// Looks at a queue whose policies are new: its oldest entries may be victims, and have keys that are not known.
    pub(crate) fn begin_policies(&mut self, number: u32) {
        let Some(queue) = self.queues.get_mut(number as usize) else { return };
        queue.victims_from = queue.head;
        if queue.learns_keys() {
            self.unlearned.push(number);
        }
        let may_leave = queue.policies.iter().any(|(_, overflow)| overflow.is_evictable());
        self.rank(number, may_leave.then_some(0));
    }

    /// Puts a queue among those that have victims: by class, and by the oldest segment that one may stand in.
    pub(super) fn rank(&mut self, number: u32, segment: Option<u64>) {
        let Some(queue) = self.queues.get_mut(number as usize) else { return };
        let class = queue.id.priority().rank();
        if let Some(before) = queue.ranked {
            self.victims.remove(&(class, before, number));
        }
        queue.ranked = segment;
        self.victims.extend(segment.map(|segment| (class, segment, number)));
    }
}

impl Queue {
    /// Returns what a route wants to happen at overflow.
    pub(crate) fn policy(&self, route: u32) -> &Overflow {
        let at = self.policies.binary_search_by_key(&route, |(route, _)| *route);
        at.ok().and_then(|at| self.policies.get(at)).map_or(&Overflow::Refuse, |(_, overflow)| overflow)
    }

    pub(crate) fn set_policy(&mut self, route: u32, overflow: Overflow) {
        match self.policies.binary_search_by_key(&route, |(route, _)| *route) {
            Ok(at) => {
                if let Some((_, known)) = self.policies.get_mut(at) {
                    *known = overflow;
                }
            }
            Err(at) => self.policies.insert(at, (route, overflow)),
        }
    }

    /// Returns whether an entry is there.
    pub(crate) fn waits(&self, offset: u64) -> bool {
        (self.head..self.next).contains(&offset) && self.holes.end_of(offset).is_none()
    }

    /// Returns the first entry at or above `from` that may leave for others.
    ///
    /// Whoever goes on where the last one was found looks at each entry once.
    pub(crate) fn evictable(&self, from: u64) -> Option<Victim> {
        if self.policies.is_empty() {
            return None;
        }
        let tail_first = self.tail_first();
        let mut at = from.max(self.head);
        while at < self.next {
            if let Some(end) = self.holes.end_of(at) {
                at = end;
                continue;
            }
            let extent = self.extents.reaching_above(at);
            let here = extent.filter(|extent| extent.contains(at));
            let in_tail = at.checked_sub(tail_first).and_then(|at| self.tail.get(usize::try_from(at).ok()?));
            let route = in_tail.map(|entry| entry.route).or_else(|| here?.route_at(at));
            let Some(route) = route else {
                at = extent.map_or(tail_first, |next| next.first.min(tail_first)).max(at + 1);
                continue;
            };
            if self.policy(route).is_evictable() {
                return self.victim(at);
            }
            at = match here {
                Some(extent) if extent.routes.len() == 1 => extent.end(),
                _ => at + 1,
            };
        }
        None
    }

    /// Returns an entry that is there as one that leaves.
    pub(crate) fn victim(&self, offset: u64) -> Option<Victim> {
        let extent = self.extents.reaching_above(offset).filter(|extent| extent.contains(offset));
        if let Some(extent) = extent.filter(|_| offset < self.written) {
            let bytes = extent.bytes / u64::from(extent.count.max(1));
            return Some(Victim { offset, bytes, segment: Some(extent.segment) });
        }
        let at = usize::try_from(offset.checked_sub(self.tail_first())?).ok()?;
        let entry = self.tail.get(at)?;
        Some(Victim { offset, bytes: entry.bytes.into(), segment: None })
    }
}
