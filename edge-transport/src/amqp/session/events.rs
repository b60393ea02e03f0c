//! What the gateway has for a client.

use std::time::Instant;

use edge_core::{CloseReason, SessionEvent};

use super::link::LinkKey;
use super::{Awaited, Output, ServerConnection};
use crate::amqp::wire::condition;

impl ServerConnection {
    /// Takes what a session of the gateway has.
    pub(super) fn event(&mut self, now: Instant, who: u32, event: SessionEvent) {
        match event {
            SessionEvent::Deliver(delivery) => self.deliver(who, delivery),
            SessionEvent::Twin { tag, answer } => self.twin_answer(who, &tag, &answer),
            SessionEvent::Desired { patch, .. } => self.desired(who, &patch),
            SessionEvent::Method(call) => self.method(who, &call),
            SessionEvent::Closed(reason) => {
                let renewing = self.is_renewing(who) && reason == CloseReason::TakenOver;
                match self.clients.get_mut(&who) {
                    // The session that takes over is the one that is being opened with a newer token.
                    Some(client) if renewing => client.superseded = true,
                    Some(_) => self.client_closed(now, who, reason),
                    None => {}
                }
            }
            // What a later gateway may tell is not for this protocol.
            _ => {}
        }
    }

    /// Ends the part of one identity in the connection; all of it, when there is no other.
    pub(super) fn client_closed(&mut self, now: Instant, who: u32, reason: CloseReason) {
        let (condition, description) = match reason {
            CloseReason::TakenOver => (condition::LOCKED, "the identity has connected elsewhere"),
            CloseReason::Expired => (condition::UNAUTHORIZED, "the token has run out"),
            CloseReason::Revoked => (condition::UNAUTHORIZED, "the identity may not connect any more"),
            _ => (condition::FORCED, "the gateway is stopping"),
        };
        if self.clients.len() <= 1 && !self.is_service {
            return self.close(now, condition, description);
        }
        let links: Vec<LinkKey> =
            self.links.iter().filter(|(_, link)| link.who == Some(who)).map(|(key, _)| *key).collect();
        for key in links {
            let condition = if condition == condition::FORCED { condition::DETACH_FORCED } else { condition };
            self.detach(key, condition, description);
        }
        if let Some(client) = self.clients.remove(&who) {
            self.waiting_twins = self.waiting_twins.saturating_sub(client.twins.len());
            for awaited in client.awaited {
                let (count, bytes) = match awaited {
                    Awaited::Messages { count, bytes, .. } => (count, bytes),
                    Awaited::Feeds => (1, 0),
                };
                self.waiting_messages = self.waiting_messages.saturating_sub(count);
                self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
            }
        }
        // What it asked the gateway for while it was there is not answered any more.
        self.outputs.retain(|output| !is_of(output, who));
        self.outputs.push_back(Output::Drop { who });
    }
}

/// Whether an output asks something of the session of `who`.
fn is_of(output: &Output, who: u32) -> bool {
    match output {
        Output::Publish { who: other, .. }
        | Output::Subscribe { who: other, .. }
        | Output::Unsubscribe { who: other, .. }
        | Output::Twin { who: other, .. }
        | Output::AnswerMethod { who: other, .. } => *other == who,
        _ => false,
    }
}
