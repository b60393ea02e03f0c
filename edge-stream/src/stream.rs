//! Windows without a gateway: messages in, results out.

use std::sync::Arc;

use edge_core::{Message, Timestamp};

use crate::config::Definition;
use crate::event::EventError;
use crate::operator::Counts;
use crate::result::WindowResult;
use crate::snapshot::SnapshotError;
use crate::state::{State, ms};

/// Windows that run in memory: for programs of one's own, and for trying a declaration out.
///
/// # Examples
/// See the crate's documentation.
#[derive(Debug)]
pub struct Stream {
    state: State,
}

impl Stream {
    /// Returns windows without events.
    #[must_use]
    pub fn new(definition: Definition) -> Self {
        Self { state: State::new(Arc::new(definition)) }
    }

    /// Takes a message that was enqueued at `enqueued`, at the time `now`, and returns the results of the windows that
    /// it closes. A late event is counted, see [`Stream::counts`].
    ///
    /// # Errors
    /// [`EventError`] when the message cannot be read; nothing has changed but the count.
    pub fn message(
        &mut self,
        message: &Message,
        enqueued: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<WindowResult>, EventError> {
        let operator = &mut self.state.operator;
        let event = operator.definition.read(message, enqueued, now);
        let event = event.inspect_err(|_| operator.counts.errors += 1)?;
        let mut out = Vec::new();
        operator.event(&event, ms(now), &mut out);
        Ok(out)
    }

    /// Closes the windows of keys that have been silent for too long at `now`, and returns their results.
    pub fn tick(&mut self, now: Timestamp) -> Vec<WindowResult> {
        let mut out = Vec::new();
        self.state.operator.tick(ms(now), &mut out);
        out
    }

    /// Returns what was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.operator.counts
    }

    /// Returns how many keys have open windows, and how many values are kept.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.state.operator.open.len(), self.state.operator.held)
    }

    /// Returns the state as bytes, from which [`Stream::restore`] makes the same windows.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.state.encode(0)
    }

    /// Returns the windows that [`Stream::snapshot`] was called on.
    ///
    /// # Errors
    /// [`SnapshotError`] when the bytes are damaged, or are of other windows.
    pub fn restore(definition: Definition, snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let (state, _) = State::decode(snapshot, &Arc::new(definition))?;
        Ok(Self { state })
    }
}
