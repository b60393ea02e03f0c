//! What is too late.

use std::time::{Duration, Instant};

use edge_core::IncidentKind;

use super::link::{Incoming, Way};
use super::{IDLE_TIME_OUT, Phase, ServerConnection, Violation};
use crate::amqp::wire::condition;

impl ServerConnection {
    /// Takes note of the time; to be called when [`ServerConnection::poll_timeout`] has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Closing { until } = self.phase {
            if until <= now {
                self.out.discard();
            }
            return;
        }
        if self.opening.as_ref().is_some_and(|opening| opening.until <= now) {
            self.give_up(now);
            return;
        }
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.service_until) {
            self.service_expired(now);
        }
        self.ask_for_feedback(now);
        let limits = self.resources.limits();
        let violation = |kind, condition, detail: String| Some(Violation::new(kind, condition, detail));
        let violation = if is_over(self.must_be_let_in()) {
            let detail = format!("nobody was let in within {:?}", limits.connect_timeout);
            violation(IncidentKind::Timeout, condition::UNAUTHORIZED, detail)
        } else if is_over(self.silence_ends()) {
            violation(IncidentKind::KeepAlive, condition::LIMIT, "nothing was heard for too long".to_owned())
        } else if is_over(self.parts_end()) {
            let detail =
                format!("a frame or message did not arrive whole within {:?}", limits.packet_timeout);
            violation(IncidentKind::Timeout, condition::LIMIT, detail)
        } else if is_over(self.stall_ends()) {
            let detail = format!("the client read nothing for {:?}", limits.stall_timeout);
            violation(IncidentKind::Stalled, condition::LIMIT, detail)
        } else {
            None
        };
        if let Some(violation) = violation {
            self.violated(now, violation);
        } else if is_over(self.heartbeat_at()) {
            self.out.heartbeat();
        }
        self.listen_again(now);
    }

    /// Returns when [`ServerConnection::handle_timeout`] is to be called; any input may change it.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if let Phase::Closing { until } = self.phase {
            return Some(until);
        }
        let opening = self.opening.as_ref().map(|opening| opening.until);
        let all = [
            opening,
            self.must_be_let_in(),
            self.silence_ends(),
            self.parts_end(),
            self.stall_ends(),
            self.heartbeat_at(),
            self.service_until,
            self.feedback_at(),
        ];
        all.into_iter().flatten().min()
    }

    fn must_be_let_in(&self) -> Option<Instant> {
        self.until.filter(|_| self.opening.is_none())
    }

    /// When the client has been silent for too long; `None` while the server does not listen.
    fn silence_ends(&self) -> Option<Instant> {
        let max = (IDLE_TIME_OUT * 2).min(self.limits().max_silence);
        self.wants_bytes().then(|| self.heard + max)
    }

    /// When what has arrived in part must be whole.
    fn parts_end(&self) -> Option<Instant> {
        if !self.wants_bytes() {
            return None;
        }
        let frame = (!self.partial.is_empty()).then_some(self.partial_since);
        let messages = if self.gathering.is_empty() { None } else { self.incoming().map(|i| i.since).min() };
        let since = frame.into_iter().chain(messages).min()?;
        Some(since + self.limits().packet_timeout)
    }

    fn stall_ends(&self) -> Option<Instant> {
        Some(self.out.blocked_since()? + self.limits().stall_timeout)
    }

    fn heartbeat_at(&self) -> Option<Instant> {
        let pause: Duration = self.heartbeat.filter(|_| self.out.pending().is_empty())?;
        matches!(self.phase, Phase::Open).then(|| self.wrote + pause)
    }

    fn incoming(&self) -> impl Iterator<Item = &Incoming> {
        self.gathering.iter().filter_map(|key| match &self.links.get(key)?.way {
            Way::In { incoming, .. } => incoming.as_deref(),
            Way::Out { .. } => None,
        })
    }

    /// Starts the times of messages that arrive in part anew: nobody listened for a while.
    pub(super) fn restart_transfers(&mut self, now: Instant) {
        for key in &self.gathering {
            if let Some(Way::In { incoming: Some(incoming), .. }) =
                self.links.get_mut(key).map(|link| &mut link.way)
            {
                incoming.since = now;
            }
        }
    }
}
