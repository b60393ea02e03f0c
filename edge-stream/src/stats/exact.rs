//! Sums without rounding: every double, and every square of one, is a whole number of a small enough unit.
//!
//! A sum is kept as digits of 32 bits over the range of exponents that its values span, which for a sensor's readings
//! is three or four digits. Adding, taking away and merging are exact, so that the order of arrival does not matter,
//! a window that slides for a year does not drift, and a value leaves no trace once it has left.

use super::big;

/// Digits beyond which no sum of doubles or of their squares reaches.
pub(crate) const DIGITS: std::ops::RangeInclusive<i32> = -70..=72;

/// How many additions fit into a digit before carries must be passed on.
const SLACK: u32 = 1 << 28;

/// A sum of doubles, or of squares of doubles, without rounding.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exact {
    /// The place of the first digit, in powers of 2^32.
    base: i32,
    /// Digits in units of 2^(32 · place), signed, with room for carries.
    digits: Vec<i64>,
    additions: u32,
}

/// A number `mantissa · 2^exponent`, which may be beyond what a double holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scaled {
    pub(crate) mantissa: f64,
    pub(crate) exponent: i32,
}

impl Scaled {
    /// Returns the number as a double; beyond the range it is infinite.
    pub(crate) fn value(self) -> f64 {
        let (mut value, mut left) = (self.mantissa, self.exponent);
        while left != 0 && value != 0.0 && value.is_finite() {
            let step = left.clamp(-1000, 1000);
            value *= 2f64.powi(step);
            left -= step;
        }
        value
    }
}

/// Splits a finite double into sign, whole mantissa and exponent.
fn split(value: f64) -> (bool, u64, i32) {
    let bits = value.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or_default();
    let fraction = bits & ((1 << 52) - 1);
    let negative = bits >> 63 == 1;
    if exponent == 0 { (negative, fraction, -1074) } else { (negative, fraction | 1 << 52, exponent - 1075) }
}

impl Exact {
    /// Adds a finite value.
    pub(crate) fn add(&mut self, value: f64) {
        let (negative, mantissa, exponent) = split(value);
        self.put(negative, mantissa.into(), exponent);
    }

    /// Takes a finite value away.
    pub(crate) fn remove(&mut self, value: f64) {
        self.add(-value);
    }

    /// Adds the square of a finite value.
    pub(crate) fn add_square(&mut self, value: f64) {
        let (_, mantissa, exponent) = split(value);
        self.put(false, u128::from(mantissa) * u128::from(mantissa), 2 * exponent);
    }

    /// Takes the square of a finite value away.
    pub(crate) fn remove_square(&mut self, value: f64) {
        let (_, mantissa, exponent) = split(value);
        self.put(true, u128::from(mantissa) * u128::from(mantissa), 2 * exponent);
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        if let Some(last) = i32::try_from(other.digits.len()).ok().filter(|len| *len > 0) {
            self.reach(other.base, other.base + last - 1);
            let at = usize::try_from(other.base - self.base).unwrap_or_default();
            for (mine, theirs) in self.digits.iter_mut().skip(at).zip(&other.digits) {
                *mine += theirs;
            }
            self.additions += 2;
        }
    }

    fn put(&mut self, negative: bool, mantissa: u128, exponent: i32) {
        if mantissa == 0 {
            return;
        }
        if self.additions >= SLACK {
            self.carry();
        }
        self.additions += 1;
        let (place, shift) = (exponent.div_euclid(32), exponent.rem_euclid(32));
        let (low, high) = (mantissa & u128::from(u64::MAX), mantissa >> 64);
        self.reach(place, place + if high == 0 { 2 } else { 4 });
        let at = usize::try_from(place - self.base).unwrap_or_default();
        for (part, offset) in [(low << shift, 0), (high << shift, 2)] {
            let mut rest = part;
            for digit in self.digits.iter_mut().skip(at + offset).take(3) {
                let piece = i64::try_from(rest & 0xffff_ffff).unwrap_or_default();
                *digit += if negative { -piece } else { piece };
                rest >>= 32;
            }
        }
    }

    /// Makes room for digits from place `first` to place `last`.
    fn reach(&mut self, first: i32, last: i32) {
        if self.digits.is_empty() {
            self.base = first;
        }
        if first < self.base {
            let more = usize::try_from(self.base - first).unwrap_or_default();
            self.digits.splice(0..0, std::iter::repeat_n(0, more));
            self.base = first;
        }
        let len = usize::try_from(last - self.base + 1).unwrap_or_default();
        if self.digits.len() < len {
            self.digits.resize(len, 0);
        }
    }

