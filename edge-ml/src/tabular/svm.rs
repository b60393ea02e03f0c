//! Support vector machines.
//!
//! # Source
//! Chang and Lin, "LIBSVM: A library for support vector machines"; Wu, Lin and Weng, "Probability estimates for
//! multi-class classification by pairwise coupling", second approach.

use super::kernel::{Answer, Classes, Inputs, Kernel, Matrix, Place, fault};
use super::scores::{PostTransform, SecondScore, largest, logistic};
use crate::onnx::Node;
use crate::tensor::Tensor;

/// How two vectors are compared.
#[derive(Clone, Copy, Debug)]
enum Comparison {
    Linear,
    Poly { gamma: f32, coef0: f32, degree: f32 },
    Rbf { gamma: f32 },
    Sigmoid { gamma: f32, coef0: f32 },
}

impl Comparison {
    fn read(node: &Node<'_>) -> Option<Self> {
        let [gamma, coef0, degree] = match *node.floats("kernel_params") {
            [] => [0.0, 0.0, 3.0],
            [gamma, coef0, degree] => [gamma, coef0, degree],
            _ => return None,
        };
        Some(match node.text("kernel_type") {
            None | Some("LINEAR") => Self::Linear,
            Some("POLY") => Self::Poly { gamma, coef0, degree },
            Some("RBF") => Self::Rbf { gamma },
            Some("SIGMOID") => Self::Sigmoid { gamma, coef0 },
            _ => return None,
        })
    }

    /// Adds what one column of a row and the same column of all vectors have to do with each other.
    fn add(self, sums: &mut [f32], value: f32, column: &[f32]) {
        if matches!(self, Self::Rbf { .. }) {
            sums.iter_mut().zip(column).for_each(|(sum, of)| *sum += (value - of) * (value - of));
        } else {
            sums.iter_mut().zip(column).for_each(|(sum, of)| *sum += value * of);
        }
    }

    /// Makes comparisons of sums over all columns.
    fn finish(self, sums: &mut [f32]) {
        match self {
            Self::Linear => {}
            Self::Poly { gamma, coef0, degree } => {
                sums.iter_mut().for_each(|sum| *sum = (gamma * *sum + coef0).powf(degree));
            }
            Self::Rbf { gamma } => sums.iter_mut().for_each(|sum| *sum = (-gamma * *sum).exp()),
            Self::Sigmoid { gamma, coef0 } => {
                sums.iter_mut().for_each(|sum| *sum = (gamma * *sum + coef0).tanh());
            }
        }
    }
}

/// Vectors to compare a row with.
#[derive(Debug)]
struct Vectors {
    comparison: Comparison,
    /// Column by column, so that many vectors are compared at once.
    values: Vec<f32>,
    count: usize,
}

impl Vectors {
    fn read(node: &Node<'_>, count: usize) -> Option<Self> {
        let values = node.floats("support_vectors");
        let fits = count > 0 && !values.is_empty() && values.len().is_multiple_of(count);
        let comparison = fits.then(|| Comparison::read(node)).flatten()?;
        let columns = values.len() / count;
        let column = |column| values.iter().skip(column).step_by(columns).copied();
        Some(Self { comparison, values: (0..columns).flat_map(column).collect(), count })
    }

    fn compare(&self, row: &[f32], into: &mut Vec<f32>) {
        into.clear();
        into.resize(self.count, 0.0);
        for (value, column) in row.iter().zip(self.values.chunks_exact(self.count)) {
            self.comparison.add(into, *value, column);
        }
        self.comparison.finish(into);
    }

    fn check(&self, matrix: &Matrix<'_>) -> Result<(), super::kernel::Fault> {
        if matrix.columns * self.count == self.values.len() {
            Ok(())
        } else {
            Err(fault!(
                "support vectors of {} elements for {} columns",
                self.values.len() / self.count,
                matrix.columns
            ))
        }
    }
}

/// `SVMRegressor`.
#[derive(Debug)]
pub(crate) struct SvmRegressor {
    vectors: Vectors,
    coefficients: Vec<f32>,
    rho: f32,
    is_one_class: bool,
}

