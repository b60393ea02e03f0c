//! Between the engine's tensors and ours.

use tract_onnx::prelude as tract;
use tract_onnx::prelude::{Datum, DatumType, TractResult};

use crate::tensor::{Element, ElementType, F16, Tensor, TensorView};

/// Returns the engine's name of a type.
pub(super) fn datum(element: ElementType) -> Option<DatumType> {
    Some(match element {
        ElementType::F32 => f32::datum_type(),
        ElementType::F64 => f64::datum_type(),
        ElementType::F16 => DatumType::F16,
        ElementType::I8 => i8::datum_type(),
        ElementType::I16 => i16::datum_type(),
        ElementType::I32 => i32::datum_type(),
        ElementType::I64 => i64::datum_type(),
        ElementType::U8 => u8::datum_type(),
        ElementType::U16 => u16::datum_type(),
        ElementType::U32 => u32::datum_type(),
        ElementType::U64 => u64::datum_type(),
        ElementType::Bool => bool::datum_type(),
        ElementType::Text => DatumType::String,
    })
}

/// Returns our name of a type; sizes, which the engine has a type for, are `i64`.
pub(super) fn element(datum: DatumType) -> Option<ElementType> {
    if datum == DatumType::TDim {
        return Some(ElementType::I64);
    }
    ElementType::ALL.iter().copied().find(|element| self::datum(*element) == Some(datum))
}

/// Returns the engine's tensor with a copy of the elements.
pub(super) fn to_engine(view: TensorView<'_>) -> TractResult<tract::Tensor> {
    macro_rules! copied {
        ($($type:ty),*) => {
            $(if let Some(values) = view.values::<$type>() {
                return tract::Tensor::from_shape(view.shape(), values);
            })*
        };
    }
    copied!(f32, i64, f64, i8, i16, i32, u8, u16, u32, u64, bool);
    if let Some(values) = view.values::<F16>() {
        let halves: Vec<_> = values.iter().map(|half| tract::f16::from_bits(half.to_bits())).collect();
        return tract::Tensor::from_shape(view.shape(), &halves);
    }
    let texts = view.values::<String>().unwrap_or_default().to_vec();
    let array = tract::tract_ndarray::ArrayD::from_shape_vec(view.shape(), texts)?;
    Ok(array.into())
}

/// Returns our tensor with a copy of the elements, as `element`.
pub(super) fn from_engine(tensor: &tract::Tensor, element: ElementType) -> TractResult<Tensor> {
    fn copied<D: Datum + Clone, T: Element>(
        tensor: &tract::Tensor,
        map: impl Fn(&D) -> T,
    ) -> TractResult<Tensor> {
        let view = tensor.try_as_plain_ram()?;
        let values = view.as_slice::<D>()?.iter().map(map).collect();
        Ok(Tensor::new(tensor.shape(), values)?)
    }
    let wanted = datum(element);
    let cast;
    let tensor = match wanted {
        Some(wanted) if tensor.datum_type() != wanted => {
            cast = tensor.cast_to_dt(wanted)?;
            &*cast
        }
        _ => tensor,
    };
    match element {
        ElementType::F32 => copied::<f32, _>(tensor, |x| *x),
        ElementType::F64 => copied::<f64, _>(tensor, |x| *x),
        ElementType::F16 => copied::<tract::f16, _>(tensor, |x| F16::from_bits(x.to_bits())),
        ElementType::I8 => copied::<i8, _>(tensor, |x| *x),
        ElementType::I16 => copied::<i16, _>(tensor, |x| *x),
        ElementType::I32 => copied::<i32, _>(tensor, |x| *x),
        ElementType::I64 => copied::<i64, _>(tensor, |x| *x),
        ElementType::U8 => copied::<u8, _>(tensor, |x| *x),
        ElementType::U16 => copied::<u16, _>(tensor, |x| *x),
        ElementType::U32 => copied::<u32, _>(tensor, |x| *x),
        ElementType::U64 => copied::<u64, _>(tensor, |x| *x),
        ElementType::Bool => copied::<bool, _>(tensor, |x| *x),
        ElementType::Text => copied::<String, _>(tensor, Clone::clone),
    }
}
