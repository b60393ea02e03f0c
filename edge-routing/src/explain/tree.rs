//! The value of every part of a condition.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Node, NodeValue};
use crate::ast::{Ast, Literal, NodeId, NodeKind};
use crate::check::{self, Checked};
use crate::eval::{Eval, Scratch};
use crate::fields::Fields;
use crate::parser;
use crate::program::{BodyRef, Builder, Expr, ExprId, Leaf};
use crate::route::Route;
use crate::value::{Truth, Value};

/// Compiles the condition of a route again, this time keeping its tree, and evaluates every part of it.
pub(super) fn explain<F: Fields + ?Sized>(route: &Route, message: &F) -> (Truth, Option<Node>) {
    let Some((ast, _)) = parser::parse_route(route.text()).ok().and_then(|syntax| syntax.condition) else {
        return (Truth::Undefined, None);
    };
    let mut builder = Builder::default();
    let Checked { root, exprs, .. } = check::check(&ast, &mut builder);
    let program = builder.finish(core::iter::once(root));
    Scratch::default().with(&program, message, |eval| {
        let truth = eval.truth(root);
        eval.begin();
        let tree = ast.root.and_then(|id| node(&ast, &exprs, id, eval));
        (truth, tree)
    })
}

fn node<F: Fields + ?Sized>(
    ast: &Ast,
    exprs: &[Option<ExprId>],
    id: NodeId,
    eval: &mut Eval<'_, F>,
) -> Option<Node> {
    let id = ast.ungrouped(id);
    let at = ast.node(id)?;
    let expr = exprs.get(id).copied().flatten();
    let value = expr.map_or(Value::Undefined, |expr| eval.value(expr));
    let operands: Vec<NodeId> = match &at.kind {
        NodeKind::Unary(_, inner) | NodeKind::Group(inner) => alloc::vec![*inner],
        NodeKind::Binary(_, left, right) => alloc::vec![*left, *right],
        NodeKind::Logic { items, .. } => items.clone(),
        NodeKind::Call { args, .. } if expr.is_some_and(|expr| !is_path(eval, expr)) => args.clone(),
        _ => Vec::new(),
    };
    let literal = matches!(&at.kind, NodeKind::Literal(Literal::Undefined));
    let note = match expr {
        _ if literal => None,
        _ if eval.is_over() => Some("the texts that the condition makes are too long".into()),
        Some(expr) => note(eval, expr, value),
        None => None,
    };
    let parts = operands.into_iter().filter_map(|operand| node(ast, exprs, operand, eval)).collect();
    Some(Node { text: ast.text(at.span).into(), value: NodeValue::of(value), note, parts })
}

fn is_path<F: Fields + ?Sized>(eval: &Eval<'_, F>, expr: ExprId) -> bool {
    matches!(eval.program().expr(expr), Expr::Includes(_))
}

/// Why a leaf has no value.
fn note<F: Fields + ?Sized>(eval: &mut Eval<'_, F>, expr: ExprId, value: Value<'_>) -> Option<String> {
    let (Expr::Leaf(leaf) | Expr::Includes(leaf)) = eval.program().expr(expr) else { return None };
    let note = match (value, eval.program().leaf(leaf)?) {
        (Value::NullStr, _) => "the property is there without a value",
        (Value::Missing, _) => "the body has no such member",
        (Value::Undefined, Leaf::App(_)) => "the message has no such property",
        (Value::Undefined, Leaf::System(_) | Leaf::AppOrSystem(_)) => {
            "the message has no such system property"
        }
        (Value::Undefined, Leaf::Body(BodyRef::Never) | Leaf::AppOrBody(_, BodyRef::Never)) => {
            "the path never finds anything"
        }
        (Value::Undefined, Leaf::Body(_) | Leaf::AppOrBody(..)) => {
            eval.body_problem().unwrap_or("an object, an array or a point in time has no value")
        }
        _ => return None,
    };
    Some(note.into())
}
