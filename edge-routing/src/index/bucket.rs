//! The routes of one source.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::demand::Demand;
use super::probe::Probe;
use super::set::ValueSet;
use crate::eval::Eval;
use crate::fields::Fields;
use crate::program::{BodyRef, Leaf, LeafId, Program};
use crate::text;

/// With more leaves than this the message is asked what it has, instead of being asked for each leaf.
const FEW: usize = 8;

/// Routes by what they demand.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Routes of which nothing is known, or which have no condition.
    always: Vec<u32>,
    probes: Vec<(LeafId, Probe)>,
    /// How to come from what a message has to the probes; `None` with few probes.
    ways: Option<Ways>,
}

/// Indices of probes by where their values come from.
#[derive(Debug, Default)]
struct Ways {
    /// By the name of an application property, folded.
    names: HashMap<Box<str>, Vec<u32>>,
    /// By the slot of a body path.
    slots: HashMap<u32, Vec<u32>>,
    /// Those that must be asked for: system properties, which are few, and body values that lead somewhere when they
    /// are missing.
    asked: Vec<u32>,
}

impl Bucket {
    pub(super) fn new(routes: Vec<(u32, Option<Demand>)>, program: &Program) -> Self {
        let mut bucket = Self::default();
        let mut order: Vec<LeafId> = Vec::new();
        let mut sets: HashMap<LeafId, Vec<(ValueSet, u32)>> = HashMap::new();
        for (route, demand) in routes {
            let Some(demand) = demand else {
                bucket.always.push(route);
                continue;
            };
            for (leaf, set) in demand {
                sets.entry(leaf).or_insert_with(|| {
                    order.push(leaf);
                    Vec::new()
                });
                if let Some(list) = sets.get_mut(&leaf) {
                    list.push((set, route));
                }
            }
        }
        for leaf in order {
            let list = sets.remove(&leaf).unwrap_or_default();
            bucket.probes.push((leaf, Probe::new(list)));
        }
        bucket.ways = (bucket.probes.len() > FEW).then(|| Ways::new(&bucket.probes, program));
        bucket
    }

    /// Adds to `found` the routes that may match; some may be added twice.
    pub(super) fn candidates<F: Fields + ?Sized>(&self, eval: &mut Eval<'_, F>, found: &mut Vec<u32>) {
        if !self.always.is_empty() {
            found.extend_from_slice(&self.always);
        }
        match &self.ways {
            None => {
                for (leaf, probe) in &self.probes {
                    probe.find(eval.leaf(*leaf), found);
                }
            }
            Some(ways) => {
                let mut probe = |eval: &mut Eval<'_, F>, at: u32| {
                    if let Some((leaf, probe)) = self.probes.get(at as usize) {
                        probe.find(eval.leaf(*leaf), found);
                    }
                };
                ways.each(eval, &mut probe);
            }
        }
    }
}

impl Ways {
    fn new(probes: &[(LeafId, Probe)], program: &Program) -> Self {
        let mut ways = Self::default();
        let fold = |name: &str| name.chars().map(text::fold_char).collect::<Box<str>>();
        for (at, (leaf, probe)) in (0..).zip(probes) {
            let mut by_name = |name: &str| ways.names.entry(fold(name)).or_default().push(at);
            match program.leaf(*leaf) {
                Some(Leaf::App(name)) => by_name(name),
                Some(Leaf::AppOrBody(name, BodyRef::Slot(slot))) if !probe.takes_null() => {
                    by_name(name);
                    ways.slots.entry(*slot).or_default().push(at);
                }
                Some(Leaf::Body(BodyRef::Slot(slot))) if !probe.takes_null() => {
                    ways.slots.entry(*slot).or_default().push(at);
                }
                _ => ways.asked.push(at),
            }
        }
        ways
    }

    fn each<F: Fields + ?Sized>(&self, eval: &mut Eval<'_, F>, probe: &mut dyn FnMut(&mut Eval<'_, F>, u32)) {
        for &at in &self.asked {
            probe(eval, at);
        }
        if !self.names.is_empty() {
            let fields = eval.fields();
            let bump = eval.bump();
            fields.each_property(&mut |name, _| {
                for &at in self.names.get(text::fold(name, bump)).into_iter().flatten() {
                    probe(eval, at);
                }
            });
        }
        if !self.slots.is_empty() && eval.read_body().is_ok() {
            let mut place = 0;
            while let Some(slot) = eval.found_slot(place) {
                for &at in self.slots.get(&slot).into_iter().flatten() {
                    probe(eval, at);
                }
                place += 1;
            }
        }
    }
}
