//! Conditions that say less than they seem to.

use alloc::format;
use alloc::vec::Vec;

use super::set::Set;
use super::{Finding, Lint, witness};
use crate::ast::CompareOp;
use crate::fields::Sample;
use crate::index::demands;
use crate::number;
use crate::program::{Expr, ExprId, Leaf};
use crate::route::Route;
use crate::value::Value;

pub(super) fn look(set: &Set<'_>, found: &mut Vec<Finding>) {
    for (route, root) in set.routes() {
        let Some(_) = route.condition_span() else { continue };
        let name = route.name();
        match set.constant(root) {
            Some(Value::Bool(true)) if route.condition().trim() != "true" => {
                let message = "the condition is true for every message";
                let sample = Sample::new(example_source(route));
                let help = "leave the condition out if that is meant";
                found.push(
                    Finding::new(Lint::AlwaysTrue, &[name], message).with_help(help).with_witness(sample),
                );
            }
            Some(Value::Bool(true)) => {}
            Some(_) => {
                let message = "the condition is true for no message, whatever it has in it";
                found.push(Finding::new(Lint::NeverTrue, &[name], message));
            }
            None if demands(&set.program, root).iter().any(Vec::is_empty) => {
                let message = "no message fulfils the condition: its parts contradict each other";
                found.push(Finding::new(Lint::NeverTrue, &[name], message).with_help("did you mean OR?"));
            }
            None => {}
        }
        text_order(set, route, root, root, found);
    }
}

/// A source that the route matches.
pub(super) fn example_source(route: &Route) -> &str {
    match route.source().path() {
        "/" => "/messages",
        path => path,
    }
}

/// `level > '10'`: as text, '9' is more.
fn text_order(set: &Set<'_>, route: &Route, root: ExprId, expr: ExprId, found: &mut Vec<Finding>) {
    if let Expr::Compare { op, dynamic: false, left, right } = set.program.expr(expr) {
        for (property, literal, op) in [(left, right, op), (right, left, op.swapped())] {
            if let Some(finding) = compared(set, route, root, (property, literal, op), expr) {
                found.push(finding);
            }
        }
    }
    set.program.operands(expr, &mut |operand| text_order(set, route, root, operand, found));
}

fn compared(
    set: &Set<'_>,
    route: &Route,
    root: ExprId,
    (property, literal, op): (ExprId, ExprId, CompareOp),
    whole: ExprId,
) -> Option<Finding> {
    let (Expr::Leaf(leaf), Expr::Str(text)) = (set.program.expr(property), set.program.expr(literal)) else {
        return None;
    };
    if matches!(op, CompareOp::Eq | CompareOp::Ne) {
        return None;
    }
    let Some(Leaf::App(name)) = set.program.leaf(leaf) else { return None };
    let text = set.program.string(text);
    let limit = number::parse(text)?;
    let wrong = [9.0, 10.0, 100.0, 2.0, -1.0, 1000.0, limit * 10.0, limit + 1.0, limit - 1.0]
        .into_iter()
        .find(|&value| {
            let as_text = op.holds(crate::text::compare(&format!("{value}"), text));
            let as_number = value.partial_cmp(&limit).is_some_and(|order| op.holds(order));
            as_text && !as_number
        })?;
    let shown = format!("{wrong}");
    let sample = Sample::new(example_source(route)).with_property(name, Some(&shown));
    if !set.holds(&[whole], &sample) {
        return None;
    }
    // Where the whole condition can be shown to be true of it, so much the better.
    let sample = Some(sample.clone()).filter(|sample| set.holds(&[root], sample)).unwrap_or(sample);
    let message = format!("{name} is compared with '{text}' as text, letter by letter: '{shown}' passes");
    let help = format!("compare numbers: as_number({name}) and {text} without quotes");
    Some(Finding::new(Lint::TextOrder, &[route.name()], message).with_help(help).with_witness(sample))
}

/// A message that the route matches.
pub(super) fn example(set: &Set<'_>, route: &Route, root: ExprId) -> Option<Sample> {
    witness::search(set, &[root], example_source(route), &[])
}
