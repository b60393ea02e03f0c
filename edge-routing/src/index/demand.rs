//! What a condition demands of the message before it can be true.

use alloc::vec::Vec;

use super::set::{Interval, Text, ValueSet};
use crate::ast::{CompareOp, LogicOp};
use crate::function::Builtin;
use crate::program::{Expr, ExprId, Leaf, LeafId, List, Program};

/// Alternatives of which at least one holds whenever the condition is true: a leaf, and the values it then has.
/// None at all: the condition is never true.
pub(crate) type Demand = Vec<(LeafId, ValueSet)>;

/// More alternatives than this are not worth indexing.
const MAX_ALTERNATIVES: usize = 1024;

/// Everything that `expr` demands: each demand of the list must hold for it to be true.
pub(crate) fn demands(program: &Program, expr: ExprId) -> Vec<Demand> {
    match program.expr(expr) {
        Expr::Logic { op: LogicOp::And, items } => all_of(program, program.list(items)),
        Expr::DynamicLogic { op: LogicOp::And, left, right } => all_of(program, &[left, right]),
        Expr::Logic { op: LogicOp::Or, items } => any_of(program, program.list(items)).into_iter().collect(),
        Expr::DynamicLogic { op: LogicOp::Or, left, right } => {
            any_of(program, &[left, right]).into_iter().collect()
        }
        _ => single(program, expr).into_iter().collect(),
    }
}

/// Both must be true, so what they demand of one leaf is demanded together.
fn all_of(program: &Program, items: &[ExprId]) -> Vec<Demand> {
    let mut all: Vec<Demand> = Vec::new();
    for demand in items.iter().flat_map(|&item| demands(program, item)) {
        let [(leaf, set)] = demand.as_slice() else {
            all.push(demand);
            continue;
        };
        match all.iter_mut().find(|known| matches!(known.as_slice(), [(other, _)] if other == leaf)) {
            Some(known) => {
                let merged = known.pop().map_or_else(|| set.clone(), |(_, other)| other.and(set.clone()));
                known.push((*leaf, merged));
            }
            None => all.push(demand),
        }
    }
    for demand in &mut all {
        demand.retain(|(_, set)| !set.is_empty());
    }
    all
}

/// One must be true, so one alternative of the narrowest demand of each.
fn any_of(program: &Program, items: &[ExprId]) -> Option<Demand> {
    let mut any = Vec::new();
    for &item in items {
        let narrowest = demands(program, item).into_iter().min_by_key(breadth)?;
        any.extend(narrowest);
        if any.len() > MAX_ALTERNATIVES {
            return None;
        }
    }
    Some(any)
}

/// How many messages fulfil a demand, roughly.
pub(crate) fn breadth(demand: &Demand) -> u32 {
    demand.iter().map(|(_, set)| set.breadth()).fold(0, u32::saturating_add)
}

/// The demand of an expression that is no `AND` and no `OR`; `None` when nothing is known.
fn single(program: &Program, expr: ExprId) -> Option<Demand> {
    match program.expr(expr) {
        Expr::Undefined
        | Expr::Null
        | Expr::Bool(false)
        | Expr::Number(_)
        | Expr::Str(_)
        | Expr::Arith { .. } => Some(Vec::new()),
        // A property is text, and text is never true.
        Expr::Leaf(_) if needed(program, expr).is_some() => Some(Vec::new()),
        Expr::Leaf(leaf) => {
            let set = ValueSet { bools: [false, true], ..ValueSet::NONE };
            Some(alloc::vec![(leaf, set)])
        }
        Expr::Not(inner) => match program.expr(inner) {
            Expr::Leaf(leaf) => {
                let set = ValueSet { bools: [true, false], ..ValueSet::NONE };
                Some(alloc::vec![(leaf, set)])
            }
            // A comparison is false only of defined values.
            Expr::Compare { left, right, .. } => defined(program, &[left, right]),
            _ => None,
        },
        Expr::Compare { op, dynamic, left, right } => compared(program, op, dynamic, left, right)
            .or_else(|| compared(program, op.swapped(), dynamic, right, left))
            .map(|(leaf, set)| if set.is_empty() { Vec::new() } else { alloc::vec![(leaf, set)] })
            .or_else(|| defined(program, &[left, right])),
        Expr::Call { builtin, args } => called(program, builtin, args),
        Expr::Bool(true)
        | Expr::Negate(_)
        | Expr::Coalesce(..)
        | Expr::Includes(_)
        | Expr::Logic { .. }
        | Expr::DynamicLogic { .. } => None,
    }
}

