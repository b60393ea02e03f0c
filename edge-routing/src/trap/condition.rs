//! Traps in a condition that compiled.

use alloc::format;
use alloc::vec::Vec;

use super::guard::{Guards, guards};
use super::{ignored_text, name};
use crate::ast::{Ast, BinaryOp, CompareOp, Literal, LogicOp, NodeId, NodeKind};
use crate::body;
use crate::diagnostic::{Code, Diagnostic};
use crate::number;
use crate::span::Span;
use crate::value::Type;

/// Finds them; `types` are those of the checker and `whole` is the type of the condition.
pub(crate) fn in_condition(ast: &Ast, types: &[Type], whole: Type, found: &mut Vec<Diagnostic>) {
    let Some(root) = ast.root else {
        let span = Span::new(0, ast.text.len());
        let report = Diagnostic::new(Code::EmptyCondition, span, "an empty condition is never true");
        found.push(report.with_help("write true, or leave out WHERE"));
        return;
    };
    let mut traps = Traps { ast, types, found };
    traps.visit(root, &Guards::default());
    traps.whole(root, whole);
    if let Some(span) = ast.ignored {
        found.push(ignored_text(&ast.text, span, "take it out, or join it by AND or OR"));
    }
}

struct Traps<'a> {
    ast: &'a Ast,
    types: &'a [Type],
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> Traps<'a> {
    fn text(&self, id: NodeId) -> &'a str {
        self.ast.node(id).map_or("", |node| self.ast.text(node.span))
    }

    fn is_dynamic(&self, id: NodeId) -> bool {
        self.types.get(id) == Some(&Type::Dynamic)
    }

    fn whole(&mut self, root: NodeId, ty: Type) {
        let Some(node) = self.ast.node(root) else { return };
        let what = match ty {
            Type::Bool | Type::Dynamic => return,
            Type::String => "text",
            Type::Number => "a number",
            Type::Null => "null",
            Type::Undefined => "undefined",
        };
        let report = Diagnostic::new(
            Code::NotBoolean,
            node.span,
            format!("the condition is {what} and so never true"),
        );
        self.found.push(match ty {
            Type::String => report.with_help(format!("compare it: {} = 'value'", self.text(root))),
            _ => report.with_help("a condition is a comparison, or a function that gives true or false"),
        });
    }

    fn visit(&mut self, id: NodeId, around: &Guards) {
        let ast = self.ast;
        let Some(node) = ast.node(id) else { return };
        match &node.kind {
            NodeKind::Property(name) => self.found.extend(name::property(name, node.token)),
            NodeKind::SysName(name) | NodeKind::Escaped(name) => {
                self.found.extend(name::system(name, node.token));
            }
            NodeKind::Group(inner) | NodeKind::Unary(_, inner) => self.visit(*inner, around),
            NodeKind::Logic { op: LogicOp::And, items, .. } => {
                let inside = guards(ast, items, around);
                items.iter().for_each(|&item| self.visit(item, &inside));
            }
            NodeKind::Logic { items, .. } => items.iter().for_each(|&item| self.visit(item, around)),
            NodeKind::Call { name, args, raw } => self.call(name, args, raw, node.span, around),
            NodeKind::Binary(op, left, right) => {
                self.visit(*left, around);
                self.visit(*right, around);
                if let BinaryOp::Compare(op) = op {
                    self.compare(*op, *left, *right, node.token, around);
                }
            }
            NodeKind::Literal(_) | NodeKind::BadSymbol | NodeKind::ExtraClose | NodeKind::MissingClose => {}
        }
    }

    fn call(&mut self, name: &str, args: &[NodeId], raw: &str, whole: Span, around: &Guards) {
        if name.eq_ignore_ascii_case("twin_change_includes") {
            self.path_argument(args, raw, whole);
            return;
        }
        args.iter().for_each(|&arg| self.visit(arg, around));
        let [arg] = args else { return };
        if !self.is_dynamic(*arg) {
            return;
        }
        let Some(span) = self.ast.node(*arg).map(|node| node.span) else { return };
        let value = self.text(*arg);
        let report = if name.eq_ignore_ascii_case("is_null") {
            let message =
                format!("is_null({value}) tells whether {value} is there, and is true for any value of it");
            let help = format!("write {value} = null for null or missing, {value} != null for present");
            Diagnostic::new(Code::IsNullOnBody, span, message).with_help(help)
        } else if name.eq_ignore_ascii_case("is_defined") {
            let message = format!("is_defined({value}) is true even when the body has no such member");
            Diagnostic::new(Code::IsDefinedOnBody, span, message).with_help(format!("write {value} != null"))
        } else {
            return;
        };
        self.found.push(report);
    }

    /// The original takes whatever stands in the parentheses as one path, blanks left out.
    fn path_argument(&mut self, args: &[NodeId], path: &str, whole: Span) {
        let plain =
            |arg: &NodeId| self.ast.node(*arg).is_some_and(|node| matches!(node.kind, NodeKind::Property(_)));
        if matches!(args, [arg] if plain(arg)) {
            return;
        }
        let message = format!("all that is in the parentheses is one path, '{path}', which no twin has");
        let help = "give one path: twin_change_includes(tags.a) OR twin_change_includes(tags.b)";
        self.found.push(Diagnostic::new(Code::StrangeBodyPath, whole, message).with_help(help));
    }

    fn compare(&mut self, op: CompareOp, left: NodeId, right: NodeId, sign: Span, around: &Guards) {
        if self.types.get(left) == Some(&Type::Undefined) {
            let report =
                Diagnostic::new(Code::ComparedUndefined, sign, "a comparison with undefined is never true");
            self.found.push(report.with_help("to test for presence write is_defined(name)"));
            return;
        }
        for (value, other, op) in [(left, right, op), (right, left, op.swapped())] {
            if self.is_dynamic(value) && !self.is_dynamic(other) {
                self.compare_body(op, value, other, sign, around);
            }
        }
        if self.is_dynamic(left) && self.is_dynamic(right) && !matches!(op, CompareOp::Eq | CompareOp::Ne) {
            let unguarded = !(around.covers(self.text(left)) && around.covers(self.text(right)));
            if unguarded {
                self.found.push(self.order_report(left, sign));
            }
        }
    }

    fn compare_body(&mut self, op: CompareOp, value: NodeId, other: NodeId, sign: Span, around: &Guards) {
        let text = self.text(value);
        let other_kind = self.ast.node(self.ast.ungrouped(other)).map(|node| &node.kind);
        let null = matches!(other_kind, Some(NodeKind::Literal(Literal::Null)));
        let guarded = null || around.covers(text);
        if matches!(op, CompareOp::Gt | CompareOp::Ge) && !guarded {
            self.found.push(self.order_report(value, sign));
        }
        if op == CompareOp::Ne && !guarded {
            let message = format!("{text} != … is also true when the body has no such member");
            let help = format!("add AND {text} != null");
            self.found.push(Diagnostic::new(Code::BodyUnequal, sign, message).with_help(help));
        }
        if let Some(NodeKind::Literal(Literal::Str(literal))) = other_kind {
            self.compare_with_text(value, other, literal);
        }
    }

    fn order_report(&self, value: NodeId, sign: Span) -> Diagnostic {
        let text = self.text(value);
        let message = format!("{text} counts as greater than any number or text when it is missing");
        Diagnostic::new(Code::BodyOrder, sign, message).with_help(format!("add AND is_number({text})"))
    }

    fn compare_with_text(&mut self, value: NodeId, other: NodeId, literal: &str) {
        let Some(span) = self.ast.node(other).map(|node| node.span) else { return };
        let text = self.text(value);
        if number::parse(literal).is_some() {
            let message = format!("a number in the body never equals the text '{literal}'");
            let help = format!("write {literal} without quotes if {text} is a number");
            self.found.push(Diagnostic::new(Code::BodyType, span, message).with_help(help));
        } else if body::is_date(literal) {
            let message = format!(
                "text that looks like a point in time is undefined in a body, so {text} is never '{literal}'"
            );
            let help = "send the time as a number, or as text of another form";
            self.found.push(Diagnostic::new(Code::BodyType, span, message).with_help(help));
        }
    }
}
