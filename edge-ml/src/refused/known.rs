//! What a value is, when that is known before anything is run.

use crate::onnx::{Attribute, Graph, Node};
use crate::options::ReadOptions;
use crate::tensor::Tensor;

/// Returns a constant of the graph, whether it is listed, given by a node, or by the options.
pub(super) fn tensor(value: &str, graph: &Graph<'_>, options: &ReadOptions) -> Option<Tensor> {
    if let Some(tensor) = options.constants.get(value) {
        return Some(tensor.clone());
    }
    if let Some(constant) = graph.constants.iter().find(|constant| constant.name == value) {
        return constant.tensor().ok();
    }
    let gives = |node: &&Node<'_>| node.operator == "Constant" && node.outputs.contains(&value);
    match graph.nodes.iter().find(gives)?.attribute("value")? {
        Attribute::Tensor(constant) => constant.tensor().ok(),
        _ => None,
    }
}

/// Returns a constant that is one truth.
pub(super) fn truth(value: &str, graph: &Graph<'_>, options: &ReadOptions) -> Option<bool> {
    tensor(value, graph, options)?.values::<bool>()?.first().copied()
}
