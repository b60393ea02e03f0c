//! Models that ship in packages: the same answers as onnxruntime gives.

use edge_ml::{Engine, Tensor, read};

use crate::compare::{self, Tolerance};
use crate::data::{self, Case};
use crate::python;

/// How far an answer may be from onnxruntime's: as a share of it, and beside that.
const TOLERANCE: Tolerance = Tolerance { relative: 1e-4, of_halves: 1e-4, absolute: 1e-4, of_largest: 0.0 };

fn answer(case: &Case, engine: Engine) -> Result<(), String> {
    let mut options = case.options.clone().with_engine(engine);
    if engine == Engine::OnnxRuntime {
        options = options.with_library(python::library());
    }
    let (mut model, used, resolved) =
        read(&case.model, &options).map_err(|e| edge_core::Report(&e).to_string())?;
    assert_eq!((used, resolved.len()), (engine, 0), "{}", case.name);
    let inputs = case.tensors().ok_or("an input is no tensor")?;
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    let outputs = model.run(&views).map_err(|error| edge_core::Report(&error).to_string())?;
    let out: Vec<_> = outputs.iter().map(Tensor::view).collect();
    model.signature().check_run(&views, &out).map_err(|error| error.to_string())?;
    compare::difference(&outputs, case, TOLERANCE)
}

#[test]
fn models_from_packages_answer_as_onnxruntime_does() {
    let cases = data::made_by("real.py");
    assert!(cases.len() >= 12, "{} models", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        for engine in [Engine::Tract, Engine::OnnxRuntime] {
            if let Err(reason) = answer(case, engine) {
                wrong.push(format!("{} by {engine}: {reason}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn large_ensembles_of_trees_answer_as_onnxruntime_does() {
    let cases = data::made_by("trees.py");
    assert!(cases.len() >= 5, "{} models", cases.len());
    for case in &cases {
        for engine in [Engine::Tables, Engine::OnnxRuntime] {
            answer(case, engine).unwrap_or_else(|reason| panic!("{} by {engine}: {reason}", case.name));
        }
    }
}
