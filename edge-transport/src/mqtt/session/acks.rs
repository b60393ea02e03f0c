//! What the client waits to hear, until a receipt resolves. MQTT-4.6.0-2: answers keep the order of the packets.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use crate::mqtt::packet::Packet;
use crate::wire::Outbound;

/// One thing that waits.
#[derive(Debug)]
enum Waiting {
    /// A batch of messages, of which `acks` are to be acknowledged.
    Batch { messages: usize, bytes: usize, acks: usize },
    /// Acknowledgements that wait for nothing but the ones before them.
    Acks(usize),
    /// A SUBSCRIBE, with the answers to it.
    Subscribe(NonZeroU16, Box<[u8]>),
    /// An UNSUBSCRIBE.
    Unsubscribe(NonZeroU16),
}

/// All that waits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    waiting: VecDeque<Waiting>,
    ids: VecDeque<NonZeroU16>,
    messages: usize,
    bytes: usize,
}

impl Unacknowledged {
    /// Returns how many messages wait; every other thing that waits counts as one.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes a message's packet identifier; the batch that it belongs to follows.
    pub(super) fn push_id(&mut self, id: NonZeroU16) {
        self.ids.push_back(id);
    }

    pub(super) fn push_batch(&mut self, messages: usize, bytes: usize, acks: usize) {
        self.messages += messages;
        self.bytes += bytes;
        self.waiting.push_back(Waiting::Batch { messages, bytes, acks });
    }

    /// Adds acknowledgements that wait for no receipt; they go out at once when nothing is before them.
    pub(super) fn push_acks(&mut self, acks: usize, out: &mut Outbound) {
        self.messages += acks;
        self.waiting.push_back(Waiting::Acks(acks));
        self.emit_ready(out);
    }

    pub(super) fn push_subscribe(&mut self, id: NonZeroU16, codes: Box<[u8]>) {
        self.messages += 1;
        self.waiting.push_back(Waiting::Subscribe(id, codes));
    }

    pub(super) fn push_unsubscribe(&mut self, id: NonZeroU16) {
        self.messages += 1;
        self.waiting.push_back(Waiting::Unsubscribe(id));
    }

    /// Answers the oldest thing that waits for a receipt.
    pub(super) fn resolve(&mut self, out: &mut Outbound) {
        // The answers are a few bytes each, within what a packet can hold: writing them cannot fail.
        match self.waiting.pop_front() {
            Some(Waiting::Batch { messages, bytes, acks }) => {
                self.messages -= messages;
                self.bytes -= bytes;
                self.emit(acks, out);
            }
            Some(Waiting::Acks(acks)) => {
                self.messages -= acks;
                self.emit(acks, out);
            }
            Some(Waiting::Subscribe(packet_id, codes)) => {
                self.messages -= 1;
                let _written = out.put(&Packet::SubAck { packet_id, codes: &codes });
            }
            Some(Waiting::Unsubscribe(packet_id)) => {
                self.messages -= 1;
                let _written = out.put(&Packet::UnsubAck(packet_id));
            }
            None => {}
        }
        self.emit_ready(out);
    }

    fn emit_ready(&mut self, out: &mut Outbound) {
        while let Some(&Waiting::Acks(acks)) = self.waiting.front() {
            self.waiting.pop_front();
            self.messages -= acks;
            self.emit(acks, out);
        }
        self.release();
    }

    fn emit(&mut self, acks: usize, out: &mut Outbound) {
        for id in self.ids.drain(..acks.min(self.ids.len())) {
            let _written = out.put(&Packet::PubAck(id));
        }
    }

    /// Gives memory back once nothing waits.
    fn release(&mut self) {
        if self.waiting.is_empty() {
            if self.waiting.capacity() > 8 {
                self.waiting = VecDeque::new();
            }
            if self.ids.capacity() > 32 {
                self.ids = VecDeque::new();
            }
        }
    }
}
