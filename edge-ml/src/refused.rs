//! Nodes that an engine takes, and answers wrongly: they are refused by name, so that nobody finds out in the field.
//!
//! # Source
//! The test data of the ONNX project, run through each engine; and for chance, the contract of
//! [`InferenceModel`](crate::InferenceModel).

use crate::engine::Engine;
use crate::load::{LoadError, UnsupportedNode};
use crate::onnx::{Attribute, Graph, Node, OnnxFile, ValueKind};

/// The type of halves in a file.
const HALF: i64 = 10;

/// Refuses a file in which there are such nodes.
pub(crate) fn check(file: &OnnxFile<'_>, engine: Engine) -> Result<(), LoadError> {
    let mut nodes = Vec::new();
    collect(&file.graph, engine, has_halves(file), &mut nodes);
    if nodes.is_empty() { Ok(()) } else { Err(LoadError::Unsupported { nodes }) }
}

fn has_halves(file: &OnnxFile<'_>) -> bool {
    file.graph.inputs.iter().any(|input| input.kind == ValueKind::Tensor(HALF))
}

fn collect(graph: &Graph<'_>, engine: Engine, has_halves: bool, into: &mut Vec<UnsupportedNode>) {
    for node in &graph.nodes {
        if matches!(node.domain, "" | "ai.onnx")
            && (is_chance(node) || is_wrong(node, graph, engine, has_halves))
        {
            into.push(UnsupportedNode::of(node));
        }
        for (_, attribute) in &node.attributes {
            if let Attribute::Graph(inner) = attribute {
                collect(inner, engine, has_halves, into);
            }
        }
    }
}

/// Returns whether a node gives something else each time: a message is run again after a crash, and a candidate is compared.
fn is_chance(node: &Node<'_>) -> bool {
    let trains = || node.inputs.get(2).is_some_and(|training| !training.is_empty());
    match node.operator {
        "Bernoulli" | "Multinomial" | "RandomNormal" | "RandomNormalLike" | "RandomUniform"
        | "RandomUniformLike" => true,
        "Dropout" => trains(),
        _ => false,
    }
}

fn is_wrong(node: &Node<'_>, graph: &Graph<'_>, engine: Engine, has_halves: bool) -> bool {
    match (engine, node.operator) {
        // Runs forwards, unless it runs in both directions.
        (Engine::Tract, "RNN" | "GRU" | "LSTM") => node.text("direction") == Some("reverse"),
        // The attribute is not looked at.
        (Engine::Tract, "SpaceToDepth") => node.text("mode") == Some("CRD"),
        (Engine::Tract, "Swish") => {
            matches!(node.attribute("alpha"), Some(Attribute::Float(alpha)) if *alpha != 1.0)
        }
        (Engine::Tract, "Celu") => has_halves,
        // The largest of nothing but minus infinity is not minus infinity, which whoever compares it must know.
        (Engine::Tract, "ReduceMax") => is_compared(node, graph),
        // The size that is asked for moves the elements.
        (Engine::OnnxRuntime, "MaxUnpool") => node.inputs.len() > 2,
        // With scales that do not divide evenly, the places differ from what ONNX says.
        (_, "Resize") => {
            let mode = node.text("mode");
            let has_scales = node.inputs.get(2).is_some_and(|scales| !scales.is_empty());
            node.text("coordinate_transformation_mode") == Some("align_corners")
                && matches!(mode, Some("linear" | "cubic"))
                && has_scales
        }
        _ => false,
    }
}

fn is_compared(node: &Node<'_>, graph: &Graph<'_>) -> bool {
    let takers = |value: &str| {
        let value = value.to_owned();
        graph.nodes.iter().filter(move |node| node.inputs.contains(&value.as_str()))
    };
    let Some(output) = node.outputs.first() else { return false };
    takers(output).any(|taker| match taker.operator {
        "Equal" => true,
        "Cast" | "CastLike" => {
            taker.outputs.first().is_some_and(|cast| takers(cast).any(|next| next.operator == "Equal"))
        }
        _ => false,
    })
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
        check(&file, engine).err().map(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_in_one_engine_is_refused_by_it_alone_and_by_name() {
        let backwards = file("LSTM", "direction", "reverse");
        let said = refusal(&backwards, Engine::Tract);
        assert_eq!(said.as_deref(), Some("there is nothing here that runs the node (LSTM)"));
        assert_eq!(refusal(&backwards, Engine::OnnxRuntime), None);
        assert_eq!(refusal(&file("LSTM", "direction", "bidirectional"), Engine::Tract), None);
        assert!(refusal(&file("SpaceToDepth", "mode", "CRD"), Engine::Tract).is_some());
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
