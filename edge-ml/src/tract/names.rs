//! Names of nodes, which the engine wants to be there and to differ, and files leave out or repeat.

use std::collections::HashSet;

use tract_onnx::pb;

/// Names each node by what it gives, which nothing else gives, where it has no name or one that another node has.
pub(super) fn told_apart(graph: &mut pb::GraphProto) {
    let mut seen = HashSet::new();
    for node in &mut graph.node {
        if node.name.is_empty() || !seen.insert(node.name.clone()) {
            node.name = format!("{} of {}", node.output.first().map_or("nothing", |name| name), node.op_type);
            seen.insert(node.name.clone());
        }
        for inner in node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()) {
            told_apart(inner);
        }
    }
}
