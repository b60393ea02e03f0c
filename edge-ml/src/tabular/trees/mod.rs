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
    /// Calls `visit` with the number of each row and the weights of the leaf that each tree has for it, tree by tree.
    ///
    /// Some rows go through a tree side by side, and a single row through some trees: each step of one waits for memory,
    /// and the others go on meanwhile.
    #[inline]
    fn visit<'m>(
        &self,
        rows: usize,
        row: impl Fn(usize) -> &'m [f32],
        mut visit: impl FnMut(usize, &[Weight]),
    ) {
        const SIDE_BY_SIDE: usize = 8;
        let mut begin = 0;
        while self.modes.is_empty() && begin + SIDE_BY_SIDE <= rows {
            let block: [_; SIDE_BY_SIDE] = std::array::from_fn(|lane| row(begin + lane));
            for &root in &self.roots {
                for (lane, leaf) in self.walk_together([root; SIDE_BY_SIDE], &block).into_iter().enumerate() {
                    visit(begin + lane, self.weights_of(leaf));
                }
            }
            begin += SIDE_BY_SIDE;
        }
        for number in begin..rows {
            let row = row(number);
            let (blocks, rest) = self.roots.as_chunks::<SIDE_BY_SIDE>();
            let (blocks, rest) = if self.modes.is_empty() { (blocks, rest) } else { (&[][..], &*self.roots) };
            for roots in blocks {
                for leaf in self.walk_together(*roots, &[row; SIDE_BY_SIDE]) {
                    visit(number, self.weights_of(leaf));
                }
            }
            for &root in rest {
                let leaf =
                    if self.modes.is_empty() { self.walk(root, row) } else { self.walk_any(root, row) };
                visit(number, self.weights_of(leaf));
            }
        }
    }

    #[inline]
    fn weights_of(&self, leaf: u32) -> &[Weight] {
        let leaf = (leaf & !LEAF) as usize;
        match self.leaves.get(leaf..leaf + 2) {
            Some(&[begin, end]) => self.weights.get(begin as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    #[inline]
    fn walk_together<const N: usize>(&self, mut places: [u32; N], rows: &[&[f32]; N]) -> [u32; N] {
        loop {
            let mut is_done = true;
            for (at, row) in places.iter_mut().zip(rows) {
                if *at & LEAF == 0 {
                    let Some(branch) = self.branches.get(*at as usize) else { return places };
                    let value = row.get(branch.column as usize).copied().unwrap_or(f32::NAN);
                    let holds = value <= branch.threshold;
                    *at = branch.ways[usize::from(!holds)];
                    is_done = false;
                }
            }
            if is_done {
                return places;
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