    /// Passes carries on: all digits but the last are from 0 to 2^32 − 1, none at the ends is zero or only a sign.
    fn carry(&mut self) {
        let mut carry = 0;
        for digit in &mut self.digits {
            *digit += carry;
            carry = *digit >> 32;
            *digit &= 0xffff_ffff;
        }
        if carry != 0 {
            self.digits.push(carry);
        }
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        if zeros > 0 {
            self.digits.drain(..zeros);
            self.base += i32::try_from(zeros).unwrap_or_default();
        }
        // A sign that goes on over many digits is said once, so that equal sums have equal digits.
        while self.digits.len() > 1 && self.digits.last() == Some(&-1) {
            self.digits.pop();
            if let Some(top) = self.digits.last_mut() {
                *top -= 1 << 32;
            }
        }
        if self.digits.is_empty() {
            self.base = 0;
        }
        self.additions = 2;
    }

    /// Returns sign, magnitude and the place of its first digit.
    fn magnitude(&self) -> (bool, Vec<u32>, i32) {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.digits.last().is_some_and(|top| *top < 0);
        if negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        // A carry of a magnitude is below 2^32 too: sums stay far within `DIGITS`.
        let digits = sum.digits.iter().map(|digit| u32::try_from(*digit).unwrap_or(u32::MAX)).collect();
        (negative, digits, sum.base)
    }

    /// Returns the sum, rounded once to 53 bits.
    pub(crate) fn scaled(&self) -> Scaled {
        let (negative, digits, base) = self.magnitude();
        let rounded = big::round(&digits, base);
        Scaled { mantissa: if negative { -rounded.mantissa } else { rounded.mantissa }, ..rounded }
    }

    /// Returns n · Σx² − (Σx)², never negative, rounded once, where `self` is Σx² of `count` values and `sum` their Σx.
    pub(crate) fn spread(&self, sum: &Self, count: u64) -> Scaled {
        let (_, squares, squares_base) = self.magnitude();
        let (_, sum, sum_base) = sum.magnitude();
        let count = [count & 0xffff_ffff, count >> 32].map(|half| u32::try_from(half).unwrap_or_default());
        let (left, right) = (big::multiply(&squares, &count), big::multiply(&sum, &sum));
        let base = squares_base.min(2 * sum_base);
        let difference =
            big::subtract(big::shifted(left, squares_base - base), &big::shifted(right, 2 * sum_base - base));
        big::round(&difference, base)
    }

    /// Returns the place of the first digit, and the digits, for the snapshot.
    pub(crate) fn parts(&self) -> (i32, Vec<i64>) {
        let mut sum = self.clone();
        sum.carry();
        (sum.base, sum.digits)
    }

    /// Returns the sum of these digits; `None` when no sum has them.
    pub(crate) fn from_parts(base: i32, digits: Vec<i64>) -> Option<Self> {
        let end = base.checked_add(i32::try_from(digits.len()).ok()?)?;
        let sound = DIGITS.contains(&base)
            && DIGITS.contains(&end)
            && digits.iter().all(|digit| (-(1 << 33)..1 << 33).contains(digit));
        sound.then_some(Self { base, digits, additions: 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = Exact::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.scaled().value()
    }

    #[test]
    fn sums_are_rounded_once() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(sum(&[1e308, 1e308]), f64::INFINITY);
        assert_eq!(sum(&[-1e308, -1e308]), f64::NEG_INFINITY);
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(sum(&[f64::MAX, 5e-324, -f64::MAX]), 5e-324);
        assert_eq!(sum(&[-1.5, 0.25]), -1.25);
        // Half way between two doubles goes to the even one; a trace more goes up.
        assert_eq!(sum(&[9_007_199_254_740_992.0, 1.0]), 9_007_199_254_740_992.0);
        assert_eq!(sum(&[9_007_199_254_740_992.0, 1.0, 5e-324]), 9_007_199_254_740_994.0);
    }

    #[test]
    fn what_is_taken_away_leaves_no_trace() {
        let mut all = Exact::default();
        let values = [1e300, -7.25, 3e-310, 0.1, f64::MAX, -f64::MAX];
        values.iter().for_each(|value| (all.add(*value), all.add_square(*value)).0);
        values.iter().for_each(|value| (all.remove(*value), all.remove_square(*value)).0);
        all.carry();
        assert_eq!((all.digits, all.base), (vec![], 0));
    }

    #[test]
    fn spread_does_not_cancel() {
        let (mut sum, mut squares) = (Exact::default(), Exact::default());
        for value in [1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0] {
            sum.add(value);
            squares.add_square(value);
        }
        assert_eq!(squares.spread(&sum, 3).value(), 6.0);
    }
}
