//! Messages through one pool.

use std::sync::{Arc, Mutex};

use edge_core::Stored;

use super::endpoint::{Translate, lock};
use super::made::{Made, OnError};
use super::memo::Translated;
use super::pool::ModelPool;
use crate::model::RunError;

/// Runs the model on the messages, and returns what each came to.
pub(super) async fn infer(
    pool: &ModelPool,
    translate: &Arc<dyn Translate>,
    translated: &Mutex<Translated>,
    on_error: OnError,
    batch: &[(u128, Stored)],
) -> Vec<Made> {
    let on_error = translate.on_error().unwrap_or(on_error);
    let mut asked = Vec::with_capacity(batch.len());
    for (key, stored) in batch {
        let inputs = lock(translated).inputs(*key, translate, &stored.message);
        asked.push(match inputs {
            Ok(Some(inputs)) => Ok(pool.submit(inputs).await),
            Ok(None) => Err(Made::Silent),
            Err(error) => Err(Made::failed(on_error, &stored.message, "mapping", &*error)),
        });
    }
    let mut made = Vec::with_capacity(batch.len());
    for ((_, stored), asked) in batch.iter().zip(asked) {
        let message = &stored.message;
        made.push(match asked {
            Err(made) => made,
            Ok(ticket) => match ticket.answer().await {
                Ok(outputs) => match translate.result(message, &outputs) {
                    Ok(builder) => Made::Result(builder),
                    Err(error) => Made::failed(on_error, message, "result", &*error),
                },
                // Another message was at fault, or none: this one waits for a model that is not bad.
                Err(RunError::Bad { .. }) => Made::Later,
                Err(error) => Made::failed(on_error, message, error.cause(), &error),
            },
        });
    }
    made
}
