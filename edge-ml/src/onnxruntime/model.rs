//! A model of the library, as the gateway runs it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use ort::session::{Session, SessionInputValue};

use super::convert;
use super::load::{self, Loaded};
use crate::guarded::guarded;
use crate::load::LoadError;
use crate::model::{InferenceModel, RunError};
use crate::options::ReadOptions;
use crate::signature::Signature;
use crate::tensor::{Tensor, TensorView};

/// An ONNX model run by ONNX Runtime.
///
/// The library is loaded when the first model is read, from where [`ReadOptions::with_library`] says; nothing of it is
/// needed to build, and nothing is downloaded. Versions 1.17 and later will do. Each instance has one thread, the
/// caller's, and a session of its own, with a copy of the weights.
///
/// The library is native code: what it does with a file that was made to harm it is not bounded by anything here. Read
/// files that you trust with it, or whose signature was checked.
///
/// # Examples
/// ```no_run
/// use edge_ml::{InferenceModel, OnnxRuntimeModel, ReadOptions};
///
/// let bytes = std::fs::read("detector.onnx")?;
/// let options = ReadOptions::default().with_library("/usr/lib/libonnxruntime.so");
/// let model = OnnxRuntimeModel::read(&bytes, &options)?;
/// println!("{}", model.signature());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OnnxRuntimeModel {
    loaded: Arc<Loaded>,
    state: State,
}

enum State {
    /// Not used yet.
    Fresh,
    Ready(Box<Session>),
    Bad(String),
}

impl OnnxRuntimeModel {
    /// Reads a model from the bytes of an ONNX file.
    ///
    /// # Errors
    /// [`LoadError`] when the file is no model or one that the library refuses, or when there is no library.
    pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Self, LoadError> {
        let (mut loaded, mut session) = load::load(bytes, options)?;
        let ports = loaded.signature.inputs();
        if let Some(zeros) = ports.iter().map(crate::preflight::zeros).collect::<Option<Vec<_>>>() {
            let views: Vec<_> = zeros.iter().map(Tensor::view).collect();
            // Zeros may have no answer; then what the file declares stands.
            if let Ok(Ok(outputs)) = guarded(|| Self::answer(&mut session, &views, &loaded)) {
                loaded.believe(&outputs);
            }
        }
        Ok(Self { loaded: Arc::new(loaded), state: State::Ready(Box::new(session)) })
    }

    fn answer(
        session: &mut Session,
        inputs: &[TensorView<'_>],
        loaded: &Loaded,
    ) -> Result<Vec<Tensor>, String> {
        let said = |error: ort::Error| error.to_string();
        let mut values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for (port, view) in loaded.signature.inputs().iter().zip(inputs) {
            values.push((Cow::Borrowed(&*port.name), convert::to_engine(*view).map_err(said)?));
        }
        for (name, tensor) in &loaded.constants {
            values.push((Cow::Borrowed(name), convert::to_engine(tensor.view()).map_err(said)?));
        }
        let outputs = session.run(values).map_err(said)?;
        let ports = loaded.signature.outputs();
        ports
            .iter()
            .zip(outputs.values())
            .map(|(port, value)| convert::from_engine(&value, port.labels.as_ref()))
            .collect()
    }

    /// Returns what comes out, once it is what the signature says.
    fn checked(
        inputs: &[TensorView<'_>],
        outputs: Vec<Tensor>,
        signature: &Signature,
    ) -> Result<Vec<Tensor>, RunError> {
        let views: Vec<_> = outputs.iter().map(Tensor::view).collect();
        match signature.check_run(inputs, &views) {
            Ok(()) => Ok(outputs),
            Err(error) => Err(RunError::Failed {
                reason: format!("what came out is not what the file declares: {error}"),
            }),
        }
    }
}

impl InferenceModel for OnnxRuntimeModel {
    fn signature(&self) -> &Signature {
        &self.loaded.signature
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, RunError> {
        let loaded = &*self.loaded;
        loaded.signature.check_inputs(inputs)?;
        let mut session = match std::mem::replace(&mut self.state, State::Fresh) {
            State::Bad(reason) => {
                self.state = State::Bad(reason.clone());
                return Err(RunError::Bad { reason });
            }
            State::Ready(session) => session,
            State::Fresh => Box::new(loaded.session().map_err(|error| RunError::Engine(error.into()))?),
        };
        match guarded(|| Self::answer(&mut session, inputs, loaded)) {
            Ok(answer) => {
                self.state = State::Ready(session);
                let outputs = answer.map_err(|reason| RunError::Failed { reason })?;
                Self::checked(inputs, outputs, &loaded.signature)
            }
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

impl fmt::Debug for OnnxRuntimeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnnxRuntimeModel").field(&self.loaded.signature.to_string()).finish()
    }
}
