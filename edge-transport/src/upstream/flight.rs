//! A batch on its way: what is sent, what is answered, what comes of it. No socket, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use edge_core::{Message, Outcome};
use tokio::time::Instant;

/// The messages that are sent and not answered, and the batch that they belong to.
#[derive(Debug)]
pub(super) struct Flight {
    window: usize,
    patience: Duration,
    last_id: u16,
    /// Sent and not answered, in the order of sending; those of a batch that nobody waits for have no place.
    sent: VecDeque<(u16, Option<usize>)>,
    /// When the broker last answered, or the first of `sent` was sent.
    since: Option<Instant>,
    batch: Option<Batch>,
}

#[derive(Debug)]
struct Batch {
    messages: Vec<Message>,
    outcomes: Vec<Option<Outcome>>,
    /// The next message to send.
    next: usize,
    /// Whether to send no more of it, since one that is to be sent again must not be overtaken.
    held: bool,
    /// The place of a message that is to be in flight alone.
    alone: Option<usize>,
}

impl Batch {
    fn is_known(&self, at: usize) -> bool {
        self.outcomes.get(at).is_some_and(Option::is_some)
    }
}

impl Flight {
    /// Returns an empty flight of at most `window` messages, whose answers may take as long as `patience`.
    pub(super) fn new(window: u16, patience: Duration) -> Self {
        let window = usize::from(window.max(1));
        Self { window, patience, last_id: 0, sent: VecDeque::new(), since: None, batch: None }
    }

    /// Begins a batch, with nothing in flight beside the message at the place `alone`; the one before must be done.
    pub(super) fn begin(&mut self, messages: Vec<Message>, alone: Option<usize>) {
        let outcomes = vec![None; messages.len()];
        self.batch = Some(Batch { messages, outcomes, next: 0, held: false, alone });
    }

