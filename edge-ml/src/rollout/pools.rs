//! The threads of one version, and what becomes of them when the model breaks them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::generation::panic_text;
use crate::model::{InferenceModel, RunError};
use crate::serve::{ModelPool, PoolOptions};

/// So many pools of a version may have threads in models that do not return.
const MAX_STUCK: usize = 4;

/// The pool of a version, and the pools before it whose threads have not ended.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pool: Option<ModelPool>,
    left: Vec<ModelPool>,
}

impl Pools {
    /// Returns the pool that runs the version; one is started when there is none, or the one there is was broken.
    pub(super) fn pool(
        &mut self,
        options: PoolOptions,
        fork: impl FnOnce() -> Box<dyn InferenceModel>,
    ) -> Result<ModelPool, RunError> {
        if let Some(pool) = self.pool.take_if(|pool| pool.bad().is_some()) {
            self.left.push(pool);
        }
        if let Some(pool) = &self.pool {
            return Ok(pool.clone());
        }
        self.left.retain(|pool| pool.threads() > 0);
        if self.left.len() >= MAX_STUCK {
            let reason = format!("{MAX_STUCK} of its runs have not ended");
            return Err(RunError::Bad { reason });
        }
        let model = catch_unwind(AssertUnwindSafe(fork))
            .map_err(|panic| RunError::Panicked { message: panic_text(&*panic) })?;
        let pool = ModelPool::start(&*model, options).map_err(|error| RunError::Engine(error.into()))?;
        Ok(self.pool.insert(pool).clone())
    }

    /// Returns how many threads belong to pools that were broken and have not ended.
    pub(super) fn stuck(&self) -> usize {
        self.left.iter().map(ModelPool::threads).sum()
    }
}
