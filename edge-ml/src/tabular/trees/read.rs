//! From the attributes of a node to the flat array; nothing of them is believed.

use std::collections::{HashMap, HashSet};

use super::{Branch, Ensemble, LEAF, Mode, Weight};
use crate::onnx::Node;

/// The names of the attributes that differ between classifier and regressor.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) trees: &'static str,
    pub(super) nodes: &'static str,
    pub(super) ids: &'static str,
    pub(super) weights: &'static str,
}

/// The attributes of all nodes, by their place in the lists.
#[derive(Debug)]
struct Listed<'n> {
    ids: HashMap<(i64, i64), usize>,
    modes: Vec<Option<Mode>>,
    columns: &'n [i64],
    thresholds: &'n [f32],
    yes: &'n [i64],
    no: &'n [i64],
    missing: &'n [i64],
    trees: &'n [i64],
    nodes: &'n [i64],
    weights: HashMap<(i64, i64), Vec<Weight>>,
}

fn mode(text: &str) -> Option<Option<Mode>> {
    Some(match text {
        "LEAF" => None,
        "BRANCH_LEQ" => Some(Mode::Leq),
        "BRANCH_LT" => Some(Mode::Lt),
        "BRANCH_GTE" => Some(Mode::Gte),
        "BRANCH_GT" => Some(Mode::Gt),
        "BRANCH_EQ" => Some(Mode::Eq),
        "BRANCH_NEQ" => Some(Mode::Neq),
        _ => return None,
    })
}

impl Ensemble {
    /// Reads the trees of a node, or returns `None` when they are none.
    pub(super) fn read(node: &Node<'_>, names: &Names, targets: usize) -> Option<Self> {
        // Attributes of 64-bit elements are tensors, of their own names; they are not read here.
        if node.attributes.iter().any(|(name, _)| name.ends_with("_as_tensor")) {
            return None;
        }
        let listed = Listed::read(node, names, targets)?;
        let mut ensemble = Self {
            branches: Vec::new(),
            modes: Vec::new(),
            roots: Vec::new(),
            leaves: Vec::new(),
            weights: Vec::new(),
            columns: 0,
            targets,
        };
        let mut trees = HashSet::new();
        for (place, &tree) in listed.trees.iter().enumerate() {
            if trees.insert(tree) {
                let root = ensemble.plant(&listed, place)?;
                ensemble.roots.push(root);
            }
        }
        ensemble.leaves.push(u32::try_from(ensemble.weights.len()).ok()?);
        let plain = ensemble.modes.iter().all(|mode| *mode == (Mode::Leq, false));
        if plain {
            ensemble.modes.clear();
        }
        Some(ensemble)
    }

    /// Copies the tree that begins at `place` of the lists, and returns its root.
    fn plant(&mut self, listed: &Listed<'_>, place: usize) -> Option<u32> {
        let mut visited = 0usize;
        let root = self.copy(listed, place)?;
        let mut open = vec![(root, place)];
        while let Some((at, place)) = open.pop() {
            visited += 1;
            // A node that is reached twice would be reached without end.
            if visited > listed.modes.len() {
                return None;
            }
            if at & LEAF != 0 {
                continue;
            }
            let tree = *listed.trees.get(place)?;
            let yes = *listed.ids.get(&(tree, *listed.yes.get(place)?))?;
            let no = *listed.ids.get(&(tree, *listed.no.get(place)?))?;
            let ways = [self.copy(listed, yes)?, self.copy(listed, no)?];
            self.branches.get_mut(at as usize)?.ways = ways;
            open.push((ways[1], no));
            open.push((ways[0], yes));
        }
        Some(root)
    }

    /// Appends the node at `place` of the lists, without its ways, and returns where it is.
    fn copy(&mut self, listed: &Listed<'_>, place: usize) -> Option<u32> {
        let Some(mode) = *listed.modes.get(place)? else {
            let leaf = u32::try_from(self.leaves.len()).ok().filter(|leaf| *leaf < LEAF)?;
            self.leaves.push(u32::try_from(self.weights.len()).ok()?);
            let id = (*listed.trees.get(place)?, *listed.nodes.get(place)?);
            self.weights.extend(listed.weights.get(&id).into_iter().flatten());
            return Some(leaf | LEAF);
        };
        let at = u32::try_from(self.branches.len()).ok().filter(|at| *at < LEAF)?;
        let column = u32::try_from(*listed.columns.get(place)?).ok()?;
        self.columns = self.columns.max(column as usize + 1);
        let threshold = *listed.thresholds.get(place)?;
        self.branches.push(Branch { threshold, column, ways: [LEAF; 2] });
        self.modes.push((mode, listed.missing.get(place).is_some_and(|missing| *missing != 0)));
        Some(at)
    }
}

impl<'n> Listed<'n> {
    fn read(node: &'n Node<'_>, names: &Names, targets: usize) -> Option<Self> {
        let (trees, nodes) = (node.ints("nodes_treeids"), node.ints("nodes_nodeids"));
        let texts = node.texts("nodes_modes")?;
        let modes: Vec<_> = texts.iter().map(|text| mode(text)).collect::<Option<_>>()?;
        let listed = Self {
            ids: trees.iter().copied().zip(nodes.iter().copied()).zip(0..).collect(),
            modes,
            columns: node.ints("nodes_featureids"),
            thresholds: node.floats("nodes_values"),
            yes: node.ints("nodes_truenodeids"),
            no: node.ints("nodes_falsenodeids"),
            missing: node.ints("nodes_missing_value_tracks_true"),
            trees,
            nodes,
            weights: weights(node, names, targets)?,
        };
        let count = trees.len();
        let lengths = [listed.modes.len(), nodes.len(), listed.columns.len(), listed.thresholds.len()];
        let ways = [listed.yes.len(), listed.no.len(), listed.ids.len()];
        let all = lengths.iter().chain(&ways).all(|length| *length == count);
        let missing = listed.missing.is_empty() || listed.missing.len() == count;
        (all && missing && count > 0).then_some(listed)
    }
}

fn weights(node: &Node<'_>, names: &Names, targets: usize) -> Option<HashMap<(i64, i64), Vec<Weight>>> {
    let (trees, nodes) = (node.ints(names.trees), node.ints(names.nodes));
    let (ids, values) = (node.ints(names.ids), node.floats(names.weights));
    if [nodes.len(), ids.len(), values.len()].iter().any(|length| *length != trees.len()) {
        return None;
    }
    let mut weights: HashMap<_, Vec<Weight>> = HashMap::new();
    for (((&tree, &leaf), &id), &value) in trees.iter().zip(nodes).zip(ids).zip(values) {
        let target = u32::try_from(id).ok().filter(|target| (*target as usize) < targets)?;
        weights.entry((tree, leaf)).or_default().push(Weight { target, value });
    }
    Some(weights)
}
