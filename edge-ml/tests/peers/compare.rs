//! Whether what came out is what was expected.

use edge_ml::Tensor;

use crate::data::Case;

/// Says what differs between the outputs and those of the case: numbers may be off by a share of what is expected and by
/// a little more, everything else not at all.
pub(crate) fn difference(found: &[Tensor], case: &Case, relative: f64, absolute: f64) -> Result<(), String> {
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
