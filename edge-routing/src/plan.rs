//! What is left to test of a route that may match, packed so that few places in memory are touched for it.

use alloc::vec::Vec;

use crate::ast::{CompareOp, LogicOp};
use crate::program::{Expr, ExprId, Program};
use crate::route::{Priority, Route};

/// The plans of a set of routes.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    plans: Vec<Plan>,
    tests: Vec<Test>,
}

/// One route: its tests, and what it does when all of them hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    first: u32,
    end: u32,
    /// Index of the endpoint.
    pub(crate) target: u32,
    pub(crate) priority: Priority,
    pub(crate) time_to_live_secs: Option<u32>,
}

/// One item of the `AND` of a condition, or all of a condition that has none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    /// A comparison with a number.
    Number { op: CompareOp, dynamic: bool, left: ExprId, right: f64 },
    /// Anything else.
    True(ExprId),
}

impl Plans {
    /// Adds a route, of whose `AND` the item `proven` holds whenever the route is a candidate.
    pub(crate) fn push(&mut self, program: &Program, route: &Route, target: u32, proven: Option<u8>) {
        let first = self.tests.len();
        match program.expr(route.root) {
            Expr::Bool(true) => {}
            Expr::Logic { op: LogicOp::And, items } => {
                let known = proven.map(usize::from);
                let items = program.list(items).iter().enumerate();
                self.tests
                    .extend(items.filter(|(at, _)| Some(*at) != known).map(|(_, &id)| test(program, id)));
            }
            _ => self.tests.push(test(program, route.root)),
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.plans.push(Plan {
            first: place(first),
            end: place(self.tests.len()),
            target,
            priority: route.priority(),
            time_to_live_secs: route.time_to_live_secs(),
        });
    }

    /// The plan of a route.
    pub(crate) fn plan(&self, route: u32) -> Option<&Plan> {
        self.plans.get(route as usize)
    }

    /// What must hold, all of it, for the route to match.
    pub(crate) fn tests(&self, plan: &Plan) -> &[Test] {
        self.tests.get(plan.first as usize..plan.end as usize).unwrap_or(&[])
    }
}

fn test(program: &Program, id: ExprId) -> Test {
    if let Expr::Compare { op, dynamic, left, right } = program.expr(id)
        && let Expr::Number(bits) = program.expr(right)
    {
        return Test::Number { op, dynamic, left, right: f64::from_bits(bits) };
    }
    Test::True(id)
}
