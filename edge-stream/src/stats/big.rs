//! Natural numbers as digits of 32 bits, the lowest first: what exact sums need of them.

use super::exact::Scaled;

/// Returns the product.
pub(crate) fn multiply(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut product = vec![0u32; a.len() + b.len()];
    for (i, x) in a.iter().enumerate() {
        let mut carry = 0u64;
        let tail = product.iter_mut().skip(i);
        for (digit, y) in tail.zip(b.iter().chain(std::iter::once(&0))) {
            let sum = u64::from(*digit) + u64::from(*x) * u64::from(*y) + carry;
            *digit = low(sum);
            carry = sum >> 32;
        }
    }
    product
}

/// Returns `digits · 2^(32 · places)`.
pub(crate) fn shifted(mut digits: Vec<u32>, places: i32) -> Vec<u32> {
    let places = usize::try_from(places).unwrap_or_default();
    digits.splice(0..0, std::iter::repeat_n(0, places));
    digits
}

/// Returns `a − b`, which must not be negative; zero when it is.
pub(crate) fn subtract(mut a: Vec<u32>, b: &[u32]) -> Vec<u32> {
    a.resize(a.len().max(b.len()), 0);
    let mut borrow = 0i64;
    for (index, digit) in a.iter_mut().enumerate() {
        let other = b.get(index).copied().unwrap_or_default();
        let difference = i64::from(*digit) - i64::from(other) - borrow;
        borrow = i64::from(difference < 0);
        *digit = u32::try_from(difference & 0xffff_ffff).unwrap_or_default();
    }
    if borrow == 0 { a } else { Vec::new() }
}

/// Returns the number with its first digit at place `base`, rounded to 53 bits, half to even.
pub(crate) fn round(digits: &[u32], base: i32) -> Scaled {
    let Some(top) = digits.iter().rposition(|digit| *digit != 0) else {
        return Scaled { mantissa: 0.0, exponent: 0 };
    };
    let digit = |below: usize| top.checked_sub(below).and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let wide = u128::from(digit(0)) << 64 | u128::from(digit(1)) << 32 | u128::from(digit(2));
    let bits = 128 - wide.leading_zeros();
    let drop = bits.saturating_sub(64);
    let kept = u64::try_from(wide >> drop).unwrap_or(u64::MAX);
    let lower = digits.iter().take(top.saturating_sub(2)).any(|digit| *digit != 0);
    let rest = wide & ((1 << drop) - 1) != 0 || lower;
    // Eleven of the 64 bits are rounded away, so that the last one can stand for all that lies below it.
    let exponent =
        32 * (base + i32::try_from(top).unwrap_or_default() - 2) + i32::try_from(drop).unwrap_or_default();
    Scaled { mantissa: (kept | u64::from(rest)) as f64, exponent }
}

fn low(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or_default()
}
