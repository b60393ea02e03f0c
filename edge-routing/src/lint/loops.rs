//! Modules: those that do not exist, and messages that come back to the one that sent them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::set::Set;
use super::{Finding, Lint, witness};
use crate::fields::Sample;
use crate::program::ExprId;
use crate::route::{CompileOptions, Route};
use crate::sink::Sink;

/// Modules beyond this many are not followed.
const MAX_MODULES: usize = 256;

/// A step: from a module by a route to a module, with a message that takes it.
struct Step<'r> {
    from: usize,
    to: usize,
    route: &'r Route,
    message: Sample,
}

pub(super) fn look(set: &Set<'_>, options: &CompileOptions, found: &mut Vec<Finding>) {
    unknown(set, options, found);
    let mut modules: Vec<&str> = Vec::new();
    for (route, _) in set.routes() {
        if let Sink::Module { module, .. } = route.sink()
            && !modules.contains(&&**module)
            && modules.len() < MAX_MODULES
        {
            modules.push(module);
        }
    }
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (from, module) in modules.iter().enumerate() {
        for (route, root) in set.routes() {
            let Sink::Module { module: target, .. } = route.sink() else { continue };
            let Some(to) = modules.iter().position(|known| *known == &**target) else { continue };
            if steps.iter().any(|step| step.from == from && step.to == to) {
                continue;
            }
            if let Some(message) = message_from(set, module, route, root) {
                steps.push(Step { from, to, route, message });
            }
        }
    }
    let mut told: Vec<usize> = Vec::new();
    for start in 0..modules.len() {
        if told.contains(&start) {
            continue;
        }
        let Some(cycle) = shortest_cycle(&steps, start) else { continue };
        told.extend(cycle.iter().map(|step| step.from));
        let path: Vec<&str> = cycle.iter().filter_map(|step| modules.get(step.from).copied()).collect();
        let routes: Vec<&str> = cycle.iter().map(|step| step.route.name()).collect();
        let message =
            format!("what {} sends comes back to it: {} -> {}", path[0], path.join(" -> "), path[0]);
        let help = "name the outputs that are meant in the sources, so that the module's own are left out";
        let mut finding = Finding::new(Lint::Loop, &routes, message).with_help(help);
        finding.witnesses = cycle.iter().map(|step| step.message.clone()).collect();
        found.push(finding);
    }
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

/// A message of `module` that the route matches.
fn message_from(set: &Set<'_>, module: &str, route: &Route, root: ExprId) -> Option<Sample> {
    let own = format!("/messages/modules/{module}");
    let source = if route.source().matches(&own) {
        own
    } else if route.source().prefix().get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(&own))
        && route.source().prefix().as_bytes().get(own.len()) == Some(&b'/')
    {
        let rest = route.source().prefix().get(own.len()..).unwrap_or("").trim_end_matches('/');
        let rest = if rest.eq_ignore_ascii_case("/outputs") { "/outputs/output" } else { rest };
        let mut source: String = own;
        source.push_str(rest);
        source
    } else {
        return None;
    };
    witness::search(set, &[root], &source, &[("connectionModuleId", module)])
}

/// The fewest steps that lead from a module back to it.
fn shortest_cycle<'s, 'r>(steps: &'s [Step<'r>], start: usize) -> Option<Vec<&'s Step<'r>>> {
    let mut reached: Vec<(usize, Vec<&'s Step<'r>>)> = alloc::vec![(start, Vec::new())];
    let mut next = 0;
    while let Some((at, path)) = reached.get(next).cloned() {
        next += 1;
        for step in steps.iter().filter(|step| step.from == at) {
            let mut longer = path.clone();
            longer.push(step);
            if step.to == start {
                return Some(longer);
            }
            if reached.iter().all(|(known, _)| *known != step.to) {
                reached.push((step.to, longer));
            }
        }
    }
    None
}
