//! The loads that servers are put under.

mod fanout;
mod idle;
mod ingest;
mod latency;

use std::net::SocketAddr;
use std::time::Duration;

pub use fanout::{Fanout, fanout};
pub use idle::{Idle, idle};
pub use ingest::{Ingest, ingest};
pub use latency::{Latency, latency};

use crate::process::Process;

/// The server that is measured.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package fill it in")]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process; without one there are no figures for CPU and memory.
    pub process: Option<Process>,
}

impl Target {
    fn cpu(&self) -> Duration {
        self.process.and_then(Process::cpu).unwrap_or_default()
    }

    fn resident_kib(&self) -> u64 {
        self.process.and_then(Process::resident_kib).unwrap_or_default()
    }

    fn peak_kib(&self) -> u64 {
        self.process.and_then(Process::peak_kib).unwrap_or_default()
    }
}

/// Returns a JSON text of exactly this many bytes, if they are enough for one.
///
/// # Examples
/// ```
/// assert_eq!(edge_bench::scenario::payload(256).len(), 256);
/// ```
#[must_use]
pub fn payload(bytes: usize) -> Vec<u8> {
    let head = r#"{"temperature":21.5,"humidity":48,"machine":{"status":"ok","line":7},"note":""#;
    let tail = "\"}";
    let mut text = head.to_owned();
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789".chars().cycle();
    text.extend(letters.take(bytes.saturating_sub(head.len() + tail.len())));
    text.push_str(tail);
    text.into_bytes()
}

/// Returns microseconds of a duration divided over a count.
fn micros_each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}
