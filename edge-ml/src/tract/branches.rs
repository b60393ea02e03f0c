//! Choosing branches before the engine sees them.
//!
//! Exporters write `If` where the answer is known once the shapes of the inputs are: how many channels there are, what the
//! sampling rate is. The engine wants both branches to give the same shape, which such branches do not. So each
//! condition that follows from constants and shapes is worked out here, by the engine itself on the part of the graph that the
//! condition depends on, and the branch that is taken is put in the place of the node.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb;
use tract_onnx::prelude::{TractResult, TypedModel};

use crate::guarded::guarded;

/// How many conditions are worked out at most; a file with more keeps the others, and the engine judges them.
const MAX_CHOICES: usize = 512;

/// Replaces each `If` whose condition is known by the branch that is taken. `known` makes a model of a part of the graph.
pub(super) fn chosen(
    mut proto: pb::ModelProto,
    known: &dyn Fn(&pb::ModelProto) -> TractResult<TypedModel>,
) -> pb::ModelProto {
    let mut left = MAX_CHOICES;
    let mut undecided = HashSet::new();
    while let Some(graph) = &proto.graph {
        let Some(at) = graph.node.iter().position(|node| is_if(node) && !undecided.contains(&key(node)))
        else {
            break;
        };
        let Some(rest) = left.checked_sub(1) else { break };
        left = rest;
        let truth = graph.node.get(at).and_then(|node| truth(&proto, node.input.first()?, known));
        let Some(graph) = &mut proto.graph else { break };
        let node = graph.node.remove(at);
        match truth.and_then(|truth| inlined(&node, truth, left)) {
            Some((nodes, constants)) => {
                graph.initializer.extend(constants);
                graph.node.splice(at..at, nodes);
            }
            None => {
                undecided.insert(key(&node));
                graph.node.insert(at, node);
            }
        }
    }
    proto
}

fn is_if(node: &pb::NodeProto) -> bool {
    node.op_type == "If" && matches!(node.domain.as_str(), "" | "ai.onnx")
}

/// Returns what tells a node from all others: values are given once.
fn key(node: &pb::NodeProto) -> String {
    node.output.first().cloned().unwrap_or_default()
}

/// Returns the value of a condition, when it is the same for all inputs.
fn truth(
    proto: &pb::ModelProto,
    condition: &str,
    known: &dyn Fn(&pb::ModelProto) -> TractResult<TypedModel>,
) -> Option<bool> {
    let part = leading_to(proto, condition)?;
    let model = guarded(|| known(&part)?.into_decluttered()).ok()?.ok()?;
    let fact = model.output_fact(0).ok()?;
    let value = fact.konst.as_ref()?.cast_to::<bool>().ok()?;
    let plain = value.try_as_plain_ram().ok()?;
    plain.as_slice::<bool>().ok()?.first().copied()
}

/// Returns the part of the graph that gives a value, or `None` when there is an undecided branch on the way.
fn leading_to(proto: &pb::ModelProto, value: &str) -> Option<pb::ModelProto> {
    let graph = proto.graph.as_ref()?;
    let mut wanted: HashSet<&str> = HashSet::from([value]);
    let mut nodes = Vec::new();
    // Nodes come after what they take, so that one way back sees everything.
    for node in graph.node.iter().rev() {
        if !node.output.iter().any(|output| wanted.contains(output.as_str())) {
            continue;
        }
        if node.attribute.iter().any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty()) {
            return None;
        }
        wanted.extend(node.input.iter().map(String::as_str));
        nodes.push(node.clone());
    }
    nodes.reverse();
    let mut part = proto.clone();
    let inner = part.graph.as_mut()?;
    inner.initializer.retain(|constant| wanted.contains(constant.name.as_str()));
    inner.input.retain(|input| wanted.contains(input.name.as_str()));
    inner.node = nodes;
    inner.value_info.clear();
    inner.output = vec![pb::ValueInfoProto { name: value.into(), ..pb::ValueInfoProto::default() }];
    Some(part)
}

/// Returns the nodes and constants of the branch that is taken, under names that nothing else has.
fn inlined(
    node: &pb::NodeProto,
    truth: bool,
    number: usize,
) -> Option<(Vec<pb::NodeProto>, Vec<pb::TensorProto>)> {
    let wanted = if truth { "then_branch" } else { "else_branch" };
    let branch = node.attribute.iter().find(|attribute| attribute.name == wanted)?.g.clone()?;
    let made = |name: &String| (name.clone(), format!("{name}/branch{number}"));
    let given = branch.node.iter().flat_map(|inner| &inner.output).filter(|name| !name.is_empty());
    let constants = branch.initializer.iter().map(|constant| &constant.name);
    let names: HashMap<String, String> = given.chain(constants).map(made).collect();
    let mut nodes = branch.node;
    for inner in &mut nodes {
        renamed(inner, &names);
    }
    let mut constants = branch.initializer;
    for constant in &mut constants {
        if let Some(name) = names.get(&constant.name) {
            constant.name.clone_from(name);
        }
    }
    for (output, inner) in node.output.iter().zip(&branch.output) {
        nodes.push(pb::NodeProto {
            op_type: "Identity".into(),
            input: vec![names.get(&inner.name).unwrap_or(&inner.name).clone()],
            output: vec![output.clone()],
            ..pb::NodeProto::default()
        });
    }
    Some((nodes, constants))
}

/// Gives values their new names, in a node and in the graphs that are its attributes.
fn renamed(node: &mut pb::NodeProto, names: &HashMap<String, String>) {
    for value in node.input.iter_mut().chain(&mut node.output) {
        if let Some(name) = names.get(value) {
            value.clone_from(name);
        }
    }
    for graph in node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()) {
        // A value of the inner graph may have the name of one outside, which it then hides.
        let hidden: HashSet<_> = graph
            .node
            .iter()
            .flat_map(|inner| inner.output.iter())
            .chain(graph.initializer.iter().map(|constant| &constant.name))
            .chain(graph.input.iter().map(|input| &input.name))
            .cloned()
            .collect();
        let seen: HashMap<_, _> = names
            .iter()
            .filter(|(name, _)| !hidden.contains(*name))
            .map(|(old, new)| (old.clone(), new.clone()))
            .collect();
        for inner in &mut graph.node {
            renamed(inner, &seen);
        }
        for output in &mut graph.output {
            if let Some(name) = seen.get(&output.name) {
                output.name.clone_from(name);
            }
        }
    }
}
