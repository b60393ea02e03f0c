//! What every operator of a table is.

use std::fmt;

use crate::onnx::Node;
use crate::tensor::{Element, Tensor, TensorView};

/// Why an operator has no answer; it ends in the reason of a [`RunError`](crate::RunError).
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) String);

impl From<crate::TensorError> for Fault {
    fn from(error: crate::TensorError) -> Self {
        Self(error.to_string())
    }
}

/// Returns a fault with this text.
macro_rules! fault {
    ($($text:tt)*) => {
        $crate::tabular::kernel::Fault(format!($($text)*))
    };
}
pub(crate) use fault;

pub(crate) type Answer = Result<Vec<Tensor>, Fault>;

/// How the rows of a value go with the rows of the model's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The value is the same for all inputs.
    Constant,
    /// Row `i` depends on row `i` of the inputs alone.
    Kept,
    /// Column `i`, of one row, depends on row `i` of the inputs alone.
    Turned,
    /// Otherwise.
    Mixed,
}

/// An operator with its attributes.
pub(crate) trait Kernel: fmt::Debug + Send + Sync {
    /// Computes the outputs.
    fn run(&self, inputs: &Inputs<'_>) -> Answer;

    /// Returns how the rows of the outputs go with those of the model's inputs, from those of the operator's.
    fn rows(&self, inputs: &[Rows]) -> Rows {
        elementwise(inputs)
    }

    /// Returns what the columns of the last output stand for.
    fn labels(&self) -> Option<Vec<String>> {
        None
    }
}

/// Returns the rows of an operator that treats each row by itself.
pub(crate) fn elementwise(inputs: &[Rows]) -> Rows {
    let mut rows = Rows::Constant;
    for &input in inputs {
        rows = match (rows, input) {
            (rows, Rows::Constant) => rows,
            (Rows::Constant, input) => input,
            (rows, input) if rows == input => rows,
            _ => Rows::Mixed,
        };
    }
    rows
}

/// Returns the rows of an operator that takes apart its first input alone, and leaves the first dimension where it is.
pub(crate) fn along_columns(inputs: &[Rows], keeps_rows: bool) -> Rows {
    match elementwise(inputs) {
        Rows::Kept if !keeps_rows => Rows::Mixed,
        Rows::Turned => Rows::Mixed,
        rows => rows,
    }
}

/// The inputs of an operator; those left out are `None`.
#[derive(Debug)]
pub(crate) struct Inputs<'a>(pub(crate) &'a [Option<TensorView<'a>>]);

impl<'a> Inputs<'a> {
    pub(crate) fn optional(&self, index: usize) -> Option<TensorView<'a>> {
        self.0.get(index).copied().flatten()
    }

    pub(crate) fn get(&self, index: usize) -> Result<TensorView<'a>, Fault> {
        self.optional(index).ok_or_else(|| fault!("input {index} is missing"))
    }

    pub(crate) fn values<T: Element>(&self, index: usize) -> Result<&'a [T], Fault> {
        values(self.get(index)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = TensorView<'a>> {
        self.0.iter().copied().flatten()
    }

    /// Returns the first input as a matrix of `f32`.
    pub(crate) fn matrix(&self) -> Result<Matrix<'a>, Fault> {
        Matrix::of(self.get(0)?)
    }
}

pub(crate) fn values<T: Element>(view: TensorView<'_>) -> Result<&[T], Fault> {
    view.values().ok_or_else(|| fault!("{} where {} belongs", view.element_type(), T::TYPE))
}

/// Rows and columns of `f32`; other numbers are converted, as operators on tables do.
#[derive(Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: std::borrow::Cow<'a, [f32]>,
}

impl<'a> Matrix<'a> {
    pub(crate) fn of(view: TensorView<'a>) -> Result<Self, Fault> {
        let (rows, columns) = dims(view)?;
        Ok(Self { rows, columns, values: numbers(view)? })
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        self.values.get(row * self.columns..(row + 1) * self.columns).unwrap_or_default()
    }
}

/// Returns rows and columns; a vector is one row.
pub(crate) fn dims(view: TensorView<'_>) -> Result<(usize, usize), Fault> {
    match *view.shape() {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => Err(fault!("a matrix was expected, and the shape is {:?}", view.shape())),
    }
}

/// Returns the elements as `f32`.
pub(crate) fn numbers(view: TensorView<'_>) -> Result<std::borrow::Cow<'_, [f32]>, Fault> {
    if let Some(values) = view.values::<f32>() {
        return Ok(values.into());
    }
    if let Some(values) = view.values::<f64>() {
        return Ok(values.iter().map(|&value| value as f32).collect());
    }
    if let Some(values) = view.values::<i64>() {
        return Ok(values.iter().map(|&value| value as f32).collect());
    }
    if let Some(values) = view.values::<i32>() {
        return Ok(values.iter().map(|&value| value as f32).collect());
    }
    Err(fault!("numbers were expected, and there is {}", view.element_type()))
}

/// The classes of a classifier.
#[derive(Clone, Debug)]
pub(crate) enum Classes {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

impl Classes {
    /// Reads the classes of a node, from the attributes that its operator has for them.
    pub(crate) fn read(node: &Node<'_>, numbers: &str) -> Option<Self> {
        let texts = node.texts("classlabels_strings")?;
        let classes =
            if texts.is_empty() { Self::Numbers(node.ints(numbers).to_vec()) } else { Self::Texts(texts) };
        (classes.len() > 0).then_some(classes)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(all) => all.len(),
            Self::Texts(all) => all.len(),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Numbers(all) => all.iter().map(i64::to_string).collect(),
            Self::Texts(all) => all.clone(),
        }
    }

    /// Returns the tensor of the classes at these places; a place past the end is the class 0 or 1 that it names.
    pub(crate) fn at(&self, places: &[Place]) -> Tensor {
        let shape = [places.len()];
        let tensor = match self {
            Self::Numbers(all) => {
                let of = |place: &Place| match place {
                    Place::Class(index) => all.get(*index).copied().unwrap_or_default(),
                    Place::Positive => 1,
                    Place::Negative => 0,
                };
                Tensor::new(shape, places.iter().map(of).collect())
            }
            Self::Texts(all) => {
                let of = |place: &Place| match place {
                    Place::Class(index) => all.get(*index).cloned().unwrap_or_default(),
                    Place::Positive => "1".into(),
                    Place::Negative => "0".into(),
                };
                Tensor::new(shape, places.iter().map(of).collect())
            }
        };
        tensor.expect("there is one element for each place")
    }
}

/// Which class a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The class at this index.
    Class(usize),
    /// The class "1", whatever the model's classes are.
    Positive,
    /// The class "0", whatever the model's classes are.
    Negative,
}
