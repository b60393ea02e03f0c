//! What the hub has for one connected client, until its transport takes it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use edge_core::{CloseReason, Delivery, SessionEvent};

/// A mailbox with one reader. It is bounded by its writers: each input endpoint has one batch in it at most, and what is
/// urgent is counted.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Arc<()>, Delivery)>,
    /// What goes before all deliveries, and needs no room: answers, calls, changes of the twin.
    urgent: VecDeque<SessionEvent>,
    closed: Option<CloseReason>,
    told: bool,
    /// Who waits for anything, and who for what is urgent; of a connection both are the same task.
    reader: Option<Waker>,
    urgent_reader: Option<Waker>,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts deliveries in, under a ticket by which they can be withdrawn; a closed outbox releases them.
    pub(crate) fn push(&self, ticket: &Arc<()>, deliveries: Vec<Delivery>) {
        let mut state = self.state();
        if state.closed.is_some() {
            drop(state);
            drop(deliveries);
            return;
        }
        state.waiting.extend(deliveries.into_iter().map(|delivery| (ticket.clone(), delivery)));
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Puts something urgent in, when fewer than `limit` such things wait; a closed outbox takes nothing.
    pub(crate) fn push_urgent(&self, event: SessionEvent, limit: usize) -> bool {
        let mut state = self.state();
        if state.closed.is_some() || state.urgent.len() >= limit {
            return false;
        }
        state.urgent.push_back(event);
        let readers = state.readers();
        drop(state);
        wake(readers);
        true
    }

    /// Takes back what the transport has not taken yet of a ticket; dropping it releases it.
    pub(crate) fn withdraw(&self, ticket: &Arc<()>) {
        let mut state = self.state();
        let all = std::mem::take(&mut state.waiting);
        let (out, kept) = all.into_iter().partition::<VecDeque<_>, _>(|(of, _)| Arc::ptr_eq(of, ticket));
        state.waiting = kept;
        drop(state);
        drop(out);
    }

    /// Takes back everything that the transport has not taken yet; dropping it releases it.
    pub(crate) fn withdraw_all(&self) {
        let out = std::mem::take(&mut self.state().waiting);
        drop(out);
    }

    /// Ends the session: the reader hears of it next, and everything not taken yet is released.
    pub(crate) fn close(&self, reason: CloseReason) {
        let mut state = self.state();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(reason);
        let released = std::mem::take(&mut state.waiting);
        state.urgent.clear();
        let readers = state.readers();
        drop(state);
        drop(released);
        wake(readers);
    }

    /// Returns whether the session was ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    /// Takes the next thing out.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<SessionEvent> {
        let mut state = self.state();
        if let Some(event) = state.next_urgent() {
            return Poll::Ready(event);
        }
        if let Some((_, delivery)) = state.waiting.pop_front() {
            return Poll::Ready(SessionEvent::Deliver(delivery));
        }
        remember(&mut state.reader, cx);
        Poll::Pending
    }

    /// Takes the next thing out that is no delivery.
    pub(crate) fn poll_urgent(&self, cx: &Context<'_>) -> Poll<SessionEvent> {
        let mut state = self.state();
        if let Some(event) = state.next_urgent() {
            return Poll::Ready(event);
        }
        remember(&mut state.urgent_reader, cx);
        Poll::Pending
    }

    /// Takes the next delivery out; `None` when the session is over.
    pub(crate) fn poll_delivery(&self, cx: &Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.state();
        if state.closed.is_some() {
            return Poll::Ready(None);
        }
        if let Some((_, delivery)) = state.waiting.pop_front() {
            return Poll::Ready(Some(delivery));
        }
        remember(&mut state.reader, cx);
        Poll::Pending
    }
}

impl State {
    fn next_urgent(&mut self) -> Option<SessionEvent> {
        if let Some(reason) = self.tell_closed() {
            return Some(SessionEvent::Closed(reason));
        }
        let event = self.urgent.pop_front();
        if self.urgent.is_empty() && self.urgent.capacity() > 8 {
            self.urgent = VecDeque::new();
        }
        event
    }

    fn tell_closed(&mut self) -> Option<CloseReason> {
        let reason = self.closed.filter(|_| !self.told)?;
        self.told = true;
        Some(reason)
    }

    fn readers(&mut self) -> [Option<Waker>; 2] {
        [self.reader.take(), self.urgent_reader.take()]
    }
}

fn remember(reader: &mut Option<Waker>, cx: &Context<'_>) {
    match reader {
        Some(waker) => waker.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}

fn wake(readers: [Option<Waker>; 2]) {
    readers.into_iter().flatten().for_each(Waker::wake);
}
