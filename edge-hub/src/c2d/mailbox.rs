//! The messages that wait for one device: which may be handed out, which are held, which have run out.
//!
//! Pure: no store, no clock, no client. The messages themselves stay in the store; here is what must be known of each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use edge_core::{Offset, Timestamp};

use super::feedback::Wanted;

/// The token that settles a message which is locked.
pub(super) type Token = [u8; 16];

/// One message that waits.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) offset: Offset,
    pub(super) expires: Timestamp,
    pub(super) wanted: Wanted,
    pub(super) message_id: Box<str>,
    /// How often it was handed out.
    pub(super) deliveries: u32,
    /// How often whoever had it gave it back on purpose.
    abandons: u32,
    /// The session that had it last, and how often it did: within a session, only the client gives it back.
    by: Option<(Arc<()>, u32)>,
    hold: Option<Hold>,
}

impl Entry {
    pub(super) fn new(offset: Offset, expires: Timestamp, wanted: Wanted, message_id: &str) -> Self {
        let message_id = message_id.into();
        Self { offset, expires, wanted, message_id, deliveries: 0, abandons: 0, by: None, hold: None }
    }
}

/// Who has a message.
#[derive(Clone, Debug)]
enum Hold {
    /// A session, until it settles or ends.
    Session(Arc<()>),
    /// Whoever has the token, for a time.
    Lock(Token, Instant),
}

/// What became of a message that was given back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GivenBack {
    /// It waits again.
    Waits,
    /// It was given back as often as allowed, and is to be dropped.
    TooOften(Offset),
    /// The token holds nothing any more.
    Lost,
}

