//! Between the library's tensors and ours.

use std::collections::HashMap;
use std::sync::Arc;

use ort::session::SessionInputValue;
use ort::value::{DynMapValueType, DynSequence, DynValue, TensorElementType, TensorRef, ValueType};

use crate::tensor::{Element, ElementType, F16, Tensor, TensorView};

/// Returns our name of a type.
pub(super) fn element(kind: TensorElementType) -> Option<ElementType> {
    Some(match kind {
        TensorElementType::Float32 => ElementType::F32,
        TensorElementType::Float64 => ElementType::F64,
        TensorElementType::Float16 => ElementType::F16,
        TensorElementType::Int8 => ElementType::I8,
        TensorElementType::Int16 => ElementType::I16,
        TensorElementType::Int32 => ElementType::I32,
        TensorElementType::Int64 => ElementType::I64,
        TensorElementType::Uint8 => ElementType::U8,
        TensorElementType::Uint16 => ElementType::U16,
        TensorElementType::Uint32 => ElementType::U32,
        TensorElementType::Uint64 => ElementType::U64,
        TensorElementType::Bool => ElementType::Bool,
        TensorElementType::String => ElementType::Text,
        _ => return None,
    })
}

/// Returns the library's value; elements are borrowed where they have the same form.
pub(super) fn to_engine(view: TensorView<'_>) -> ort::Result<SessionInputValue<'_>> {
    macro_rules! borrowed {
        ($($type:ty),*) => {
            $(if let Some(values) = view.values::<$type>() {
                return TensorRef::from_array_view((view.shape(), values)).map(Into::into);
            })*
        };
    }
    borrowed!(f32, i64, f64, i8, i16, i32, u8, u16, u32, u64, bool);
    if let Some(values) = view.values::<F16>() {
        let halves: Vec<_> = values.iter().map(|value| half::f16::from_bits(value.to_bits())).collect();
        return ort::value::Tensor::from_array((view.shape(), halves)).map(Into::into);
    }
    let texts = view.values::<String>().unwrap_or_default();
    ort::value::Tensor::from_string_array((view.shape(), texts)).map(Into::into)
}

/// Returns our tensor with a copy of the elements.
pub(super) fn from_engine(value: &DynValue, labels: Option<&Arc<[String]>>) -> Result<Tensor, String> {
    if let (ValueType::Sequence(inner), Some(labels)) = (value.dtype(), labels) {
        return match &**inner {
            ValueType::Map { key: TensorElementType::String, .. } => {
                maps(value, labels, |key: &String| key.clone())
            }
            _ => maps(value, labels, |key: &i64| key.to_string()),
        };
    }
    let ValueType::Tensor { ty, .. } = value.dtype() else {
        return Err(format!("it gives {}, which no tensor is", value.dtype()));
    };
    macro_rules! copied {
        ($($kind:ident $type:ty, $map:expr;)*) => {
            match ty {
                $(TensorElementType::$kind => {
                    let (shape, values) = value.try_extract_tensor::<$type>().map_err(|error| error.to_string())?;
                    made(shape, values.iter().map($map).collect())
                })*
                TensorElementType::String => {
                    let (shape, values) = value.try_extract_strings().map_err(|error| error.to_string())?;
                    made(shape, values)
                }
                other => Err(format!("it gives elements of type {other}, which no tensor has")),
            }
        };
    }
    copied! {
        Float32 f32, |x| *x;
        Float64 f64, |x| *x;
        Float16 half::f16, |x| F16::from_bits(x.to_bits());
        Int8 i8, |x| *x;
        Int16 i16, |x| *x;
        Int32 i32, |x| *x;
        Int64 i64, |x| *x;
        Uint8 u8, |x| *x;
        Uint16 u16, |x| *x;
        Uint32 u32, |x| *x;
        Uint64 u64, |x| *x;
        Bool bool, |x| *x;
    }
}

fn made<T: Element>(shape: &[i64], values: Vec<T>) -> Result<Tensor, String> {
    let shape: Option<Vec<_>> = shape.iter().map(|size| usize::try_from(*size).ok()).collect();
    Tensor::new(shape.unwrap_or_default(), values).map_err(|error| error.to_string())
}

/// Returns the matrix of the values of a list of maps: a row for each map, a column for each label.
fn maps<K>(value: &DynValue, labels: &[String], text: impl Fn(&K) -> String) -> Result<Tensor, String>
where
    K: ort::value::IntoTensorElementType + Clone + std::hash::Hash + Eq,
{
    let said = |error: ort::Error| error.to_string();
    let list = value.view().downcast::<ort::value::DynSequenceValueType>().map_err(said)?;
    let list: &DynSequence = &list;
    let rows = list.try_extract_sequence::<DynMapValueType>().map_err(said)?;
    let mut values = Vec::with_capacity(rows.len() * labels.len());
    for row in &rows {
        let pairs = row.try_extract_key_values::<K, f32>().map_err(said)?;
        let pairs: HashMap<_, _> = pairs.iter().map(|(key, value)| (text(key), *value)).collect();
        values.extend(labels.iter().map(|label| pairs.get(label).copied().unwrap_or(0.0)));
    }
    Tensor::new([rows.len(), labels.len()], values).map_err(|error| error.to_string())
}
