//! Laws of exact sums, beside another way to sum without rounding.

use proptest::prelude::*;

use super::exact::Exact;

/// Sums by a list of partial sums that do not overlap, rounded once.
///
/// Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates".
fn partials(values: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for value in values {
        let mut x = *value;
        let mut kept = Vec::new();
        for y in &partials {
            let (large, small) = if x.abs() < y.abs() { (*y, x) } else { (x, *y) };
            let high = large + small;
            let low = small - (high - large);
            if low != 0.0 {
                kept.push(low);
            }
            x = high;
        }
        kept.push(x);
        partials = kept;
    }
    let mut rest = partials.into_iter().rev();
    let mut high = rest.next().unwrap_or(0.0);
    let mut low = 0.0;
    for next in rest.by_ref() {
        let sum = high + next;
        low = next - (sum - high);
        high = sum;
        if low != 0.0 {
            break;
        }
    }
    // Half way between two doubles, what is left decides.
    if let Some(next) = rest.next()
        && (low < 0.0) == (next < 0.0)
    {
        let twice = 2.0 * low;
        let sum = high + twice;
        if twice == sum - high {
            return sum;
        }
    }
    high
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("not close to the end of the range", |x| x.is_finite() && x.abs() < 1e300),
        -1e3..1e3f64,
        (-100..100i32).prop_map(|n| f64::from(n) * 2f64.powi(53)),
        Just(5e-324),
        Just(-5e-324),
    ]
}

fn sum(values: &[f64]) -> Exact {
    let mut sum = Exact::default();
    values.iter().for_each(|value| sum.add(*value));
    sum
}

proptest! {
    #[test]
    fn sums_are_those_of_another_exact_way(values in prop::collection::vec(number(), 0..60)) {
        prop_assert_eq!(sum(&values).scaled().value(), partials(&values));
    }

    #[test]
    fn order_and_parts_make_no_difference(mut values in prop::collection::vec(number(), 0..60), at in 0..60usize) {
        let whole = sum(&values);
        let (left, right) = values.split_at(at.min(values.len()));
        let mut merged = sum(right);
        merged.merge(&sum(left));
        prop_assert_eq!(merged.parts(), whole.parts());
        values.reverse();
        prop_assert_eq!(sum(&values).parts(), whole.parts());
        let (base, digits) = whole.parts();
        let read = Exact::from_parts(base, digits).expect("what was written can be read");
        prop_assert_eq!(read.parts(), whole.parts());
    }

    #[test]
    fn what_leaves_leaves_no_trace(kept in prop::collection::vec(number(), 0..20), gone in prop::collection::vec(number(), 0..20)) {
        let mut both = sum(&kept);
        gone.iter().for_each(|value| both.add(*value));
        gone.iter().rev().for_each(|value| both.remove(*value));
        prop_assert_eq!(both.parts(), sum(&kept).parts());
    }

    #[test]
    fn deviation_does_not_depend_on_the_offset(values in prop::collection::vec(-1000..1000i32, 2..40), offset in -1i64 << 40..1i64 << 40) {
        let spread = |offset: i64| {
            let (mut sum, mut squares) = (Exact::default(), Exact::default());
            for value in &values {
                let value = (i64::from(*value) + offset) as f64;
                sum.add(value);
                squares.add_square(value);
            }
            squares.spread(&sum, values.len() as u64).value()
        };
        prop_assert_eq!(spread(offset), spread(0));
    }
}
