//! Trees to programs: names, types and arguments are checked, and what passes is compiled.
//!
//! # Source
//! Route language §5 and §7. Messages, places and the order of several errors are those of the original.

mod call;
mod operator;
mod path;

pub(crate) use path::body_path;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ast::{Ast, Literal, NodeId, NodeKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{Builder, Expr, ExprId, Leaf};
use crate::span::Span;
use crate::value::Type;

/// What the checker found out about a condition.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) root: ExprId,
    /// The type of the whole.
    pub(crate) ty: Type,
    /// Types by node; `Undefined` for nodes that were not looked at.
    pub(crate) types: Vec<Type>,
    /// Expressions by node, where the node was looked at.
    pub(crate) exprs: Vec<Option<ExprId>>,
    pub(crate) errors: Vec<Diagnostic>,
}

/// Checks `ast` and adds it to `builder`; without errors the root may be used.
pub(crate) fn check(ast: &Ast, builder: &mut Builder) -> Checked {
    let nodes = ast.nodes.len();
    let types = alloc::vec![Type::Undefined; nodes];
    let mut checker = Checker { ast, builder, types, exprs: alloc::vec![None; nodes], errors: Vec::new() };
    let (ty, root) = match ast.root {
        Some(root) => checker.visit(root),
        None => checker.undefined(),
    };
    // A condition that is null counts as false, unlike one that is undefined.
    let root = if ty == Type::Null { checker.bool(false).1 } else { root };
    Checked { root, ty, types: checker.types, exprs: checker.exprs, errors: checker.errors }
}

/// A type and the expression that has it.
type Typed = (Type, ExprId);

struct Checker<'a> {
    ast: &'a Ast,
    builder: &'a mut Builder,
    types: Vec<Type>,
    exprs: Vec<Option<ExprId>>,
    errors: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn undefined(&mut self) -> Typed {
        (Type::Undefined, self.builder.expr(Expr::Undefined))
    }

    fn bool(&mut self, value: bool) -> Typed {
        (Type::Bool, self.builder.expr(Expr::Bool(value)))
    }

    fn null(&mut self) -> Typed {
        (Type::Null, self.builder.expr(Expr::Null))
    }

    /// Notes an error; the expression at fault has no type.
    fn fail(&mut self, error: Diagnostic) -> Typed {
        self.errors.push(error);
        self.undefined()
    }

    fn visit(&mut self, id: NodeId) -> Typed {
        let ast = self.ast;
        let Some(node) = ast.node(id) else { return self.undefined() };
        let token = node.token;
        let typed = match &node.kind {
            NodeKind::Literal(literal) => self.literal(literal, token),
            NodeKind::Property(name) => {
                let leaf = self.builder.leaf(Leaf::App(fold(name)));
                (Type::String, self.builder.expr(Expr::Leaf(leaf)))
            }
            NodeKind::SysName(name) => self.sys_name(name, token),
            NodeKind::Escaped(name) => self.escaped(name, token),
            NodeKind::Group(inner) => self.visit(*inner),
            NodeKind::Call { name, args, raw } => self.call(name, args, raw, token),
            NodeKind::Unary(op, inner) => self.unary(*op, *inner, token),
            NodeKind::Binary(op, left, right) => self.binary(*op, *left, *right, token),
            NodeKind::Logic { op, items, signs } => self.logic(*op, items, signs),
            NodeKind::BadSymbol => self.bad_symbol(id, token),
            NodeKind::ExtraClose => {
                self.fail(Diagnostic::new(Code::UnmatchedParen, token, "Syntax error: unmatched closing ')'"))
            }
            NodeKind::MissingClose => {
                self.fail(Diagnostic::new(Code::MissingParen, token, "Syntax error: missing closing ')'"))
            }
        };
        if let (Some(ty), Some(expr)) = (self.types.get_mut(id), self.exprs.get_mut(id)) {
            *ty = typed.0;
            *expr = Some(typed.1);
        }
        typed
    }

    fn literal(&mut self, literal: &Literal, token: Span) -> Typed {
        match literal {
            Literal::Bool(value) => self.bool(*value),
            Literal::Number(value) => (Type::Number, self.builder.number(*value)),
            Literal::Str(text) => (Type::String, self.builder.str(text)),
            Literal::OpenStr(text) => {
                let error =
                    Diagnostic::new(Code::UnterminatedString, token, "Syntax error: unterminated string");
                self.fail(error.with_help("close the string with the quote that opens it"));
                (Type::String, self.builder.str(text))
            }
            Literal::Null => self.null(),
            Literal::Undefined | Literal::BadNumber => self.undefined(),
        }
    }

    fn bad_symbol(&mut self, id: NodeId, token: Span) -> Typed {
        let symbol = self.ast.symbol(id);
        let error = Diagnostic::new(
            Code::InvalidSymbol,
            token,
            alloc::format!("Syntax error: invalid symbol '{symbol}'"),
        );
        self.fail(match symbol {
            "\\" => error.with_help(r#"inside quotes only \" \' \\ and \uXXXX are escapes"#),
            "?" => error.with_help("the operator for a value that may be undefined is ??"),
            _ => error,
        })
    }
}

/// Names of properties are compared case aside; only what no one disagrees about is settled here.
fn fold(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}
