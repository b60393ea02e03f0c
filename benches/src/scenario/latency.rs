//! One publisher, one subscriber, one message in flight.

use std::io;
use std::time::Duration;

use super::{Target, micros_each};
use crate::mqtt::{self, Login, Packet, Publish};
use crate::swarm::Swarm;
use crate::{clock, stats};

/// What a latency run showed.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package read it")]
pub struct Latency {
    /// Round trips a second: delivered and acknowledged, then the next.
    pub rate: f64,
    /// Time from sending to delivery, the middle one.
    pub delivered_p50: Duration,
    /// Time from sending to delivery that one in a hundred exceeds.
    pub delivered_p99: Duration,
    /// Time from sending to acknowledgement, the middle one.
    pub ack_p50: Duration,
    /// Time from sending to acknowledgement that one in a hundred exceeds.
    pub ack_p99: Duration,
    /// The server's CPU time for each, in microseconds.
    pub cpu_us: f64,
}

/// Sends `messages` one after another, each when the one before was delivered and acknowledged.
///
/// # Errors
/// When the server refuses or falls silent.
pub fn latency(
    target: &Target,
    publisher: &Login,
    subscriber: &Login,
    body: &[u8],
    messages: u64,
) -> io::Result<Latency> {
    /// The second of the two logins below.
    const PUBLISHER: usize = 1;
    let mut swarm = Swarm::connect(target.address, &[subscriber.clone(), publisher.clone()], None)?;
    let publish = Publish::new(&publisher.publishes_to, body);
    let (mut delivered, mut acked) = (Vec::new(), Vec::new());
    let mut packets = Vec::new();
    let (cpu, begin) = (target.cpu(), clock::now());
    for number in 0..messages {
        let id = u16::try_from(number % 65_535 + 1).unwrap_or(1);
        publish.write(id, swarm.out(PUBLISHER));
        let sent = clock::now();
        let (mut has_delivery, mut has_ack) = (false, false);
        while !(has_delivery && has_ack) {
            swarm.turn(&mut packets)?;
            let took = sent.elapsed();
            for (index, packet) in packets.drain(..) {
                match packet {
                    Packet::Delivered(wants_ack) => {
                        delivered.push(took);
                        has_delivery = true;
                        if let Some(id) = wants_ack {
                            swarm.send(index, &mqtt::puback(id));
                        }
                    }
                    Packet::Acked(_) => {
                        acked.push(took);
                        has_ack = true;
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(Latency {
        rate: messages as f64 / begin.elapsed().as_secs_f64(),
        delivered_p50: stats::percentile(&mut delivered, 0.50),
        delivered_p99: stats::percentile(&mut delivered, 0.99),
        ack_p50: stats::percentile(&mut acked, 0.50),
        ack_p99: stats::percentile(&mut acked, 0.99),
        cpu_us: micros_each(target.cpu().saturating_sub(cpu), messages),
    })
}
