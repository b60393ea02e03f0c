//! What `tract` answers wrongly.

use super::{is_plain, known};
use crate::onnx::{Graph, Node};
use crate::options::ReadOptions;
use crate::tensor::Tensor;

/// The operators of `com.microsoft` that the engine knows as what they are; it asks no node for its domain otherwise.
const MICROSOFT: [&str; 15] = [
    "BiasGelu",
    "DequantizeLinear",
    "FastGelu",
    "GatherBlockQuantized",
    "Gelu",
    "GroupQueryAttention",
    "MatMulNBits",
    "MultiHeadAttention",
    "QuantizeLinear",
    "QuickGelu",
    "RotaryEmbedding",
    "SimplifiedLayerNormalization",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
    "Trilu",
];

/// Returns what is wrong with a node.
pub(super) fn fault(node: &Node<'_>, graph: &Graph<'_>, options: &ReadOptions) -> Option<&'static str> {
    if !is_plain(node) {
        let is_known = match node.domain {
            "ai.onnx.ml" => return of_tables(node),
            "com.microsoft" => MICROSOFT.contains(&node.operator),
            _ => false,
        };
        return (!is_known).then_some("tract looks at the operator's name, and not at its domain");
    }
    match node.operator {
        "RNN" | "GRU" | "LSTM" => recurrent(node),
        "Add" | "And" | "Div" | "Equal" | "Greater" | "Less" | "Mul" | "Or" | "Pow" | "Sub" | "Xor" => {
            node.int("axis").map(|_| "tract does not look at `axis`")
        }
        "Attention" => {
            let windows = ["left_window_size", "right_window_size"].map(|side| node.int(side));
            let is_narrow = windows.into_iter().flatten().any(|size| size >= 0);
            is_narrow.then_some("tract does not look at the sizes of the window")
        }
        "BatchNormalization" => {
            (node.int("training_mode") == Some(1)).then_some("tract does not look at `training_mode`")
        }
        "BitShift" => {
            let is_within = node.inputs.get(1).is_some_and(|by| is_within(by, graph, options));
            (!is_within).then_some("tract takes shifts by more bits than there are for shifts by fewer")
        }
        "Celu" => {
            let is_other = node.float("alpha").is_some_and(|alpha| alpha <= 0.0);
            is_other.then_some("tract does not multiply by `alpha`")
        }
        "DequantizeLinear" => other_type(node, &[0, 1]),
        "QuantizeLinear" if !has_input(node, 2) => other_type(node, &[0, 2]),
        "Scan" => node
            .ints("directions")
            .iter()
            .any(|direction| *direction != 0)
            .then_some("tract does not look at `directions`"),
        "SpaceToDepth" => (node.text("mode") == Some("CRD")).then_some("tract does not look at `mode`"),
        _ => None,
    }
}

fn has_input(node: &Node<'_>, place: usize) -> bool {
    node.inputs.get(place).is_some_and(|input| !input.is_empty())
}

fn other_type(node: &Node<'_>, those: &[i64]) -> Option<&'static str> {
    let is_other = node.int("output_dtype").is_some_and(|kind| !those.contains(&kind));
    is_other.then_some("tract does not look at `output_dtype`")
}

/// Operators of `ai.onnx.ml`, which the evaluator of tables has, and which the engine meets in other models.
fn of_tables(node: &Node<'_>) -> Option<&'static str> {
    match node.operator {
        "TreeEnsembleClassifier" => Some("tract gives other labels than the scores say"),
        "Normalizer" => (node.text("norm") != Some("L1") && node.text("norm") != Some("L2"))
            .then_some("tract takes the largest without its sign"),
        "LinearClassifier" => {
            let rows = node.floats("intercepts").len();
            (rows == 1).then_some("tract gives other scores for a single row of coefficients")
        }
        _ => None,
    }
}

/// Networks with a memory: the engine runs them with the functions that are usual.
fn recurrent(node: &Node<'_>) -> Option<&'static str> {
    if node.text("direction") == Some("reverse") && has_input(node, 4) {
        return Some("tract runs it forwards, over all of the input");
    }
    let usual: &[&str] = match node.operator {
        "RNN" => &["tanh"],
        "GRU" => &["sigmoid", "tanh"],
        _ => &["sigmoid", "tanh", "tanh"],
    };
    let is_usual = match node.texts("activations") {
        None => false,
        Some(given) => {
            given.iter().zip(usual.iter().cycle()).all(|(given, usual)| given.eq_ignore_ascii_case(usual))
        }
    };
    if !is_usual {
        return Some("tract does not look at `activations`");
    }
    if node.attribute("clip").is_some() {
        return Some("tract does not look at `clip`");
    }
    (node.int("input_forget") == Some(1)).then_some("tract does not look at `input_forget`")
}

/// Returns whether a value is known, and nowhere less than 0 nor as much as its type has bits.
fn is_within(value: &str, graph: &Graph<'_>, options: &ReadOptions) -> bool {
    fn all<T: crate::Element + TryInto<u32> + Copy>(tensor: &Tensor) -> Option<bool> {
        let bits = u32::try_from(size_of::<T>()).ok()? * 8;
        let is_within = |by: &T| (*by).try_into().is_ok_and(|by: u32| by < bits);
        Some(tensor.values::<T>()?.iter().all(is_within))
    }
    let Some(tensor) = known::tensor(value, graph, options) else { return false };
    let by = [all::<u8>, all::<u16>, all::<u32>, all::<u64>, all::<i8>, all::<i16>, all::<i32>, all::<i64>];
    by.iter().find_map(|all| all(&tensor)).unwrap_or(false)
}
