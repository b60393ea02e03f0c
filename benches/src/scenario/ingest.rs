//! Many publishers, nobody who listens: telemetry on its way up.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::{Target, micros_each};
use crate::mqtt::{Login, Packet};
use crate::protocol::Messages;
use crate::swarm::Swarm;
use crate::{clock, stats};

/// What an ingest run showed.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package read it")]
pub struct Ingest {
    /// Acknowledged messages a second.
    pub rate: f64,
    /// The server's CPU time for each, in microseconds.
    pub cpu_us: f64,
    /// Time from sending to acknowledgement, the middle one.
    pub ack_p50: Duration,
    /// Time from sending to acknowledgement that one in a hundred exceeds.
    pub ack_p99: Duration,
    /// The server's memory at the end, in KiB.
    pub resident_kib: u64,
    /// The most memory the server had, in KiB.
    pub peak_kib: u64,
}

struct Publisher {
    messages: Messages,
    next: u16,
    left: u64,
    sent: VecDeque<(u16, Instant)>,
}

impl Publisher {
    /// Sends until `window` messages wait for their acknowledgement.
    fn fill(&mut self, window: usize, out: &mut Vec<u8>, now: Instant) {
        while self.left > 0 && self.sent.len() < window {
            self.messages.write(self.next, out);
            self.sent.push_back((self.next, now));
            self.next = self.next.checked_add(1).unwrap_or(1);
            self.left -= 1;
        }
    }
}

/// Publishes `messages` in all, each publisher with up to `window` unacknowledged, until all are acknowledged.
///
/// # Errors
/// When the server refuses, falls silent, or acknowledges what was not sent next.
pub fn ingest(
    target: &Target,
    logins: &[Login],
    window: usize,
    body: &[u8],
    messages: u64,
    tls: Option<&Arc<ClientConfig>>,
) -> io::Result<Ingest> {
    let mut swarm = Swarm::connect(target.address, logins, tls)?;
    let each = messages / logins.len() as u64;
    let total = each * logins.len() as u64;
    let mut publishers: Vec<Publisher> = logins
        .iter()
        .map(|login| Publisher {
            messages: Messages::new(login, body),
            next: 1,
            left: each,
            sent: VecDeque::with_capacity(window),
        })
        .collect();
    let mut samples = Vec::new();
    let mut packets = Vec::new();
    let mut touched: Vec<usize> = (0..publishers.len()).collect();
    let mut acked = 0;
    let (cpu, begin) = (target.cpu(), clock::now());
    while acked < total {
        let now = clock::now();
        for index in touched.drain(..) {
            publishers[index].fill(window, swarm.out(index), now);
        }
        swarm.turn(&mut packets)?;
        let now = clock::now();
        for (index, packet) in packets.drain(..) {
            let (id, count) = match packet {
                Packet::Acked(id) => (Some(id), 1),
                Packet::Settled { first, last } => (None, last.wrapping_sub(first) + 1),
                Packet::Answered(204) => (None, 1),
                Packet::Answered(status) => {
                    return Err(io::Error::other(format!("a request was answered {status}")));
                }
                Packet::Connected(code @ 1..) => return Err(io::Error::other(format!("an end with {code}"))),
                _ => continue,
            };
            for _ in 0..count {
                let Some((expected, sent)) = publishers[index].sent.pop_front() else {
                    return Err(io::Error::other("an acknowledgement of what was not sent"));
                };
                if id.is_some_and(|id| id != expected) {
                    return Err(io::Error::other(format!(
                        "an acknowledgement of {id:?} before that of {expected}"
                    )));
                }
                if acked % 8 == 0 {
                    samples.push(now - sent);
                }
                acked += 1;
            }
            if touched.last() != Some(&index) {
                touched.push(index);
            }
        }
    }
    let took = begin.elapsed();
    Ok(Ingest {
        rate: total as f64 / took.as_secs_f64(),
        cpu_us: micros_each(target.cpu().saturating_sub(cpu), total),
        ack_p50: stats::percentile(&mut samples, 0.50),
        ack_p99: stats::percentile(&mut samples, 0.99),
        resident_kib: target.resident_kib(),
        peak_kib: target.peak_kib(),
    })
}
