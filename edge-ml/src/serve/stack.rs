//! Many requests as one run, and the answers apart again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::{InferenceModel, RunError};
use crate::tensor::{Tensor, TensorView};

type Answer = Result<Vec<Tensor>, RunError>;

/// Runs the model on one request, and makes an error of a panic.
pub(super) fn run_one(model: &mut dyn InferenceModel, inputs: &[Tensor]) -> Answer {
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    // A model that has panicked is never run again.
    catch_unwind(AssertUnwindSafe(|| model.run(&views))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(RunError::Panicked { message: text.unwrap_or_default() })
    })
}

/// Runs the model on many requests at once, and returns the answer to each.
///
/// When they do not stack, or the model has no answer for all of them together, each is run by itself, so that one bad
/// message does not fail its neighbours.
pub(super) fn run_all(model: &mut dyn InferenceModel, requests: &[&[Tensor]]) -> Vec<Answer> {
    if let [only] = requests {
        return vec![run_one(model, only)];
    }
    match stacked(requests).map(|inputs| run_one(model, &inputs)) {
        Some(Ok(outputs)) => match split(&outputs, requests) {
            Some(answers) => answers.into_iter().map(Ok).collect(),
            None => alone(model, requests),
        },
        Some(Err(error)) if error.is_bad() => {
            let again = || match &error {
                RunError::Panicked { message } => RunError::Panicked { message: message.clone() },
                other => RunError::Bad { reason: other.to_string() },
            };
            requests.iter().map(|_| Err(again())).collect()
        }
        _ => alone(model, requests),
    }
}

fn alone(model: &mut dyn InferenceModel, requests: &[&[Tensor]]) -> Vec<Answer> {
    let mut bad = None;
    let each = requests.iter().map(|inputs| match &bad {
        Some(reason) => Err(RunError::Bad { reason: String::clone(reason) }),
        None => {
            let answer = run_one(model, inputs);
            bad = answer.as_ref().err().filter(|error| error.is_bad()).map(ToString::to_string);
            answer
        }
    });
    each.collect()
}

fn stacked(requests: &[&[Tensor]]) -> Option<Vec<Tensor>> {
    let count = requests.first()?.len();
    let column = |index: usize| {
        let views: Option<Vec<TensorView<'_>>> =
            requests.iter().map(|inputs| inputs.get(index).map(Tensor::view)).collect();
        TensorView::stacked(&views?).ok()
    };
    let same = requests.iter().all(|inputs| inputs.len() == count);
    if same { (0..count).map(column).collect() } else { None }
}

fn split(outputs: &[Tensor], requests: &[&[Tensor]]) -> Option<Vec<Vec<Tensor>>> {
    let mut from = 0;
    let answers: Option<Vec<_>> = requests
        .iter()
        .map(|inputs| {
            let to = from + inputs.first()?.shape().first()?;
            let rows =
                outputs.iter().map(|output| output.view().rows(from, to).ok()).collect::<Option<Vec<_>>>();
            from = to;
            rows
        })
        .collect();
    let whole = outputs.iter().all(|output| output.shape().first() == Some(&from));
    answers.filter(|_| whole)
}
