//! Tensors: what goes into a model and comes out of it.

mod element;
mod half;
mod shape;

use std::fmt;

pub(crate) use element::{Data, View};
pub use element::{Element, ElementType};
pub use half::F16;
pub use shape::{Shape, TensorError};

/// A dense array of elements of one type, in row-major order, which owns its elements.
///
/// # Examples
/// ```
/// use edge_ml::{ElementType, Tensor};
///
/// let tensor = Tensor::new([2, 3], vec![1i64, 2, 3, 4, 5, 6])?;
/// assert_eq!(tensor.element_type(), ElementType::I64);
/// assert_eq!(tensor.shape(), [2, 3]);
/// assert_eq!(tensor.values::<f32>(), None);
/// # Ok::<(), edge_ml::TensorError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

impl Tensor {
    /// Returns the tensor of this shape with these elements.
    ///
    /// # Errors
    /// [`TensorError`] when the shape has not as many elements.
    pub fn new<T: Element>(shape: impl Into<Shape>, values: Vec<T>) -> Result<Self, TensorError> {
        let shape = shape.into();
        shape.check(values.len())?;
        Ok(Self { shape, data: T::own(values) })
    }

    /// Returns the tensor with one element and no dimensions.
    #[must_use]
    pub fn scalar<T: Element>(value: T) -> Self {
        Self { shape: Shape::default(), data: T::own(vec![value]) }
    }

    /// Returns the type of the elements.
    #[must_use]
    pub fn element_type(&self) -> ElementType {
        self.data.view().element_type()
    }

    /// Returns the size of each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.shape.dims()
    }

    /// Returns how many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.view().len()
    }

    /// Returns whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the elements, or `None` when they are of another type.
    #[must_use]
    pub fn values<T: Element>(&self) -> Option<&[T]> {
        T::look(self.data.view())
    }

    /// Takes the elements out, or returns the tensor again when they are of another type.
    ///
    /// # Errors
    /// The tensor itself, unchanged.
    pub fn into_values<T: Element>(self) -> Result<Vec<T>, Self> {
        let shape = self.shape;
        T::take(self.data).map_err(|data| Self { shape, data })
    }

    /// Returns a view of the whole tensor.
    #[must_use]
    pub fn view(&self) -> TensorView<'_> {
        TensorView { shape: self.shape.dims(), data: self.data.view() }
    }

    /// Returns the same elements in another shape.
    ///
    /// # Errors
    /// [`TensorError`] when the shape has not as many elements.
    pub fn reshaped(self, shape: impl Into<Shape>) -> Result<Self, TensorError> {
        let shape = shape.into();
        shape.check(self.len())?;
        Ok(Self { shape, data: self.data })
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view(), f)
    }
}

/// A tensor whose elements are borrowed.
///
/// # Examples
/// ```
/// use edge_ml::TensorView;
///
/// let readings = [1.0f32, 2.0, 3.0, 4.0];
/// let view = TensorView::new(&[2, 2], &readings)?;
/// assert_eq!(view.rows(1, 2)?.values::<f32>(), Some(&[3.0, 4.0][..]));
/// # Ok::<(), edge_ml::TensorError>(())
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct TensorView<'a> {
    shape: &'a [usize],
    data: View<'a>,
}

impl<'a> TensorView<'a> {
    /// Returns the view of these elements in this shape.
    ///
    /// # Errors
    /// [`TensorError`] when the shape has not as many elements.
    pub fn new<T: Element>(shape: &'a [usize], values: &'a [T]) -> Result<Self, TensorError> {
        shape::check(shape, values.len())?;
        Ok(Self { shape, data: T::lend(values) })
    }

    /// Returns the type of the elements.
    #[must_use]
    pub fn element_type(&self) -> ElementType {
        self.data.element_type()
    }

    /// Returns the size of each dimension.
    #[must_use]
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// Returns how many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Returns whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the elements, or `None` when they are of another type.
    #[must_use]
    pub fn values<T: Element>(&self) -> Option<&'a [T]> {
        T::look(self.data)
    }

    /// Returns how many bytes the elements have.
    pub(crate) fn bytes(&self) -> usize {
        match self.values::<String>() {
            Some(all) => all.iter().map(|text| text.len() + size_of::<String>()).sum(),
            None => self.len() * self.element_type().size_bytes(),
        }
    }

    /// Returns a tensor with a copy of the elements.
    #[must_use]
    pub fn to_tensor(&self) -> Tensor {
        Tensor { shape: self.shape.into(), data: self.data.to_data() }
    }

    /// Returns the rows `from..to` of the first dimension, as a tensor.
    ///
    /// # Errors
    /// [`TensorError`] when there are no such rows.
    pub fn rows(&self, from: usize, to: usize) -> Result<Tensor, TensorError> {
        let outside = || TensorError::NoSuchRows { from, to, shape: self.shape.into() };
        let (&rows, rest) = self.shape.split_first().ok_or_else(outside)?;
        let row: usize = rest.iter().product();
        let data = if from <= to && to <= rows { self.data.slice(from * row..to * row) } else { None };
        let mut shape = Shape::from(self.shape);
        shape.set_rows(to.saturating_sub(from));
        Ok(Tensor { shape, data: data.ok_or_else(outside)?.to_data() })
    }

    /// Returns the tensors one below the other, along their first dimension.
    ///
    /// # Errors
    /// [`TensorError`] when there are none, or they differ in type or in a dimension that is not the first.
    pub fn stacked(parts: &[TensorView<'_>]) -> Result<Tensor, TensorError> {
        let first = parts.first().ok_or(TensorError::NothingToStack)?;
        let mut data = first.data.to_data();
        let mut rows = *first.shape.first().ok_or(TensorError::NothingToStack)?;
        for part in parts.iter().skip(1) {
            let fits = part.shape.len() == first.shape.len() && part.shape.get(1..) == first.shape.get(1..);
            if !fits || !data.extend(part.data) {
                return Err(TensorError::NotStackable {
                    first: first.shape.into(),
                    other: part.shape.into(),
                });
            }
            rows += part.shape.first().copied().unwrap_or(0);
        }
        let mut shape = Shape::from(first.shape);
        shape.set_rows(rows);
        shape.check(data.view().len())?;
        Ok(Tensor { shape, data })
    }
}

impl fmt::Debug for TensorView<'_> {
    /// Prints type and shape, and no element: those are somebody's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.element_type(), self.shape)
    }
}
