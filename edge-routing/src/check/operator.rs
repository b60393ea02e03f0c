//! Operators.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::body_path;
use super::{Checker, Typed};
use crate::ast::{ArithOp, BinaryOp, Literal, LogicOp, NodeId, NodeKind, UnaryOp};
use crate::diagnostic::{Code, Diagnostic};
use crate::function::Builtin;
use crate::number;
use crate::program::{Expr, ExprId};
use crate::span::Span;
use crate::value::Type;

impl Checker<'_> {
    pub(super) fn unary(&mut self, op: UnaryOp, inner: NodeId, token: Span) -> Typed {
        let (ty, expr) = self.visit(inner);
        let sign = self.ast.text(token);
        let mismatch = |expected: Type| {
            let message =
                format!("Invalid operands to unary operator '{sign}': have '{ty}', expected '{expected}'");
            Diagnostic::new(Code::InvalidOperands, token, message)
        };
        match (op, ty) {
            (UnaryOp::Not, Type::Null) => self.bool(true),
            (UnaryOp::Not, Type::Bool | Type::Dynamic) => (Type::Bool, self.builder.expr(Expr::Not(expr))),
            (UnaryOp::Not, Type::String) => {
                let help = "NOT binds tighter than a comparison: write NOT (a = 'x')";
                self.fail(mismatch(Type::Bool).with_help(help))
            }
            (UnaryOp::Not, _) => self.fail(mismatch(Type::Bool)),
            (UnaryOp::Negate, Type::Number) => (
                Type::Number,
                match self.builder.constant(expr) {
                    Some(value) => self.builder.number(-value),
                    None => self.builder.expr(Expr::Negate(expr)),
                },
            ),
            (UnaryOp::Negate, Type::Dynamic) => self.unsupported("-", ty, None, token),
            (UnaryOp::Negate, Type::String) => {
                self.fail(mismatch(Type::Number).with_help("properties are text: write - as_number(name)"))
            }
            (UnaryOp::Negate, _) => self.fail(mismatch(Type::Number)),
        }
    }

    pub(super) fn binary(&mut self, op: BinaryOp, left: NodeId, right: NodeId, token: Span) -> Typed {
        let l = self.visit(left);
        let r = self.visit(right);
        let expected = match op {
            BinaryOp::Arith(_) => Type::Number,
            BinaryOp::Concat => Type::String,
            BinaryOp::Compare(_) | BinaryOp::Coalesce => l.0,
        };
        if !(fits(expected, l.0) && fits(expected, r.0)) {
            let help = self.operand_help(op, (left, l.0), (right, r.0), token);
            return self.mismatch(expected, l.0, r.0, token, help);
        }
        let dynamic = l.0 == Type::Dynamic || r.0 == Type::Dynamic;
        let either = if dynamic { Type::Dynamic } else { l.0 };
        let (left, right) = (l.1, r.1);
        match op {
            BinaryOp::Arith(ArithOp::Modulo) if dynamic => self.unsupported("%", l.0, Some(r.0), token),
            BinaryOp::Arith(op) => (either, self.builder.expr(Expr::Arith { op, dynamic, left, right })),
            BinaryOp::Concat => self.emit(Builtin::Concat, &[left, right], Type::String),
            BinaryOp::Compare(op) => match l.0 {
                Type::Null if r.0 == Type::Null => self.bool(op.holds(core::cmp::Ordering::Equal)),
                Type::Undefined => (Type::Bool, self.builder.expr(Expr::Undefined)),
                _ => (Type::Bool, self.builder.expr(Expr::Compare { op, dynamic, left, right })),
            },
            BinaryOp::Coalesce if l.0 == Type::Undefined => r,
            BinaryOp::Coalesce => (either, self.builder.expr(Expr::Coalesce(left, right))),
        }
    }

    pub(super) fn logic(&mut self, op: LogicOp, items: &[NodeId], signs: &[Span]) -> Typed {
        let mut rest = items.iter();
        let mut total = match rest.next() {
            Some(&first) => self.visit(first),
            None => self.undefined(),
        };
        // Items of a run of plain truth values, which become one expression however many they are.
        let mut run: Vec<ExprId> = alloc::vec![total.1];
        for (&item, &sign) in rest.zip(signs) {
            let next = self.visit(item);
            if is_truth(total.0) && is_truth(next.0) {
                run.push(next.1);
                total.0 = Type::Bool;
            } else {
                let left = self.finish_run(op, total, &run);
                total = self.mixed_logic(op, left, next, sign);
                run = alloc::vec![total.1];
            }
        }
        self.finish_run(op, total, &run)
    }

    fn finish_run(&mut self, op: LogicOp, total: Typed, run: &[ExprId]) -> Typed {
        if run.len() < 2 {
            return total;
        }
        let items = self.builder.list(run);
        (Type::Bool, self.builder.expr(Expr::Logic { op, items }))
    }

    /// Logic with `null` or a body value in it.
    fn mixed_logic(&mut self, op: LogicOp, left: Typed, right: Typed, sign: Span) -> Typed {
        let dynamic = left.0 == Type::Dynamic;
        let left_fits = !matches!(left.0, Type::String | Type::Number);
        let right_fits = dynamic || matches!(right.0, Type::Null | Type::Bool | Type::Undefined);
        if !left_fits || !right_fits {
            let help = match (left.0, right.0) {
                (_, Type::Dynamic) => {
                    Some("a body value on the right needs a comparison: write $body.flag = true".into())
                }
                (Type::String, _) | (_, Type::String) => {
                    Some("text is not a truth value: compare it, as in name = 'true'".into())
                }
                _ => None,
            };
            return self.mismatch(Type::Bool, left.0, right.0, sign, help);
        }
        let word = match op {
            LogicOp::And => "AND",
            LogicOp::Or => "OR",
        };
        match (op, left.0, right.0) {
            (LogicOp::And, Type::Dynamic, Type::Null)
            | (_, Type::Null, Type::Undefined)
            | (_, Type::Undefined, Type::Null) => self.unsupported(word, left.0, Some(right.0), sign),
            (_, Type::Dynamic, _) => {
                let expr = Expr::DynamicLogic { op, left: left.1, right: right.1 };
                (Type::Bool, self.builder.expr(expr))
            }
            (LogicOp::And, _, _) => self.null(),
            (LogicOp::Or, Type::Null, _) => right,
            (LogicOp::Or, _, _) => left,
        }
    }

    fn mismatch(
        &mut self,
        expected: Type,
        left: Type,
        right: Type,
        token: Span,
        help: Option<String>,
    ) -> Typed {
        let message = format!(
            "Invalid operands to binary operator '{}': have '{left}' and '{right}', expected '{expected}' and '{expected}'",
            self.ast.text(token)
        );
        let error = Diagnostic::new(Code::InvalidOperands, token, message);
        self.fail(match help {
            Some(help) => error.with_help(help),
            None => error,
        })
    }

    /// Operators for which the original finds no code, and gives up on the route.
    fn unsupported(&mut self, sign: &str, left: Type, right: Option<Type>, token: Span) -> Typed {
        let types = right.map_or_else(|| format!("'{left}'"), |right| format!("'{left}' and '{right}'"));
        let message = format!("The operator '{sign}' is not defined for {types}");
        let help = match (sign, left, right) {
            ("-", ..) => Some("write 0 - $body.value"),
            ("%", ..) => Some("convert the body value first: as_number($body.value) % 2"),
            (_, Type::Dynamic, _) => Some("a null in AND never routes anything; leave it out"),
            _ => None,
        };
        let error = Diagnostic::new(Code::UnsupportedOperation, token, message);
        self.fail(match help {
            Some(help) => error.with_help(help),
            None => error,
        })
    }

    fn operand_help(
        &self,
        op: BinaryOp,
        (left, left_type): (NodeId, Type),
        (right, right_type): (NodeId, Type),
        token: Span,
    ) -> Option<String> {
        let text = |id: NodeId| self.ast.node(id).map_or("", |node| self.ast.text(node.span));
        let kind = |id: NodeId| self.ast.node(self.ast.ungrouped(id)).map(|node| &node.kind);
        let is_name = |id: NodeId| match kind(id) {
            Some(NodeKind::Property(_)) => true,
            Some(NodeKind::SysName(name) | NodeKind::Escaped(name)) => body_path(name).is_none(),
            _ => false,
        };
        let is_text = |id: NodeId| matches!(kind(id), Some(NodeKind::Literal(Literal::Str(text))) if number::parse(text).is_none());
        let is_number = |id: NodeId| matches!(kind(id), Some(NodeKind::Literal(Literal::BadNumber)));
        let failed =
            |id: NodeId, ty: Type| ty == Type::Undefined && !matches!(kind(id), Some(NodeKind::Literal(_)));
        let number = |id: NodeId, ty: Type| {
            if ty == Type::String { format!("as_number({})", text(id)) } else { text(id).into() }
        };
        if is_number(left) || is_number(right) {
            return Some(
                "this is no number: an exponent needs digits before it, and 64 bits are the limit".into(),
            );
        }
        if failed(left, left_type) || failed(right, right_type) {
            return Some("this follows from the error in an operand".into());
        }
        if op == BinaryOp::Arith(ArithOp::Add) && (is_text(left) || is_text(right)) {
            return Some("+ adds numbers; texts are joined by || with a blank on both sides".into());
        }
        match (left_type, right_type) {
            (Type::String, Type::Null | Type::Undefined) | (Type::Null | Type::Undefined, Type::String) => {
                let name = if left_type == Type::String { left } else { right };
                is_name(name)
                    .then(|| format!("properties are never null: write NOT is_defined({})", text(name)))
            }
            (Type::String, Type::Number) | (Type::Number, Type::String) | (Type::String, Type::String)
                if (is_name(left) || is_name(right)) && op != BinaryOp::Concat =>
            {
                let (l, r) = (number(left, left_type), number(right, right_type));
                Some(format!("properties are text: write {l} {} {r}", self.ast.text(token)))
            }
            (Type::String, Type::Bool) if is_name(left) => {
                Some(format!("properties are text: write {} = 'true'", text(left)))
            }
            _ => None,
        }
    }
}

const fn is_truth(ty: Type) -> bool {
    matches!(ty, Type::Bool | Type::Undefined)
}

/// Whether a value of type `found` may stand where `expected` is needed.
fn fits(expected: Type, found: Type) -> bool {
    let comparable = |ty: Type| matches!(ty, Type::String | Type::Number | Type::Bool | Type::Null);
    expected == found
        || (found == Type::Dynamic && comparable(expected))
        || (expected == Type::Dynamic && comparable(found))
}
