//! Shapes of tensors.

use std::fmt;

/// The size of each dimension of a tensor; up to four are kept without an allocation.
#[derive(Clone, Default)]
pub struct Shape(Dims);

#[derive(Clone)]
enum Dims {
    Few { len: u8, dims: [usize; 4] },
    Many(Box<[usize]>),
}

impl Default for Dims {
    fn default() -> Self {
        Self::Few { len: 0, dims: [0; 4] }
    }
}

impl Shape {
    /// Returns the size of each dimension.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        match &self.0 {
            Dims::Few { len, dims } => dims.get(..usize::from(*len)).unwrap_or_default(),
            Dims::Many(dims) => dims,
        }
    }

    pub(crate) fn set_rows(&mut self, rows: usize) {
        let first = match &mut self.0 {
            Dims::Few { len: 0, .. } => None,
            Dims::Few { dims, .. } => dims.first_mut(),
            Dims::Many(dims) => dims.first_mut(),
        };
        if let Some(first) = first {
            *first = rows;
        }
    }

    pub(crate) fn check(&self, elements: usize) -> Result<(), TensorError> {
        check(self.dims(), elements)
    }
}

/// Checks that a shape has as many elements as there are.
pub(crate) fn check(dims: &[usize], elements: usize) -> Result<(), TensorError> {
    let product = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    if product == Some(elements) {
        Ok(())
    } else {
        Err(TensorError::WrongCount { shape: dims.into(), elements })
    }
}

impl From<&[usize]> for Shape {
    fn from(from: &[usize]) -> Self {
        let mut dims = [0; 4];
        match (dims.get_mut(..from.len()), u8::try_from(from.len())) {
            (Some(few), Ok(len)) => {
                few.copy_from_slice(from);
                Self(Dims::Few { len, dims })
            }
            _ => Self(Dims::Many(from.into())),
        }
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        dims.as_slice().into()
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        dims.as_slice().into()
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.dims() == other.dims()
    }
}

impl Eq for Shape {}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.dims(), f)
    }
}

/// Why there is no such tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The shape asks for another number of elements than there are.
    #[error("a tensor of shape {shape:?} cannot have {elements} elements")]
    WrongCount {
        /// The shape.
        shape: Shape,
        /// How many elements there are.
        elements: usize,
    },
    /// The tensor has no such rows.
    #[error("a tensor of shape {shape:?} has no rows {from} to {to}")]
    NoSuchRows {
        /// The first row asked for.
        from: usize,
        /// The row after the last.
        to: usize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// Two tensors differ in type, or in a dimension that is not the first.
    #[error("a tensor of shape {other:?} does not go below one of shape {first:?}, or is of another type")]
    NotStackable {
        /// The shape of the first tensor.
        first: Shape,
        /// The shape of the one that differs.
        other: Shape,
    },
    /// There is no tensor, or one without dimensions.
    #[error("nothing with rows was given to stack")]
    NothingToStack,
}
