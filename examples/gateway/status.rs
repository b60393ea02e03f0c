//! The live status line.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use edge_hub::HubHandle;

/// How often a line is printed where nobody sees it change.
const EVERY_LINES: u32 = 10;

/// Prints the status once a second on a terminal, over itself, and every ten seconds elsewhere; runs until dropped.
pub(crate) async fn show(hub: HubHandle) {
    let terminal = stdout().is_terminal();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut last = hub.ledger().total.accepted;
    let mut since = 0;
    let mut printed = String::new();
    for tick in 0u32.. {
        ticks.tick().await;
        since += 1;
        if !terminal && tick % EVERY_LINES != 1 {
            continue;
        }
        let ledger = hub.ledger().total;
        let rate = (ledger.accepted.saturating_sub(last)) / since;
        (last, since) = (ledger.accepted, 0);
        let line = line(&hub, rate);
        if terminal {
            let width = printed.chars().count();
            print!("\r{line:<width$}");
            let _nobody_looks = stdout().flush();
            printed = line;
        } else {
            println!("{line}");
        }
    }
}

fn line(hub: &HubHandle, rate: u64) -> String {
    let ledger = hub.ledger().total;
    let mut line = format!(
        "clients {}  accepted {}/s, {} in all  delivered {}  stored {}  dropped {}  store {}",
        hub.connected(),
        rate,
        ledger.accepted,
        ledger.delivered,
        ledger.stored,
        ledger.dropped_total(),
        size(hub.usage().used_bytes),
    );
    if let Some(bytes) = resident_bytes() {
        let _infallible = write!(line, "  memory {}", size(bytes));
    }
    line
}

/// Returns a number of bytes as people read it.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"B");
    for larger in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if *unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// Returns how much memory the process has, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(1 << 30), "1.0 GiB");
    }
}
