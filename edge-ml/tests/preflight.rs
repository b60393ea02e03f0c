//! Model files are judged before they serve.

mod cases;

use std::time::Duration;

use edge_core::SystemClock;
use edge_ml::{Demands, Engine, Objection, Preflight, Sample, Tensor};

fn case(name: &str) -> cases::Case {
    cases::read(include_str!("vectors/cases.txt")).into_iter().find(|case| case.name == name).unwrap()
}

fn sample(case: &cases::Case) -> Sample {
    let tensors = |all: &[(String, Tensor)]| all.iter().map(|(_, tensor)| tensor.clone()).collect();
    Sample::new(tensors(&case.inputs), tensors(&case.outputs), 1e-5)
}

#[test]
fn a_good_model_is_ready() {
    let case = case("scaler_gbt_regressor");
    let (report, model) =
        Preflight::run(&case.model, &Demands::default().sample(sample(&case)), &SystemClock);
    assert!(report.is_ready(), "{report}");
    assert_eq!(report.engine, Some(Engine::Tables));
    assert_eq!(report.operators["ai.onnx.ml.TreeEnsembleRegressor"], 1);
    assert!(report.run_time.is_some() && report.memory_bytes > 0);
    assert!(model.is_some());
}

#[test]
fn a_wrong_sample_is_an_objection() {
    let case = case("scaler_gbt_regressor");
    let mut sample = sample(&case);
    let shifted = sample.outputs[0].values::<f32>().unwrap().iter().map(|value| value + 0.5).collect();
    sample.outputs[0] = Tensor::new(sample.outputs[0].shape(), shifted).unwrap();
    let (report, _) = Preflight::run(&case.model, &Demands::default().sample(sample), &SystemClock);
    assert!(matches!(report.objections[..], [Objection::Sample { sample: 0, .. }]), "{report}");
}

#[test]
fn demands_are_kept() {
    let case = case("scaler_gbt_regressor");
    let demands = Demands::default().max_memory_bytes(10).max_run(Duration::ZERO);
    let (report, _) = Preflight::run(&case.model, &demands, &SystemClock);
    let slow = report.objections.iter().any(|objection| matches!(objection, Objection::Slow { .. }));
    let large = report.objections.iter().any(|objection| matches!(objection, Objection::Memory { .. }));
    assert!(slow && large, "{report}");
}

#[test]
fn what_is_no_model_is_refused_with_a_reason() {
    for bytes in [&b""[..], b"hello", &[0xff; 40], &[0x3a, 0x05, 0x0a]] {
        let (report, model) = Preflight::run(bytes, &Demands::default(), &SystemClock);
        assert!(model.is_none() && matches!(report.objections[..], [Objection::File(_)]), "{report}");
    }
}

#[test]
fn nodes_that_nothing_runs_are_listed_by_name() {
    // The operator's name is changed into one of the same length that nobody knows.
    let mut case = case("op_scaler_one");
    let at = case.model.windows(6).position(|window| window == b"Scaler").unwrap();
    case.model[at..at + 6].copy_from_slice(b"Scalar");
    let (report, _) = Preflight::run(&case.model, &Demands::default(), &SystemClock);
    assert_eq!(report.not_of_tables.len(), 1);
    assert_eq!(report.not_of_tables[0].operator, "ai.onnx.ml.Scalar");
    assert!(!report.is_ready(), "{report}");
}
