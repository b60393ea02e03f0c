//! What a piece of work has cost this process.

use std::fs;
use std::time::{Duration, Instant};

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    at: Instant,
    cpu: Duration,
    /// Bytes given to write calls.
    written: u64,
    /// Bytes of pages that were made dirty.
    dirtied: u64,
}

/// What has been used since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) time: Duration,
    pub(crate) cpu: Duration,
    pub(crate) written: u64,
    pub(crate) dirtied: u64,
}

impl Cost {
    pub(crate) fn now() -> Self {
        Self { cpu: cpu(), written: io("wchar:"), dirtied: io("write_bytes:"), at: Instant::now() }
    }

    pub(crate) fn spent(&self) -> Spent {
        let now = Self::now();
        Spent {
            time: now.at - self.at,
            cpu: now.cpu - self.cpu,
            written: now.written - self.written,
            dirtied: now.dirtied - self.dirtied,
        }
    }
}

fn io(name: &str) -> u64 {
    number(&fs::read_to_string("/proc/self/io").unwrap_or_default(), name)
}

/// Returns the process's memory in KiB: `VmRSS:` now, `VmHWM:` at most.
pub(crate) fn memory_kib(name: &str) -> u64 {
    number(&fs::read_to_string("/proc/self/status").unwrap_or_default(), name)
}

fn number(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// User and system time of all threads, ended ones included.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
