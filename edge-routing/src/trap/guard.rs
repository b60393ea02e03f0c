//! Which body values an `AND` makes sure of, so that what is said beside it needs no warning.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ast::{Ast, BinaryOp, CompareOp, Literal, NodeId, NodeKind};

/// Texts of body values that are there, or else the whole is not true.
#[derive(Debug, Clone, Default)]
pub(super) struct Guards {
    names: Vec<String>,
}

impl Guards {
    /// Whether the value written as `text` is made sure of.
    pub(super) fn covers(&self, text: &str) -> bool {
        self.names.iter().any(|name| name == text)
    }
}

/// What the items of an `AND` make sure of, in addition to `around`.
pub(super) fn guards(ast: &Ast, items: &[NodeId], around: &Guards) -> Guards {
    let mut inside = around.clone();
    for &item in items {
        if let Some(name) = guard(ast, ast.ungrouped(item)) {
            inside.names.push(name.into());
        }
    }
    inside
}

/// The text of the value that is there whenever `item` is true.
fn guard(ast: &Ast, item: NodeId) -> Option<&str> {
    let text = |id: NodeId| ast.node(id).map(|node| ast.text(node.span));
    match &ast.node(item)?.kind {
        NodeKind::Call { name, args, .. } => {
            let tells =
                ["is_number", "is_string", "is_bool"].iter().any(|known| known.eq_ignore_ascii_case(name));
            args.first().filter(|_| tells).and_then(|&arg| text(arg))
        }
        NodeKind::Binary(BinaryOp::Compare(op), left, right) => {
            let null = |id: NodeId| {
                matches!(ast.node(ast.ungrouped(id))?.kind, NodeKind::Literal(Literal::Null)).then_some(())
            };
            match (op, null(*left), null(*right)) {
                (CompareOp::Ne, None, Some(())) => text(*left),
                (CompareOp::Ne, Some(()), None) => text(*right),
                // A missing value is above all others, so whatever is below something is there.
                (CompareOp::Eq | CompareOp::Lt | CompareOp::Le, None, None) => text(*left),
                (CompareOp::Gt | CompareOp::Ge, None, None) => text(*right),
                _ => None,
            }
        }
        _ => None,
    }
}
