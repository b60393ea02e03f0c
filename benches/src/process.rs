//! What the system says of another process; Linux only, nothing elsewhere.

use std::fs;
use std::time::Duration;

/// The kernel's clock ticks per second as `/proc` shows them: a fixed part of Linux's interface to programs.
const TICKS_PER_SECOND: u64 = 100;

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// Names a process.
    #[must_use]
    pub fn new(id: u32) -> Self {
        Self(id)
    }

    /// Returns the CPU time that all its threads have used, in user space and in the kernel.
    #[must_use]
    pub fn cpu(self) -> Option<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        // The name stands in parentheses and may contain anything.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Returns the memory that it holds now, in KiB.
    #[must_use]
    pub fn resident_kib(self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// Returns the memory that it held at most, in KiB.
    #[must_use]
    pub fn peak_kib(self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(self, field: &str) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// Lets this process and those it starts hold many sockets; says how many are allowed.
#[must_use]
pub fn raise_file_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).ok()?;
        limit.maximum
    }
    #[cfg(not(unix))]
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time() {
        let me = Process::new(std::process::id());
        // Not compared with one another: the kernel counts both roughly, and other tests' threads take memory between.
        assert!(me.resident_kib() > Some(100) && me.peak_kib() > Some(100));
        assert!(me.cpu().is_some());
    }
}
