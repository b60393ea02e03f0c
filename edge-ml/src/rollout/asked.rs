//! One request to the threads of one version.

use std::sync::Arc;
use std::time::Duration;

use super::generation::Generation;
use crate::model::RunError;
use crate::serve::{PoolOptions, Spent, Ticket};
use crate::tensor::{Tensor, TensorView};

/// How often a request is asked again, alone, after others with it had broken their pool.
const AGAIN: usize = 3;

/// One request that a version was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    generation: Arc<Generation>,
    options: PoolOptions,
    inputs: Vec<Tensor>,
    ticket: Result<Ticket, RunError>,
}

impl Asked {
    /// Asks; the pool's other requests may share the run.
    pub(super) async fn new(generation: &Arc<Generation>, options: PoolOptions, inputs: Vec<Tensor>) -> Self {
        let ticket = match generation.pool(options) {
            Ok(pool) => Ok(pool.submit(inputs.clone()).await),
            Err(error) => Err(error),
        };
        Self { generation: Arc::clone(generation), options, inputs, ticket }
    }

    /// Waits for the answer, and counts what came of it.
    ///
    /// A panic or an overrun of a version that was committed breaks the pool for all that were in it; they are asked again
    /// one by one, so that only the request at fault is without an answer.
    pub(crate) async fn answer(self) -> (Vec<Tensor>, Result<Vec<Tensor>, RunError>) {
        let Self { generation, options, inputs, ticket } = self;
        let (mut answer, mut spent) = match ticket {
            Ok(ticket) => ticket.timed().await,
            Err(error) => (Err(error), Spent::default()),
        };
        for _ in 0..AGAIN {
            let is_broken = answer.as_ref().is_err_and(RunError::is_bad) && !generation.is_on_trial();
            // It was alone: it is at fault itself.
            if !is_broken || spent.batch == 1 {
                break;
            }
            (answer, spent) = match generation.pool(options) {
                Ok(pool) => pool.ask(inputs.clone(), true).await.timed().await,
                Err(error) => {
                    answer = Err(error);
                    break;
                }
            };
        }
        let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
        let answer = generation.counted(&views, answer, spent);
        drop(views);
        (inputs, answer)
    }
}

impl Spent {
    /// Returns what a run without a pool cost.
    pub(super) const fn alone(running: Duration, waited: Duration) -> Self {
        Self { waited, running, batch: 1, is_first: true }
    }
}
