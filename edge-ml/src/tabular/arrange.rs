//! Operators that move elements and change none.

use super::arithmetic::MAX_ELEMENTS;
use super::kernel::{Answer, Fault, Inputs, Kernel, Rows, along_columns, elementwise, fault, values};
use crate::onnx::Node;
use crate::tensor::{Element, ElementType, Shape, Tensor, TensorView};

/// Returns the place of an axis that may count from the end.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let from_end = if axis < 0 { rank as i64 } else { 0 };
    let place = usize::try_from(axis + from_end).ok().filter(|place| *place < rank);
    place.ok_or_else(|| fault!("there is no axis {axis} of {rank}"))
}

/// Calls `$make::<T>($args)` with the type of the elements.
macro_rules! by_type {
    ($type:expr, $make:ident($($args:expr),*)) => {
        match $type {
            ElementType::F32 => $make::<f32>($($args),*),
            ElementType::F64 => $make::<f64>($($args),*),
            ElementType::I64 => $make::<i64>($($args),*),
            ElementType::I32 => $make::<i32>($($args),*),
            ElementType::Bool => $make::<bool>($($args),*),
            ElementType::Text => $make::<String>($($args),*),
            other => Err(fault!("{other} cannot be arranged here")),
        }
    };
}

/// How the shape changes while the elements stay where they are.
#[derive(Debug)]
pub(crate) enum Reshape {
    /// `Reshape`, by its second input.
    To {
        allows_zero: bool,
    },
    /// `Flatten` at an axis.
    Flatten(i64),
    /// `Squeeze` and `Unsqueeze`, with the axes of older versions.
    Squeeze(Option<Vec<i64>>),
    Unsqueeze(Option<Vec<i64>>),
}

impl Reshape {
    pub(crate) fn axes(node: &Node<'_>) -> Option<Vec<i64>> {
        node.attribute("axes").map(|_| node.ints("axes").to_vec())
    }

    fn shape(&self, old: &[usize], inputs: &Inputs<'_>) -> Result<Vec<usize>, Fault> {
        let given = |listed: &Option<Vec<i64>>| -> Result<Option<Vec<i64>>, Fault> {
            let second = inputs.optional(1).map(values::<i64>).transpose()?;
            Ok(listed.clone().or_else(|| second.map(Into::into)))
        };
        match self {
            Self::To { allows_zero } => reshape(old, inputs.values(1)?, *allows_zero),
            Self::Flatten(at) => {
                let at = if *at == old.len() as i64 { old.len() } else { axis(*at, old.len())? };
                let (left, right) = old.split_at(at);
                Ok(vec![left.iter().product(), right.iter().product()])
            }
            Self::Squeeze(listed) => {
                let axes = given(listed)?
                    .map(|all| all.iter().map(|at| axis(*at, old.len())).collect::<Result<Vec<_>, _>>());
                let axes = axes.transpose()?;
                let stays =
                    |at: usize, dim: usize| axes.as_ref().map_or(dim != 1, |axes| !axes.contains(&at));
                Ok(old
                    .iter()
                    .enumerate()
                    .filter(|(at, dim)| stays(*at, **dim))
                    .map(|(_, dim)| *dim)
                    .collect())
            }
            Self::Unsqueeze(listed) => {
                let axes = given(listed)?.ok_or_else(|| fault!("no axes are given"))?;
                let rank = old.len() + axes.len();
                let axes = axes.iter().map(|at| axis(*at, rank)).collect::<Result<Vec<_>, _>>()?;
                let mut old = old.iter();
                Ok((0..rank)
                    .map(|at| if axes.contains(&at) { 1 } else { old.next().copied().unwrap_or(1) })
                    .collect())
            }
        }
    }
}

fn reshape(old: &[usize], wanted: &[i64], allows_zero: bool) -> Result<Vec<usize>, Fault> {
    let count: usize = old.iter().product();
    let mut shape = Vec::with_capacity(wanted.len());
    let (mut known, mut open) = (1usize, None);
    for (at, &dim) in wanted.iter().enumerate() {
        let dim = match dim {
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            0 if !allows_zero => {
                old.get(at).copied().ok_or_else(|| fault!("there is no dimension {at} to keep"))?
            }
            _ => usize::try_from(dim).map_err(|_| fault!("a dimension of size {dim}"))?,
        };
        known = known.saturating_mul(dim);
        shape.push(dim);
    }
    if let Some(dim) = open.and_then(|at| shape.get_mut(at)) {
        *dim = count.checked_div(known).unwrap_or(0);
    }
    Ok(shape)
}

impl Kernel for Reshape {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let shape = self.shape(view.shape(), inputs)?;
        Ok(vec![view.to_tensor().reshaped(shape)?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        // Whether the first dimension is still that of the rows is seen when the model is tried with different ones.
        match inputs {
            [Rows::Turned, rest @ ..] if rest.iter().all(|rows| *rows == Rows::Constant) => Rows::Kept,
            _ => along_columns(inputs, true),
        }
    }
}

/// `Concat`.
#[derive(Debug)]
pub(crate) struct Concat(pub(crate) i64);

fn concat<T: Element>(inputs: &Inputs<'_>, at: i64) -> Answer {
    let first = inputs.get(0)?;
    let at = axis(at, first.shape().len())?;
    let mut shape = first.shape().to_vec();
    let mut total = 0;
    let mut parts = Vec::new();
    for view in inputs.iter() {
        let differs = |(place, (a, b)): (usize, (&usize, &usize))| place != at && a != b;
        if view.shape().len() != shape.len() || view.shape().iter().zip(&shape).enumerate().any(differs) {
            return Err(fault!("shapes {shape:?} and {:?} do not join", view.shape()));
        }
        total += view.shape().get(at).copied().unwrap_or(0);
        let width: usize = view.shape().iter().skip(at).product();
        parts.push((width, values::<T>(view)?));
    }
    shape.iter_mut().skip(at).take(1).for_each(|dim| *dim = total);
    let blocks: usize = shape.iter().take(at).product();
    let mut out = Vec::with_capacity(shape.iter().product());
    for block in 0..blocks {
        for (width, part) in &parts {
            out.extend_from_slice(part.get(block * width..(block + 1) * width).unwrap_or_default());
        }
    }
    Ok(vec![Tensor::new(shape, out)?])
}

impl Kernel for Concat {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        by_type!(inputs.get(0)?.element_type(), concat(inputs, self.0))
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        along_columns(inputs, self.0 != 0)
    }
}