impl SvmRegressor {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let count = usize::try_from(node.int("n_supports").unwrap_or(0)).ok()?;
        let coefficients = node.floats("coefficients").to_vec();
        let transform = PostTransform::read(node.text("post_transform"))?;
        let vectors = if count > 0 {
            Vectors::read(node, count).filter(|_| coefficients.len() == count)?
        } else {
            // Without support vectors the coefficients are the one vector, and it is compared by the dot product.
            Vectors { comparison: Comparison::Linear, values: coefficients.clone(), count: 1 }
        };
        let coefficients = if count > 0 { coefficients } else { vec![1.0] };
        let rho = *node.floats("rho").first()?;
        let is_one_class = node.int("one_class").unwrap_or(0) != 0;
        (transform == PostTransform::None).then_some(Self { vectors, coefficients, rho, is_one_class })
    }
}

impl Kernel for SvmRegressor {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let matrix = inputs.matrix()?;
        self.vectors.check(&matrix)?;
        let (mut compared, mut answers) = (Vec::new(), Vec::with_capacity(matrix.rows));
        for row in 0..matrix.rows {
            self.vectors.compare(matrix.row(row), &mut compared);
            let sum = compared.iter().zip(&self.coefficients).map(|(k, c)| k * c).sum::<f32>() + self.rho;
            let side = if sum > 0.0 { 1.0 } else { -1.0 };
            answers.push(if self.is_one_class { side } else { sum });
        }
        Ok(vec![Tensor::new([matrix.rows, 1], answers)?])
    }
}

/// `SVMClassifier` with support vectors.
#[derive(Debug)]
pub(crate) struct SvmClassifier {
    vectors: Vectors,
    /// The first vector of each class, and the end of the last.
    bounds: Vec<usize>,
    coefficients: Vec<f32>,
    rho: Vec<f32>,
    /// For each pair of classes, when there are probabilities.
    sigmoids: Option<Vec<(f32, f32)>>,
    transform: PostTransform,
    classes: Classes,
}

impl SvmClassifier {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let classes = Classes::read(node, "classlabels_ints")?;
        let mut bounds = vec![0usize];
        for &count in node.ints("vectors_per_class") {
            bounds.push(bounds.last()?.checked_add(usize::try_from(count).ok()?)?);
        }
        let count = *bounds.last()?;
        let vectors = Vectors::read(node, count)?;
        let pairs = classes.len() * classes.len().checked_sub(1)? / 2;
        let (coefficients, rho) = (node.floats("coefficients").to_vec(), node.floats("rho").to_vec());
        let (a, b) = (node.floats("prob_a"), node.floats("prob_b"));
        let fits = classes.len() > 1
            && bounds.len() == classes.len() + 1
            && coefficients.len() == (classes.len() - 1).checked_mul(count)?
            && rho.len() >= pairs
            && a.len() == b.len()
            && (a.is_empty() || a.len() >= pairs);
        let sigmoids = (!a.is_empty()).then(|| a.iter().copied().zip(b.iter().copied()).collect());
        let transform = PostTransform::read(node.text("post_transform"))?;
        (fits && transform != PostTransform::Probit).then_some(Self {
            vectors,
            bounds,
            coefficients,
            rho,
            sigmoids,
            transform,
            classes,
        })
    }

    /// Returns the sum of the weighted comparisons with the vectors of class `of`, against class `against`.
    fn side(&self, compared: &[f32], of: usize, against: usize) -> f64 {
        let row = if against > of { against - 1 } else { against };
        let (Some(&begin), Some(&end)) = (self.bounds.get(of), self.bounds.get(of + 1)) else { return 0.0 };
        let weights = self.coefficients.get(row * self.vectors.count..).unwrap_or_default().get(begin..end);
        let pairs = weights.unwrap_or_default().iter().zip(compared.get(begin..end).unwrap_or_default());
        pairs.map(|(weight, compared)| f64::from(weight * compared)).sum()
    }

    /// Decides between each two classes, and returns the sums; `votes` counts who won.
    fn duels(&self, compared: &[f32], votes: &mut [f32]) -> Vec<f32> {
        let count = self.classes.len();
        let mut sums = Vec::with_capacity(self.rho.len());
        for first in 0..count {
            for second in first + 1..count {
                let rho = self.rho.get(sums.len()).copied().unwrap_or_default();
                let sum =
                    self.side(compared, first, second) + self.side(compared, second, first) + f64::from(rho);
                let winner = if sum > 0.0 { first } else { second };
                votes.iter_mut().skip(winner).take(1).for_each(|vote| *vote += 1.0);
                sums.push(sum as f32);
            }
        }
        sums
    }

    fn probabilities(&self, sums: &[f32], sigmoids: &[(f32, f32)]) -> Vec<f32> {
        const LEAST: f32 = 1.0e-7;
        let count = self.classes.len();
        let mut pairwise = vec![vec![0.0f32; count]; count];
        let mut pairs = sums.iter().zip(sigmoids);
        for first in 0..count {
            for second in first + 1..count {
                let Some((sum, (a, b))) = pairs.next() else { break };
                let share = (1.0 - logistic(sum * a + b)).clamp(LEAST, 1.0 - LEAST);
                if let Ok([row, column]) = pairwise.get_disjoint_mut([first, second]) {
                    row.iter_mut().skip(second).take(1).for_each(|cell| *cell = share);
                    column.iter_mut().skip(first).take(1).for_each(|cell| *cell = 1.0 - share);
                }
            }
        }
        couple(&pairwise)
    }
}