    /// Returns whether a batch is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.batch.is_some()
    }

    /// Returns the message to send now with the packet identifier for it, if the window has room.
    pub(super) fn sendable(&self) -> Option<(u16, &Message)> {
        let batch = self.batch.as_ref().filter(|batch| !batch.held)?;
        let alone = batch.alone.is_some_and(|at| batch.next >= at && !batch.is_known(at));
        let window = if alone { 1 } else { self.window };
        if self.sent.len() >= window {
            return None;
        }
        let mut id = self.last_id;
        loop {
            id = id.checked_add(1).unwrap_or(1);
            if !self.sent.iter().any(|(used, _)| *used == id) {
                break;
            }
        }
        batch.messages.get(batch.next).map(|message| (id, message))
    }

    /// Notes that what [`Flight::sendable`] returned was sent as `id`.
    pub(super) fn sent(&mut self, id: u16, now: Instant) {
        let Some(batch) = &mut self.batch else { return };
        self.sent.push_back((id, Some(batch.next)));
        self.since.get_or_insert(now);
        self.last_id = id;
        batch.next += 1;
    }

    /// Notes that what [`Flight::sendable`] returned cannot be sent at all.
    pub(super) fn unsendable(&mut self, reason: String) {
        let Some(batch) = &mut self.batch else { return };
        if let Some(outcome) = batch.outcomes.get_mut(batch.next) {
            *outcome = Some(Outcome::Rejected { reason });
        }
        batch.next += 1;
    }

    /// Notes the broker's answer; an answer to nothing is passed over.
    pub(super) fn answered(&mut self, id: u16, outcome: Outcome, now: Instant) {
        let Some(at) = self.sent.iter().position(|(sent, _)| *sent == id) else { return };
        let place = self.sent.remove(at).and_then(|(_, place)| place);
        self.since = if self.sent.is_empty() { None } else { Some(now) };
        let (Some(batch), Some(place)) = (&mut self.batch, place) else { return };
        batch.held |= outcome == Outcome::Released;
        if let Some(slot) = batch.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }

    /// Returns the outcomes of the batch, once all of it is answered.
    pub(super) fn finish(&mut self) -> Option<Vec<Outcome>> {
        let batch = self.batch.as_ref()?;
        let all_sent = batch.held || batch.next >= batch.messages.len();
        if !all_sent || self.sent.iter().any(|(_, place)| place.is_some()) {
            return None;
        }
        let batch = self.batch.take()?;
        Some(batch.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Released)).collect())
    }

    /// Forgets the batch; what is sent of it still waits for its answers.
    pub(super) fn abandon(&mut self) {
        self.batch = None;
        self.sent.iter_mut().for_each(|(_, place)| *place = None);
    }

    /// Returns the first message of the batch that has no outcome, and whether nothing else is in flight; `None` when it
    /// was not sent.
    pub(super) fn first_unanswered(&self) -> Option<(&Message, bool)> {
        let batch = self.batch.as_ref()?;
        let first = batch.outcomes.iter().position(Option::is_none)?;
        let is_sent = self.sent.iter().any(|(_, place)| *place == Some(first));
        batch.messages.get(first).filter(|_| is_sent).map(|message| (message, self.sent.len() == 1))
    }

    /// Takes the loss of the connection for a refusal of that message.
    pub(super) fn refuse_first(&mut self, reason: String) {
        let Some(batch) = &mut self.batch else { return };
        if let Some(outcome) = batch.outcomes.iter_mut().find(|outcome| outcome.is_none()) {
            *outcome = Some(Outcome::Rejected { reason });
        }
    }

    /// Returns whether the message at this place of the batch has its outcome.
    pub(super) fn is_known(&self, at: usize) -> bool {
        self.batch.as_ref().is_some_and(|batch| batch.is_known(at))
    }

    /// Ends the batch where it is, and returns what is known: the outcomes up to the first message without one.
    ///
    /// What was answered after that one is sent again with it, so that nothing is overtaken. `None` when nothing is
    /// known.
    pub(super) fn interrupt(&mut self) -> Option<Vec<Outcome>> {
        self.sent.clear();
        self.since = None;
        let batch = self.batch.take()?;
        let known: Vec<_> = batch.outcomes.into_iter().map_while(|outcome| outcome).collect();
        if known.is_empty() {
            return None;
        }
        let unknown = batch.messages.len() - known.len();
        Some(known.into_iter().chain(std::iter::repeat_n(Outcome::Released, unknown)).collect())
    }

    /// Returns when to stop waiting for the broker, if anything waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + self.patience)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
mod tests {
    use edge_core::Source;

    use super::*;

    fn flight(window: u16, messages: usize) -> Flight {
        let mut flight = Flight::new(window, Duration::from_secs(30));
        flight.begin(vec![Message::builder(&Source::telemetry()).build(); messages], None);
        flight
    }

    fn send_all(flight: &mut Flight, now: Instant) -> Vec<u16> {
        let mut ids = Vec::new();
        while let Some((id, _)) = flight.sendable() {
            flight.sent(id, now);
            ids.push(id);
        }
        ids
    }

    #[test]
    fn a_window_is_kept_full_and_not_more() {
        let now = Instant::now();
        let mut flight = flight(2, 3);
        assert_eq!(send_all(&mut flight, now), [1, 2]);
        assert_eq!(flight.finish(), None);
        flight.answered(1, Outcome::Accepted, now);
        assert_eq!(send_all(&mut flight, now), [3]);
        flight.answered(3, Outcome::Accepted, now);
        flight.answered(99, Outcome::Accepted, now);
        assert_eq!(flight.finish(), None);
        flight.answered(2, Outcome::Accepted, now);
        assert_eq!(flight.finish(), Some(vec![Outcome::Accepted; 3]));
        assert_eq!(flight.deadline(), None);
    }

