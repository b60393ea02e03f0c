//! What windows counted, as text for Prometheus.

use std::fmt::Write as _;

use crate::operator::Counts;

type Count = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTS: [Count; 8] = [
    ("edge_window_events_total", "Events that are in a window.", |counts| counts.events),
    ("edge_window_late_total", "Events whose windows had all closed.", |counts| counts.late),
    ("edge_window_repeated_total", "Events whose distinct value was seen before.", |counts| counts.repeated),
    ("edge_window_redelivered_total", "Messages that came again after they had been counted.", |counts| {
        counts.redelivered
    }),
    ("edge_window_errors_total", "Messages that could not be read.", |counts| counts.errors),
    ("edge_window_results_total", "Results.", |counts| counts.results),
    ("edge_window_evicted_total", "Keys whose windows closed early because of a limit.", |counts| {
        counts.evicted
    }),
    ("edge_window_forgotten_total", "Keys whose last time was forgotten because of a limit.", |counts| {
        counts.forgotten
    }),
];

/// Returns the counts of windows, each with their name, as text for Prometheus.
///
/// # Examples
/// ```
/// let text = edge_stream::prometheus([("means", edge_stream::Counts::default())]);
/// assert!(text.contains("edge_window_events_total{windows=\"means\"} 0\n"));
/// ```
///
/// # Source
/// Prometheus, "Exposition formats", text format 0.0.4; the names are ours.
#[must_use]
pub fn prometheus<'a>(windows: impl IntoIterator<Item = (&'a str, Counts)>) -> String {
    let all: Vec<_> = windows.into_iter().collect();
    let mut text = String::new();
    for (name, help, count) in COUNTS.iter().filter(|_| !all.is_empty()) {
        let _never_fails = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for (windows, counts) in &all {
            let _never_fails = writeln!(text, "{name}{{windows=\"{windows}\"}} {}", count(counts));
        }
    }
    text
}
