//! Middle values and percentiles.

use std::time::Duration;

/// Returns the value below which this share of the samples lies; zero for none.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use edge_bench::stats::percentile;
///
/// let mut samples: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();
/// assert_eq!(percentile(&mut samples, 0.99), Duration::from_micros(99));
/// ```
pub fn percentile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    let rank = (samples.len() as f64 * share).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Returns the middle value; not a number for none.
///
/// # Examples
/// ```
/// assert_eq!(edge_bench::stats::median(vec![3.0, 1.0, 2.0]), 2.0);
/// ```
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
