//! How much a file would have an engine allocate before anything is run.
//!
//! An allocation that fails ends the process, and no thread of its own helps against that: what a few bytes can ask for is
//! looked at before an engine sees them.

use std::collections::HashMap;

use super::constant::Constant;
use super::graph::{Attribute, Graph, Node};
use super::{FileError, FileLimits};

/// The small constants that are known at a node, by name: shapes are among them.
type Known<'a> = HashMap<&'a str, Vec<i64>>;

/// Checks that constants have the elements that they declare, and that no node makes more of constants than is allowed.
pub(super) fn check<'a>(graph: &Graph<'a>, around: &Known<'a>, limits: &FileLimits) -> Result<(), FileError> {
    let mut known = around.clone();
    for constant in &graph.constants {
        constant.check_size()?;
        known.extend(constant.small_ints().map(|ints| (constant.name, ints)));
    }
    for node in &graph.nodes {
        for (_, attribute) in &node.attributes {
            match attribute {
                Attribute::Tensor(constant) => constant.check_size()?,
                Attribute::Graph(inner) => check(inner, &known, limits)?,
                _ => {}
            }
        }
        if let (Some(output), Some(ints)) = (node.outputs.first(), given(node)) {
            known.insert(output, ints);
        }
        if let Some(elements) = made(node, &known).filter(|made| *made > limits.max_made_elements as u128) {
            let limit = limits.max_made_elements;
            return Err(FileError::Allocates { node: node.title().into(), elements, limit });
        }
    }
    Ok(())
}

/// Returns the small constant that a node is.
fn given(node: &Node<'_>) -> Option<Vec<i64>> {
    if node.operator != "Constant" {
        return None;
    }
    match node
        .attribute("value")
        .or_else(|| node.attribute("value_ints"))
        .or_else(|| node.attribute("value_int"))
    {
        Some(Attribute::Tensor(constant)) => constant.small_ints(),
        Some(Attribute::Ints(ints)) if ints.len() <= Constant::SMALL => Some(ints.clone()),
        Some(Attribute::Int(int)) => Some(vec![*int]),
        _ => None,
    }
}

/// Returns how many elements a node makes of constants alone, as far as its shape says it.
fn made(node: &Node<'_>, known: &Known<'_>) -> Option<u128> {
    let input = |place: usize| known.get(node.inputs.get(place)?);
    let product = |ints: &Vec<i64>| {
        let sizes = ints.iter().map(|int| u128::try_from(*int).unwrap_or(1));
        sizes.fold(1u128, u128::saturating_mul)
    };
    match node.operator {
        "ConstantOfShape" => input(0).map(product),
        "Expand" | "Tile" => input(1).map(product),
        "Resize" => input(3).map(product),
        "Pad" => input(1).map(|pads| pads.iter().map(|pad| u128::try_from(*pad).unwrap_or(0)).sum()),
        "Range" => {
            let one = |place| input(place)?.first().copied().map(i128::from);
            let (start, limit, delta) = (one(0)?, one(1)?, one(2)?);
            (limit - start).checked_div(delta).and_then(|steps| u128::try_from(steps).ok())
        }
        _ => None,
    }
}
