//! How AMQP writes what waits for the socket.

use crate::amqp::wire::{FrameKind, Performative, Protocol, begin_frame, empty_frame, end_frame};
use crate::wire::Outbound;

impl Outbound {
    pub(super) fn header(&mut self, protocol: Protocol) {
        self.bytes().extend_from_slice(&protocol.header());
    }

    pub(super) fn frame(&mut self, channel: u16, performative: &Performative<'_>) {
        let start = begin_frame(self.bytes(), FrameKind::Amqp, channel);
        performative.write(self.bytes());
        end_frame(self.bytes(), start);
    }

    pub(super) fn heartbeat(&mut self) {
        empty_frame(self.bytes());
    }
}
