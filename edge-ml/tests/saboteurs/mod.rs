//! Broken models: the reference model with one flaw each.
#![allow(unreachable_pub, reason = "used by the test file beside it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use edge_ml::{
    Affine, Dim, ElementType, InferenceModel, MisfitError, Port, RunError, Signature, Tensor, TensorView,
};

macro_rules! flaws {
    ($($flaw:ident => $case:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flaw {
            $($flaw,)*
        }

        impl Flaw {
            /// Every flaw, with the case that must catch it.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$flaw, $case)),*];
        }
    };
}

flaws! {
    RenamesItself => "the_signature_stays",
    TakesAnyCount => "a_wrong_count_is_refused",
    TakesAnyType => "a_wrong_type_is_refused",
    TakesAnyShape => "a_wrong_shape_is_refused",
    SulksAfterRefusing => "a_refusal_changes_nothing",
    DropsAnOutput => "answers_fit_the_signature",
    Remembers => "answers_repeat",
    MixesRows => "rows_are_independent",
    ForksAnother => "forks_answer_alike",
    SharesItsCount => "forks_share_nothing",
    PanicsOnNan => "strange_values_do_not_panic",
    PanicsOnNothing => "no_rows_do_not_panic",
}

/// A sound model with one flaw.
#[derive(Clone, Debug)]
pub struct Broken {
    inner: Affine,
    signature: Signature,
    flaw: Flaw,
    runs: u32,
    forks: Arc<AtomicU32>,
    refused: bool,
    is_fork: bool,
}

impl Broken {
    pub fn new(inner: Affine, flaw: Flaw) -> Self {
        let signature = inner.signature().clone();
        Self { inner, signature, flaw, runs: 0, forks: Arc::default(), refused: false, is_fork: false }
    }

    fn add(tensors: &mut [Tensor], summand: f32) {
        for tensor in tensors {
            let values = tensor.values::<f32>().unwrap().iter().map(|value| value + summand).collect();
            *tensor = Tensor::new(tensor.shape(), values).unwrap();
        }
    }

    /// Answers what does not fit, as a careless engine would.
    fn carelessly(&self, misfit: &MisfitError, inputs: &[TensorView<'_>]) -> Option<Vec<Tensor>> {
        let wrong_type = inputs.iter().any(|input| input.element_type() != ElementType::F32);
        let careless = match (self.flaw, misfit) {
            (Flaw::TakesAnyCount, MisfitError::Count { .. }) => true,
            (Flaw::TakesAnyType, MisfitError::Port { .. }) => wrong_type,
            (Flaw::TakesAnyShape, MisfitError::Port { .. }) => !wrong_type,
            _ => false,
        };
        careless.then(Vec::new)
    }
}

impl InferenceModel for Broken {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        self.runs += 1;
        let values = inputs.first().and_then(|input| input.values::<f32>()).unwrap_or_default();
        match self.flaw {
            Flaw::PanicsOnNan => assert!(!values.iter().any(|value| value.is_nan())),
            Flaw::PanicsOnNothing => {
                assert!(inputs.is_empty() || !values.is_empty() || inputs[0].shape()[0] > 0)
            }
            Flaw::RenamesItself => {
                let port = Port::new("z", ElementType::F32, vec![Dim::Symbol("batch".into()), Dim::Fixed(2)]);
                self.signature = Signature::new(self.signature.inputs().to_vec(), vec![port]);
            }
            _ => {}
        }
        let mut outputs = match self.inner.run(inputs) {
            Ok(outputs) => outputs,
            Err(RunError::Input(misfit)) => {
                self.refused = true;
                return self.carelessly(&misfit, inputs).ok_or(RunError::Input(misfit));
            }
            Err(other) => return Err(other),
        };
        match self.flaw {
            Flaw::SulksAfterRefusing if self.refused => {
                return Err(RunError::Failed { reason: "it was refused once".into() });
            }
            Flaw::DropsAnOutput => drop(outputs.pop()),
            Flaw::Remembers => Self::add(&mut outputs, self.runs as f32),
            Flaw::MixesRows => Self::add(&mut outputs, values.iter().sum()),
            Flaw::ForksAnother if self.is_fork => Self::add(&mut outputs, 1.0),
            Flaw::SharesItsCount => Self::add(&mut outputs, self.forks.load(Ordering::SeqCst) as f32),
            _ => {}
        }
        if self.is_fork {
            self.forks.fetch_add(1, Ordering::SeqCst);
        }
        Ok(outputs)
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        Box::new(Self { is_fork: true, ..self.clone() })
    }
}
