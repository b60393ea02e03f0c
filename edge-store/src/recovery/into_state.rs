//! From what the log says to what a store knows.

use std::collections::HashMap;

use super::{Recovered, Recovery};
use crate::StoreOptions;
use crate::state::{Queue, Segment, State, is_heir};

impl Recovered {
    /// Returns the state that was found, with an active segment that is still to be begun.
    pub(crate) fn into_state(self, options: StoreOptions) -> (State, Recovery) {
        let mut state = State::new(options);
        state.routes = self.replay.routes();
        state.route_numbers = (0..).zip(&state.routes).map(|(number, name)| (name.clone(), number)).collect();
        for (number, bytes) in self.segments {
            state.segments.insert(number, Segment { bytes, sealed: true, ..Segment::default() });
            state.file_bytes += bytes;
        }
        let mut numbers = HashMap::new();
        for (number, found) in self.replay.queues {
            let Some(id) = found.id else {
                state.vacant.push(number);
                state.queues.push(Queue::vacant(found.next, found.generation));
                continue;
            };
            if is_heir(&id) {
                state.floor = state.floor.max(found.next);
            }
            let mut queue = Queue::new(id.clone(), state.classes.join(id.priority().rank()));
            queue.generation = found.generation;
            (queue.head, queue.next, queue.holes) = (found.head, found.next, found.holes);
            (queue.waiting, queue.extents) = (found.waiting, found.extents);
            (queue.tallies, queue.lost, queue.written) = (found.tallies, found.lost, found.next);
            for (route, overflow) in found.policies {
                queue.set_policy(route, overflow);
            }
            for extent in queue.extents.iter() {
                queue.held.add(extent.left);
                if let Some(segment) = state.segments.get_mut(&extent.segment) {
                    segment.extents += 1;
                    segment.live += extent.left;
                }
            }
            state.queues.push(queue);
            numbers.insert(id, number);
        }
        state.queue_numbers = numbers;
        state.held_bytes = state.segments.values().map(Segment::held).sum();
        for number in (0..).take(state.queues.len()) {
            state.begin_policies(number);
        }
        let dead =
            state.segments.iter().filter(|(_, segment)| segment.extents == 0).map(|(&number, _)| number);
        state.mail.dead = dead.collect();
        state.active = self.next_segment;
        state.segments.insert(state.active, Segment::default());
        (state, self.report)
    }
}
