//! Operators on numbers in columns: scaling, imputing, normalising, thresholds.

use super::kernel::{Answer, Inputs, Kernel, fault, numbers};
use crate::onnx::Node;
use crate::tensor::{Element, Tensor};

/// `Scaler`: (x − offset) · scale, one of each for a column or for all.
#[derive(Debug)]
pub(crate) struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Scaler {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let (offset, scale) = (node.floats("offset").to_vec(), node.floats("scale").to_vec());
        (!offset.is_empty() && !scale.is_empty()).then_some(Self { offset, scale })
    }
}

impl Kernel for Scaler {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let columns = view.shape().last().copied().unwrap_or(1);
        let fits = |given: usize| given == 1 || given == columns;
        if !fits(self.offset.len()) || !fits(self.scale.len()) {
            return Err(fault!(
                "{} offsets and {} scales for {columns} columns",
                self.offset.len(),
                self.scale.len()
            ));
        }
        let numbers = numbers(view)?;
        let pairs = self.offset.iter().cycle().zip(self.scale.iter().cycle());
        // A cycle of offsets that is one long, or as long as a row, stays in step with the columns.
        let scaled = numbers.iter().zip(pairs).map(|(x, (offset, scale))| (x - offset) * scale).collect();
        Ok(vec![Tensor::new(view.shape(), scaled)?])
    }
}

/// `Imputer`: puts values where some are missing.
#[derive(Debug)]
pub(crate) struct Imputer {
    floats: Vec<f32>,
    replaced_float: f32,
    ints: Vec<i64>,
    replaced_int: i64,
}

impl Imputer {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let (floats, ints) =
            (node.floats("imputed_value_floats").to_vec(), node.ints("imputed_value_int64s").to_vec());
        (floats.is_empty() != ints.is_empty()).then_some(Self {
            floats,
            replaced_float: node.float("replaced_value_float").unwrap_or_default(),
            ints,
            replaced_int: node.int("replaced_value_int64").unwrap_or_default(),
        })
    }
}

fn impute<T: Element + Copy>(
    shape: &[usize],
    values: &[T],
    fill: &[T],
    is_missing: impl Fn(T) -> bool,
) -> Answer {
    let columns = shape.last().copied().unwrap_or(1);
    if fill.len() != 1 && fill.len() != columns {
        return Err(fault!("{} imputed values for {columns} columns", fill.len()));
    }
    let pairs = values.iter().zip(fill.iter().cycle());
    let filled = pairs.map(|(&value, &fill)| if is_missing(value) { fill } else { value }).collect();
    Ok(vec![Tensor::new(shape, filled)?])
}

impl Kernel for Imputer {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        if let Some(values) = view.values::<i64>().filter(|_| !self.ints.is_empty()) {
            return impute(view.shape(), values, &self.ints, |value| value == self.replaced_int);
        }
        let Some(values) = view.values::<f32>().filter(|_| !self.floats.is_empty()) else {
            return Err(fault!("{} has no imputed values here", view.element_type()));
        };
        let replaced = self.replaced_float;
        impute(view.shape(), values, &self.floats, |value: f32| {
            if replaced.is_nan() { value.is_nan() } else { value == replaced }
        })
    }
}

/// `Normalizer`: divides each row by its norm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Normalizer {
    Max,
    L1,
    L2,
}

impl Normalizer {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        Some(match node.text("norm") {
            None | Some("MAX") => Self::Max,
            Some("L1") => Self::L1,
            Some("L2") => Self::L2,
            _ => return None,
        })
    }

    fn normalize(self, row: &mut [f32]) {
        let norm = match self {
            Self::Max => row.iter().copied().fold(f32::MIN, f32::max),
            Self::L1 => row.iter().map(|value| value.abs()).sum(),
            Self::L2 => row.iter().map(|value| value * value).sum(),
        };
        if norm == 0.0 {
            return;
        }
        for value in row {
            *value = match self {
                Self::Max | Self::L1 => *value / norm,
                // The root of the square's share, with the value's sign: as the reference counts.
                Self::L2 => (*value * *value / norm).sqrt().copysign(*value),
            };
        }
    }
}

impl Kernel for Normalizer {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        let mut values = numbers(view)?.into_owned();
        let columns = view.shape().last().copied().unwrap_or(1);
        if columns > 0 {
            values.chunks_mut(columns).for_each(|row| self.normalize(row));
        }
        Ok(vec![Tensor::new(view.shape(), values)?])
    }
}

/// `Binarizer`: 1 above the threshold, 0 elsewhere.
#[derive(Debug)]
pub(crate) struct Binarizer(pub(crate) f32);

impl Kernel for Binarizer {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let values = inputs.values::<f32>(0)?;
        let flags = values.iter().map(|&value| f32::from(u8::from(value > self.0))).collect();
        Ok(vec![Tensor::new(inputs.get(0)?.shape(), flags)?])
    }
}