/// `Gather`.
#[derive(Debug)]
pub(crate) struct Gather(pub(crate) i64);

fn gather<T: Element>(view: TensorView<'_>, picked: TensorView<'_>, at: i64) -> Answer {
    let at = axis(at, view.shape().len())?;
    let (left, right) = view.shape().split_at(at);
    let (&size, right) = right.split_first().ok_or_else(|| fault!("there is no axis {at}"))?;
    let (blocks, width): (usize, usize) = (left.iter().product(), right.iter().product());
    let (all, places) = (values::<T>(view)?, values::<i64>(picked)?);
    let mut out = Vec::with_capacity(blocks * places.len() * width);
    for block in 0..blocks {
        for &place in places {
            let place = axis(place, size)?;
            let begin = (block * size + place) * width;
            out.extend_from_slice(all.get(begin..begin + width).unwrap_or_default());
        }
    }
    let shape: Vec<_> = left.iter().chain(picked.shape()).chain(right).copied().collect();
    Ok(vec![Tensor::new(shape, out)?])
}

impl Kernel for Gather {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let (view, picked) = (inputs.get(0)?, inputs.get(1)?);
        by_type!(view.element_type(), gather(view, picked, self.0))
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        match inputs {
            // Rows of a table, picked by rows of numbers.
            [Rows::Constant, rows] if self.0 == 0 => along_columns(&[*rows], true),
            [rows, Rows::Constant] => along_columns(&[*rows], self.0 != 0),
            _ => Rows::Mixed,
        }
    }
}

/// `Shape`: it tells how many rows there are, which no row may know.
#[derive(Debug)]
pub(crate) struct ShapeOf;

impl Kernel for ShapeOf {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let dims: Vec<_> = inputs.get(0)?.shape().iter().map(|dim| *dim as i64).collect();
        Ok(vec![Tensor::new([dims.len()], dims)?])
    }

    fn rows(&self, _: &[Rows]) -> Rows {
        Rows::Mixed
    }
}

/// `ConstantOfShape`.
#[derive(Debug)]
pub(crate) struct Filled(pub(crate) Tensor);

fn fill<T: Element>(value: &Tensor, shape: Vec<usize>) -> Answer {
    let value = values::<T>(value.view())?.first().ok_or_else(|| fault!("no value to fill with"))?;
    let count = shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim)).filter(|n| *n <= MAX_ELEMENTS);
    let count = count.ok_or_else(|| fault!("too many elements to fill"))?;
    Ok(vec![Tensor::new(shape, vec![value.clone(); count])?])
}

impl Kernel for Filled {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let dims =
            inputs.values::<i64>(0)?.iter().map(|dim| usize::try_from(*dim).ok()).collect::<Option<Vec<_>>>();
        let dims = dims.ok_or_else(|| fault!("a dimension below 0"))?;
        by_type!(self.0.element_type(), fill(&self.0, dims))
    }
}

/// `Transpose`.
#[derive(Debug)]
pub(crate) struct Transpose(pub(crate) Vec<i64>);

fn transpose<T: Element>(view: TensorView<'_>, order: &[usize]) -> Answer {
    let mut strides = vec![1usize; view.shape().len()];
    for at in (1..strides.len()).rev() {
        let below = strides.get(at).copied().unwrap_or(1) * view.shape().get(at).copied().unwrap_or(1);
        strides.iter_mut().skip(at - 1).take(1).for_each(|stride| *stride = below);
    }
    let dims: Vec<_> = order.iter().map(|at| view.shape().get(*at).copied().unwrap_or(1)).collect();
    let all = values::<T>(view)?;
    let mut out = Vec::with_capacity(all.len());
    for number in 0..all.len() {
        let (mut rest, mut place) = (number, 0);
        for (dim, at) in dims.iter().zip(order).rev() {
            place += rest % dim * strides.get(*at).copied().unwrap_or(0);
            rest /= dim;
        }
        out.extend(all.get(place).cloned());
    }
    Ok(vec![Tensor::new(Shape::from(dims), out)?])
}

impl Kernel for Transpose {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let rank = view.shape().len();
        let mut order = self.0.iter().map(|at| axis(*at, rank)).collect::<Result<Vec<_>, _>>()?;
        if order.is_empty() {
            order = (0..rank).rev().collect();
        }
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return Err(fault!("{:?} is no order of {rank} dimensions", self.0));
        }
        by_type!(view.element_type(), transpose(view, &order))
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        match elementwise(inputs) {
            Rows::Constant => Rows::Constant,
            _ => Rows::Mixed,
        }
    }
}
