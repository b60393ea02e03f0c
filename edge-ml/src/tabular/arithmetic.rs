//! Arithmetic on elements, with broadcasting, and products of matrices.

use super::kernel::{Answer, Fault, Inputs, Kernel, Rows, along_columns, elementwise, fault, values};
use crate::onnx::Node;
use crate::tensor::{Element, ElementType, Tensor, TensorView};

/// An operator of two or more tensors, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
    Xor,
}

/// Calls `each` with the places of the elements that meet in `shape`.
fn broadcast(a: &[usize], b: &[usize], mut each: impl FnMut(usize, usize)) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], at: usize| {
        (at + dims.len()).checked_sub(rank).map_or(1, |at| dims.get(at).copied().unwrap_or(1))
    };
    let (mut shape, mut steps) = (Vec::with_capacity(rank), Vec::with_capacity(rank));
    for at in 0..rank {
        let (x, y) = (dim(a, at), dim(b, at));
        if x != y && x != 1 && y != 1 {
            return Err(fault!("shapes {a:?} and {b:?} do not go together"));
        }
        shape.push(if x == 1 { y } else { x });
    }
    let (mut in_a, mut in_b) = (1, 1);
    for at in (0..rank).rev() {
        let (x, y) = (dim(a, at), dim(b, at));
        steps.push((if x == 1 { 0 } else { in_a }, if y == 1 { 0 } else { in_b }));
        in_a *= x;
        in_b *= y;
    }
    steps.reverse();
    let count = shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim)).filter(|n| *n <= MAX_ELEMENTS);
    let count = count.ok_or_else(|| fault!("shapes {a:?} and {b:?} make too many elements"))?;
    let mut at = vec![0usize; rank];
    let (mut x, mut y) = (0, 0);
    for _ in 0..count {
        each(x, y);
        for ((place, size), (step_a, step_b)) in at.iter_mut().zip(&shape).zip(&steps).rev() {
            *place += 1;
            x += step_a;
            y += step_b;
            if *place < *size {
                break;
            }
            x -= step_a * *size;
            y -= step_b * *size;
            *place = 0;
        }
    }
    Ok(shape)
}

/// The most elements that one operator may make.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;

fn combine<T: Element, O: Element>(
    a: TensorView<'_>,
    b: TensorView<'_>,
    with: impl Fn(&T, &T) -> O,
) -> Result<Tensor, Fault> {
    let (x, y) = (values::<T>(a)?, values::<T>(b)?);
    if a.shape() == b.shape() {
        return Ok(Tensor::new(a.shape(), x.iter().zip(y).map(|(x, y)| with(x, y)).collect())?);
    }
    let mut out = Vec::with_capacity(x.len().max(y.len()));
    let shape = broadcast(a.shape(), b.shape(), |i, j| {
        if let (Some(x), Some(y)) = (x.get(i), y.get(j)) {
            out.push(with(x, y));
        }
    })?;
    Ok(Tensor::new(shape, out)?)
}

macro_rules! wrapping {
    (f32, $x:expr, $op:tt, $y:expr) => { $x $op $y };
    (f64, $x:expr, $op:tt, $y:expr) => { $x $op $y };
    ($type:ty, $x:expr, +, $y:expr) => { $x.wrapping_add(*$y) };
    ($type:ty, $x:expr, -, $y:expr) => { $x.wrapping_sub(*$y) };
    ($type:ty, $x:expr, *, $y:expr) => { $x.wrapping_mul(*$y) };
}

macro_rules! numeric {
    ($self:expr, $a:expr, $b:expr, $type:ident, $div:expr, $pow:expr) => {{
        let (a, b) = ($a, $b);
        match $self {
            Binary::Add => combine::<$type, $type>(a, b, |x, y| wrapping!($type, x, +, y)),
            Binary::Sub => combine::<$type, $type>(a, b, |x, y| wrapping!($type, x, -, y)),
            Binary::Mul => combine::<$type, $type>(a, b, |x, y| wrapping!($type, x, *, y)),
            Binary::Div => combine::<$type, $type>(a, b, $div),
            Binary::Pow => combine::<$type, $type>(a, b, $pow),
            Binary::Max => combine::<$type, $type>(a, b, |x, y| if x != x || x > y { *x } else { *y }),
            Binary::Min => combine::<$type, $type>(a, b, |x, y| if x != x || x < y { *x } else { *y }),
            Binary::Equal => combine::<$type, bool>(a, b, |x, y| x == y),
            Binary::Greater => combine::<$type, bool>(a, b, |x, y| x > y),
            Binary::GreaterOrEqual => combine::<$type, bool>(a, b, |x, y| x >= y),
            Binary::Less => combine::<$type, bool>(a, b, |x, y| x < y),
            Binary::LessOrEqual => combine::<$type, bool>(a, b, |x, y| x <= y),
            Binary::And | Binary::Or | Binary::Xor => Err(fault!("logic on {}", a.element_type())),
        }
    }};
}

