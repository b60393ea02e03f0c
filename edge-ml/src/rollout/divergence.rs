//! How far two answers are apart.

use super::numbers::numbers;
use crate::tensor::Tensor;

/// Returns how far two answers are apart, from 0 for the same to 1 for nothing in common: the largest over the outputs.
///
/// An output of numbers counts with the mean distance of its elements, in relation to its largest element; one of text with
/// the share of elements that differ. Where only one has a number, its distance is 1; outputs of different types or shapes
/// are 1 apart.
///
/// # Examples
/// ```
/// use edge_ml::{Tensor, rollout::divergence};
///
/// let left = [Tensor::new([2], vec![0.5f32, 1.0])?];
/// assert_eq!(divergence(&left, &left), 0.0);
/// assert_eq!(divergence(&left, &[Tensor::new([2], vec![0.5f32, 0.5])?]), 0.25);
/// assert_eq!(divergence(&left, &[Tensor::new([1], vec![0.5f32])?]), 1.0);
/// # Ok::<(), edge_ml::TensorError>(())
/// ```
///
/// # Source
/// Our choice, because it has no unit: one gate serves probabilities, prices and temperatures.
#[must_use]
pub fn divergence(left: &[Tensor], right: &[Tensor]) -> f64 {
    if left.len() != right.len() {
        return 1.0;
    }
    left.iter().zip(right).map(|(left, right)| of_output(left, right)).fold(0.0, f64::max)
}

fn of_output(left: &Tensor, right: &Tensor) -> f64 {
    if left.element_type() != right.element_type() || left.shape() != right.shape() {
        return 1.0;
    }
    if left.is_empty() {
        return 0.0;
    }
    if let (Some(left), Some(right)) = (left.values::<String>(), right.values::<String>()) {
        let differ = left.iter().zip(right).filter(|(left, right)| left != right).count();
        return differ as f64 / left.len() as f64;
    }
    let collect = |tensor: &Tensor| {
        let mut all = Vec::with_capacity(tensor.len());
        numbers(&tensor.view(), usize::MAX, |_, number| all.push(number));
        all
    };
    let (left, right) = (collect(left), collect(right));
    let largest = left.iter().chain(&right).filter(|number| number.is_finite());
    let largest = largest.fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let distance = |(left, right): (&f64, &f64)| {
        if left == right || (left.is_nan() && right.is_nan()) {
            0.0
        } else if left.is_finite() && right.is_finite() {
            ((left / largest) - (right / largest)).abs().min(1.0)
        } else {
            1.0
        }
    };
    left.iter().zip(&right).map(distance).sum::<f64>() / left.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Element;

    fn check<T: Element>(left: Vec<T>, right: Vec<T>, expected: f64) {
        let tensor = |values: Vec<T>| [Tensor::new([values.len()], values).unwrap()];
        let (left, right) = (tensor(left), tensor(right));
        assert!((divergence(&left, &right) - expected).abs() < 1e-9, "{}", divergence(&left, &right));
        assert!((divergence(&right, &left) - expected).abs() < 1e-9, "the other way round");
    }

    #[test]
    fn distances_are_without_unit() {
        check(vec![0.0f32, 0.0], vec![0.0, 0.0], 0.0);
        check(vec![1e30f64], vec![1.1e30], 0.1 / 1.1);
        check(vec![1e-30f64], vec![-1e-30], 1.0);
        check(vec![f64::MAX], vec![-f64::MAX], 1.0);
        check(vec![1i64, 2, 3, 4], vec![1, 2, 3, 0], 0.25);
        check(vec![true, false], vec![true, true], 0.5);
    }

    #[test]
    fn what_is_no_number_is_far_from_one() {
        check(vec![f32::NAN, 1.0], vec![f32::NAN, 1.0], 0.0);
        check(vec![f32::NAN, 1.0], vec![1.0, 1.0], 0.5);
        check(vec![f32::INFINITY], vec![1.0], 1.0);
        check(vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned(), "c".to_owned()], 0.5);
    }
}
