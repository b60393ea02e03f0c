//! Nodes that an engine takes, and answers wrongly: they are refused by name, so that nobody finds out in the field.
//!
//! # Source
//! The test data of the ONNX project, run through each engine; the attributes of ONNX that `tract` never asks a node for;
//! and for chance, the contract of [`InferenceModel`](crate::InferenceModel).

mod known;
mod tract;

use crate::engine::Engine;
use crate::load::{LoadError, UnsupportedNode};
use crate::onnx::{Attribute, Graph, Node, OnnxFile};
use crate::options::ReadOptions;

/// Refuses a file in which there are such nodes.
pub(crate) fn check(file: &OnnxFile<'_>, options: &ReadOptions, engine: Engine) -> Result<(), LoadError> {
    let mut nodes = Vec::new();
    collect(&file.graph, options, engine, &mut nodes);
    if nodes.is_empty() { Ok(()) } else { Err(LoadError::Unsupported { nodes }) }
}

fn collect(graph: &Graph<'_>, options: &ReadOptions, engine: Engine, into: &mut Vec<UnsupportedNode>) {
    for node in &graph.nodes {
        if let Some(reason) = chance(node, graph, options).or_else(|| fault(node, graph, options, engine)) {
            into.push(UnsupportedNode::of(node).because(reason));
        }
        for (_, attribute) in &node.attributes {
            if let Attribute::Graph(inner) = attribute {
                collect(inner, options, engine, into);
            }
        }
    }
}

/// Returns whether the domain is that of ONNX's own operators.
fn is_plain(node: &Node<'_>) -> bool {
    matches!(node.domain, "" | "ai.onnx")
}

/// Refuses what gives something else each time: a message is run again after a crash, and a candidate is compared.
fn chance(node: &Node<'_>, graph: &Graph<'_>, options: &ReadOptions) -> Option<&'static str> {
    if !is_plain(node) {
        return None;
    }
    let trains = || match node.inputs.get(2) {
        None | Some(&"") => false,
        Some(training) => known::truth(training, graph, options) != Some(false),
    };
    let is_chance = match node.operator {
        "Bernoulli" | "Multinomial" | "RandomNormal" | "RandomNormalLike" | "RandomUniform"
        | "RandomUniformLike" => true,
        "Dropout" => trains(),
        _ => false,
    };
    is_chance.then_some("its answers are chance")
}

fn fault(node: &Node<'_>, graph: &Graph<'_>, options: &ReadOptions, engine: Engine) -> Option<&'static str> {
    if is_plain(node) && node.operator == "Resize" && is_uneven(node) {
        return Some("with scales and aligned corners, the engines take other places than ONNX says");
    }
    match engine {
        Engine::Tract => tract::fault(node, graph, options),
        Engine::OnnxRuntime => (is_plain(node) && node.operator == "MaxUnpool" && node.inputs.len() > 2)
            .then_some("the size that is asked for moves the elements"),
        Engine::Tables => None,
    }
}

/// Returns whether the scales of a `Resize` need not divide the sizes evenly.
fn is_uneven(node: &Node<'_>) -> bool {
    node.text("coordinate_transformation_mode") == Some("align_corners")
        && matches!(node.text("mode"), Some("linear" | "cubic"))
        && node.inputs.get(2).is_some_and(|scales| !scales.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::FileLimits;

    /// Writes a field of bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend(content);
        bytes
    }

    /// Returns a file with one node, which has a text attribute.
    fn file(operator: &str, attribute: &str, value: &str) -> Vec<u8> {
        let attribute = [field(1, attribute.as_bytes()), field(4, value.as_bytes())].concat();
        let node =
            [field(2, b"y"), field(3, b"the node"), field(4, operator.as_bytes()), field(5, &attribute)];
        let graph = [field(1, &node.concat()), field(12, &field(1, b"y"))].concat();
        field(7, &graph)
    }

    fn refusal(bytes: &[u8], engine: Engine) -> Option<String> {
        let file = OnnxFile::read(bytes, &FileLimits::default()).unwrap();
        check(&file, &ReadOptions::default(), engine).err().map(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_in_one_engine_is_refused_by_it_alone_and_by_name() {
        let other = file("SpaceToDepth", "mode", "CRD");
        let said = refusal(&other, Engine::Tract);
        let wanted = "there is nothing here that runs the node (SpaceToDepth: tract does not look at `mode`)";
        assert_eq!(said.as_deref(), Some(wanted));
        assert_eq!(refusal(&other, Engine::OnnxRuntime), None);
        assert_eq!(refusal(&file("SpaceToDepth", "mode", "DCR"), Engine::Tract), None);
    }

    #[test]
    fn chance_is_refused_by_all() {
        for engine in [Engine::Tract, Engine::OnnxRuntime] {
            assert!(refusal(&file("RandomNormal", "note", ""), engine).is_some());
            assert_eq!(refusal(&file("Relu", "note", ""), engine), None);
        }
    }
}