/// The messages that wait for one device, in their order.
#[derive(Debug, Default)]
pub(super) struct Entries {
    waiting: VecDeque<Entry>,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.waiting.push_back(entry);
    }

    /// Holds the next messages for a session, at most `window` at a time, and returns their offsets with how often they
    /// were handed out before.
    ///
    /// A message that another session still has is waited for: the order holds also when a client connects again.
    pub(super) fn hold_for(
        &mut self,
        session: &Arc<()>,
        now: Timestamp,
        window: usize,
    ) -> Vec<(Offset, u32)> {
        let mut held = 0;
        let mut next = Vec::new();
        for entry in &mut self.waiting {
            match &entry.hold {
                Some(Hold::Session(other)) if !Arc::ptr_eq(other, session) => break,
                Some(Hold::Session(_)) => held += 1,
                Some(Hold::Lock(..)) => {}
                None if entry.expires <= now => {}
                None if held + next.len() >= window => break,
                None => {
                    entry.hold = Some(Hold::Session(session.clone()));
                    let times =
                        entry.by.take().filter(|(by, _)| Arc::ptr_eq(by, session)).map_or(0, |(_, n)| n);
                    entry.by = Some((session.clone(), times + 1));
                    next.push((entry.offset, entry.deliveries));
                    entry.deliveries += 1;
                }
            }
        }
        next
    }

    /// Locks the next message until `until`; returns its offset, and how often it has been handed out, this time included.
    pub(super) fn lock_next(
        &mut self,
        token: Token,
        now: (Timestamp, Instant),
        until: Instant,
    ) -> Option<(Offset, u32)> {
        self.unlock(now.1);
        let entry = self.waiting.iter_mut().find(|entry| entry.hold.is_none() && entry.expires > now.0)?;
        entry.hold = Some(Hold::Lock(token, until));
        entry.deliveries += 1;
        Some((entry.offset, entry.deliveries))
    }

    /// Takes back what was locked for too long.
    pub(super) fn unlock(&mut self, now: Instant) {
        for entry in &mut self.waiting {
            if matches!(entry.hold, Some(Hold::Lock(_, until)) if until <= now) {
                entry.hold = None;
            }
        }
    }

    /// Returns the offset of the message that the token holds.
    pub(super) fn locked(&mut self, token: &Token, now: Instant) -> Option<Offset> {
        self.unlock(now);
        let holds = |entry: &&Entry| matches!(&entry.hold, Some(Hold::Lock(held, _)) if held == token);
        self.waiting.iter().find(holds).map(|entry| entry.offset)
    }

    /// Gives a locked message back, which may happen `most` times.
    pub(super) fn abandon(&mut self, token: &Token, now: Instant, most: u32) -> GivenBack {
        let Some(offset) = self.locked(token, now) else { return GivenBack::Lost };
        let Some(entry) = self.find(offset) else { return GivenBack::Lost };
        entry.hold = None;
        entry.abandons += 1;
        if entry.abandons >= most { GivenBack::TooOften(offset) } else { GivenBack::Waits }
    }

    /// Gives back a message that a session had: its connection has ended, or it does not want the message now, which one
    /// session may say `most` times.
    pub(super) fn release(&mut self, offset: Offset, most: u32) -> GivenBack {
        let Some(entry) = self.find(offset) else { return GivenBack::Lost };
        entry.hold = None;
        let times = entry.by.as_ref().map_or(0, |(_, times)| *times);
        if times >= most { GivenBack::TooOften(offset) } else { GivenBack::Waits }
    }

    /// Takes a message out: it is settled.
    pub(super) fn take(&mut self, offset: Offset) -> Option<Entry> {
        let at = self.waiting.iter().position(|entry| entry.offset == offset)?;
        self.waiting.remove(at)
    }

    /// Takes out what has run out and nobody has.
    pub(super) fn take_expired(&mut self, now: Timestamp, instant: Instant) -> Vec<Entry> {
        self.unlock(instant);
        let is_out = |entry: &Entry| entry.expires <= now && entry.hold.is_none();
        let (out, kept) = std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(is_out);
        self.waiting = kept.into();
        out
    }

    /// Takes everything out.
    pub(super) fn take_all(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.waiting).into()
    }

    fn find(&mut self, offset: Offset) -> Option<&mut Entry> {
        self.waiting.iter_mut().find(|entry| entry.offset == offset)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use edge_core::{Clock, SystemClock};

    use super::*;

    const T0: Timestamp = Timestamp::from_unix_ms(0);

    fn entries(offsets: std::ops::Range<Offset>) -> Entries {
        let mut entries = Entries::default();
        for offset in offsets {
            entries.push(Entry::new(offset, Timestamp::from_unix_ms(1000), Wanted::NONE, ""));
        }
        entries
    }

    fn offsets(held: Vec<(Offset, u32)>) -> Vec<Offset> {
        held.into_iter().map(|(offset, _)| offset).collect()
    }

    #[test]
    fn a_session_gets_a_window_in_order() {
        let (mut entries, session) = (entries(0..5), Arc::new(()));
        assert_eq!(offsets(entries.hold_for(&session, T0, 2)), [0, 1]);
        assert!(entries.hold_for(&session, T0, 2).is_empty());
        entries.take(0).unwrap();
        assert_eq!(offsets(entries.hold_for(&session, T0, 2)), [2]);
    }

    #[test]
    fn another_session_waits_for_what_the_first_still_has() {
        let (mut entries, first, second) = (entries(0..3), Arc::new(()), Arc::new(()));
        assert_eq!(offsets(entries.hold_for(&first, T0, 2)), [0, 1]);
        assert!(entries.hold_for(&second, T0, 9).is_empty());
        assert_eq!(entries.release(1, 2), GivenBack::Waits);
        assert!(entries.hold_for(&second, T0, 9).is_empty());
        assert_eq!(entries.release(0, 2), GivenBack::Waits);
        assert_eq!(entries.hold_for(&second, T0, 9), [(0, 1), (1, 1), (2, 0)]);
    }

    #[test]
    fn one_session_gives_a_message_back_only_so_often() {
        let (mut entries, first, second) = (entries(0..1), Arc::new(()), Arc::new(()));
        for session in [&first, &second, &first] {
            assert_eq!(entries.hold_for(session, T0, 1).len(), 1);
            assert_eq!(entries.release(0, 2), GivenBack::Waits);
        }
        assert_eq!(entries.hold_for(&first, T0, 1).len(), 1);
        assert_eq!(entries.release(0, 2), GivenBack::TooOften(0));
    }

    #[test]
    fn locks_run_out_and_abandons_are_counted() {
        let (mut entries, start) = (entries(0..2), SystemClock.now());
        let until = start + Duration::from_secs(60);
        let token = |n: u8| [n; 16];
        assert_eq!(entries.lock_next(token(1), (T0, start), until), Some((0, 1)));
        assert_eq!(entries.lock_next(token(2), (T0, start), until), Some((1, 1)));
        assert_eq!(entries.lock_next(token(3), (T0, start), until), None);
        assert_eq!(entries.abandon(&token(2), start, 2), GivenBack::Waits);
        assert_eq!(entries.abandon(&token(2), start, 2), GivenBack::Lost);
        assert_eq!(entries.locked(&token(1), until), None, "the lock has run out");
        assert_eq!(entries.lock_next(token(4), (T0, until), until + Duration::from_secs(60)), Some((0, 2)));
        assert_eq!(entries.lock_next(token(5), (T0, until), until + Duration::from_secs(60)), Some((1, 2)));
        assert_eq!(entries.abandon(&token(5), until, 2), GivenBack::TooOften(1));
    }

    #[test]
    fn what_is_held_does_not_run_out() {
        let (mut entries, session, late) = (entries(0..2), Arc::new(()), Timestamp::from_unix_ms(1000));
        assert_eq!(entries.hold_for(&session, T0, 1).len(), 1);
        let out = entries.take_expired(late, SystemClock.now());
        assert_eq!(out.iter().map(|entry| entry.offset).collect::<Vec<_>>(), [1]);
        assert_eq!(entries.release(0, 9), GivenBack::Waits);
        assert!(entries.hold_for(&session, late, 9).is_empty());
        assert_eq!(entries.take_expired(late, SystemClock.now()).len(), 1);
        assert_eq!(entries.len(), 0);
    }
}