/// Returns the probabilities of the classes that agree best with those of each pair.
#[expect(
    clippy::indexing_slicing,
    reason = "every index is below the number of classes, which all lengths are"
)]
fn couple(pairwise: &[Vec<f32>]) -> Vec<f32> {
    let count = pairwise.len();
    let mut q = vec![vec![0.0f32; count]; count];
    for i in 0..count {
        for j in (0..count).filter(|&j| j != i) {
            q[i][i] += pairwise[j][i] * pairwise[j][i];
            q[i][j] = -pairwise[j][i] * pairwise[i][j];
        }
    }
    let mut p = vec![1.0 / count as f32; count];
    let near = 0.005 / count as f32;
    for _round in 0..100 {
        let mut qp: Vec<f32> = q.iter().map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f32 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        if qp.iter().all(|qp| (qp - pqp).abs() < near) {
            break;
        }
        for i in 0..count {
            let diff = (pqp - qp[i]) / q[i][i];
            p[i] += diff;
            pqp = (pqp + diff * (diff * q[i][i] + 2.0 * qp[i])) / (1.0 + diff) / (1.0 + diff);
            for j in 0..count {
                qp[j] = (qp[j] + diff * q[i][j]) / (1.0 + diff);
                p[j] /= 1.0 + diff;
            }
        }
    }
    p
}

impl Kernel for SvmClassifier {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let matrix = inputs.matrix()?;
        self.vectors.check(&matrix)?;
        let count = self.classes.len();
        let (mut compared, mut places, mut scores, mut width) = (Vec::new(), Vec::new(), Vec::new(), count);
        for row in 0..matrix.rows {
            self.vectors.compare(matrix.row(row), &mut compared);
            let mut votes = vec![0.0; count];
            let mut sums = self.duels(&compared, &mut votes);
            let winner = largest(&votes);
            places.push(Place::Class(winner));
            match (&self.sigmoids, sums.as_slice()) {
                (Some(sigmoids), _) => {
                    sums = self.probabilities(&sums, sigmoids);
                    self.transform.apply(&mut sums);
                }
                (None, &[sum]) if self.transform == PostTransform::None => {
                    sums = SecondScore::Opposite.expand(sum, self.transform).to_vec();
                }
                (None, &[sum]) => sums = SecondScore::Rest.expand(sum, self.transform).to_vec(),
                (None, _) => self.transform.apply(&mut sums),
            }
            width = sums.len();
            scores.extend(sums);
        }
        let pairs = if self.sigmoids.is_some() || count == 2 { count } else { count * (count - 1) / 2 };
        let width = if matrix.rows == 0 { pairs } else { width };
        Ok(vec![self.classes.at(&places), Tensor::new([matrix.rows, width], scores)?])
    }

    fn labels(&self) -> Option<Vec<String>> {
        (self.sigmoids.is_some() || self.classes.len() == 2).then(|| self.classes.names())
    }
}
