//! What becomes of a case of the ONNX project's test data.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

use edge_ml::{Element, Engine, LoadError, ReadOptions, Tensor, read};

use crate::compare::{self, Tolerance};
use crate::data::Case;
use crate::python;

/// What became of a case, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Passed,
    /// It passed once the inputs that are sizes, axes and the like were made constants.
    WithConstants,
    Refused(Why),
    Wrong,
}

/// Why a case is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// A value is no tensor, or has elements that no tensor here has.
    Type,
    /// The engine does not have the operator.
    Operator,
    /// By name: the engine would answer wrongly, or by chance.
    Name,
    /// The engine wants to know a value before anything is run.
    Constant,
    /// Something else that the engine says.
    Engine,
}

#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: Kind,
    pub(crate) said: String,
}

impl Outcome {
    fn refused(why: Why, said: impl Into<String>) -> Self {
        Self { kind: Kind::Refused(why), said: said.into() }
    }
}

fn why(error: &LoadError, said: &str) -> Why {
    match error {
        LoadError::Type { .. } => Why::Type,
        LoadError::Unsupported { nodes } if nodes.iter().any(|node| node.reason.is_some()) => Why::Name,
        LoadError::Unsupported { .. } => Why::Operator,
        _ if said.contains("Unimplemented(") || said.contains("is not a registered function/op") => {
            Why::Operator
        }
        _ if said.contains("Could not find an implementation") => Why::Operator,
        _ if said.to_lowercase().contains("const") => Why::Constant,
        _ => Why::Engine,
    }
}

/// Runs a case with these options; returns with what became of it what ran it.
fn attempt(case: &Case, inputs: &[&Tensor], options: &ReadOptions) -> (Outcome, Option<Engine>) {
    let (mut model, engine, _) = match read(&case.model, options) {
        Ok(read) => read,
        Err(error) => {
            let said = edge_core::Report(&error).to_string();
            return (Outcome::refused(why(&error, &said), said), None);
        }
    };
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    let tolerance =
        Tolerance { relative: case.relative, of_halves: 2e-3, absolute: case.absolute, of_largest: 1e-6 };
    let outcome = match model.run(&views).map(|outputs| compare::difference(&outputs, case, tolerance)) {
        Ok(Ok(())) => Outcome { kind: Kind::Passed, said: String::new() },
        Ok(Err(said)) => Outcome { kind: Kind::Wrong, said },
        Err(error) => Outcome::refused(Why::Engine, edge_core::Report(&error).to_string()),
    };
    (outcome, Some(engine))
}

/// Returns the best of what becomes of a case in all ways to read it, or what is wrong with one of them.
fn outcome(case: &Case, engine: Option<Engine>) -> Outcome {
    let Some(inputs) = case.tensors() else { return Outcome::refused(Why::Type, "an input is no tensor") };
    if case.outputs.iter().any(|(_, tensor)| tensor.is_none()) {
        return Outcome::refused(Why::Type, "an output is no tensor");
    }
    let mut plain = ReadOptions::default().with_library(python::library());
    if let Some(engine) = engine {
        plain = plain.with_engine(engine);
    }
    let (mut best, by) = attempt(case, &inputs, &plain);
    if engine.is_some() || best.kind == Kind::Wrong {
        return best;
    }
    let names = || case.inputs.iter().map(|(name, _)| name).zip(&inputs);
    let is_size = |tensor: &Tensor| tensor.element_type() == i64::TYPE && tensor.shape().len() <= 1;
    let shaped =
        names().fold(plain.clone(), |options, (name, tensor)| options.with_shape(name, tensor.shape()));
    let mut others = vec![attempt(case, &inputs, &shaped).0];
    let fixed = names().filter(|(_, tensor)| is_size(tensor));
    let fixed = fixed.fold(shaped, |options, (name, tensor)| options.with_constant(name, (*tensor).clone()));
    let left: Vec<_> = inputs.iter().filter(|tensor| !is_size(tensor)).copied().collect();
    if left.len() < inputs.len() {
        let mut with_constants = attempt(case, &left, &fixed).0;
        if with_constants.kind == Kind::Passed {
            with_constants.kind = Kind::WithConstants;
        }
        others.push(with_constants);
    }
    if by == Some(Engine::Tables) {
        // What the evaluator of tables runs, the engine may have to run in another model.
        let mut by_tract = attempt(case, &inputs, &plain.with_engine(Engine::Tract)).0;
        if by_tract.kind != Kind::Wrong {
            by_tract = best.clone();
        }
        others.push(by_tract);
    }
    for other in others {
        if other.kind == Kind::Wrong {
            return other;
        }
        if other.kind < best.kind {
            best = other;
        }
    }
    best
}

/// The threads that run cases: the engine's panics in them are caught and are answers, and hundreds of them would bury
/// everything else.
const QUIET: &str = "case";

/// Runs all cases with two threads.
pub(crate) fn outcomes(cases: &[Case], engine: Option<Engine>) -> Vec<Outcome> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some(QUIET) {
            hook(info);
        }
    }));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            let work = || {
                while let Some((at, case)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?)))
                {
                    let outcome = outcome(case, engine);
                    done.lock().unwrap().insert(at, outcome);
                }
            };
            thread::Builder::new().name(QUIET.into()).spawn_scoped(scope, work).unwrap();
        }
    });
    done.into_inner().unwrap().into_values().collect()
}
