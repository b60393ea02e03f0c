//! The state that survives: windows, which messages were counted, and results that wait to be taken.
//!
//! It changes by [`Step`]s only. The same steps give the same state and the same results, with the same ids: that is
//! what makes a journal of steps enough to go on after a crash.

use std::collections::VecDeque;
use std::sync::Arc;

use edge_core::{Message, MessageBuilder, PortName, SystemKey, Timestamp};

use crate::config::{Definition, OnLate};
use crate::event::Event;
use crate::operator::{Operator, Taken};
use crate::result::WindowResult;
use crate::seen::{Mark, Seen};

/// One change of the state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// An event; with its message when that may have to be sent on.
    Event { mark: Mark, event: Event, now: i64, message: Option<Message> },
    /// A message that is no event and is dropped, or sent on.
    Error { mark: Mark, message: Option<Message> },
    /// The time.
    Tick { now: i64 },
    /// So many of the messages that waited have been taken.
    Sent { messages: usize },
}

/// A message that waits to be taken, and the output by which it leaves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) output: PortName,
    pub(crate) message: Message,
}

/// Everything that must survive.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) operator: Operator,
    pub(crate) seen: Seen,
    pub(crate) waiting: VecDeque<Waiting>,
    results: Vec<WindowResult>,
}

impl State {
    pub(crate) fn new(definition: Arc<Definition>) -> Self {
        let operator = Operator::new(definition);
        Self { operator, seen: Seen::default(), waiting: VecDeque::new(), results: Vec::new() }
    }

    /// Makes one change; returns whether it was a late event.
    pub(crate) fn apply(&mut self, step: &Step) -> bool {
        let mut is_late = false;
        match step {
            Step::Event { mark, event, now, message } => {
                self.seen.insert(mark);
                let taken = self.operator.event(event, *now, &mut self.results);
                is_late = taken == Taken::Late;
                let sent = is_late && self.operator.definition.late == OnLate::Send;
                if let Some(message) = message.as_ref().filter(|_| sent) {
                    self.wait("late", message.clone());
                }
            }
            Step::Error { mark, message } => {
                self.seen.insert(mark);
                self.operator.counts.errors += 1;
                if let Some(message) = message {
                    self.wait("errors", message.clone());
                }
            }
            Step::Tick { now } => self.operator.tick(*now, &mut self.results),
            Step::Sent { messages } => drop(self.waiting.drain(..(*messages).min(self.waiting.len()))),
        }
        for result in std::mem::take(&mut self.results) {
            let output = self.operator.definition.output.clone();
            self.waiting.push_back(Waiting { output, message: message_of(&result) });
        }
        is_late
    }

    fn wait(&mut self, output: &str, message: Message) {
        if let Ok(output) = output.parse() {
            self.waiting.push_back(Waiting { output, message });
        }
    }

    /// Returns whether an event's message has to be kept with it, for it may turn out to be late.
    pub(crate) fn keeps_messages(&self) -> bool {
        self.operator.definition.late == OnLate::Send
    }
}

/// Returns a result as a message, which has no sender yet.
fn message_of(result: &WindowResult) -> Message {
    MessageBuilder::default()
        .system(SystemKey::MessageId, &result.id)
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .body(result.to_json().as_bytes())
        .build()
}

/// Returns a time in milliseconds.
pub(crate) fn ms(time: Timestamp) -> i64 {
    i64::try_from(time.as_unix_ms()).unwrap_or(crate::event::MAX_TIME).min(crate::event::MAX_TIME)
}
