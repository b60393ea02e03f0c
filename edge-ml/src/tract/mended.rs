//! Nodes that the engine takes for something else, written so that it takes them for what they are.
//!
//! # Source
//! ONNX, "Operators": `Celu`, `GRU`, `LSTM`, `ReduceMax`, `RNN`, `Swish`.

use std::collections::HashSet;

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

/// Rewrites the nodes of a graph, and of the graphs in it.
pub(super) fn mended(graph: &mut pb::GraphProto) {
    let compared = compared(&graph.node);
    for mut node in std::mem::take(&mut graph.node) {
        for inner in node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()) {
            mended(inner);
        }
        let is_plain = matches!(node.domain.as_str(), "" | "ai.onnx");
        let alpha = attribute(&node, "alpha").map(|alpha| alpha.f).filter(|alpha| *alpha != 1.0);
        let is_reverse = attribute(&node, "direction").is_some_and(|direction| direction.s == b"reverse");
        graph.node.extend(match (node.op_type.as_str(), alpha) {
            ("Celu", Some(alpha)) if is_plain && alpha > 0.0 => celu(&node, alpha),
            ("Swish", Some(alpha)) if is_plain => swish(&node, alpha),
            ("ReduceMax", _) if is_plain && compared.contains(first(&node.output)) => largest(node),
            ("RNN" | "GRU" | "LSTM", _) if is_plain && is_reverse => backwards(node),
            _ => vec![node],
        });
    }
}

/// `Celu` with this factor is that with 1 of a share, times the factor: the engine does not multiply.
fn celu(node: &pb::NodeProto, alpha: f32) -> Vec<pb::NodeProto> {
    let (x, y) = (first(&node.input), first(&node.output));
    let [factor, like, share, of_share] = within(y, ["factor", "like", "share", "of_share"]);
    vec![
        scalar(&factor, alpha),
        made("CastLike", &[&factor, x], &like),
        made("Div", &[x, &like], &share),
        made("Celu", &[&share], &of_share),
        made("Mul", &[&of_share, &like], y),
    ]
}

/// `Swish` with a factor, which the engine leaves out.
fn swish(node: &pb::NodeProto, alpha: f32) -> Vec<pb::NodeProto> {
    let (x, y) = (first(&node.input), first(&node.output));
    let [factor, like, times, gate] = within(y, ["factor", "like", "times", "gate"]);
    vec![
        scalar(&factor, alpha),
        made("CastLike", &[&factor, x], &like),
        made("Mul", &[x, &like], &times),
        made("Sigmoid", &[&times], &gate),
        made("Mul", &[x, &gate], y),
    ]
}

/// The largest of nothing but minus infinity is minus infinity, and not the least number that there is.
fn largest(node: pb::NodeProto) -> Vec<pb::NodeProto> {
    let (x, y) = (first(&node.input).to_owned(), first(&node.output).to_owned());
    let names = within(&y, ["least", "like", "is_least", "number", "all", "are", "largest"]);
    let [least, like, is_least, number, all, are, largest] = names;
    let to = |kind: DataType| pb::AttributeProto {
        name: "to".into(),
        r#type: AttributeType::Int.into(),
        i: i32::from(kind).into(),
        ..pb::AttributeProto::default()
    };
    let cast = |from: &str, kind, name: &str| pb::NodeProto {
        attribute: vec![to(kind)],
        ..made("Cast", &[from], name)
    };
    let reduced = |operator: &str, from: &str, name: &str| {
        let mut reduced = node.clone();
        (reduced.op_type, reduced.name) = (operator.into(), name.into());
        if let Some(input) = reduced.input.first_mut() {
            *input = from.into();
        }
        reduced.output = vec![name.into()];
        reduced
    };
    vec![
        scalar(&least, f32::NEG_INFINITY),
        made("CastLike", &[&least, &x], &like),
        made("Equal", &[&x, &like], &is_least),
        cast(&is_least, DataType::Int32, &number),
        reduced("ReduceMin", &number, &all),
        cast(&all, DataType::Bool, &are),
        reduced("ReduceMax", &x, &largest),
        made("Where", &[&are, &like, &largest], &y),
    ]
}

/// A network with a memory that runs backwards is one that runs forwards over its input turned around.
fn backwards(mut node: pb::NodeProto) -> Vec<pb::NodeProto> {
    let is_batch_first = attribute(&node, "layout").is_some_and(|layout| layout.i == 1);
    node.attribute.retain(|attribute| attribute.name != "direction");
    let base = node.output.iter().find(|output| !output.is_empty()).cloned().unwrap_or_default();
    let [end, begin, axis, before, after] = within(&base, ["end", "begin", "axis", "before", "after"]);
    let turned = |from: &str, to: &str| made("Slice", &[from, &end, &begin, &axis, &end], to);
    let mut nodes = vec![
        list(&end, -1),
        list(&begin, i64::MIN + 1),
        list(&axis, i64::from(is_batch_first)),
        turned(first(&node.input), &before),
    ];
    if let Some(input) = node.input.first_mut() {
        *input = before;
    }
    // Of the outputs, only the first has steps.
    let steps = node.output.first_mut().filter(|output| !output.is_empty());
    let steps = steps.map(|output| std::mem::replace(output, after.clone()));
    nodes.push(node);
    nodes.extend(steps.map(|steps| turned(&after, &steps)));
    nodes
}

/// Returns the values that are asked whether they equal others, also once their type is changed.
fn compared(nodes: &[pb::NodeProto]) -> HashSet<String> {
    let mut compared = HashSet::new();
    for node in nodes.iter().rev() {
        let is_cast =
            matches!(node.op_type.as_str(), "Cast" | "CastLike") && compared.contains(first(&node.output));
        if node.op_type == "Equal" || is_cast {
            compared.extend(node.input.iter().cloned());
        }
    }
    compared
}

fn attribute<'n>(node: &'n pb::NodeProto, name: &str) -> Option<&'n pb::AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn first(values: &[String]) -> &str {
    values.first().map_or("", String::as_str)
}

/// Returns names that nothing else has, since values are given once.
fn within<const N: usize>(value: &str, parts: [&str; N]) -> [String; N] {
    parts.map(|part| format!("{value}/mended/{part}"))
}

fn made(operator: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
    pb::NodeProto {
        op_type: operator.into(),
        name: format!("{output} of {operator}"),
        input: inputs.iter().map(|input| (*input).into()).collect(),
        output: vec![output.into()],
        ..pb::NodeProto::default()
    }
}

fn constant(name: &str, tensor: pb::TensorProto) -> pb::NodeProto {
    let value = pb::AttributeProto {
        name: "value".into(),
        r#type: AttributeType::Tensor.into(),
        t: Some(tensor),
        ..pb::AttributeProto::default()
    };
    pb::NodeProto { attribute: vec![value], ..made("Constant", &[], name) }
}

fn scalar(name: &str, value: f32) -> pb::NodeProto {
    let (data_type, raw_data) = (DataType::Float.into(), value.to_le_bytes().to_vec());
    constant(name, pb::TensorProto { data_type, raw_data, ..pb::TensorProto::default() })
}

fn list(name: &str, value: i64) -> pb::NodeProto {
    let (data_type, raw_data) = (DataType::Int64.into(), value.to_le_bytes().to_vec());
    constant(name, pb::TensorProto { data_type, raw_data, dims: vec![1], ..pb::TensorProto::default() })
}
