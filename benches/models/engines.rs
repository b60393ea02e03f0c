//! The engines beside each other on models that ship in packages: one thread, one input at a time.

use edge_ml::{Engine, InferenceModel, Tensor, read};

use crate::data::{self, Case};
use crate::python;
use crate::timing::{Effort, in_turn, shown};

fn model(case: &Case, engine: Engine) -> Box<dyn InferenceModel> {
    let options = case.options.clone().with_engine(engine).with_library(python::library());
    read(&case.model, &options).unwrap_or_else(|error| panic!("{} by {engine}: {error:?}", case.name)).0
}

pub(crate) fn compare(effort: Effort) {
    println!("| model | tract | onnxruntime | tract ÷ onnxruntime |\n|---|--:|--:|--:|");
    for case in data::made_by("real.py") {
        let inputs: Vec<_> = case.inputs.iter().flat_map(|(_, tensor)| tensor).map(Tensor::view).collect();
        let (mut tract, mut other) = (model(&case, Engine::Tract), model(&case, Engine::OnnxRuntime));
        let mut by_tract = || drop(tract.run(&inputs).expect("it ran in the tests"));
        let mut by_other = || drop(other.run(&inputs).expect("it ran in the tests"));
        let times = in_turn(effort, &mut [&mut by_tract, &mut by_other]);
        println!(
            "| {} | {} | {} | {:.2} |",
            case.name,
            shown(times[0]),
            shown(times[1]),
            times[0] / times[1]
        );
    }
    println!();
}
