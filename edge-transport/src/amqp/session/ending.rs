//! How a connection ends.

use std::time::Instant;

use super::feedback::Feedback;
use super::{LAST_WRITE_TIMEOUT, Output, Phase, ServerConnection, Violation};
use crate::amqp::wire::{AmqpError, Close, Performative, condition};

impl ServerConnection {
    pub(super) fn violated(&mut self, now: Instant, violation: Violation) {
        let who = if self.clients.len() == 1 { self.clients.keys().next().copied() } else { None };
        let Violation { kind, condition, detail } = violation;
        self.outputs.push_back(Output::Report { who, kind, detail: detail.clone() });
        self.close(now, condition, &detail);
    }

    /// Ends the connection with a CLOSE that says why, where the client is so far that it can read one.
    pub(super) fn close(&mut self, now: Instant, condition: &str, description: &str) {
        match self.phase {
            Phase::Open => {
                self.end_sessions();
                let error = Some(AmqpError { condition, description });
                self.out.frame(0, &Performative::Close(Close { error }));
            }
            Phase::Greeting => {
                self.write_open();
                let error = Some(AmqpError { condition, description });
                self.out.frame(0, &Performative::Close(Close { error }));
            }
            _ => {}
        }
        self.end(now);
    }

    /// Ends a connection on which somebody was let in, and nobody is now, nor waits to be.
    pub(super) fn close_if_nobody_is_left(&mut self, now: Instant) {
        let was_let_in = self.until.is_none();
        if was_let_in && self.clients.is_empty() && !self.is_service && self.opening.is_none() {
            self.close(now, condition::UNAUTHORIZED, "the token has run out");
        }
    }

    pub(super) fn end(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        self.phase = Phase::Closing { until: now + LAST_WRITE_TIMEOUT };
        self.partial = Vec::new();
        self.share.resize(0);
        self.opening = None;
        self.clients.clear();
        self.channels.clear();
        self.links.clear();
        self.backlog.clear();
        self.gathering.clear();
        self.gathered_bytes = 0;
        self.sending.clear();
        self.feedback = Feedback::default();
        (self.waiting_messages, self.waiting_bytes, self.waiting_twins, self.urgent_bytes) = (0, 0, 0, 0);
        self.outputs.push_back(Output::Close);
    }
}