    #[test]
    fn an_interruption_keeps_what_is_known_in_order() {
        let now = Instant::now();
        let mut flight = flight(4, 4);
        send_all(&mut flight, now);
        flight.answered(1, Outcome::Accepted, now);
        flight.answered(3, Outcome::Accepted, now);
        let released = Outcome::Released;
        let expected = vec![Outcome::Accepted, released.clone(), released.clone(), released];
        assert_eq!(flight.interrupt(), Some(expected));
        flight.begin(vec![Message::builder(&Source::telemetry()).build()], None);
        assert_eq!(flight.interrupt(), None, "nothing is known");
    }

    #[test]
    fn a_suspect_is_alone_until_it_is_answered() {
        let now = Instant::now();
        let mut flight = Flight::new(4, Duration::from_secs(30));
        flight.begin(vec![Message::builder(&Source::telemetry()).build(); 5], Some(2));
        assert_eq!(flight.first_unanswered(), None, "nothing is sent");
        assert_eq!(send_all(&mut flight, now), [1, 2]);
        assert!(flight.first_unanswered().is_some_and(|(_, alone)| !alone));
        flight.answered(1, Outcome::Accepted, now);
        assert_eq!(send_all(&mut flight, now).len(), 0, "one is still before it");
        flight.answered(2, Outcome::Accepted, now);
        assert_eq!(send_all(&mut flight, now), [3]);
        assert!(flight.first_unanswered().is_some_and(|(_, alone)| alone));
        flight.answered(3, Outcome::Accepted, now);
        assert_eq!(send_all(&mut flight, now), [4, 5]);
        flight.refuse_first("hung up".into());
        let mut outcomes = vec![Outcome::Accepted; 3];
        outcomes.extend([Outcome::Rejected { reason: "hung up".into() }, Outcome::Released]);
        assert_eq!(flight.interrupt(), Some(outcomes));
    }

    #[test]
    fn nothing_overtakes_what_is_released() {
        let now = Instant::now();
        let mut flight = flight(2, 4);
        send_all(&mut flight, now);
        flight.answered(1, Outcome::Released, now);
        assert_eq!(send_all(&mut flight, now).len(), 0);
        flight.answered(2, Outcome::Accepted, now);
        let released = Outcome::Released;
        let expected = vec![released.clone(), Outcome::Accepted, released.clone(), released];
        assert_eq!(flight.finish(), Some(expected));
    }

    #[test]
    fn late_answers_to_an_abandoned_batch_are_not_taken_for_others() {
        let now = Instant::now();
        let mut flight = flight(3, 2);
        send_all(&mut flight, now);
        flight.abandon();
        flight.begin(vec![Message::builder(&Source::telemetry()).build(); 2], None);
        assert_eq!(send_all(&mut flight, now), [3], "one place is left in the window");
        flight.answered(1, Outcome::Rejected { reason: "old".into() }, now);
        assert_eq!(send_all(&mut flight, now), [4]);
        flight.answered(3, Outcome::Accepted, now);
        flight.answered(4, Outcome::Accepted, now);
        assert_eq!(flight.finish(), Some(vec![Outcome::Accepted; 2]));
        assert!(flight.deadline().is_some(), "the broker still owes an answer");
    }

    #[test]
    fn identifiers_start_again_after_the_last_one() {
        let now = Instant::now();
        let mut flight = flight(2, 2);
        flight.last_id = u16::MAX - 1;
        assert_eq!(send_all(&mut flight, now), [u16::MAX, 1]);
    }

    #[test]
    fn patience_begins_anew_with_every_answer() {
        let now = Instant::now();
        let mut flight = flight(2, 2);
        send_all(&mut flight, now);
        assert_eq!(flight.deadline(), Some(now + Duration::from_secs(30)));
        let later = now + Duration::from_secs(20);
        flight.answered(1, Outcome::Accepted, later);
        assert_eq!(flight.deadline(), Some(later + Duration::from_secs(30)));
    }
}
