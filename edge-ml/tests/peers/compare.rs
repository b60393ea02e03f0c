//! Whether what came out is what was expected.

use edge_ml::{Element, Tensor};

use crate::data::Case;

/// How far a number may be from the one expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    /// As a share of what is expected.
    pub(crate) relative: f64,
    /// The least such share for halves.
    pub(crate) of_halves: f64,
    /// Beside that.
    pub(crate) absolute: f64,
    /// Beside that, as a share of the largest number in the tensor that is expected, or of 1 when that is more.
    pub(crate) of_largest: f64,
}

/// Says what differs between the outputs and those of the case: numbers may be off as far as the tolerance says,
/// everything else not at all.
pub(crate) fn difference(found: &[Tensor], case: &Case, tolerance: Tolerance) -> Result<(), String> {
    if found.len() != case.outputs.len() {
        return Err(format!("{} outputs instead of {}", found.len(), case.outputs.len()));
    }
    for (found, (name, expected)) in found.iter().zip(&case.outputs) {
        let Some(expected) = expected else { return Err(format!("{name} is no tensor, and {found:?} came")) };
        if (found.element_type(), found.shape()) != (expected.element_type(), expected.shape()) {
            return Err(format!("{name} is {found:?} and should be {expected:?}"));
        }
        let (Some(x), Some(y)) = (floats(found), floats(expected)) else {
            if found != expected {
                return Err(format!("{name} has other elements"));
            }
            continue;
        };
        let is_half = expected.element_type() == edge_ml::F16::TYPE;
        let relative = tolerance.relative.max(if is_half { tolerance.of_halves } else { 0.0 });
        let largest = y.iter().map(|y| y.abs()).filter(|y| y.is_finite()).fold(1.0, f64::max);
        let absolute = tolerance.absolute + tolerance.of_largest * largest;
        for (place, (x, y)) in x.iter().zip(&y).enumerate() {
            let near = (x - y).abs() <= absolute + relative * y.abs();
            if !(near || x == y || x.is_nan() && y.is_nan()) {
                return Err(format!("element {place} of {name} is {x} and should be {y}"));
            }
        }
    }
    Ok(())
}

fn floats(tensor: &Tensor) -> Option<Vec<f64>> {
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
    let halves =
        || Some(tensor.values::<edge_ml::F16>()?.iter().map(|half| f64::from(half.to_f32())).collect());
    tensor.values::<f32>().map(wide).or_else(|| tensor.values::<f64>().map(<[f64]>::to_vec)).or_else(halves)
}
