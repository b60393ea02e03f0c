//! Linear models.

use super::kernel::{Answer, Classes, Inputs, Kernel, Matrix, Place, fault};
use super::scores::{PostTransform, SecondScore, largest};
use crate::onnx::Node;
use crate::tensor::Tensor;

/// Weights, one row of them for each target, and a summand for each.
#[derive(Debug)]
struct Weights {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    targets: usize,
    transform: PostTransform,
}

impl Weights {
    fn read(node: &Node<'_>, targets: usize) -> Option<Self> {
        let coefficients = node.floats("coefficients").to_vec();
        let intercepts = node.floats("intercepts").to_vec();
        let fits = targets > 0 && !coefficients.is_empty() && coefficients.len().is_multiple_of(targets);
        let transform = PostTransform::read(node.text("post_transform"))?;
        let shifts = intercepts.is_empty() || intercepts.len() == targets;
        (fits && shifts).then_some(Self { coefficients, intercepts, targets, transform })
    }

    /// Appends the sums of one row.
    fn sums(&self, row: &[f32], into: &mut Vec<f32>) {
        let intercepts = self.intercepts.iter().copied().chain(std::iter::repeat(0.0));
        for (weights, intercept) in self.coefficients.chunks_exact(row.len().max(1)).zip(intercepts) {
            into.push(row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>() + intercept);
        }
    }

    fn check(&self, matrix: &Matrix<'_>) -> Result<(), super::kernel::Fault> {
        if matrix.columns * self.targets == self.coefficients.len() && matrix.columns > 0 {
            Ok(())
        } else {
            Err(fault!("{} coefficients for {} columns", self.coefficients.len(), matrix.columns))
        }
    }
}

/// `LinearRegressor`.
#[derive(Debug)]
pub(crate) struct LinearRegressor(Weights);

impl LinearRegressor {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let targets = usize::try_from(node.int("targets").unwrap_or(1)).ok()?;
        let weights = Weights::read(node, targets)?;
        // A single probit or logistic of a regression is not written by any known exporter.
        (weights.targets > 1 || weights.transform == PostTransform::None).then_some(Self(weights))
    }
}

impl Kernel for LinearRegressor {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let matrix = inputs.matrix()?;
        self.0.check(&matrix)?;
        let mut sums = Vec::with_capacity(matrix.rows * self.0.targets);
        for row in 0..matrix.rows {
            let begin = sums.len();
            self.0.sums(matrix.row(row), &mut sums);
            self.0.transform.apply(sums.get_mut(begin..).unwrap_or_default());
        }
        Ok(vec![Tensor::new([matrix.rows, self.0.targets], sums)?])
    }
}

/// `LinearClassifier`.
#[derive(Debug)]
pub(crate) struct LinearClassifier {
    weights: Weights,
    classes: Classes,
    /// One sum tells two classes apart.
    is_binary: bool,
}

impl LinearClassifier {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let classes = Classes::read(node, "classlabels_ints")?;
        let weights = Weights::read(node, node.floats("intercepts").len())?;
        let is_binary = weights.targets == 1;
        let fits = if is_binary { classes.len() == 2 } else { classes.len() == weights.targets };
        // A probit of one score of two leaves the other undefined, in the reference too.
        (fits && !(is_binary && weights.transform == PostTransform::Probit)).then_some(Self {
            weights,
            classes,
            is_binary,
        })
    }
}

impl Kernel for LinearClassifier {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let matrix = inputs.matrix()?;
        self.weights.check(&matrix)?;
        let mut places = Vec::with_capacity(matrix.rows);
        let mut scores = Vec::with_capacity(matrix.rows * self.classes.len());
        for row in 0..matrix.rows {
            let begin = scores.len();
            self.weights.sums(matrix.row(row), &mut scores);
            if let (true, Some(score)) = (self.is_binary, scores.get(begin).copied()) {
                places.push(Place::Class(usize::from(score > 0.0)));
                scores.truncate(begin);
                scores.extend(SecondScore::Rest.expand(score, self.weights.transform));
            } else {
                let row = scores.get_mut(begin..).unwrap_or_default();
                places.push(Place::Class(largest(row)));
                self.weights.transform.apply(row);
            }
        }
        let scores = Tensor::new([matrix.rows, self.classes.len()], scores)?;
        Ok(vec![self.classes.at(&places), scores])
    }

    fn labels(&self) -> Option<Vec<String>> {
        Some(self.classes.names())
    }
}
