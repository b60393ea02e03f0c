//! Half-precision numbers.

/// A 16-bit floating-point number, kept as its bits.
///
/// # Examples
/// ```
/// use edge_ml::F16;
///
/// assert_eq!(F16::from_f32(0.5).to_f32(), 0.5);
/// assert_eq!(F16::from_f32(1e9).to_f32(), f32::INFINITY);
/// ```
///
/// # Source
/// IEEE 754-2019, binary16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct F16(u16);

impl F16 {
    /// Returns the number with these bits.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Returns the bits.
    #[must_use]
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// Returns the number as a wider one, exactly.
    #[must_use]
    pub fn to_f32(self) -> f32 {
        let sign = u32::from(self.0 >> 15) << 31;
        let exponent = u32::from(self.0 >> 10) & 0x1f;
        let fraction = u32::from(self.0 & 0x3ff);
        let magnitude = match exponent {
            // Below the normal range a step is 2^-24, which f32 says exactly.
            0 => return f32::from_bits((fraction as f32 * 2f32.powi(-24)).to_bits() | sign),
            0x1f => 0x7f80_0000 | fraction << 13,
            _ => (exponent + 112) << 23 | fraction << 13,
        };
        f32::from_bits(magnitude | sign)
    }

    /// Returns the nearest number, the even one of two.
    #[must_use]
    pub fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let sign = (bits >> 16 & 0x8000) as u16;
        let magnitude = bits & 0x7fff_ffff;
        let half = if magnitude > 0x7f80_0000 {
            0x7e00
        } else if magnitude >= 0x4780_0000 {
            0x7c00
        } else if magnitude >= 0x3880_0000 {
            // Rounding may carry into the exponent, up to infinity: that is what it should do.
            let odd = magnitude >> 13 & 1;
            ((magnitude - 0x3800_0000 + 0x0fff + odd) >> 13) as u16
        } else {
            (f64::from(f32::from_bits(magnitude)) * f64::from(1u32 << 24)).round_ties_even() as u16
        };
        Self(half | sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_there_and_back() {
        for bits in 0..=u16::MAX {
            let wide = F16(bits).to_f32();
            if wide.is_nan() {
                assert!(F16::from_f32(wide).to_f32().is_nan());
            } else {
                assert_eq!(F16::from_f32(wide), F16(bits), "{wide}");
            }
        }
    }

    #[test]
    fn known_numbers() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(F16(bits).to_f32(), value);
        }
        assert_eq!(F16::from_f32(65520.0).to_f32(), f32::INFINITY);
        assert_eq!(F16::from_f32(65519.0).to_f32(), 65504.0);
    }
}
