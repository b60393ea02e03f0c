//! Routes that get in each other's way.

use alloc::format;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::conditions::{example, example_source};
use super::set::Set;
use super::{Finding, Lint, witness};
use crate::fields::Sample;
use crate::index::demands;
use crate::program::ExprId;
use crate::route::Route;
use crate::sink::Sink;
use crate::value::Value;

/// Pairs for which a message is searched, at most.
const MAX_PAIRS: usize = 2_000;

type Entry<'r> = (&'r Route, ExprId);

pub(super) fn look(set: &Set<'_>, found: &mut Vec<Finding>) {
    let mut order: Vec<&Sink> = Vec::new();
    let mut by_sink: HashMap<&Sink, Vec<Entry<'_>>> = HashMap::new();
    let can_match = |entry: &Entry<'_>| !demands(&set.program, entry.1).iter().any(Vec::is_empty);
    for entry in set.routes().filter(can_match) {
        by_sink
            .entry(entry.0.sink())
            .or_insert_with(|| {
                order.push(entry.0.sink());
                Vec::new()
            })
            .push(entry);
    }
    let mut pairs = 0;
    for sink in order {
        let entries = by_sink.get(sink).map_or(&[][..], |entries| entries);
        for (at, &first) in entries.iter().enumerate() {
            for &second in entries.iter().skip(at + 1) {
                if pairs == MAX_PAIRS {
                    set.give_up();
                    return;
                }
                if let Some(source) = common_source(first.0, second.0) {
                    pairs += 1;
                    found.extend(pair(set, first, second, source));
                }
            }
        }
    }
}

/// A source that both routes match: the longer of two of which one begins the other.
fn common_source<'r>(first: &'r Route, second: &'r Route) -> Option<&'r str> {
    [(first, second), (second, first)]
        .into_iter()
        .find(|(long, short)| short.source().matches(long.source().prefix()))
        .map(|(long, _)| example_source(long))
}

fn pair(set: &Set<'_>, first: Entry<'_>, second: Entry<'_>, source: &str) -> Option<Finding> {
    let names = [first.0.name(), second.0.name()];
    let sink = first.0.sink();
    if first.0.source() == second.0.source() && first.1 == second.1 {
        let message = format!("both say the same, to {sink}");
        let finding = Finding::new(Lint::Duplicate, &names, message).with_help("take one of them out");
        return Some(match example(set, first.0, first.1) {
            Some(sample) => finding.with_witness(sample),
            None => finding,
        });
    }
    for (narrow, wide) in [(second, first), (first, second)] {
        if covers(set, wide, narrow) && wide.0.priority() >= narrow.0.priority() {
            let message = format!(
                "every message of '{}' reaches {sink} by '{}' anyway",
                narrow.0.name(),
                wide.0.name()
            );
            let finding = Finding::new(Lint::Redundant, &[narrow.0.name(), wide.0.name()], message)
                .with_help("take it out, or give it a higher priority");
            return Some(match example(set, narrow.0, narrow.1) {
                Some(sample) => finding.with_witness(sample),
                None => finding,
            });
        }
    }
    let sample = witness::search(set, &[first.1, second.1], source, &[])?;
    let by = decider(set, &sample, sink)?;
    let message = format!("both can match one message to {sink}; it goes once, as '{by}' says");
    Some(Finding::new(Lint::Overlap, &names, message).with_witness(sample))
}

/// Whether every message of `narrow` surely matches `wide` too.
fn covers(set: &Set<'_>, wide: Entry<'_>, narrow: Entry<'_>) -> bool {
    let source = wide.0.source().matches(narrow.0.source().prefix());
    source && (wide.1 == narrow.1 || set.constant(wide.1) == Some(Value::Bool(true)))
}

/// The route that decides about a message.
fn decider<'r>(set: &Set<'r>, sample: &Sample, sink: &Sink) -> Option<&'r str> {
    let mut matches = crate::matches::Matches::new();
    set.router.route(sample, &mut matches);
    let delivery =
        matches.deliveries().iter().find(|delivery| set.router.endpoint(delivery.endpoint) == Some(sink))?;
    set.router.routes().get(delivery.route).map(Route::name)
}
