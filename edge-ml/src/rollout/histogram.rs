//! How values are distributed, in bounded memory.

/// Counts of values in buckets whose width is an eighth of the power of two below them.
///
/// # Units
/// Whatever the values have; a quantile is at most an eighth too high, and never too low.
///
/// # Examples
/// ```
/// use edge_ml::rollout::Histogram;
///
/// let mut histogram = Histogram::default();
/// (1..=100).for_each(|value| histogram.record(value));
/// assert_eq!(histogram.count(), 100);
/// assert!((99..=112).contains(&histogram.quantile(0.99)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Grows to the highest bucket in use, at most 496.
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

fn bucket(value: u64) -> usize {
    if value < 8 {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros();
    let eighth = (value >> (exponent - 3)) & 7;
    (exponent as usize - 2) * 8 + eighth as usize
}

/// Returns the largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64;
    }
    let exponent = bucket / 8 + 2;
    let next = (8 + bucket as u128 % 8 + 1) << (exponent - 3);
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

impl Histogram {
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        let place = bucket(value);
        if place >= self.buckets.len() {
            self.buckets.resize(place + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(place) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// Returns how many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum of the values.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the largest value; 0 when there is none.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Returns the value that a share of the values does not exceed; 0 when there is none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(place).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other() {
        for value in (0..100_000).chain([u64::MAX, u64::MAX - 1, 1 << 40]) {
            let place = bucket(value);
            assert!(place < 496 && value <= upper(place), "{value}");
            assert!(place == 0 || upper(place - 1) < value, "{value}");
        }
    }

    #[test]
    fn a_quantile_is_near_and_not_below() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        for value in 0..10_000 {
            histogram.record(value * 7);
        }
        for (share, exact) in [(0.5, 34_993), (0.99, 69_293), (1.0, 69_993)] {
            let found = histogram.quantile(share);
            assert!(found >= exact && found <= exact + exact / 8 + 1, "{share}: {found}");
        }
    }
}
