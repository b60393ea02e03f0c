//! One line about the machine that figures come from.

use std::fs;
use std::thread;

/// Returns processor, cores, memory and system.
#[must_use]
pub fn describe() -> String {
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .map_or(String::new(), |kib| format!(", {} GiB", kib / 1024 / 1024));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{processor}, {cores} cores{memory}, {} {}", std::env::consts::OS, kernel.trim())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_names_the_cores() {
        assert!(super::describe().contains(" cores"));
    }
}
