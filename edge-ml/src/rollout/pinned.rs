//! A request's version.

use std::sync::Arc;
use std::time::Duration;

use super::generation::Generation;
use super::serving::{Answer, ServeError, Serving, failed};
use crate::model::RunError;
use crate::tensor::{Tensor, TensorView};

/// A request's version, picked once.
#[derive(Debug)]
pub struct Pinned<'a> {
    serving: &'a Serving,
    generation: Arc<Generation>,
    good: Option<Arc<Generation>>,
    shadow: Option<Arc<Generation>>,
}

impl<'a> Pinned<'a> {
    pub(super) const fn new(
        serving: &'a Serving,
        generation: Arc<Generation>,
        good: Option<Arc<Generation>>,
        shadow: Option<Arc<Generation>>,
    ) -> Self {
        Self { serving, generation, good, shadow }
    }

    /// Returns the version.
    #[must_use]
    pub const fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Returns the version that answers where the one that was picked has no answer.
    pub(crate) const fn good(&self) -> Option<&Arc<Generation>> {
        self.good.as_ref()
    }

    /// Returns the version whose answers are only compared.
    pub(crate) const fn shadow(&self) -> Option<&Arc<Generation>> {
        self.shadow.as_ref()
    }

    /// Takes note of an answer of the version that was picked; `other` is what the version that it is compared with is asked.
    pub(crate) fn answered(&self, inputs: &[Tensor], outputs: &[Tensor], other: Option<&[Tensor]>) {
        self.serving.saw(&views(inputs));
        if let Some(other) = other {
            self.offer(&views(other), outputs);
        }
    }

    fn offer(&self, inputs: &[TensorView<'_>], outputs: &[Tensor]) {
        if let Some(shadow) = &self.shadow {
            self.serving.side.offer(inputs, outputs, shadow, shadow);
        } else if let Some(good) = &self.good {
            self.serving.side.offer(inputs, outputs, good, &self.generation);
        }
    }

    /// Takes note that the last known good version answered.
    pub(crate) fn fell_back(&self, inputs: &[Tensor]) {
        self.serving.count_fall_back();
        self.serving.saw(&views(inputs));
    }

    /// An error is not held against the version that was picked: no other version has an answer either.
    pub(crate) fn forgive(&self, cause: &'static str) {
        self.generation.forgive(cause);
    }

    pub(super) fn answer_of(&self, outputs: Vec<Tensor>, fell_back: bool) -> Answer {
        let good = self.good.as_ref().filter(|_| fell_back);
        Answer { outputs, generation: Arc::clone(good.unwrap_or(&self.generation)), fell_back }
    }

    /// Returns the error of a request that no other version is asked for.
    pub(super) fn failed(&self, error: RunError) -> ServeError {
        if matches!(error, RunError::Input(_)) {
            self.generation.forgive(error.cause());
        }
        failed(&self.generation, error)
    }

    /// Runs the version in the caller's thread, which a model that does not return keeps; `waited` is how long the request waited before, and is only counted.
    ///
    /// # Errors
    /// [`ServeError::Run`] when it has no answer, and neither has the last known good version if this one is on trial.
    pub fn run(self, inputs: &[TensorView<'_>], waited: Duration) -> Result<Answer, ServeError> {
        let clock = &**self.serving.clock();
        match self.generation.run(inputs, waited, clock) {
            Ok(outputs) => {
                self.serving.saw(inputs);
                self.offer(inputs, &outputs);
                Ok(self.answer_of(outputs, false))
            }
            Err(error) => {
                let cause = error.cause();
                let Some(good) = self.good() else { return Err(self.failed(error)) };
                let outputs = good.run(inputs, waited, clock).map_err(|error| {
                    self.generation.forgive(cause);
                    failed(good, error)
                })?;
                self.serving.count_fall_back();
                self.serving.saw(inputs);
                Ok(self.answer_of(outputs, true))
            }
        }
    }
}

fn views(tensors: &[Tensor]) -> Vec<TensorView<'_>> {
    tensors.iter().map(Tensor::view).collect()
}
