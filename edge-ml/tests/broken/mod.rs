//! Models that misbehave on demand.

use std::sync::{Arc, Condvar, Mutex};

use edge_ml::{Affine, InferenceModel, RunError, Signature, Tensor, TensorView};

/// Holds a model's first runs until it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<(bool, bool)>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }

    /// Waits until a model stands at the gate.
    pub(crate) fn until_reached(&self) {
        let state = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(state, |(reached, _)| !*reached).unwrap());
    }

    fn pass(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.0 = true;
        self.0.1.notify_all();
        drop(self.0.1.wait_while(state, |(_, open)| !*open).unwrap());
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    Waits(Gate),
    PanicsOn(f32),
}

#[derive(Clone, Debug)]
pub(crate) struct Odd {
    inner: Affine,
    behaviour: Behaviour,
}

impl Odd {
    pub(crate) fn new(inner: Affine, behaviour: Behaviour) -> Self {
        Self { inner, behaviour }
    }
}

impl InferenceModel for Odd {
    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        match &self.behaviour {
            Behaviour::Waits(gate) => gate.pass(),
            Behaviour::PanicsOn(value) => {
                let values = inputs.first().and_then(|input| input.values::<f32>()).unwrap_or_default();
                assert!(!values.contains(value), "the model does not like this number");
            }
        }
        self.inner.run(inputs)
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        Box::new(self.clone())
    }
}
