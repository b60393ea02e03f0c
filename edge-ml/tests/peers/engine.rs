//! The adapter of ONNX Runtime: the same kit, the same answers, and the same signatures as the other engines.

use edge_ml::testing::model::ModelHarness;
use edge_ml::{Engine, InferenceModel, LoadError, OnnxRuntimeModel, ReadOptions, Tensor, read};

use crate::cases::{self, Case};
use crate::python;

fn options() -> ReadOptions {
    ReadOptions::default().with_engine(Engine::OnnxRuntime).with_library(python::library())
}

fn all() -> Vec<Case> {
    cases::read(include_str!("../vectors/cases.txt"))
}

fn case(name: &str) -> Case {
    all().into_iter().find(|case| case.name == name).unwrap()
}

#[test]
fn the_recorded_answers_are_those_of_the_library() {
    let (mut wrong, mut same) = (Vec::new(), 0);
    for case in all() {
        let outcome = read(&case.model, &options()).map_err(|error| edge_core::Report(&error).to_string());
        let ran = outcome.and_then(|(mut model, ..)| {
            let inputs: Vec<_> = case.inputs.iter().map(|(_, tensor)| tensor.view()).collect();
            let outputs = model.run(&inputs).map_err(|error| edge_core::Report(&error).to_string())?;
            let (tables, ..) =
                read(&case.model, &ReadOptions::default()).map_err(|error| error.to_string())?;
            let labels = |model: &dyn InferenceModel| {
                model.signature().outputs().iter().map(|port| port.element).collect::<Vec<_>>()
            };
            assert_eq!(labels(&*model), labels(&*tables), "{}", case.name);
            cases::compare(&outputs, &case.outputs, 1e-5)
        });
        match ran {
            Ok(()) => same += 1,
            Err(reason) => wrong.push(format!("{}: {reason}", case.name)),
        }
    }
    assert!(wrong.is_empty() && same > 120, "{same} same\n{}", wrong.join("\n"));
}

#[test]
fn another_library_is_refused_by_name() {
    let model = case("kmeans").model;
    read(&model, &options()).unwrap();
    let error = read(&model, &options().with_library("/no/such/library.so")).unwrap_err();
    assert!(matches!(error, LoadError::Library { .. }), "{error}");
    let text = edge_core::Report(&error).to_string();
    assert!(text.contains("/no/such/library.so") && text.contains("is loaded already"), "{text}");
}

#[test]
fn a_file_that_is_refused_says_why_and_leaves_the_library_usable() {
    let mut model = case("mlp_classifier").model;
    for at in 0..model.len() - 6 {
        if &model[at..at + 6] == b"MatMul" {
            model[at..at + 6].copy_from_slice(b"MatMux");
        }
    }
    let error = read(&model, &options()).unwrap_err();
    assert!(edge_core::Report(&error).to_string().contains("MatMux"), "{}", edge_core::Report(&error));
    read(&case("mlp_classifier").model, &options()).unwrap();
}

struct Harness(&'static str);

impl ModelHarness for Harness {
    fn open(&self) -> Box<dyn InferenceModel> {
        Box::new(OnnxRuntimeModel::read(&case(self.0).model, &options()).unwrap())
    }

    fn inputs(&self, rows: usize) -> Vec<Tensor> {
        vec![case(self.0).inputs[0].1.view().rows(rows, 2 * rows).unwrap()]
    }
}

mod clusters {
    edge_ml::model_conformance!(super::Harness("kmeans"));
}
mod trees {
    edge_ml::model_conformance!(super::Harness("scaler_gbt_three"));
}
mod network {
    edge_ml::model_conformance!(super::Harness("mlp_classifier"));
}
