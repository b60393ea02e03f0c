//! Models of tables, by the evaluator in `edge-ml` and by ONNX Runtime.

use edge_ml::{Engine, InferenceModel, ReadOptions, Tensor, read};

use crate::cases::{self, Case};
use crate::python;
use crate::timing::{Effort, in_turn, shown};

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

fn model(case: &Case, options: &ReadOptions) -> Box<dyn InferenceModel> {
    read(&case.model, options).unwrap_or_else(|error| panic!("{}: {error:?}", case.name)).0
}

pub(crate) fn compare(effort: Effort, has_peers: bool) {
    println!("| model | rows | tables | onnxruntime | tables ÷ onnxruntime |\n|---|--:|--:|--:|--:|");
    for case in all().iter().filter(|case| NAMES.contains(&case.name.as_str())) {
        for rows in [1, 12] {
            let input = case.inputs[0].1.view().rows(0, rows).expect("there are twelve");
            let inputs = [input.view()];
            let options = ReadOptions::default();
            let mut tables = model(case, &options);
            let mut ours = || drop(tables.run(&inputs).expect("it ran in the tests"));
            if !has_peers {
                let times = in_turn(effort, &mut [&mut ours]);
                println!("| {} | {rows} | {} | | |", case.name, shown(times[0]));
                continue;
            }
            let options = options.with_engine(Engine::OnnxRuntime).with_library(python::library());
            let mut other = model(case, &options);
            let mut theirs = || drop::<Vec<Tensor>>(other.run(&inputs).expect("it ran in the tests"));
            let times = in_turn(effort, &mut [&mut ours, &mut theirs]);
            let ratio = times[0] / times[1];
            println!("| {} | {rows} | {} | {} | {ratio:.2} |", case.name, shown(times[0]), shown(times[1]));
        }
    }
    println!();
}
