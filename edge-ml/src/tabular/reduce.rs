//! Operators that make one number of many.

use super::arrange::axis;
use super::kernel::{Answer, Fault, Inputs, Kernel, Rows, along_columns, fault, values};
use super::scores::PostTransform;
use crate::onnx::Node;
use crate::tensor::{ElementType, Tensor, TensorView};

/// What is made of the numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fold {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    SumSquare,
    L1,
    L2,
    LogSumExp,
}

impl Fold {
    fn of(self, values: &[f32]) -> f32 {
        match self {
            Self::Sum => values.iter().sum(),
            Self::Mean => values.iter().sum::<f32>() / values.len() as f32,
            Self::Max => values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            Self::Min => values.iter().copied().fold(f32::INFINITY, f32::min),
            Self::Prod => values.iter().product(),
            Self::SumSquare => values.iter().map(|x| x * x).sum(),
            Self::L1 => values.iter().map(|x| x.abs()).sum(),
            Self::L2 => values.iter().map(|x| x * x).sum::<f32>().sqrt(),
            Self::LogSumExp => {
                let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let most = if most.is_finite() { most } else { 0.0 };
                values.iter().map(|x| (x - most).exp()).sum::<f32>().ln() + most
            }
        }
    }
}

/// `Reduce…` over axes.
#[derive(Debug)]
pub(crate) struct Reduce {
    fold: Fold,
    axes: Vec<i64>,
    keeps_dims: bool,
    nothing_means_nothing: bool,
}

impl Reduce {
    pub(crate) fn read(node: &Node<'_>, fold: Fold) -> Self {
        Self {
            fold,
            axes: node.ints("axes").to_vec(),
            keeps_dims: node.int("keepdims").unwrap_or(1) != 0,
            nothing_means_nothing: node.int("noop_with_empty_axes").unwrap_or(0) != 0,
        }
    }
}

/// Calls `each` with the elements along the axes `gone`, for every place of the others; returns the shape left.
fn along(
    view: TensorView<'_>,
    gone: &[usize],
    keeps_dims: bool,
    mut each: impl FnMut(&[f32]),
) -> Result<Vec<usize>, Fault> {
    let (dims, all) = (view.shape(), values::<f32>(view)?);
    let mut strides = Vec::with_capacity(dims.len());
    let mut stride = all.len();
    for dim in dims {
        stride /= (*dim).max(1);
        strides.push(stride);
    }
    let split = |wanted: bool| -> Vec<(usize, usize)> {
        let axes = dims.iter().copied().zip(strides.iter().copied()).enumerate();
        axes.filter(|(at, _)| gone.contains(at) == wanted).map(|(_, pair)| pair).collect()
    };
    let (inner, outer) = (split(true), split(false));
    let offset = |mut number: usize, axes: &[(usize, usize)]| {
        let mut offset = 0;
        for (dim, stride) in axes.iter().rev() {
            offset += number % dim * stride;
            number /= dim;
        }
        offset
    };
    let count = |axes: &[(usize, usize)]| axes.iter().map(|(dim, _)| dim).product::<usize>();
    let mut taken = Vec::with_capacity(count(&inner));
    for place in 0..count(&outer) {
        let base = offset(place, &outer);
        taken.clear();
        taken.extend((0..count(&inner)).filter_map(|n| all.get(base + offset(n, &inner)).copied()));
        each(&taken);
    }
    let shape = dims.iter().enumerate().filter_map(|(at, dim)| match (gone.contains(&at), keeps_dims) {
        (false, _) => Some(*dim),
        (true, true) => Some(1),
        (true, false) => None,
    });
    Ok(shape.collect())
}

impl Kernel for Reduce {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let rank = view.shape().len();
        let listed = inputs.optional(1).map(values::<i64>).transpose()?.unwrap_or(&self.axes);
        if listed.is_empty() && self.nothing_means_nothing {
            return Ok(vec![view.to_tensor()]);
        }
        let mut gone = listed.iter().map(|at| axis(*at, rank)).collect::<Result<Vec<_>, _>>()?;
        if gone.is_empty() {
            gone = (0..rank).collect();
        }
        let integers = view.element_type() == ElementType::I64;
        let wide;
        let view = if integers {
            // Sums of the small integers that tables have are exact in floating point; others are refused.
            let all = values::<i64>(view)?;
            if all.iter().any(|value| value.unsigned_abs() > 1 << 20) {
                return Err(fault!("an integer too large to be reduced here"));
            }
            wide = Tensor::new(view.shape(), all.iter().map(|value| *value as f32).collect())?;
            wide.view()
        } else {
            view
        };
        let mut out = Vec::new();
        let shape = along(view, &gone, self.keeps_dims, |values| out.push(self.fold.of(values)))?;
        if !integers {
            return Ok(vec![Tensor::new(shape, out)?]);
        }
        let exact = |value: &f32| value.fract() == 0.0 && value.abs() < 16_777_216.0;
        if !out.iter().all(exact) {
            return Err(fault!("a reduction of integers that is not exact"));
        }
        Ok(vec![Tensor::new(shape, out.iter().map(|value| *value as i64).collect())?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        // Axes that come as an input are constants; whether rows are among them shows when the model is tried.
        along_columns(inputs, !self.axes.contains(&0) && (!self.axes.is_empty() || inputs.len() > 1))
    }
}

/// `ArgMax` and `ArgMin`.
#[derive(Debug)]
pub(crate) struct ArgBest {
    finds_least: bool,
    takes_last: bool,
    axis: i64,
    keeps_dims: bool,
}

impl ArgBest {
    pub(crate) fn read(node: &Node<'_>, finds_least: bool) -> Self {
        Self {
            finds_least,
            takes_last: node.int("select_last_index").unwrap_or(0) != 0,
            axis: node.int("axis").unwrap_or(0),
            keeps_dims: node.int("keepdims").unwrap_or(1) != 0,
        }
    }

    fn best(&self, values: &[f32]) -> usize {
        let mut best: Option<(usize, f32)> = None;
        for (index, &value) in values.iter().enumerate() {
            let wins = best.is_none_or(|(_, most)| {
                let beats = if self.finds_least { value < most } else { value > most };
                beats || self.takes_last && value == most
            });
            if wins {
                best = Some((index, value));
            }
        }
        best.map_or(0, |(index, _)| index)
    }
}

impl Kernel for ArgBest {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let at = axis(self.axis, view.shape().len())?;
        let mut out = Vec::new();
        let shape = along(view, &[at], self.keeps_dims, |values| out.push(self.best(values) as i64))?;
        Ok(vec![Tensor::new(shape, out)?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        along_columns(inputs, self.axis != 0)
    }
}

/// `Softmax` along the last axis.
#[derive(Debug)]
pub(crate) struct Softmax;

impl Softmax {
    /// Reads the operator; older versions flatten first, which is the same for matrices and their last axis.
    pub(crate) fn read(node: &Node<'_>, version: i64) -> Option<Self> {
        let default = if version < 13 { 1 } else { -1 };
        matches!(node.int("axis").unwrap_or(default), -1 | 1).then_some(Self)
    }
}

impl Kernel for Softmax {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let &[_, columns] = view.shape() else {
            return Err(fault!("a softmax of shape {:?}", view.shape()));
        };
        let mut all = inputs.values::<f32>(0)?.to_vec();
        if columns > 0 {
            all.chunks_exact_mut(columns).for_each(|row| PostTransform::Softmax.apply(row));
        }
        Ok(vec![Tensor::new(view.shape(), all)?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        along_columns(inputs, true)
    }
}
