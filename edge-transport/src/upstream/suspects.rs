//! Messages on which a broker hangs up. No socket, no clock.

use std::error::Error;

use edge_core::{Message, Outcome, Report};

use super::flight::Flight;
use super::jobs::{Job, Reply};

/// After how many losses of the connection a message is sent alone, and after how many alone it counts as refused.
const LOSSES: u32 = 3;
/// How many messages are remembered: queues of several priorities may each begin with one.
const REMEMBERED: usize = 8;

/// The messages that were first in flight when connections were lost, the latest last.
#[derive(Debug, Default)]
pub(super) struct Suspects(Vec<Suspect>);

#[derive(Debug)]
struct Suspect {
    message: Message,
    losses: u32,
    /// How many of them with nothing else in flight.
    alone: u32,
}

impl Suspects {
    /// Returns whether a message is to be sent with nothing else in flight.
    pub(super) fn is_suspect(&self, message: &Message) -> bool {
        self.0.iter().any(|suspect| suspect.losses >= LOSSES && suspect.message == *message)
    }

    /// Takes note of a lost connection on which this message was the first without an answer; returns whether that
    /// counts as a refusal.
    pub(super) fn lost(&mut self, message: &Message, alone: bool) -> bool {
        let known = self.0.iter().position(|suspect| suspect.message == *message);
        let mut suspect = match known {
            Some(at) => self.0.remove(at),
            None => Suspect { message: message.clone(), losses: 0, alone: 0 },
        };
        suspect.losses = suspect.losses.saturating_add(1);
        suspect.alone = suspect.alone.saturating_add(u32::from(alone));
        let is_refused = suspect.alone >= LOSSES;
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(suspect);
        is_refused
    }

    /// Forgets a message that was answered.
    pub(super) fn answered(&mut self, message: &Message) {
        self.0.retain(|suspect| suspect.message != *message);
    }
}

/// An eye on the suspects of one connection: what is suspected is in flight alone, and acquitted by an answer.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    suspects: &'a mut Suspects,
    /// The first suspect of the batch, and its place.
    suspect: Option<(usize, Message)>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(suspects: &'a mut Suspects) -> Self {
        Self { suspects, suspect: None }
    }

    /// Begins a batch, unless nobody waits for it any more.
    pub(super) fn begin(&mut self, flight: &mut Flight, job: Job) -> Option<Reply> {
        if job.reply.is_closed() {
            return None;
        }
        let suspect = job.messages.iter().position(|message| self.suspects.is_suspect(message));
        self.suspect = suspect.and_then(|at| Some((at, job.messages.get(at)?.clone())));
        flight.begin(job.messages, suspect);
        Some(job.reply)
    }

    /// Forgets what a message was suspected of once it is answered.
    pub(super) fn acquit(&mut self, flight: &Flight) {
        if let Some((at, message)) = &self.suspect
            && flight.is_known(*at)
        {
            self.suspects.answered(message);
            self.suspect = None;
        }
    }

    /// Returns what is known of a batch whose connection is lost; `refusal` says why, when it may be for a message.
    pub(super) fn interrupted(
        &mut self,
        flight: &mut Flight,
        refusal: Option<&(dyn Error + 'static)>,
    ) -> Option<Vec<Outcome>> {
        self.acquit(flight);
        if let Some(refusal) = refusal
            && let Some((message, alone)) = flight.first_unanswered()
            && self.suspects.lost(message, alone)
        {
            flight.refuse_first(format!("sent alone, again and again: {}", Report(refusal)));
        }
        flight.interrupt()
    }
}

#[cfg(test)]
mod tests {
    use edge_core::Source;

    use super::*;

    fn message(body: &str) -> Message {
        Message::builder(&Source::telemetry()).body(body.as_bytes()).build()
    }

    #[test]
    fn only_losses_alone_are_refusals_and_they_stay_so() {
        let (mut suspects, poison) = (Suspects::default(), message("poison"));
        for _ in 0..LOSSES {
            assert!(!suspects.is_suspect(&poison));
            assert!(!suspects.lost(&poison, false));
        }
        assert!(suspects.is_suspect(&poison));
        assert!(!suspects.is_suspect(&message("other")));
        let refused: Vec<_> = (0..5).map(|_| suspects.lost(&poison, true)).collect();
        assert_eq!(refused, [false, false, true, true, true]);
        suspects.answered(&poison);
        assert!(!suspects.is_suspect(&poison));
        assert!(!suspects.lost(&poison, true), "it starts anew");
    }

    #[test]
    fn others_in_between_change_nothing_and_few_are_remembered() {
        let (mut suspects, poison) = (Suspects::default(), message("poison"));
        for n in 0..2 {
            assert!(!suspects.lost(&poison, true));
            assert!(!suspects.lost(&message(&n.to_string()), true));
        }
        assert!(suspects.lost(&poison, true));
        for n in 0..100 {
            suspects.lost(&message(&n.to_string()), true);
        }
        assert_eq!(suspects.0.len(), REMEMBERED);
        assert!(!suspects.is_suspect(&poison));
    }
}
