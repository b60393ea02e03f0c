//! Many connections that say nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::{Target, micros_each};
use crate::clock;
use crate::mqtt::Login;
use crate::swarm::Swarm;

/// What idle connections cost.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package read it")]
pub struct Idle {
    /// Connections accepted a second.
    pub rate: f64,
    /// The server's memory for each connection, in KiB.
    pub kib_each: f64,
    /// The server's CPU time to accept each, in microseconds.
    pub cpu_us: f64,
    /// The server's memory with no connection, in KiB.
    pub empty_kib: u64,
}

/// Connects all, waits until the server has settled, and looks at its memory.
///
/// # Errors
/// When the server refuses or falls silent.
pub fn idle(target: &Target, logins: &[Login], tls: Option<&Arc<ClientConfig>>) -> io::Result<Idle> {
    let count = logins.len() as u64;
    let empty_kib = target.resident_kib();
    let (cpu, begin) = (target.cpu(), clock::now());
    let swarm = Swarm::connect(target.address, logins, tls)?;
    let took = begin.elapsed();
    let cpu = target.cpu().saturating_sub(cpu);
    clock::pause(Duration::from_secs(2));
    let grown = target.resident_kib().saturating_sub(empty_kib);
    drop(swarm);
    Ok(Idle {
        rate: count as f64 / took.as_secs_f64(),
        kib_each: grown as f64 / count.max(1) as f64,
        cpu_us: micros_each(cpu, count),
        empty_kib,
    })
}
