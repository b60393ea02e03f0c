//! Messages that the client has and has not answered for.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use edge_core::{Channel, Delivery, Feed, Settlement};

use super::{Phase, Scratch, ServerSession};
use crate::iothub::topic;
use crate::mqtt::packet::{Packet, Publish, Quality};

/// Packet identifiers are 1 to 65,535. MQTT 3.1.1 §2.3.1.
const IDS: u64 = 65_535;

/// The deliveries in flight, oldest first; dropping them releases them.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    in_flight: VecDeque<(u64, Delivery)>,
    next: u64,
    bytes: usize,
}

/// Returns the packet identifier of the delivery with this number.
fn packet_id(number: u64) -> NonZeroU16 {
    let id = u16::try_from(number % IDS + 1).unwrap_or(1);
    NonZeroU16::new(id).unwrap_or(NonZeroU16::MIN)
}

impl Deliveries {
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns a number whose packet identifier is not in use.
    fn number(&mut self) -> u64 {
        // Numbers rise, so only those that are a whole round older can have the same identifier.
        let in_use = |number: u64| {
            let old = self.in_flight.iter().take_while(|(n, _)| n + IDS <= number);
            old.into_iter().any(|(n, _)| n % IDS == number % IDS)
        };
        let mut number = self.next;
        while in_use(number) {
            number += 1;
        }
        self.next = number + 1;
        number
    }

    fn push(&mut self, number: u64, delivery: Delivery) {
        self.bytes += delivery.message().size();
        self.in_flight.push_back((number, delivery));
    }

    /// Settles the delivery that the client has taken; an unknown identifier is an answer that comes twice.
    pub(super) fn taken(&mut self, id: NonZeroU16) {
        let Some(at) = self.in_flight.iter().position(|(number, _)| packet_id(*number) == id) else { return };
        if let Some((_, delivery)) = self.in_flight.remove(at) {
            self.bytes -= delivery.message().size();
            delivery.settle(Settlement::Accept);
        }
        if self.in_flight.is_empty() && self.in_flight.capacity() > 8 {
            self.in_flight = VecDeque::new();
        }
    }
}

impl ServerSession {
    /// Writes a delivery to the client.
    pub(super) fn deliver(&mut self, delivery: Delivery, scratch: &mut Scratch) {
        let Phase::Open(open) = &mut self.phase else { return };
        scratch.text.clear();
        topic::write_delivery(open.origin.identity(), &delivery, &mut scratch.text);
        let feed = match delivery.channel() {
            Channel::Input(_) => Feed::Inputs,
            _ => Feed::CloudToDevice,
        };
        let number = (!open.at_most_once.contains(feed)).then(|| open.deliveries.number());
        let publish = Publish {
            topic: &scratch.text,
            quality: number.map_or(Quality::AtMostOnce, |number| Quality::AtLeastOnce(packet_id(number))),
            dup: delivery.is_redelivered() && number.is_some(),
            retain: false,
            payload: delivery.message().body(),
        };
        match (self.out.put(&Packet::Publish(publish)), number) {
            (Ok(()), Some(number)) => open.deliveries.push(number, delivery),
            // QoS 0 is the client's own choice: once it is on its way, nobody will say more.
            (Ok(()), None) => delivery.settle(Settlement::Accept),
            // Its properties do not fit into a topic, so it can never reach this client.
            (Err(_), _) => delivery.settle(Settlement::Reject),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use edge_core::{Message, Settler, Source};

    use super::*;

    struct Nobody;
    impl Settler for Nobody {
        fn settle(&self, _tag: u64, _settlement: Settlement) {}
    }

    fn delivery() -> Delivery {
        let message = Message::builder(&Source::telemetry()).build();
        Delivery::new(message, Channel::CloudToDevice, Arc::new(Nobody), 0)
    }

    #[test]
    fn identifiers_in_use_are_passed_over() {
        let mut deliveries = Deliveries::default();
        let first = deliveries.number();
        deliveries.push(first, delivery());
        let second = deliveries.number();
        deliveries.push(second, delivery());
        for _ in 2..IDS {
            let number = deliveries.number();
            deliveries.push(number, delivery());
            deliveries.taken(packet_id(number));
        }
        assert_eq!(deliveries.len(), 2);
        assert_eq!(packet_id(deliveries.number()).get(), 3);
        deliveries.taken(NonZeroU16::new(2).unwrap());
        deliveries.next = 2 * IDS;
        assert_eq!(packet_id(deliveries.number()).get(), 2);
    }

    #[test]
    fn answers_out_of_order_and_twice() {
        let mut deliveries = Deliveries::default();
        for _ in 0..3 {
            let number = deliveries.number();
            deliveries.push(number, delivery());
        }
        deliveries.taken(NonZeroU16::new(2).unwrap());
        deliveries.taken(NonZeroU16::new(2).unwrap());
        assert_eq!(deliveries.len(), 2);
        deliveries.taken(NonZeroU16::new(3).unwrap());
        deliveries.taken(NonZeroU16::new(1).unwrap());
        assert_eq!((deliveries.len(), deliveries.bytes()), (0, 0));
    }
}
