//! `TreeEnsembleRegressor`.

use super::read::Names;
use super::{Ensemble, Weight};
use crate::onnx::Node;
use crate::tabular::kernel::{Answer, Inputs, Kernel};
use crate::tabular::scores::PostTransform;
use crate::tensor::Tensor;

/// How the weights of all trees become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// Numbers that trees agree on.
#[derive(Debug)]
pub(crate) struct TreeRegressor {
    trees: Ensemble,
    base: Vec<f32>,
    aggregate: Aggregate,
    transform: PostTransform,
}

const NAMES: Names =
    Names { trees: "target_treeids", nodes: "target_nodeids", ids: "target_ids", weights: "target_weights" };

impl TreeRegressor {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let targets =
            usize::try_from(node.int("n_targets")?).ok().filter(|targets| (1..=65_536).contains(targets))?;
        let aggregate = match node.text("aggregate_function") {
            None | Some("SUM") => Aggregate::Sum,
            Some("AVERAGE") => Aggregate::Average,
            Some("MIN") => Aggregate::Min,
            Some("MAX") => Aggregate::Max,
            _ => return None,
        };
        let transform = PostTransform::read(node.text("post_transform"))?;
        let base = node.floats("base_values").to_vec();
        let fits = base.is_empty() || base.len() == targets;
        // A transform of a single number is not written by any known exporter.
        let is_plain = targets > 1 || transform == PostTransform::None;
        (fits && is_plain).then_some(())?;
        Some(Self { trees: Ensemble::read(node, &NAMES, targets)?, base, aggregate, transform })
    }

    fn add(&self, sums: &mut [f32], seen: &mut [bool], weights: &[Weight]) {
        for weight in weights {
            let target = weight.target as usize;
            let (Some(sum), Some(seen)) = (sums.get_mut(target), seen.get_mut(target)) else { continue };
            let replaces = match self.aggregate {
                Aggregate::Sum | Aggregate::Average => {
                    *sum += weight.value;
                    continue;
                }
                Aggregate::Min => !*seen || weight.value < *sum,
                Aggregate::Max => !*seen || weight.value > *sum,
            };
            if replaces {
                *sum = weight.value;
            }
            *seen = true;
        }
    }
}

impl Kernel for TreeRegressor {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let matrix = inputs.matrix()?;
        self.trees.check(matrix.columns)?;
        let targets = self.trees.targets;
        let mut answers = vec![0.0f32; matrix.rows * targets];
        let mut seen = vec![false; answers.len()];
        let count = self.trees.roots.len() as f32;
        self.trees.visit(
            matrix.rows,
            |row| matrix.row(row),
            |row, weights| {
                let of_row = row * targets..(row + 1) * targets;
                if let (Some(sums), Some(seen)) = (answers.get_mut(of_row.clone()), seen.get_mut(of_row)) {
                    self.add(sums, seen, weights);
                }
            },
        );
        for sums in answers.chunks_exact_mut(targets) {
            if self.aggregate == Aggregate::Average {
                sums.iter_mut().for_each(|sum| *sum /= count);
            }
            for (sum, base) in sums.iter_mut().zip(&self.base) {
                *sum += base;
            }
            self.transform.apply(sums);
        }
        Ok(vec![Tensor::new([matrix.rows, targets], answers)?])
    }
}
