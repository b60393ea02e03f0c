//! Models of tables against onnxruntime: pipelines by skl2onnx, and the odd corners of each operator.

mod cases;

use cases::{Case, compare};
use edge_ml::{FileLimits, InferenceModel, TabularModel, TensorView};

fn run(case: &Case) -> Result<(), String> {
    let mut model =
        TabularModel::read(&case.model, &FileLimits::default()).map_err(|error| error.to_string())?;
    let inputs: Vec<_> = case.inputs.iter().map(|(_, tensor)| tensor.view()).collect();
    let outputs = model.run(&inputs).map_err(|error| error.to_string())?;
    let views: Vec<TensorView<'_>> = outputs.iter().map(edge_ml::Tensor::view).collect();
    model.signature().check_run(&inputs, &views).map_err(|error| format!("{} {error}", model.signature()))?;
    compare(&outputs, &case.outputs, 1e-5)
}

#[test]
fn all_cases_answer_as_onnxruntime_does() {
    let cases = cases::read(include_str!("vectors/cases.txt"));
    assert!(cases.len() > 120, "{} cases", cases.len());
    let wrong: Vec<_> =
        cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, run(case).err()?))).collect();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Returns the case of this name.
fn case(name: &str) -> Case {
    cases::read(include_str!("vectors/cases.txt")).into_iter().find(|case| case.name == name).unwrap()
}

#[test]
fn rows_and_classes_are_in_the_signature() {
    let model = TabularModel::read(&case("forest_words").model, &FileLimits::default()).unwrap();
    let signature = model.signature();
    assert!(signature.is_batched(), "{signature}");
    let labels = signature.outputs()[1].labels.clone().unwrap();
    assert_eq!(labels.to_vec(), ["idle", "running", "worn out"]);
}

#[test]
fn damaged_files_are_refused_or_answer_and_never_panic() {
    for name in ["scaler_gbt_three", "svc_three_probability", "one_hot_text", "kmeans", "mlp_classifier"] {
        let case = case(name);
        let inputs: Vec<_> = case.inputs.iter().map(|(_, tensor)| tensor.view()).collect();
        let try_it = |bytes: &[u8]| {
            if let Ok(mut model) = TabularModel::read(bytes, &FileLimits::default()) {
                let _any_answer = model.run(&inputs);
            }
        };
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..400 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = case.model.clone();
            let at = (random >> 33) as usize % bytes.len();
            match round % 3 {
                0 => bytes[at] ^= 1 << (random % 8),
                1 => bytes[at] = (random >> 20) as u8,
                _ => bytes.truncate(at),
            }
            try_it(&bytes);
        }
    }
}

mod kit {
    use super::case;
    use edge_ml::testing::model::ModelHarness;
    use edge_ml::{FileLimits, InferenceModel, TabularModel, Tensor};

    struct Harness(&'static str);

    impl ModelHarness for Harness {
        fn open(&self) -> Box<dyn InferenceModel> {
            Box::new(TabularModel::read(&case(self.0).model, &FileLimits::default()).unwrap())
        }

        fn inputs(&self, rows: usize) -> Vec<Tensor> {
            vec![case(self.0).inputs[0].1.view().rows(rows, 2 * rows).unwrap()]
        }
    }

    mod trees {
        edge_ml::model_conformance!(super::Harness("scaler_gbt_three"));
    }
    mod network {
        edge_ml::model_conformance!(super::Harness("mlp_classifier"));
    }
    mod vectors {
        edge_ml::model_conformance!(super::Harness("svc_three_probability"));
    }
}
