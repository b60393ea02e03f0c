//! A declared mapping as what translates for an endpoint.

use std::sync::{Mutex, PoisonError};

use edge_core::{BoxError, Message, MessageBuilder};

use super::{OnError, Translate};
use crate::mapping::{Mapping, MappingWindows, OnMapError};
use crate::tensor::Tensor;

/// A [`Mapping`] with its windows, for a [`ModelEndpoint`](super::ModelEndpoint).
#[derive(Debug)]
pub struct Mapped {
    mapping: Mapping,
    windows: Mutex<MappingWindows>,
}

impl Mapped {
    /// Returns the mapping with empty windows.
    #[must_use]
    pub fn new(mapping: Mapping) -> Self {
        let windows = Mutex::new(MappingWindows::new(&mapping));
        Self { mapping, windows }
    }
}

impl Translate for Mapped {
    fn inputs(&self, message: &Message) -> Result<Option<Vec<Tensor>>, BoxError> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.mapping.inputs(message, &mut windows)?)
    }

    fn result(&self, message: &Message, outputs: &[Tensor]) -> Result<MessageBuilder, BoxError> {
        Ok(self.mapping.result(message, outputs)?)
    }

    fn on_error(&self) -> Option<OnError> {
        self.mapping.declared_on_error().map(|on_error| match on_error {
            OnMapError::DeadLetter => OnError::DeadLetter,
            OnMapError::Pass => OnError::PassThrough,
            OnMapError::Drop => OnError::Drop,
        })
    }
}
