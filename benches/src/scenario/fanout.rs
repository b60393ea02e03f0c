//! One publisher, many subscribers.

use std::io;

use super::{Target, micros_each};
use crate::clock;
use crate::mqtt::{self, Login, Packet, Publish};
use crate::swarm::Swarm;

/// What a fan-out run showed.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package read it")]
pub struct Fanout {
    /// Deliveries a second, over all subscribers.
    pub rate: f64,
    /// The server's CPU time for each delivery, in microseconds.
    pub cpu_us: f64,
    /// The most memory the server had, in KiB.
    pub peak_kib: u64,
}

/// Publishes `messages` with up to `window` unacknowledged, until every subscriber has got every one.
///
/// # Errors
/// When the server refuses or falls silent.
pub fn fanout(
    target: &Target,
    publisher: &Login,
    subscribers: &[Login],
    window: u64,
    body: &[u8],
    messages: u64,
) -> io::Result<Fanout> {
    let mut logins = subscribers.to_vec();
    logins.push(publisher.clone());
    let mut swarm = Swarm::connect(target.address, &logins, None)?;
    let publish = Publish::new(&publisher.publishes_to, body);
    let total = messages * subscribers.len() as u64;
    let (mut sent, mut acked, mut delivered) = (0, 0, 0);
    let mut packets = Vec::new();
    let (cpu, begin) = (target.cpu(), clock::now());
    while acked < messages || delivered < total {
        while sent < messages && sent - acked < window {
            let id = u16::try_from(sent % 65_535 + 1).unwrap_or(1);
            publish.write(id, swarm.out(subscribers.len()));
            sent += 1;
        }
        swarm.turn(&mut packets)?;
        for (index, packet) in packets.drain(..) {
            match packet {
                Packet::Delivered(wants_ack) => {
                    delivered += 1;
                    if let Some(id) = wants_ack {
                        swarm.send(index, &mqtt::puback(id));
                    }
                }
                Packet::Acked(_) => acked += 1,
                _ => {}
            }
        }
    }
    Ok(Fanout {
        rate: total as f64 / begin.elapsed().as_secs_f64(),
        cpu_us: micros_each(target.cpu().saturating_sub(cpu), total),
        peak_kib: target.peak_kib(),
    })
}
