//! The ONNX project's own test data: what runs, what is refused, and that nothing is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, panic, thread};

use edge_ml::{Element, Engine, ReadOptions, Tensor, read};

use crate::data::{self, Case};
use crate::{compare, python};

/// What became of a case, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Passed,
    /// It passed once the inputs that are sizes, axes and the like were made constants.
    WithConstants,
    Unsupported,
    Wrong,
}

/// Runs a case with these options.
fn attempt(case: &Case, inputs: &[&Tensor], options: &ReadOptions) -> (Outcome, String) {
    let (mut model, ..) = match read(&case.model, options) {
        Ok(read) => read,
        Err(error) => return (Outcome::Unsupported, edge_core::Report(&error).to_string()),
    };
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    match model.run(&views) {
        Ok(outputs) => match compare::difference(&outputs, case, case.relative, case.absolute.max(1e-6)) {
            Ok(()) => (Outcome::Passed, String::new()),
            Err(difference) => (Outcome::Wrong, difference),
        },
        Err(error) => (Outcome::Unsupported, edge_core::Report(&error).to_string()),
    }
}

/// Returns the best of what becomes of a case in all ways to read it, or what is wrong with one of them.
fn outcome(case: &Case, engine: Option<Engine>) -> (Outcome, String) {
    let Some(inputs) = case.tensors() else {
        return (Outcome::Unsupported, "an input is no tensor".into());
    };
    if case.outputs.iter().any(|(_, tensor)| tensor.is_none()) {
        return (Outcome::Unsupported, "an output is no tensor".into());
    }
    let mut plain = ReadOptions::default().with_library(python::library());
    if let Some(engine) = engine {
        plain = plain.with_engine(engine);
    }
    let mut best = attempt(case, &inputs, &plain);
    if engine.is_some() || best.0 == Outcome::Wrong {
        return best;
    }
    let names = || case.inputs.iter().map(|(name, _)| name).zip(&inputs);
    let is_size = |tensor: &Tensor| tensor.element_type() == i64::TYPE && tensor.shape().len() <= 1;
    let shaped =
        names().fold(plain.clone(), |options, (name, tensor)| options.with_shape(name, tensor.shape()));
    let with_shapes = attempt(case, &inputs, &shaped);
    let fixed = names().filter(|(_, tensor)| is_size(tensor));
    let fixed = fixed.fold(shaped, |options, (name, tensor)| options.with_constant(name, (*tensor).clone()));
    let left: Vec<_> = inputs.iter().filter(|tensor| !is_size(tensor)).copied().collect();
    let mut with_constants =
        if left.len() < inputs.len() { attempt(case, &left, &fixed) } else { with_shapes.clone() };
    if with_constants.0 == Outcome::Passed && left.len() < inputs.len() {
        with_constants.0 = Outcome::WithConstants;
    }
    for other in [with_shapes, with_constants] {
        if other.0 == Outcome::Wrong {
            return other;
        }
        if other.0 < best.0 {
            best = other;
        }
    }
    best
}

/// Runs all cases with two threads.
fn outcomes(cases: &[Case], engine: Option<Engine>) -> Vec<(Outcome, String)> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((at, case)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?)))
                {
                    let outcome = outcome(case, engine);
                    done.lock().unwrap().insert(at, outcome);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// The file with the table.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/OPERATORS.md");

/// How often each outcome came, by both ways to run a model.
type Row = [[usize; 4]; 2];

fn cells(row: &Row) -> String {
    let [ours, theirs] = row;
    let cases: usize = ours.iter().sum();
    format!(
        "{cases} | {} | {} | {} | {} | {} | {}",
        ours[0],
        ours[1],
        ours[2],
        theirs[0],
        theirs[2],
        ours[3] + theirs[3]
    )
}

fn table(cases: &[Case], ours: &[(Outcome, String)], theirs: &[(Outcome, String)]) -> String {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut all = Row::default();
    for ((case, a), b) in cases.iter().zip(ours).zip(theirs) {
        for row in [rows.entry(&case.row).or_default(), &mut all] {
            row[0][a.0 as usize] += 1;
            row[1][b.0 as usize] += 1;
        }
    }
    let versions = python::run(&[
        "-c",
        "import importlib.metadata as m; print(m.version('onnx'), m.version('onnxruntime'))",
    ]);
    let (onnx, onnxruntime) = versions.trim().split_once(' ').unwrap();
    let mut text = format!(
        "# What runs of ONNX\n\n\
         The ONNX project's own test data ({onnx}), case by case, through `edge_ml::read`: by default, which is the evaluator of\n\
         tables and `tract`, and by ONNX Runtime ({onnxruntime}) behind the feature `ort`. A case passes when every output has the type,\n\
         the shape and, within the tolerance that the test data states, the elements that it must have.\n\
         *With constants* counts cases that pass once inputs such as shapes and axes are made constants of the model\n\
         (`ReadOptions::with_constant`). What is *refused* is refused with a reason: when the model is loaded, with the names of\n\
         its nodes, or at the latest when it is run. Nothing is wrong.\n\n\
         `cargo xtask onnx-table` writes this file, and `cargo xtask test` checks that it is current.\n\n\
         | operator | cases | default: passed | with constants | refused | ONNX Runtime: passed | refused | wrong |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    writeln!(text, "| **all** | {} |", cells(&all)).unwrap();
    for (name, row) in &rows {
        let name = if name.starts_with('(') { (*name).to_owned() } else { format!("`{name}`") };
        writeln!(text, "| {name} | {} |", cells(row)).unwrap();
    }
    text
}

#[test]
fn the_table_is_current_and_nothing_is_wrong() {
    let cases = data::made_by("nodes.py");
    // Panics of the engine are caught and are answers; hundreds of them would bury everything else.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let ours = outcomes(&cases, None);
    let theirs = outcomes(&cases, Some(Engine::OnnxRuntime));
    panic::set_hook(hook);
    if let Some(folder) = env::var_os("EDGE_ML_REASONS") {
        let mut text = String::new();
        for ((case, a), b) in cases.iter().zip(&ours).zip(&theirs) {
            writeln!(
                text,
                "{}\t{:?}\t{}\t{:?}\t{}",
                case.name,
                a.0,
                a.1.replace('\n', " "),
                b.0,
                b.1.replace('\n', " ")
            )
            .unwrap();
        }
        fs::write(Path::new(&folder).join("reasons.tsv"), text).unwrap();
    }
    let wrong: Vec<_> = cases
        .iter()
        .zip(ours.iter().zip(&theirs))
        .flat_map(|(case, (a, b))| [(case, "default", a), (case, "onnxruntime", b)])
        .filter(|(_, _, outcome)| outcome.0 == Outcome::Wrong)
        .map(|(case, engine, outcome)| format!("{} by {engine}: {}", case.name, outcome.1))
        .collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let table = table(&cases, &ours, &theirs);
    if env::var_os("EDGE_ML_WRITE_TABLE").is_some() {
        fs::write(TABLE, &table).unwrap();
    }
    let written = fs::read_to_string(TABLE).unwrap_or_default();
    assert!(written == table, "OPERATORS.md is not current: `cargo xtask onnx-table` writes it");
}
