//! Whether two answers are the same, beyond rounding.

use crate::tensor::{ElementType, F16, Shape, Tensor};

/// What differs between an answer and the one expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// There are more or fewer outputs.
    #[error("there are {found} outputs instead of {expected}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many were expected.
        expected: usize,
    },
    /// An output is of another type or shape.
    #[error("output {output} is {found}{found_shape:?} instead of {expected}{expected_shape:?}")]
    Kind {
        /// The output's number, from 0.
        output: usize,
        /// Its type.
        found: ElementType,
        /// Its shape.
        found_shape: Shape,
        /// The type expected.
        expected: ElementType,
        /// The shape expected.
        expected_shape: Shape,
    },
    /// An element differs.
    #[error("element {element} of output {output} differs by {by}")]
    Value {
        /// The output's number, from 0.
        output: usize,
        /// The element's number, from 0.
        element: usize,
        /// By how much, in relation to the larger of 1 and both; infinite for text.
        by: f64,
    },
}

/// Returns the elements as numbers; `None` for text.
pub(crate) fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    macro_rules! widened {
        ($($type:ty),*) => {
            $(if let Some(values) = tensor.values::<$type>() {
                return Some(values.iter().map(|value| *value as f64).collect());
            })*
        };
    }
    widened!(f32, f64, i64, i32, u8, i8, u16, i16, u32, u64);
    let halves = tensor.values::<F16>().map(|all| all.iter().map(|half| half.to_f32().into()).collect());
    halves
        .or_else(|| Some(tensor.values::<bool>()?.iter().map(|truth| f64::from(u8::from(*truth))).collect()))
}

/// Returns what differs first.
pub(crate) fn difference(found: &[Tensor], expected: &[Tensor], tolerance: f64) -> Option<Difference> {
    if found.len() != expected.len() {
        return Some(Difference::Count { found: found.len(), expected: expected.len() });
    }
    found.iter().zip(expected).enumerate().find_map(|(output, (found, expected))| {
        if (found.element_type(), found.shape()) != (expected.element_type(), expected.shape()) {
            return Some(Difference::Kind {
                output,
                found: found.element_type(),
                found_shape: found.shape().into(),
                expected: expected.element_type(),
                expected_shape: expected.shape().into(),
            });
        }
        let (Some(x), Some(y)) = (numbers(found), numbers(expected)) else {
            let same = found == expected;
            return (!same).then_some(Difference::Value { output, element: 0, by: f64::INFINITY });
        };
        let far = |(element, (x, y)): (usize, (&f64, &f64))| {
            if x == y || x.is_nan() && y.is_nan() {
                return None;
            }
            let by = (x - y).abs() / x.abs().max(y.abs()).max(1.0);
            // A number that is missing on one side is as far as can be.
            let by = if by.is_nan() { f64::INFINITY } else { by };
            (by > tolerance).then_some(Difference::Value { output, element, by })
        };
        x.iter().zip(&y).enumerate().find_map(far)
    })
}
