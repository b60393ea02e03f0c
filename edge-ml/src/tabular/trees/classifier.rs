//! `TreeEnsembleClassifier`.

use super::Ensemble;
use super::read::Names;
use crate::onnx::Node;
use crate::tabular::kernel::{Answer, Classes, Inputs, Kernel, Place};
use crate::tabular::scores::{PostTransform, SecondScore};
use crate::tensor::Tensor;

/// A vote of trees for classes.
#[derive(Debug)]
pub(crate) struct TreeClassifier {
    trees: Ensemble,
    classes: Classes,
    base: Vec<f32>,
    transform: PostTransform,
    /// One sum tells two classes apart.
    is_binary: bool,
    no_weight_is_negative: bool,
}

const NAMES: Names =
    Names { trees: "class_treeids", nodes: "class_nodeids", ids: "class_ids", weights: "class_weights" };

impl TreeClassifier {
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let classes = Classes::read(node, "classlabels_int64s")?;
        let transform = PostTransform::read(node.text("post_transform"))?;
        let base = node.floats("base_values").to_vec();
        if classes.len() < 2 || base.len() > 2 && base.len() != classes.len() {
            return None;
        }
        let trees = Ensemble::read(node, &NAMES, classes.len())?;
        let first = trees.weights.first()?.target;
        let is_single = trees.weights.iter().all(|weight| weight.target == first);
        let is_binary = classes.len() == 2 && is_single;
        let no_weight_is_negative = trees.weights.iter().all(|weight| weight.value >= 0.0);
        // The other score of a single probit is undefined in the reference too; and so is a single sum for a second
        // class that has no first.
        let is_defined =
            !(classes.len() == 2 && (transform == PostTransform::Probit || is_single && first != 0));
        let is_based = classes.len() == 2 || base.is_empty() || base.len() == classes.len();
        (is_defined && is_based).then_some(Self {
            trees,
            classes,
            base,
            transform,
            is_binary,
            no_weight_is_negative,
        })
    }

    /// Finishes the sums of a row, and returns its class; `seen` tells which sums have a weight in them.
    fn finish(&self, sums: &mut Vec<f32>, seen: &[bool]) -> Place {
        if sums.len() == 2 {
            return self.finish_two(sums, seen);
        }
        for (sum, base) in sums.iter_mut().zip(&self.base) {
            *sum += base;
        }
        let mut best = None;
        for (index, (&sum, &seen)) in sums.iter().zip(seen).enumerate() {
            let has_score = seen || !self.base.is_empty();
            if has_score && best.is_none_or(|(_, most)| sum > most) {
                best = Some((index, sum));
            }
        }
        self.transform.apply(sums);
        Place::Class(best.map_or(0, |(index, _)| index))
    }

    fn finish_two(&self, sums: &mut Vec<f32>, seen: &[bool]) -> Place {
        let &mut [first, second] = sums.as_mut_slice() else { return Place::Negative };
        let &[has_first, has_second] = seen else { return Place::Negative };
        let (mut scores, mut is_single) = ([first, second], false);
        match *self.base.as_slice() {
            // A sum without a weight in it is written as 0.
            [_, base] if has_second => scores = [if has_first { -(base + first) } else { 0.0 }, base + first],
            [base, _] => scores = [first + base, 0.0],
            [base] => (scores, is_single) = ([first + base, second], !has_second),
            _ => is_single = !has_second,
        }
        let [first, second] = scores;
        let deciding = if has_second { second } else { first };
        if !is_single {
            let is_positive = deciding > if self.is_binary && self.no_weight_is_negative { 0.5 } else { 0.0 };
            *sums = scores.to_vec();
            self.transform.apply(sums);
            return self.place(is_positive);
        }
        let (is_positive, expansion) = if self.is_binary && self.no_weight_is_negative {
            (deciding > 0.5, SecondScore::Rest)
        } else {
            (deciding > 0.0, SecondScore::Opposite)
        };
        *sums = expansion.expand(first, self.transform).to_vec();
        self.place(is_positive)
    }

    /// Returns the class; with weights for both, the reference says "1" and "0" whatever the classes are called.
    fn place(&self, is_positive: bool) -> Place {
        match (self.is_binary, is_positive) {
            (true, _) => Place::Class(usize::from(is_positive)),
            (false, true) => Place::Positive,
            (false, false) => Place::Negative,
        }
    }
}

impl Kernel for TreeClassifier {
    fn run(&self, inputs: &Inputs<'_>) -> Answer {
        let matrix = inputs.matrix()?;
        self.trees.check(matrix.columns)?;
        let count = self.classes.len();
        let mut places = Vec::with_capacity(matrix.rows);
        let mut scores = Vec::with_capacity(matrix.rows * count);
        let (mut all, mut all_seen) = (vec![0.0f32; matrix.rows * count], vec![false; matrix.rows * count]);
        self.trees.visit(
            matrix.rows,
            |row| matrix.row(row),
            |row, weights| {
                for weight in weights {
                    let place = row * count + weight.target as usize;
                    if let (Some(sum), Some(seen)) = (all.get_mut(place), all_seen.get_mut(place)) {
                        *sum += weight.value;
                        *seen = true;
                    }
                }
            },
        );
        let mut sums = Vec::with_capacity(count);
        for (of_row, seen) in all.chunks_exact(count).zip(all_seen.chunks_exact(count)) {
            sums.clear();
            sums.extend_from_slice(of_row);
            places.push(self.finish(&mut sums, seen));
            scores.extend_from_slice(&sums);
        }
        Ok(vec![self.classes.at(&places), Tensor::new([matrix.rows, count], scores)?])
    }

    fn labels(&self) -> Option<Vec<String>> {
        Some(self.classes.names())
    }
}
