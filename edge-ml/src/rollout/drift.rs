//! Whether inputs are still distributed as they were.

use serde::{Deserialize, Serialize};

use super::numbers::{Moments, numbers};
use crate::tensor::TensorView;

/// Columns beyond these are left out, and so are rows beyond these of one request: what is kept stays bounded.
const MAX_COLUMNS: usize = 64;
const MAX_ROWS: usize = 16;
/// Edges are where a tenth of the first values each lies between them.
const FIRST: usize = 200;
const BINS: usize = 10;

/// Calls `each` with column and value of what is looked at.
fn columns(inputs: &[TensorView<'_>], mut each: impl FnMut(usize, f64)) {
    let mut before = 0;
    for input in inputs {
        let width = input.shape().last().copied().unwrap_or(1).max(1);
        let room = MAX_COLUMNS.saturating_sub(before).min(width);
        if room == 0 {
            return;
        }
        numbers(input, width.saturating_mul(MAX_ROWS), |place, value| {
            if place % width < room {
                each(before + place % width, value);
            }
        });
        before += room;
    }
}

/// How one column was distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ColumnBaseline {
    /// Between which values the bins lie, ascending.
    pub edges: Vec<f64>,
    /// The share of the values in each bin, and last of those that are no finite number.
    pub shares: Vec<f64>,
    /// The mean.
    pub mean: f64,
    /// The variance.
    pub variance: f64,
}

/// How the inputs of a model were distributed while it was known to be good.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Baseline {
    /// One for each column of the inputs, at most 64.
    pub columns: Vec<ColumnBaseline>,
}

fn bin(edges: &[f64], value: f64) -> usize {
    if value.is_finite() { edges.partition_point(|edge| *edge < value) } else { edges.len() + 1 }
}

#[derive(Clone, Debug, Default)]
struct Learned {
    first: Vec<f64>,
    edges: Vec<f64>,
    counts: Vec<u64>,
    moments: Moments,
}

/// Learns a [`Baseline`].
#[derive(Clone, Debug, Default)]
pub struct Profile {
    columns: Vec<Learned>,
    requests: u64,
}

impl Profile {
    /// Counts the inputs of a request.
    pub fn record(&mut self, inputs: &[TensorView<'_>]) {
        self.requests += 1;
        columns(inputs, |column, value| {
            if column >= self.columns.len() {
                self.columns.resize_with(column + 1, Learned::default);
            }
            if let Some(learned) = self.columns.get_mut(column) {
                learned.record(value);
            }
        });
    }

    /// Returns how many requests were counted.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn moments(&self) -> impl Iterator<Item = Moments> {
        self.columns.iter().map(|column| column.moments)
    }

    /// Returns what was learned; a column of which too little was seen has no bins, and does not count.
    #[must_use]
    pub fn baseline(&self) -> Baseline {
        let column = |learned: &Learned| {
            let total = learned.counts.iter().sum::<u64>().max(1) as f64;
            ColumnBaseline {
                edges: learned.edges.clone(),
                shares: learned.counts.iter().map(|count| *count as f64 / total).collect(),
                mean: finite(learned.moments.mean),
                variance: finite(learned.moments.variance()),
            }
        };
        Baseline { columns: self.columns.iter().map(column).collect() }
    }
}

fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

impl Learned {
    fn record(&mut self, value: f64) {
        self.moments.record(value);
        if !self.counts.is_empty() {
            self.count(value);
            return;
        }
        self.first.push(value);
        if self.first.len() < FIRST {
            return;
        }
        let first = std::mem::take(&mut self.first);
        let mut sorted: Vec<f64> = first.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let edge = |tenth: usize| sorted.get(tenth * sorted.len() / BINS).copied();
        self.edges = (1..BINS).filter_map(edge).collect();
        self.edges.dedup();
        self.counts = vec![0; self.edges.len() + 2];
        first.into_iter().for_each(|value| self.count(value));
    }

    fn count(&mut self, value: f64) {
        if let Some(count) = self.counts.get_mut(bin(&self.edges, value)) {
            *count += 1;
        }
    }
}

/// Compares inputs with a [`Baseline`].
#[derive(Clone, Debug, Default)]
pub struct Drift {
    baseline: Baseline,
    counts: Vec<Vec<u64>>,
    requests: u64,
}

