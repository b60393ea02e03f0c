//! Models of tables, by the evaluator in `edge-ml` and by ONNX Runtime.

use edge_ml::{Engine, InferenceModel, ReadOptions, Tensor, read};

use crate::cases::{self, Case};
use crate::timing::{Effort, in_turn, shown};
use crate::{data, python};

const NAMES: [&str; 10] = [
    "scaler_gbt_regressor",
    "scaler_gbt_three",
    "gbt_binary",
    "forest_regressor",
    "forest_binary",
    "svr",
    "svc_three_probability",
    "scaler_kmeans",
    "logistic_binary",
    "mlp_classifier",
];

pub(crate) fn all() -> Vec<Case> {
    cases::read(include_str!("../../edge-ml/tests/vectors/cases.txt"))
}

fn model(bytes: &[u8], options: &ReadOptions) -> Box<dyn InferenceModel> {
    read(bytes, options).expect("it ran in the tests").0
}

/// How many rows are asked for at once.
const ROWS: [usize; 2] = [1, 64];

/// Returns as many rows as wanted, the same ones over and over.
fn repeated(tensor: &Tensor, rows: usize) -> Tensor {
    let (count, columns) = (tensor.shape()[0], tensor.shape()[1]);
    let values = tensor.values::<f32>().expect("it has numbers");
    let values: Vec<f32> = values.iter().copied().cycle().take(rows * columns).collect();
    assert!(count > 0 && values.len() == rows * columns, "it has rows");
    Tensor::new([rows, columns], values).expect("these are as many as there must be")
}

fn row(name: &str, bytes: &[u8], input: &Tensor, effort: Effort, has_peers: bool) {
    for rows in ROWS {
        let input = repeated(input, rows);
        let inputs = [input.view()];
        let options = ReadOptions::default();
        let mut tables = model(bytes, &options);
        let mut ours = || drop(tables.run(&inputs).expect("it ran in the tests"));
        if !has_peers {
            let times = in_turn(effort, &mut [&mut ours]);
            println!("| {name} | {rows} | {} | | |", shown(times[0]));
            continue;
        }
        let options = options.with_engine(Engine::OnnxRuntime).with_library(python::library());
        let mut other = model(bytes, &options);
        let mut theirs = || drop::<Vec<Tensor>>(other.run(&inputs).expect("it ran in the tests"));
        let times = in_turn(effort, &mut [&mut ours, &mut theirs]);
        let ratio = times[0] / times[1];
        println!("| {name} | {rows} | {} | {} | {ratio:.2} |", shown(times[0]), shown(times[1]));
    }
}

pub(crate) fn compare(effort: Effort, has_peers: bool) {
    println!("| model | rows | tables | onnxruntime | tables ÷ onnxruntime |\n|---|--:|--:|--:|--:|");
    for case in all().iter().filter(|case| NAMES.contains(&case.name.as_str())) {
        row(&case.name, &case.model, &case.inputs[0].1, effort, has_peers);
    }
    if has_peers {
        for case in data::made_by("trees.py") {
            let input = case.inputs[0].1.as_ref().expect("it is a tensor");
            row(&case.name, &case.model, input, effort, has_peers);
        }
    }
    println!();
}
