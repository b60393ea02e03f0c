//! Rounds in turn, and their medians.

use std::time::Duration;

use edge_bench::clock::now;

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Everything once, for nobody to look at.
    Try,
    /// Long enough to compare.
    Full,
}

impl Effort {
    fn rounds(self) -> usize {
        if self == Self::Full { 9 } else { 1 }
    }

    fn round(self) -> Duration {
        if self == Self::Full { Duration::from_millis(300) } else { Duration::ZERO }
    }
}

/// Runs each of the things in turn, and returns the median seconds that one call of it takes.
pub(crate) fn in_turn(effort: Effort, things: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut times = vec![Vec::new(); things.len()];
    for thing in things.iter_mut() {
        // The first run allocates what later ones use again.
        thing();
    }
    for _ in 0..effort.rounds() {
        for (thing, times) in things.iter_mut().zip(&mut times) {
            let begin = now();
            let mut calls = 0u32;
            while calls == 0 || begin.elapsed() < effort.round() {
                thing();
                calls += 1;
            }
            times.push(begin.elapsed().as_secs_f64() / f64::from(calls));
        }
    }
    times.into_iter().map(median).collect()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Prints seconds with the unit that suits them.
pub(crate) fn shown(seconds: f64) -> String {
    if seconds >= 1e-3 { format!("{:.2} ms", seconds * 1e3) } else { format!("{:.2} µs", seconds * 1e6) }
}