impl Drift {
    /// Returns the comparison with this baseline.
    #[must_use]
    pub fn new(baseline: Baseline) -> Self {
        let counts = baseline.columns.iter().map(|column| vec![0; column.shares.len()]).collect();
        Self { baseline, counts, requests: 0 }
    }

    /// Counts the inputs of a request.
    pub fn record(&mut self, inputs: &[TensorView<'_>]) {
        self.requests += 1;
        columns(inputs, |column, value| {
            let place = self.baseline.columns.get(column).map(|column| bin(&column.edges, value));
            if let (Some(counts), Some(place)) = (self.counts.get_mut(column), place)
                && let Some(count) = counts.get_mut(place)
            {
                *count += 1;
            }
        });
    }

    /// Returns how many requests were counted.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns the population stability index of the column that drifted most; `None` without a baseline or a request.
    ///
    /// Below 0.1 nothing has changed, above 0.25 much has, by the custom of those who use it.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        let scores = self.baseline.columns.iter().zip(&self.counts).filter_map(|(column, counts)| {
            let total: u64 = counts.iter().sum();
            (total > 0).then(|| index(&column.shares, counts, total as f64))
        });
        scores.reduce(f64::max)
    }
}

/// Returns the population stability index: the sum of `(is - was) ln(is / was)`, where no share is below one in ten thousand,
/// and a few values are added that are distributed as before, so that a short look is not taken for a drift.
fn index(shares: &[f64], counts: &[u64], total: f64) -> f64 {
    const ADDED: f64 = 10.0;
    let pairs = shares.iter().map(|share| share.max(1e-4)).zip(counts);
    let term = |(was, count): (f64, &u64)| {
        let is = (*count as f64 + was * ADDED) / (total + ADDED);
        (is - was) * (is / was).ln()
    };
    pairs.map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: u64, count: usize, shift: f64) -> Vec<f64> {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..count).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0 + shift).collect()
    }

    fn learned(values: &[f64]) -> Baseline {
        let mut profile = Profile::default();
        for value in values {
            profile.record(&[TensorView::new(&[1, 1], &[*value]).unwrap()]);
        }
        profile.baseline()
    }

    fn score(baseline: &Baseline, values: &[f64]) -> f64 {
        let mut drift = Drift::new(baseline.clone());
        for value in values {
            drift.record(&[TensorView::new(&[1, 1], &[*value]).unwrap()]);
        }
        drift.score().unwrap()
    }

    #[test]
    fn the_same_distribution_does_not_drift_and_a_shifted_one_does() {
        let baseline = learned(&values(1, 5000, 0.0));
        assert!(score(&baseline, &values(2, 5000, 0.0)) < 0.05);
        assert!(score(&baseline, &values(3, 5000, 1.0)) > 0.25);
        assert!(score(&baseline, &[f64::NAN; 100]) > 1.0);
        assert!((baseline.columns[0].mean).abs() < 0.1 && (baseline.columns[0].variance - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_baseline_is_written_and_read() {
        let baseline = learned(&[&values(1, 500, 0.0)[..], &[f64::NAN, f64::INFINITY]].concat());
        let json = serde_json::to_string(&baseline).unwrap();
        let read: Baseline = serde_json::from_str(&json).unwrap();
        assert_eq!(read.columns[0].edges.len(), baseline.columns[0].edges.len());
        assert!((score(&read, &values(2, 500, 0.5)) - score(&baseline, &values(2, 500, 0.5))).abs() < 1e-6);
        let constant = learned(&[7.0; 500]);
        assert!(score(&constant, &[7.0; 10]) < 0.001);
        assert!(score(&constant, &[8.0; 10]) > 1.0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut profile = Profile::default();
        let wide = vec![1.0f32; 100_000];
        for _ in 0..50 {
            profile.record(&[TensorView::new(&[100, 1000], &wide).unwrap()]);
        }
        assert_eq!(profile.baseline().columns.len(), 64);
        assert!(profile.columns.iter().all(|column| column.first.len() < FIRST));
        assert_eq!(Drift::new(Baseline::default()).score(), None);
    }
}
