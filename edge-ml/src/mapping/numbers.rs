//! From numbers to elements, and back.

use crate::{ElementType, F16, Tensor, TensorError};

/// Makes a tensor of numbers; the error is the number that is no element of this type, or how the shape is wrong.
pub(super) fn tensor(element: ElementType, shape: &[usize], numbers: &[f64]) -> Result<Tensor, Unfit> {
    macro_rules! whole {
        ($type:ty) => {
            build(shape, numbers, |number| {
                let fits =
                    number.fract() == 0.0 && number >= <$type>::MIN as f64 && number <= <$type>::MAX as f64;
                fits.then_some(number as $type)
            })
        };
    }
    match element {
        ElementType::F32 => {
            build(shape, numbers, |number| Some(number as f32).filter(|number| number.is_finite()))
        }
        ElementType::F64 => build(shape, numbers, |number| Some(number).filter(|number| number.is_finite())),
        ElementType::F16 => {
            build(shape, numbers, |number| (number.abs() <= 65_504.0).then(|| F16::from_f32(number as f32)))
        }
        ElementType::I8 => whole!(i8),
        ElementType::I16 => whole!(i16),
        ElementType::I32 => whole!(i32),
        ElementType::I64 => whole!(i64),
        ElementType::U8 => whole!(u8),
        ElementType::U16 => whole!(u16),
        ElementType::U32 => whole!(u32),
        ElementType::U64 => whole!(u64),
        ElementType::Bool => build(shape, numbers, |number| match number {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        }),
        _ => Err(Unfit::Number(f64::NAN)),
    }
}

/// Why numbers are no tensor.
#[derive(Debug)]
pub(super) enum Unfit {
    Number(f64),
    Shape,
}

impl From<TensorError> for Unfit {
    fn from(_: TensorError) -> Self {
        Self::Shape
    }
}

fn build<T: crate::Element>(
    shape: &[usize],
    numbers: &[f64],
    one: impl Fn(f64) -> Option<T>,
) -> Result<Tensor, Unfit> {
    let mut values = Vec::with_capacity(numbers.len());
    for number in numbers {
        values.push(one(*number).ok_or(Unfit::Number(*number))?);
    }
    Ok(Tensor::new(shape, values)?)
}

/// Makes a tensor of little-endian bytes; `None` when they are not as many as it takes, or one is no element.
pub(super) fn from_bytes(element: ElementType, shape: &[usize], bytes: &[u8]) -> Option<Tensor> {
    macro_rules! read {
        ($type:ty, $n:literal, $ok:expr) => {{
            let (chunks, rest) = bytes.as_chunks::<$n>();
            let values: Vec<$type> = chunks.iter().map(|chunk| <$type>::from_le_bytes(*chunk)).collect();
            let sound = rest.is_empty() && values.iter().all($ok);
            if sound { Tensor::new(shape, values).ok() } else { None }
        }};
    }
    match element {
        ElementType::F32 => read!(f32, 4, |value: &f32| value.is_finite()),
        ElementType::F64 => read!(f64, 8, |value: &f64| value.is_finite()),
        ElementType::I8 => read!(i8, 1, |_: &i8| true),
        ElementType::I16 => read!(i16, 2, |_: &i16| true),
        ElementType::I32 => read!(i32, 4, |_: &i32| true),
        ElementType::I64 => read!(i64, 8, |_: &i64| true),
        ElementType::U8 => read!(u8, 1, |_: &u8| true),
        ElementType::U16 => read!(u16, 2, |_: &u16| true),
        ElementType::U32 => read!(u32, 4, |_: &u32| true),
        ElementType::U64 => read!(u64, 8, |_: &u64| true),
        ElementType::F16 => {
            let (chunks, rest) = bytes.as_chunks::<2>();
            let values: Vec<F16> =
                chunks.iter().map(|chunk| F16::from_bits(u16::from_le_bytes(*chunk))).collect();
            let sound = rest.is_empty() && values.iter().all(|value| value.to_f32().is_finite());
            if sound { Tensor::new(shape, values).ok() } else { None }
        }
        ElementType::Bool => {
            let values =
                bytes.iter().map(|byte| (*byte <= 1).then_some(*byte == 1)).collect::<Option<Vec<_>>>()?;
            Tensor::new(shape, values).ok()
        }
        _ => None,
    }
}

/// Returns the elements as numbers; `None` for text.
pub(super) fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    macro_rules! look {
        ($($type:ty),*) => {
            $(if let Some(values) = tensor.values::<$type>() {
                return Some(values.iter().map(|value| *value as f64).collect());
            })*
        };
    }
    look!(f32, f64, i64, i32, u8, i8, i16, u16, u32, u64);
    if let Some(values) = tensor.values::<bool>() {
        return Some(values.iter().map(|value| f64::from(u8::from(*value))).collect());
    }
    tensor.values::<F16>().map(|values| values.iter().map(|value| f64::from(value.to_f32())).collect())
}
