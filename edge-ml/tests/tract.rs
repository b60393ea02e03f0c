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

/// A field of Protocol Buffers with bytes in it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A model that makes three rows of four of a matrix whose sizes it leaves open.
fn reshaping() -> Vec<u8> {
    let dim = |symbol: &str| field(1, &field(2, symbol.as_bytes()));
    let shape = field(2, &[dim("rows"), dim("columns")].concat());
    let of_floats = |shape: &[u8]| field(2, &field(1, &[&[1 << 3, 1], shape].concat()));
    let to: Vec<u8> = [3i64, 4].iter().flat_map(|size| size.to_le_bytes()).collect();
    let constant = [&[1 << 3, 2, 2 << 3, 7], &*field(8, b"to"), &field(9, &to)].concat();
    let node = [field(1, b"x"), field(1, b"to"), field(2, b"y"), field(4, b"Reshape")].concat();
    let input = [field(1, b"x"), of_floats(&shape)].concat();
    let output = [field(1, b"y"), of_floats(&[])].concat();
    let graph = [field(1, &node), field(5, &constant), field(11, &input), field(12, &output)].concat();
    [vec![1 << 3, 8], field(7, &graph), field(8, &[2 << 3, 15])].concat()
}

#[test]
fn open_dimensions_are_asked_for_by_name_and_rows_become_one() {
    let file = reshaping();
    match TractModel::read(&file, &ReadOptions::default()).unwrap_err() {
        LoadError::Dimension { symbol, port, .. } => {
            assert_eq!((symbol.as_str(), port.as_str()), ("columns", "x: f32[rows, columns]"));
        }
        other => panic!("{other}"),
    }
    let mut model = TractModel::read(&file, &ReadOptions::default().with_dim("columns", 12)).unwrap();
    assert_eq!(model.resolved(), [("rows".to_owned(), 1)]);
    assert_eq!(model.signature().to_string(), "x: f32[1, 12] -> y: f32[3, 4]");
    let row = Tensor::new([1, 12], vec![0.5f32; 12]).unwrap();
    assert_eq!(model.run(&[row.view()]).unwrap()[0].shape(), [3, 4]);
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