impl Binary {
    fn pair(self, a: TensorView<'_>, b: TensorView<'_>) -> Result<Tensor, Fault> {
        match a.element_type() {
            ElementType::F32 if self == Self::Pow && b.element_type() != ElementType::F32 => {
                let exponent = Tensor::new(b.shape(), super::kernel::numbers(b)?.into_owned())?;
                combine::<f32, f32>(a, exponent.view(), |x, y| x.powf(*y))
            }
            ElementType::F32 => numeric!(self, a, b, f32, |x, y| x / y, |x, y| x.powf(*y)),
            ElementType::F64 => numeric!(self, a, b, f64, |x, y| x / y, |x, y| x.powf(*y)),
            ElementType::I64 => {
                let power = |x: &i64, y: &i64| u32::try_from(*y).map_or(0, |y| x.wrapping_pow(y));
                numeric!(self, a, b, i64, |x, y| x.checked_div(*y).unwrap_or_default(), power)
            }
            ElementType::I32 => {
                let power = |x: &i32, y: &i32| u32::try_from(*y).map_or(0, |y| x.wrapping_pow(y));
                numeric!(self, a, b, i32, |x, y| x.checked_div(*y).unwrap_or_default(), power)
            }
            ElementType::Bool => match self {
                Self::And => combine::<bool, bool>(a, b, |x, y| *x && *y),
                Self::Or => combine::<bool, bool>(a, b, |x, y| *x || *y),
                Self::Xor => combine::<bool, bool>(a, b, |x, y| x != y),
                Self::Equal => combine::<bool, bool>(a, b, |x, y| x == y),
                _ => Err(fault!("arithmetic on truths")),
            },
            ElementType::Text if self == Self::Equal => combine::<String, bool>(a, b, |x, y| x == y),
            other => Err(fault!("arithmetic on {other}")),
        }
    }
}

impl Kernel for Binary {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let mut rest = inputs.iter().skip(1);
        let first = inputs.get(0)?;
        // `Sum`, `Max` and `Min` take any number of tensors.
        let Some(second) = rest.next() else { return Ok(vec![first.to_tensor()]) };
        let mut result = self.pair(first, second)?;
        for next in rest {
            result = self.pair(result.view(), next)?;
        }
        Ok(vec![result])
    }
}

/// An operator of one tensor, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Abs,
    Neg,
    Sqrt,
    Exp,
    Log,
    Relu,
    Sigmoid,
    Tanh,
    Sign,
    Reciprocal,
    Floor,
    Ceil,
    Not,
    Identity,
}

impl Unary {
    fn float(self, x: f32) -> f32 {
        match self {
            Self::Abs => x.abs(),
            Self::Neg => -x,
            Self::Sqrt => x.sqrt(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Self::Sigmoid => super::scores::logistic(x),
            Self::Tanh => x.tanh(),
            Self::Sign if x == 0.0 || x.is_nan() => x,
            Self::Sign => x.signum(),
            Self::Reciprocal => x.recip(),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Not | Self::Identity => x,
        }
    }
}

impl Kernel for Unary {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        if *self == Self::Identity {
            return Ok(vec![view.to_tensor()]);
        }
        if let (Self::Not, Some(truths)) = (self, view.values::<bool>()) {
            return Ok(vec![Tensor::new(view.shape(), truths.iter().map(|truth| !truth).collect())?]);
        }
        if let (Self::Neg | Self::Abs | Self::Sign, Some(all)) = (self, view.values::<i64>()) {
            let of = |x: &i64| match self {
                Self::Neg => x.wrapping_neg(),
                Self::Abs => x.wrapping_abs(),
                _ => x.signum(),
            };
            return Ok(vec![Tensor::new(view.shape(), all.iter().map(of).collect())?]);
        }
        if *self == Self::Not {
            return Err(fault!("logic on {}", view.element_type()));
        }
        let all = inputs.values::<f32>(0)?;
        Ok(vec![Tensor::new(view.shape(), all.iter().map(|&x| self.float(x)).collect())?])
    }
}

/// `Cast`.
#[derive(Debug)]
pub(crate) struct Cast(pub(crate) ElementType);

macro_rules! cast_from {
    ($self:expr, $view:expr, $type:ty, $is_true:expr) => {{
        let (view, all) = ($view, values::<$type>($view)?);
        let shape = view.shape();
        match $self.0 {
            ElementType::F32 => Tensor::new(shape, all.iter().map(|&x| x as f32).collect()),
            ElementType::F64 => Tensor::new(shape, all.iter().map(|&x| x as f64).collect()),
            ElementType::I64 => Tensor::new(shape, all.iter().map(|&x| x as i64).collect()),
            ElementType::I32 => Tensor::new(shape, all.iter().map(|&x| x as i32).collect()),
            ElementType::Bool => Tensor::new(shape, all.iter().map($is_true).collect()),
            other => return Err(fault!("{} does not become {other}", view.element_type())),
        }
    }};
}

