//! ONNX models by tract: the same contract, the same answers as onnxruntime.
#![cfg(feature = "tract")]

mod cases;

use cases::{Case, compare};
use edge_ml::{InferenceModel, LoadError, ReadOptions, Tensor, TractModel};

fn all() -> Vec<Case> {
    cases::read(include_str!("vectors/cases.txt"))
}

/// What must be among what tract runs; what it lacks, the evaluator of tables has.
const SHARED: [&str; 4] = ["kmeans", "linear_regression", "op_linear_3_softmax", "op_normalizer_l2"];

#[test]
fn what_is_loaded_answers_as_onnxruntime_does() {
    let (mut loaded, mut wrong) = (Vec::new(), Vec::new());
    for case in all() {
        let mut model = match TractModel::read(&case.model, &ReadOptions::default()) {
            Ok(model) => model,
            Err(error) => {
                println!("{}: {}", case.name, edge_core::Report(&error));
                continue;
            }
        };
        let inputs: Vec<_> = case.inputs.iter().map(|(_, tensor)| tensor.view()).collect();
        match model.run(&inputs) {
            Ok(outputs) => match compare(&outputs, &case.outputs, 1e-4) {
                Ok(()) => loaded.push(case.name.clone()),
                Err(error) => wrong.push(format!("{}: {error}", case.name)),
            },
            Err(error) => println!("{}: {}", case.name, edge_core::Report(&error)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(SHARED.iter().all(|name| loaded.iter().any(|loaded| loaded == name)), "{loaded:?}");
}

#[test]
fn a_constant_takes_an_input_out_of_the_signature() {
    let case = all().into_iter().find(|case| case.name == "op_extractor").unwrap();
    let options = ReadOptions::default().with_constant("nothing", Tensor::scalar(1i64));
    let error = TractModel::read(&case.model, &options).unwrap_err();
    assert!(matches!(error, LoadError::NoInput { .. }), "{error}");
}

#[test]
fn damaged_files_are_refused_and_never_panic() {
    let case = all().into_iter().find(|case| case.name == "kmeans").unwrap();
    for at in (0..case.model.len()).step_by(17) {
        let mut bytes = case.model.clone();
        bytes[at] ^= 0x15;
        if let Ok(mut model) = TractModel::read(&bytes, &ReadOptions::default()) {
            let inputs: Vec<_> = case.inputs.iter().map(|(_, tensor)| tensor.view()).collect();
            let _any_answer = model.run(&inputs);
        }
        assert!(TractModel::read(&case.model[..at], &ReadOptions::default()).is_err());
    }
}

mod kit {
    use edge_ml::testing::model::ModelHarness;
    use edge_ml::{InferenceModel, ReadOptions, Tensor, TractModel};

    struct Harness;

    impl ModelHarness for Harness {
        fn open(&self) -> Box<dyn InferenceModel> {
            let case = super::all().into_iter().find(|case| case.name == "kmeans").unwrap();
            Box::new(TractModel::read(&case.model, &ReadOptions::default()).unwrap())
        }

        fn inputs(&self, rows: usize) -> Vec<Tensor> {
            let case = super::all().into_iter().find(|case| case.name == "kmeans").unwrap();
            vec![case.inputs[0].1.view().rows(rows, 2 * rows).unwrap()]
        }
    }

    edge_ml::model_conformance!(Harness);
}
