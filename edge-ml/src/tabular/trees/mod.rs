//! Ensembles of decision trees: one flat array of nodes, walked without branches that could be guessed wrong.

mod classifier;
mod read;
mod regressor;

pub(crate) use classifier::TreeClassifier;
pub(crate) use regressor::TreeRegressor;

/// Which way a node sends a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
}

/// A node that compares one column with a threshold.
#[derive(Clone, Copy, Debug)]
struct Branch {
    threshold: f32,
    column: u32,
    /// Where to go on when the comparison holds, and when not; with the highest bit set, the number of a leaf.
    ways: [u32; 2],
}

const LEAF: u32 = 1 << 31;

/// The share of one leaf in one of the sums.
#[derive(Clone, Copy, Debug)]
struct Weight {
    target: u32,
    value: f32,
}

/// All trees of an ensemble.
#[derive(Debug)]
struct Ensemble {
    branches: Vec<Branch>,
    /// Comparison of each branch, and whether a missing value takes the first way; empty when all are `Leq` without.
    modes: Vec<(Mode, bool)>,
    /// Where each tree begins; a leaf when the tree is nothing else.
    roots: Vec<u32>,
    /// Where the weights of each leaf begin, and the end of the last.
    leaves: Vec<u32>,
    weights: Vec<Weight>,
    /// One more than the highest column that is looked at.
    columns: usize,
    targets: usize,
}

impl Ensemble {
    /// Calls `visit` with the weights of the leaf that each tree has for this row.
    #[inline]
    fn visit(&self, row: &[f32], mut visit: impl FnMut(&[Weight])) {
        for &root in &self.roots {
            let leaf =
                (if self.modes.is_empty() { self.walk(root, row) } else { self.walk_any(root, row) }) & !LEAF;
            let bounds = self.leaves.get(leaf as usize..leaf as usize + 2);
            if let Some(&[begin, end]) = bounds {
                visit(self.weights.get(begin as usize..end as usize).unwrap_or_default());
            }
        }
    }

    #[inline]
    fn walk(&self, mut at: u32, row: &[f32]) -> u32 {
        while at & LEAF == 0 {
            let Some(branch) = self.branches.get(at as usize) else { break };
            let value = row.get(branch.column as usize).copied().unwrap_or(f32::NAN);
            let holds = value <= branch.threshold;
            at = branch.ways[usize::from(!holds)];
        }
        at
    }

    fn walk_any(&self, mut at: u32, row: &[f32]) -> u32 {
        while at & LEAF == 0 {
            let (Some(branch), Some(&(mode, missing_holds))) =
                (self.branches.get(at as usize), self.modes.get(at as usize))
            else {
                break;
            };
            let value = row.get(branch.column as usize).copied().unwrap_or(f32::NAN);
            let holds = match mode {
                Mode::Leq => value <= branch.threshold,
                Mode::Lt => value < branch.threshold,
                Mode::Gte => value >= branch.threshold,
                Mode::Gt => value > branch.threshold,
                Mode::Eq => value == branch.threshold,
                Mode::Neq => value != branch.threshold,
            };
            at = branch.ways[usize::from(!(holds || missing_holds && value.is_nan()))];
        }
        at
    }

    /// Checks that rows have every column that is looked at.
    fn check(&self, columns: usize) -> Result<(), super::kernel::Fault> {
        if columns >= self.columns {
            Ok(())
        } else {
            Err(super::kernel::fault!("the trees look at {} columns, and there are {columns}", self.columns))
        }
    }
}
