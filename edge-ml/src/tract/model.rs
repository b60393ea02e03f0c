//! A model of the engine, as the gateway runs it.

use std::fmt;

use tract_onnx::prelude::{TValue, TVec, TractResult, TypedSimpleState};

use super::convert;
use super::load::{self, Loaded};
use crate::guarded::guarded;
use crate::load::LoadError;
use crate::model::{InferenceModel, RunError};
use crate::options::ReadOptions;
use crate::signature::Signature;
use crate::tensor::{Tensor, TensorView};

/// An ONNX model run by `tract`.
///
/// A panic of the engine, which some damaged models cause, is caught and marks the model bad.
///
/// # Examples
/// ```no_run
/// use edge_ml::{InferenceModel, TractModel, ReadOptions};
///
/// let bytes = std::fs::read("detector.onnx")?;
/// let model = TractModel::read(&bytes, &ReadOptions::default())?;
/// println!("{}", model.signature());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TractModel {
    loaded: Loaded,
    state: State,
}

enum State {
    /// Not used yet.
    Fresh,
    Ready(Box<TypedSimpleState>),
    Bad(String),
}

impl TractModel {
    /// Reads a model from the bytes of an ONNX file.
    ///
    /// A dimension that is open and that the engine cannot leave open is resolved when it is the first of an input: to
    /// 1, see [`TractModel::resolved`]. Others are asked for by [`LoadError::Dimension`].
    ///
    /// # Errors
    /// [`LoadError`] when the file is no model, or one that the engine cannot run.
    pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Self, LoadError> {
        Ok(Self { loaded: load::load(bytes, options)?, state: State::Fresh })
    }

    /// Returns the dimensions that were given a size since the engine could not leave them open.
    #[must_use]
    pub fn resolved(&self) -> &[(String, usize)] {
        &self.loaded.resolved
    }

    fn answer(
        state: &mut TypedSimpleState,
        inputs: &[TensorView<'_>],
        signature: &Signature,
    ) -> TractResult<Vec<Tensor>> {
        let inputs: TVec<TValue> = inputs
            .iter()
            .map(|view| convert::to_engine(*view).map(Into::into))
            .collect::<TractResult<_>>()?;
        let outputs = state.run(inputs)?;
        let ports = signature.outputs();
        outputs.iter().zip(ports).map(|(output, port)| convert::from_engine(output, port.element)).collect()
    }
}

impl InferenceModel for TractModel {
    fn signature(&self) -> &Signature {
        &self.loaded.signature
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        let Loaded { plan, signature, .. } = &self.loaded;
        signature.check_inputs(inputs)?;
        let mut state = match std::mem::replace(&mut self.state, State::Fresh) {
            State::Bad(reason) => {
                self.state = State::Bad(reason.clone());
                return Err(RunError::Bad { reason });
            }
            State::Ready(state) => state,
            State::Fresh => {
                let spawned = guarded(|| plan.spawn()).map_err(|message| RunError::Panicked { message })?;
                Box::new(spawned.map_err(|error| RunError::Engine(format!("{error:#}").into()))?)
            }
        };
        match guarded(|| Self::answer(&mut state, inputs, signature)) {
            Ok(Ok(answer)) => {
                self.state = State::Ready(state);
                Ok(answer)
            }
            // What the failed run left behind goes with the state: the next run has a fresh one.
            Ok(Err(error)) => Err(RunError::Failed { reason: format!("{error:#}") }),
            Err(message) => {
                self.state = State::Bad(message.clone());
                Err(RunError::Panicked { message })
            }
        }
    }

    fn fork(&self) -> Box<dyn InferenceModel> {
        let state = match &self.state {
            State::Bad(reason) => State::Bad(reason.clone()),
            _ => State::Fresh,
        };
        Box::new(Self { loaded: self.loaded.clone(), state })
    }
}

impl fmt::Debug for TractModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TractModel").field(&self.loaded.signature.to_string()).finish()
    }
}
