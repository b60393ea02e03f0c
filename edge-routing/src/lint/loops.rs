//! Modules: those that do not exist, and messages that come back to the one that sent them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::{HashMap, HashSet};

use super::set::Set;
use super::{Finding, Lint, witness};
use crate::fields::Sample;
use crate::program::{Expr, ExprId, Leaf};
use crate::route::{CompileOptions, Route};
use crate::sink::Sink;

/// Modules beyond this many are not followed.
const MAX_MODULES: usize = 256;

/// The system property that names the module which sent a message.
const SENDER: &str = "connectionModuleId";

/// A step from a module, by a route, to a module.
struct Step<'r> {
    from: usize,
    to: usize,
    route: &'r Route,
    message: Sample,
}

pub(super) fn look(set: &Set<'_>, options: &CompileOptions, found: &mut Vec<Finding>) {
    unknown(set, options, found);
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut modules: Vec<&str> = Vec::new();
    let mut hops: Vec<Hop<'_>> = Vec::new();
    for (route, root) in set.routes() {
        let Sink::Module { module, .. } = route.sink() else { continue };
        let to = match places.get(&**module) {
            Some(&to) => to,
            None if modules.len() == MAX_MODULES => {
                set.give_up();
                continue;
            }
            None => {
                places.insert(module, modules.len());
                modules.push(module);
                modules.len() - 1
            }
        };
        hops.push(Hop { route, root, to, by_sender: names_sender(set, root), example: None });
    }
    let steps = steps(set, &modules, &mut hops);
    let mut told: HashSet<usize> = HashSet::new();
    for (start, module) in modules.iter().enumerate() {
        if told.contains(&start) {
            continue;
        }
        let Some(cycle) = shortest_cycle(&steps, start) else { continue };
        told.extend(cycle.iter().map(|step| step.from));
        let path: Vec<&str> = cycle.iter().filter_map(|step| modules.get(step.from).copied()).collect();
        let routes: Vec<&str> = cycle.iter().map(|step| step.route.name()).collect();
        let message = format!("what {module} sends comes back to it: {} -> {module}", path.join(" -> "));
        let help = "name the outputs that are meant in the sources, so that the module's own are left out";
        let mut finding = Finding::new(Lint::Loop, &routes, message).with_help(help);
        finding.witnesses = cycle.iter().map(|step| step.message.clone()).collect();
        found.push(finding);
    }
}

/// A route to a module, with what is known of the messages that take it.
struct Hop<'r> {
    route: &'r Route,
    root: ExprId,
    to: usize,
    /// Whether the condition asks which module sent the message.
    by_sender: bool,
    /// A message that fulfils the condition, or that none was found; not yet known.
    example: Option<Option<Sample>>,
}

/// The steps from each module, one to each module that can be reached from there.
fn steps<'r>(set: &Set<'r>, modules: &[&str], hops: &mut [Hop<'r>]) -> Vec<Vec<Step<'r>>> {
    let from_each = modules.iter().enumerate().map(|(from, module)| {
        let mut steps: Vec<Step<'r>> = Vec::new();
        let mut reached: HashSet<usize> = HashSet::new();
        for hop in hops.iter_mut() {
            if reached.contains(&hop.to) {
                continue;
            }
            if let Some(message) = message_from(set, module, hop) {
                reached.insert(hop.to);
                steps.push(Step { from, to: hop.to, route: hop.route, message });
            }
        }
        steps
    });
    from_each.collect()
}

/// Whether a condition asks which module sent the message.
fn names_sender(set: &Set<'_>, expr: ExprId) -> bool {
    let asks = |name: &str| name.trim_start_matches('$').eq_ignore_ascii_case(SENDER);
    let mut found = match set.program.expr(expr) {
        Expr::Leaf(leaf) => matches!(
            set.program.leaf(leaf),
            Some(Leaf::System(name) | Leaf::AppOrSystem(name)) if asks(name)
        ),
        _ => false,
    };
    set.program.operands(expr, &mut |operand| found |= names_sender(set, operand));
    found
}

fn unknown(set: &Set<'_>, options: &CompileOptions, found: &mut Vec<Finding>) {
    let Some(known) = &options.known_modules else { return };
    for (route, _) in set.routes() {
        if let Sink::Module { module, .. } = route.sink()
            && !known.iter().any(|name| name.eq_ignore_ascii_case(module))
        {
            let message = format!("no module '{module}' provides the endpoint");
            found.push(Finding::new(Lint::UnknownModule, &[route.name()], message));
        }
    }
}

/// A message of `module` that the route of the hop matches. For a condition that does not ask for the sender a message
/// is searched once, whatever the number of modules.
fn message_from(set: &Set<'_>, module: &str, hop: &mut Hop<'_>) -> Option<Sample> {
    let source = source_from(module, hop.route)?;
    if hop.by_sender {
        return witness::search(set, &[hop.root], &source, &[(SENDER, module)]);
    }
    let root = hop.root;
    let example = hop.example.get_or_insert_with(|| witness::search(set, &[root], &source, &[]));
    let message = example.clone()?.with_source(source);
    Some(message.with_system_property(SENDER, Some(module)))
}

/// A source of `module` that the route matches.
fn source_from(module: &str, route: &Route) -> Option<String> {
    let own = format!("/messages/modules/{module}");
    if route.source().matches(&own) {
        return Some(own);
    }
    let prefix = route.source().prefix();
    let is_own = prefix.get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(&own))
        && prefix.as_bytes().get(own.len()) == Some(&b'/');
    let rest = prefix.get(own.len()..).filter(|_| is_own)?.trim_end_matches('/');
    let rest = if rest.eq_ignore_ascii_case("/outputs") { "/outputs/output" } else { rest };
    Some(own + rest)
}

/// The fewest steps that lead from a module back to it.
fn shortest_cycle<'s, 'r>(steps: &'s [Vec<Step<'r>>], start: usize) -> Option<Vec<&'s Step<'r>>> {
    // For each module the step by which it was first reached.
    let mut by: HashMap<usize, &Step<'r>> = HashMap::new();
    let mut queue = alloc::vec![start];
    let mut next = 0;
    while let Some(&at) = queue.get(next) {
        next += 1;
        for step in steps.get(at).into_iter().flatten() {
            if step.to == start {
                let mut cycle = alloc::vec![step];
                let mut from = at;
                while let Some(step) = by.get(&from).filter(|_| from != start) {
                    cycle.push(step);
                    from = step.from;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if !by.contains_key(&step.to) {
                by.insert(step.to, step);
                queue.push(step.to);
            }
        }
    }
    None
}
