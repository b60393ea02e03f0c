//! Constant tensors of a file.

use super::FileError;
use super::wire::{Wire, whole};
use crate::tensor::{Element, ElementType, F16, Tensor};

/// A constant, as the file has it: its elements are read when they are wanted.
#[derive(Debug, Default)]
pub(crate) struct Constant<'a> {
    pub(crate) name: &'a str,
    dims: Vec<i64>,
    element: i64,
    raw: Option<&'a [u8]>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    doubles: Vec<f64>,
    texts: Vec<&'a [u8]>,
    is_external: bool,
}

/// Returns the type of elements that ONNX numbers so, if tensors here can have it.
pub(crate) fn element_type(number: i64) -> Option<ElementType> {
    Some(match number {
        1 => ElementType::F32,
        2 => ElementType::U8,
        3 => ElementType::I8,
        4 => ElementType::U16,
        5 => ElementType::I16,
        6 => ElementType::I32,
        7 => ElementType::I64,
        8 => ElementType::Text,
        9 => ElementType::Bool,
        10 => ElementType::F16,
        11 => ElementType::F64,
        12 => ElementType::U32,
        13 => ElementType::U64,
        _ => return None,
    })
}

impl<'a> Constant<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, FileError> {
        let mut constant = Self::default();
        let mut wire = Wire::new(bytes);
        while let Some((number, field)) = wire.field()? {
            match number {
                1 => field.integers(&mut constant.dims)?,
                2 => constant.element = field.signed()?,
                4 => field.floats(&mut constant.floats)?,
                5 | 7 | 11 => field.integers(&mut constant.ints)?,
                6 => constant.texts.push(field.bytes()?),
                8 => constant.name = field.text()?,
                9 => constant.raw = Some(field.bytes()?),
                10 => field.doubles(&mut constant.doubles)?,
                13 => constant.is_external = true,
                14 => constant.is_external |= field.number()? == 1,
                _ => {}
            }
        }
        if constant.is_external {
            return Err(FileError::External { tensor: constant.name.into() });
        }
        Ok(constant)
    }

    /// The most elements of a constant that can be a shape.
    pub(super) const SMALL: usize = 16;

    /// Checks that the elements that the shape declares are there: an engine makes room for them before it looks.
    pub(super) fn check_size(&self) -> Result<(), FileError> {
        let sizes = self.dims.iter().map(|dim| u128::try_from(*dim).unwrap_or(0));
        let declared = sizes.fold(1, u128::saturating_mul);
        let listed = self.floats.len().max(self.ints.len()).max(self.doubles.len()).max(self.texts.len());
        let of_raw = |raw: &[u8]| match element_type(self.element).map(ElementType::size_bytes) {
            // There are types of half a byte, which only engines know.
            None | Some(0) => raw.len().saturating_mul(2),
            Some(size) => raw.len() / size,
        };
        let given = self.raw.map_or(0, of_raw).max(listed);
        if declared > given as u128 {
            return Err(FileError::Declares { tensor: self.name.into(), declared, given });
        }
        Ok(())
    }

    /// Returns the elements when they are few whole numbers.
    pub(super) fn small_ints(&self) -> Option<Vec<i64>> {
        let tensor = match element_type(self.element)? {
            ElementType::I64 | ElementType::I32 if self.bytes() <= Self::SMALL * 8 => self.tensor().ok()?,
            _ => return None,
        };
        let wide = || tensor.values::<i32>().map(|all| all.iter().map(|int| i64::from(*int)).collect());
        tensor.values::<i64>().map(<[i64]>::to_vec).or_else(wide)
    }

    /// Returns how many bytes the elements have in memory.
    pub(crate) fn bytes(&self) -> usize {
        let size = element_type(self.element).map_or(1, ElementType::size_bytes);
        let count = self.dims.iter().try_fold(1usize, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
        count.unwrap_or(0).saturating_mul(size.max(1))
    }

    /// Returns the tensor.
    pub(crate) fn tensor(&self) -> Result<Tensor, FileError> {
        let unknown =
            || FileError::Malformed { what: format!("a constant with elements of type {}", self.element) };
        match element_type(self.element).ok_or_else(unknown)? {
            ElementType::F32 => self.made(f32::from_le_bytes, || self.floats.clone()),
            ElementType::F64 => self.made(f64::from_le_bytes, || self.doubles.clone()),
            ElementType::F16 => self
                .made(|b| F16::from_bits(u16::from_le_bytes(b)), || self.cast(|v| F16::from_bits(v as u16))),
            ElementType::I8 => self.made(i8::from_le_bytes, || self.cast(|v| v as i8)),
            ElementType::I16 => self.made(i16::from_le_bytes, || self.cast(|v| v as i16)),
            ElementType::I32 => self.made(i32::from_le_bytes, || self.cast(|v| v as i32)),
            ElementType::I64 => self.made(i64::from_le_bytes, || self.ints.clone()),
            ElementType::U8 => self.made(u8::from_le_bytes, || self.cast(|v| v as u8)),
            ElementType::U16 => self.made(u16::from_le_bytes, || self.cast(|v| v as u16)),
            ElementType::U32 => self.made(u32::from_le_bytes, || self.cast(|v| v as u32)),
            ElementType::U64 => self.made(u64::from_le_bytes, || self.cast(i64::cast_unsigned)),
            ElementType::Bool => self.made(|[b]: [u8; 1]| b != 0, || self.cast(|v| v != 0)),
            ElementType::Text => {
                let text = |bytes: &&[u8]| String::from_utf8_lossy(bytes).into_owned();
                self.shaped(self.texts.iter().map(text).collect())
            }
        }
    }

    fn cast<T>(&self, to: impl Fn(i64) -> T) -> Vec<T> {
        self.ints.iter().copied().map(to).collect()
    }

    fn made<T: Element, const N: usize>(
        &self,
        raw: impl Fn([u8; N]) -> T,
        listed: impl Fn() -> Vec<T>,
    ) -> Result<Tensor, FileError> {
        let values = match self.raw {
            Some(bytes) => whole::<N>(bytes)?.map(raw).collect(),
            None => listed(),
        };
        self.shaped(values)
    }

    fn shaped<T: Element>(&self, values: Vec<T>) -> Result<Tensor, FileError> {
        let dims: Option<Vec<usize>> = self.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let count = values.len();
        let wrong = || FileError::Malformed {
            what: format!("{count} elements for the constant {:?} of shape {:?}", self.name, self.dims),
        };
        Tensor::new(dims.ok_or_else(wrong)?, values).map_err(|_| wrong())
    }
}
