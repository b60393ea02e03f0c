//! The routes, compiled again with what linting needs.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::ast::LogicOp;
use crate::body::Segment;
use crate::check;
use crate::eval::Scratch;
use crate::fields::Sample;
use crate::parser;
use crate::program::{Builder, Expr, ExprId, Program};
use crate::route::Route;
use crate::router::Router;
use crate::value::{Truth, Value};

pub(super) struct Set<'r> {
    pub(super) router: &'r Router,
    pub(super) program: Program,
    /// The condition of each route.
    pub(super) roots: Vec<ExprId>,
    /// The paths of the body slots.
    pub(super) paths: Vec<Vec<Segment>>,
    scratch: RefCell<Scratch>,
    /// Messages that may still be tried.
    tries: Cell<u32>,
    gave_up: Cell<bool>,
}

/// Messages that are tried by each of the looks, at most.
const MAX_TRIES: u32 = 50_000;

impl<'r> Set<'r> {
    pub(super) fn new(router: &'r Router) -> Self {
        let mut builder = Builder::default();
        let roots: Vec<ExprId> = router
            .routes()
            .iter()
            .map(|route| match parser::parse_route(route.text()).ok().and_then(|syntax| syntax.condition) {
                Some((ast, _)) => check::check(&ast, &mut builder).root,
                None => builder.expr(Expr::Bool(true)),
            })
            .collect();
        let paths = builder.paths().to_vec();
        let program = builder.finish(roots.iter().copied());
        Self {
            router,
            program,
            roots,
            paths,
            scratch: RefCell::default(),
            tries: Cell::new(MAX_TRIES),
            gave_up: Cell::new(false),
        }
    }

    /// The routes and their conditions.
    pub(super) fn routes(&self) -> impl Iterator<Item = (&'r Route, ExprId)> {
        self.router.routes().iter().zip(self.roots.iter().copied())
    }

    /// Gives the next look its own tries.
    pub(super) fn renew(&self) {
        self.tries.set(MAX_TRIES);
    }

    /// Whether one more message may be tried.
    pub(super) fn may_try(&self) -> bool {
        let left = self.tries.get().checked_sub(1);
        match left {
            Some(left) => self.tries.set(left),
            None => self.give_up(),
        }
        left.is_some()
    }

    /// Notes that something is not looked at.
    pub(super) fn give_up(&self) {
        self.gave_up.set(true);
    }

    /// Whether something was not looked at.
    pub(super) const fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// Whether all of `roots` are true for a message.
    pub(super) fn holds(&self, roots: &[ExprId], message: &Sample) -> bool {
        self.scratch
            .borrow_mut()
            .with(&self.program, message, |eval| roots.iter().all(|&root| eval.truth(root) == Truth::True))
    }

    /// The value of an expression that is the same for every message.
    pub(super) fn constant(&self, expr: ExprId) -> Option<Value<'static>> {
        match self.program.expr(expr) {
            Expr::Bool(value) => Some(Value::Bool(value)),
            Expr::Undefined => Some(Value::Undefined),
            Expr::Not(inner) => match self.constant(inner)? {
                Value::Bool(value) => Some(Value::Bool(!value)),
                _ => Some(Value::Undefined),
            },
            Expr::Logic { op, items } => {
                let decisive = Value::Bool(op == LogicOp::Or);
                let known: Vec<_> =
                    self.program.list(items).iter().map(|&item| self.constant(item)).collect();
                if known.contains(&Some(decisive)) {
                    return Some(decisive);
                }
                let values: Vec<_> = known.into_iter().collect::<Option<_>>()?;
                let undefined = values.contains(&Value::Undefined);
                Some(if undefined { Value::Undefined } else { Value::Bool(op == LogicOp::And) })
            }
            _ if self.has_leaf(expr) => None,
            _ => {
                let message = Sample::new("/");
                let truth = Scratch::default().with(&self.program, &message, |eval| eval.truth(expr));
                Some(match truth {
                    Truth::True => Value::Bool(true),
                    Truth::False => Value::Bool(false),
                    Truth::Undefined => Value::Undefined,
                })
            }
        }
    }

    fn has_leaf(&self, expr: ExprId) -> bool {
        let mut found = matches!(self.program.expr(expr), Expr::Leaf(_) | Expr::Includes(_));
        self.program.operands(expr, &mut |operand| found |= self.has_leaf(operand));
        found
    }
}