impl Kernel for Cast {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let view = inputs.get(0)?;
        if view.element_type() == self.0 {
            return Ok(vec![view.to_tensor()]);
        }
        let tensor = match view.element_type() {
            ElementType::F32 => cast_from!(self, view, f32, |&x| x != 0.0),
            ElementType::F64 => cast_from!(self, view, f64, |&x| x != 0.0),
            ElementType::I64 if self.0 == ElementType::Text => {
                Tensor::new(view.shape(), inputs.values::<i64>(0)?.iter().map(i64::to_string).collect())
            }
            ElementType::I64 => cast_from!(self, view, i64, |&x| x != 0),
            ElementType::I32 => cast_from!(self, view, i32, |&x| x != 0),
            ElementType::Bool => {
                let all = inputs.values::<bool>(0)?;
                let bytes = Tensor::new(view.shape(), all.iter().map(|&truth| i64::from(truth)).collect())?;
                return self.run(&Inputs(&[Some(bytes.view())]));
            }
            ElementType::Text => from_text(self.0, view.shape(), inputs.values(0)?)?,
            other => return Err(fault!("{other} does not become {}", self.0)),
        };
        Ok(vec![tensor?])
    }
}

fn from_text(
    to: ElementType,
    shape: &[usize],
    texts: &[String],
) -> Result<Result<Tensor, crate::TensorError>, Fault> {
    fn parsed<T: std::str::FromStr>(texts: &[String]) -> Result<Vec<T>, Fault> {
        texts.iter().map(|text| text.trim().parse().map_err(|_| fault!("a text is no number"))).collect()
    }
    Ok(match to {
        ElementType::F32 => Tensor::new(shape, parsed::<f32>(texts)?),
        ElementType::I64 => Tensor::new(shape, parsed::<i64>(texts)?),
        other => return Err(fault!("text does not become {other}")),
    })
}

/// `MatMul` of matrices, and `Gemm`.
#[derive(Debug)]
pub(crate) struct Product {
    alpha: f32,
    beta: f32,
    turns_second: bool,
}

impl Product {
    pub(crate) fn matmul() -> Self {
        Self { alpha: 1.0, beta: 1.0, turns_second: false }
    }

    pub(crate) fn gemm(node: &Node<'_>) -> Option<Self> {
        let is_set = |name| node.int(name).unwrap_or(0) != 0;
        (!is_set("transA")).then(|| Self {
            alpha: node.float("alpha").unwrap_or(1.0),
            beta: node.float("beta").unwrap_or(1.0),
            turns_second: is_set("transB"),
        })
    }
}

impl Kernel for Product {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        let (&[rows, inner], &[first, second]) = (a.shape(), b.shape()) else {
            return Err(fault!("a product of shapes {:?} and {:?}", a.shape(), b.shape()));
        };
        let (depth, columns) = if self.turns_second { (second, first) } else { (first, second) };
        if depth != inner {
            return Err(fault!("a product of shapes {:?} and {:?}", a.shape(), b.shape()));
        }
        let (x, y) = (values::<f32>(a)?, values::<f32>(b)?);
        let mut out = vec![0.0f32; rows * columns];
        if inner > 0 && columns > 0 {
            for (row, sums) in x.chunks_exact(inner).zip(out.chunks_exact_mut(columns)) {
                if self.turns_second {
                    for (sum, weights) in sums.iter_mut().zip(y.chunks_exact(inner)) {
                        *sum = row.iter().zip(weights).map(|(x, w)| x * w).sum();
                    }
                } else {
                    for (x, weights) in row.iter().zip(y.chunks_exact(columns)) {
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
                    }
                }
            }
        }
        if self.alpha != 1.0 {
            out.iter_mut().for_each(|sum| *sum *= self.alpha);
        }
        let product = Tensor::new([rows, columns], out)?;
        let Some(shift) = inputs.optional(2) else { return Ok(vec![product]) };
        let shift =
            Tensor::new(shift.shape(), values::<f32>(shift)?.iter().map(|x| x * self.beta).collect())?;
        Ok(vec![Binary::Add.pair(product.view(), shift.view())?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        if inputs.iter().skip(1).all(|rows| *rows == Rows::Constant) {
            along_columns(inputs, true)
        } else {
            Rows::Mixed
        }
    }
}

/// `Where`.
#[derive(Debug)]
pub(crate) struct Where;

impl Kernel for Where {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let (truth, a, b) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        if truth.shape() != a.shape() || a.shape() != b.shape() {
            return Err(fault!("a choice between shapes {:?} and {:?}", a.shape(), b.shape()));
        }
        let pairs = values::<f32>(a)?.iter().zip(values::<f32>(b)?);
        let chosen =
            values::<bool>(truth)?.iter().zip(pairs).map(|(&truth, (a, b))| if truth { *a } else { *b });
        Ok(vec![Tensor::new(a.shape(), chosen.collect())?])
    }

    fn rows(&self, inputs: &[Rows]) -> Rows {
        elementwise(inputs)
    }
}