/// The set of a comparison of a leaf with a constant.
fn compared(
    program: &Program,
    op: CompareOp,
    dynamic: bool,
    left: ExprId,
    right: ExprId,
) -> Option<(LeafId, ValueSet)> {
    let (leaf, reads) = match program.expr(left) {
        Expr::Leaf(leaf) => (leaf, false),
        Expr::Call { builtin: Builtin::AsNumber, args } => match program.list(args) {
            [arg] => match program.expr(*arg) {
                Expr::Leaf(leaf) => (leaf, true),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    let set = match (program.expr(right), reads) {
        (Expr::Number(bits), true) => {
            let interval = interval(op, f64::from_bits(bits));
            ValueSet { number: interval, text: interval.map_or(Text::None, Text::Reads), ..ValueSet::NONE }
        }
        (Expr::Number(bits), false) => {
            let low = matches!(op, CompareOp::Lt | CompareOp::Le | CompareOp::Ne);
            let high = matches!(op, CompareOp::Gt | CompareOp::Ge | CompareOp::Ne);
            ValueSet {
                number: interval(op, f64::from_bits(bits)),
                bools: [low; 2],
                text: if high { Text::Any } else { Text::None },
                null_text: high,
                null: high,
            }
        }
        (Expr::Str(text), false) if op == CompareOp::Eq => {
            ValueSet { text: Text::Is(program.string(text).into()), ..ValueSet::NONE }
        }
        (Expr::Str(_), false) if !dynamic => ValueSet { text: Text::Any, ..ValueSet::NONE },
        (Expr::Bool(value), false) if op == CompareOp::Eq => {
            ValueSet { bools: [!value, value], ..ValueSet::NONE }
        }
        (Expr::Null, false) if op == CompareOp::Eq => ValueSet { null: true, ..ValueSet::NONE },
        (Expr::Null, false) if matches!(op, CompareOp::Ne | CompareOp::Lt) => {
            ValueSet { null: false, ..ValueSet::DEFINED }
        }
        _ => return None,
    };
    Some((leaf, set))
}

/// The numbers of which `op value` is true; `None` when there is none. A literal is never NaN.
fn interval(op: CompareOp, value: f64) -> Option<Interval> {
    let all = Interval::ALL;
    let found = match op {
        CompareOp::Eq => Interval::point(value),
        CompareOp::Ne => all,
        CompareOp::Lt => Interval { high: value, high_in: false, ..all },
        CompareOp::Le => Interval { high: value, ..all },
        CompareOp::Gt => Interval { low: value, low_in: false, ..all },
        CompareOp::Ge => Interval { low: value, ..all },
    };
    found.and(&all)
}

fn called(program: &Program, builtin: Builtin, args: List) -> Option<Demand> {
    let args = program.list(args);
    let first = args.first().map(|&arg| program.expr(arg));
    let set = match (builtin, first) {
        (Builtin::StartsWith, Some(Expr::Leaf(leaf))) => match args.get(1).map(|&arg| program.expr(arg)) {
            Some(Expr::Str(prefix)) if !program.string(prefix).is_empty() => {
                let text = Text::Prefix(program.string(prefix).into());
                (leaf, ValueSet { text, ..ValueSet::NONE })
            }
            _ => (leaf, ValueSet { text: Text::Any, ..ValueSet::NONE }),
        },
        (Builtin::EndsWith | Builtin::Contains | Builtin::IsString, Some(Expr::Leaf(leaf))) => {
            (leaf, ValueSet { text: Text::Any, ..ValueSet::NONE })
        }
        (Builtin::IsNumber, Some(Expr::Leaf(leaf))) => {
            (leaf, ValueSet { number: Some(Interval::ALL), ..ValueSet::NONE })
        }
        (Builtin::IsBool, Some(Expr::Leaf(leaf))) => (leaf, ValueSet { bools: [true; 2], ..ValueSet::NONE }),
        (Builtin::IsNull, Some(Expr::Leaf(leaf))) => (leaf, ValueSet { null_text: true, ..ValueSet::NONE }),
        (Builtin::StartsWith | Builtin::EndsWith | Builtin::Contains, _) => return defined(program, args),
        (Builtin::IsDefined | Builtin::IsNumber | Builtin::IsString, _) => return defined(program, args),
        _ => return None,
    };
    Some(alloc::vec![set])
}

/// Some property that must be there for all of `exprs` to be defined. Body members do not serve, because a missing
/// one is defined.
fn defined(program: &Program, exprs: &[ExprId]) -> Option<Demand> {
    let leaf = exprs.iter().find_map(|&expr| needed(program, expr))?;
    Some(alloc::vec![(leaf, ValueSet::DEFINED)])
}

/// A property without which `expr` is undefined.
fn needed(program: &Program, expr: ExprId) -> Option<LeafId> {
    match program.expr(expr) {
        Expr::Leaf(leaf) => {
            let property =
                matches!(program.leaf(leaf), Some(Leaf::App(_) | Leaf::System(_) | Leaf::AppOrSystem(_)));
            property.then_some(leaf)
        }
        Expr::Negate(inner) | Expr::Not(inner) => needed(program, inner),
        Expr::Compare { left, right, .. } | Expr::Arith { left, right, .. } => {
            needed(program, left).or_else(|| needed(program, right))
        }
        Expr::Call { builtin, args } => match builtin {
            Builtin::IsBool
            | Builtin::IsDefined
            | Builtin::IsNull
            | Builtin::IsNumber
            | Builtin::IsString
            | Builtin::IsPresent
            | Builtin::TwinChangeIncludes => None,
            _ => program.list(args).iter().find_map(|&arg| needed(program, arg)),
        },
        _ => None,
    }
}
