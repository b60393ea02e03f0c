//! Tensors as plain numbers.

use crate::tensor::{F16, TensorView};

/// Calls `each` with the numbers at these places of a tensor; text and truth have none and one of 0 and 1.
pub(super) fn numbers(tensor: &TensorView<'_>, most: usize, mut each: impl FnMut(usize, f64)) {
    macro_rules! widen {
        ($($type:ty),*) => {
            $(if let Some(values) = tensor.values::<$type>() {
                return values.iter().take(most).enumerate().for_each(|(place, value)| each(place, *value as f64));
            })*
        };
    }
    widen!(f32, f64, i64, i32, u8, i8, i16, u16, u32, u64);
    if let Some(values) = tensor.values::<F16>() {
        values.iter().take(most).enumerate().for_each(|(place, value)| each(place, value.to_f32().into()));
    } else if let Some(values) = tensor.values::<bool>() {
        values
            .iter()
            .take(most)
            .enumerate()
            .for_each(|(place, value)| each(place, f64::from(u8::from(*value))));
    }
}

/// Count, mean and variance of numbers; what is not finite is counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Moments {
    /// How many finite numbers there were.
    pub count: u64,
    /// How many were not finite.
    pub not_finite: u64,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
    squares: f64,
}

impl Moments {
    /// Counts a number.
    pub fn record(&mut self, number: f64) {
        if !number.is_finite() {
            self.not_finite += 1;
            return;
        }
        self.max = if self.count == 0 { number } else { self.max.max(number) };
        self.count += 1;
        let off = number - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (number - self.mean);
    }

    /// Returns the variance of the numbers.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.squares / self.count as f64 }
    }
}
