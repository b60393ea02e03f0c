//! Which routes may match a message, in time that grows with those that do.
//!
//! Routes are kept by the segments of their source, in a tree; a message walks down its own source and meets every
//! pattern that is a beginning of it. At each node the routes are kept by what they demand of one leaf of the message
//! (see [`demand`]): tables for texts, prefixes and single numbers, trees for ranges. What is found is a superset of
//! the routes that match; the caller evaluates the conditions of those alone.

mod bucket;
mod demand;
mod interval;
mod probe;
mod set;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bumpalo::Bump;
use hashbrown::HashMap;

use crate::ast::{CompareOp, LogicOp};
use crate::eval::Eval;
use crate::fields::Fields;
use crate::program::{Expr, ExprId, LeafId, Program};
use crate::route::Route;
use crate::text;
use bucket::Bucket;
use demand::Demand;

pub(crate) use demand::demands;
pub(crate) use set::{Interval, Text, ValueSet};

/// The index of a set of routes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: Vec<Node>,
}

/// A place in the tree of sources.
#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, usize>,
    bucket: Bucket,
}

impl Index {
    /// The index, and for each route the item of its `AND` that being found already proves, if there is one.
    pub(crate) fn new(routes: &[Route], program: &Program) -> (Self, Vec<Option<u8>>) {
        let bump = Bump::new();
        let chosen = choose(routes, program);
        let proven = routes
            .iter()
            .zip(&chosen)
            .map(|(route, demand)| proven(program, route, demand.as_ref()))
            .collect();
        let mut index = Self { nodes: alloc::vec![Node::default()] };
        let mut by_node: HashMap<usize, Vec<(u32, Option<Demand>)>> = HashMap::new();
        for ((number, route), demand) in (0..).zip(routes).zip(chosen) {
            let mut at = 0;
            for segment in route.source().segments() {
                at = index.child(at, text::fold(segment, &bump));
            }
            by_node.entry(at).or_default().push((number, demand));
        }
        for (at, routes) in by_node {
            if let Some(node) = index.nodes.get_mut(at) {
                node.bucket = Bucket::new(routes, program);
            }
        }
        (index, proven)
    }

    fn child(&mut self, at: usize, segment: &str) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return 0 };
        if let Some(&child) = node.children.get(segment) {
            return child;
        }
        node.children.insert(segment.into(), next);
        self.nodes.push(Node::default());
        next
    }

    /// Puts into `found` the routes that may match the message: all that do, and few others, each once, ascending.
    pub(crate) fn candidates<F: Fields + ?Sized>(&self, eval: &mut Eval<'_, F>, found: &mut Vec<u32>) {
        found.clear();
        let source = eval.fields().source();
        let Some(path) = source.strip_prefix('/').or(if source.is_empty() { Some("") } else { None }) else {
            return;
        };
        let mut path = Some(path.strip_suffix('/').unwrap_or(path));
        let mut at = self.nodes.first();
        while let Some(node) = at {
            node.bucket.candidates(eval, found);
            if node.children.is_empty() {
                break;
            }
            let Some(rest) = path else { break };
            let end = rest.bytes().position(|byte| byte == b'/');
            let segment = end.map_or(rest, |end| rest.get(..end).unwrap_or(""));
            path = end.and_then(|end| rest.get(end + 1..));
            let folded = text::fold(segment, eval.bump());
            at = node.children.get(folded).and_then(|&child| self.nodes.get(child));
        }
        if !found.is_sorted_by(|a, b| a < b) {
            found.sort_unstable();
            found.dedup();
        }
    }
}

/// For each route the demand to look it up by: the narrowest, and of equally narrow ones the rarest.
fn choose(routes: &[Route], program: &Program) -> Vec<Option<Demand>> {
    let all: Vec<Vec<Demand>> = routes.iter().map(|route| demands(program, route.root)).collect();
    let mut counts: HashMap<Point<'_>, u32> = HashMap::new();
    for (leaf, set) in all.iter().flatten().flatten() {
        if let Some(key) = point(*leaf, set) {
            *counts.entry(key).or_default() += 1;
        }
    }
    let frequency = |demand: &Demand| -> u32 {
        demand.iter().filter_map(|(leaf, set)| counts.get(&point(*leaf, set)?)).sum()
    };
    let best: Vec<Option<usize>> = all
        .iter()
        .map(|demands| {
            let ranked = demands
                .iter()
                .enumerate()
                .map(|(at, demand)| ((demand::breadth(demand), frequency(demand)), at));
            ranked.min().map(|(_, at)| at)
        })
        .collect();
    drop(counts);
    all.into_iter().zip(best).map(|(mut demands, at)| at.map(|at| demands.swap_remove(at))).collect()
}

/// The item that says exactly what the route was looked up by: that a leaf is a text.
fn proven(program: &Program, route: &Route, demand: Option<&Demand>) -> Option<u8> {
    let [(leaf, set)] = demand?.as_slice() else { return None };
    let Expr::Logic { op: LogicOp::And, items } = program.expr(route.root) else { return None };
    let says = |item: &ExprId| match demands(program, *item).as_slice() {
        [single] => matches!(single.as_slice(), [(other, same)] if other == leaf && same == set),
        _ => false,
    };
    let exact = matches!(set.text, Text::Is(_)) && ValueSet { text: Text::None, ..set.clone() }.is_empty();
    let equality = |item: &ExprId| matches!(program.expr(*item), Expr::Compare { op: CompareOp::Eq, .. });
    let at = program.list(items).iter().position(|item| exact && equality(item) && says(item))?;
    u8::try_from(at).ok()
}

/// A set of one value.
type Point<'d> = (LeafId, Option<&'d str>, Option<u64>);

/// What sets of the same one value have in common.
fn point(leaf: LeafId, set: &ValueSet) -> Option<Point<'_>> {
    let text = match &set.text {
        Text::Is(text) => Some(&**text),
        _ => None,
    };
    let number = set.number.filter(Interval::is_point).map(|interval| interval.low.to_bits());
    (set.breadth() <= 2).then_some((leaf, text, number))
}
