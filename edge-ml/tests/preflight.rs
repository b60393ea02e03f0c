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

/// A field of Protocol Buffers with bytes in it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A constant of whole numbers that declares this many elements.
fn constant(name: &str, declared: u64, given: &[u64]) -> Vec<u8> {
    let mut dims = vec![1 << 3];
    let mut left = declared;
    while left >= 0x80 {
        dims.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    dims.push(left as u8);
    let raw: Vec<u8> = given.iter().flat_map(|value| value.to_le_bytes()).collect();
    [dims, vec![2 << 3, 7], field(8, name.as_bytes()), field(9, &raw)].concat()
}

fn file(node: &[u8], constant: &[u8]) -> Vec<u8> {
    let port = field(1, b"y");
    let graph = [field(1, node), field(5, constant), field(12, &port)].concat();
    [vec![1 << 3, 8], field(7, &graph), field(8, &[2 << 3, 15])].concat()
}

fn node(operator: &str) -> Vec<u8> {
    [field(1, b"c"), field(2, b"y"), field(3, b"maker"), field(4, operator.as_bytes())].concat()
}

#[test]
fn what_would_be_allocated_is_looked_at_before_an_engine_does() {
    let refused = |file: &[u8]| {
        let (report, model) = Preflight::run(file, &Demands::default(), &SystemClock);
        assert!(model.is_none(), "{report}");
        report.to_string()
    };
    let huge = file(&node("Identity"), &constant("c", 1 << 40, &[]));
    assert!(
        refused(&huge).contains("\"c\" declares 1099511627776 elements, and has 0"),
        "{}",
        refused(&huge)
    );
    let maker = file(&node("ConstantOfShape"), &constant("c", 2, &[1 << 30, 1 << 30]));
    let reason = refused(&maker);
    assert!(reason.contains("node \"maker\" makes 1152921504606846976 elements of constants"), "{reason}");
}
