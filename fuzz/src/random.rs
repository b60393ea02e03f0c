//! Numbers that look random and are the same on every run.

/// A small generator of pseudo-random numbers (xorshift64*).
///
/// # Examples
/// ```
/// use edge_fuzz::Random;
///
/// assert_eq!(Random::new(7).next(), Random::new(7).next());
/// assert!(Random::new(7).below(10) < 10);
/// ```
///
/// # Source
/// Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns the generator that starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// Returns the next number.
    pub const fn next(&mut self) -> u64 {
        // Zero is the one state that xorshift never leaves.
        self.0 = if self.0 == 0 { 1 } else { self.0 };
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Returns a number from 0 to `end`, not included; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        if end == 0 { 0 } else { usize::try_from((self.next() >> 11) % end).unwrap_or(0) }
    }

    /// Returns true once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
