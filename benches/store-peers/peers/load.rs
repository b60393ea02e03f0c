//! Producers: tasks of one thread, each with so many records in flight.

use std::collections::VecDeque;
use std::sync::Arc;

use edge_core::Message;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::Fallible;
use crate::engines::{Queue, message};

pub(crate) const PRODUCERS: u64 = 64;
/// Different messages, so that nothing is gained by their being alike.
const MESSAGES: u64 = 1024;

/// Returns messages of `bytes` bytes in their stored form.
pub(crate) fn messages(bytes: usize) -> Arc<[Message]> {
    (0..MESSAGES).map(|seed| message(seed, bytes)).collect()
}

/// Queues `records` records in all, and returns when all of them are durable.
pub(crate) fn produce(
    queue: Arc<dyn Queue>,
    messages: &Arc<[Message]>,
    records: u64,
    window: usize,
) -> Fallible<()> {
    Builder::new_current_thread().build()?.block_on(async {
        let mut producers = JoinSet::new();
        for producer in 0..PRODUCERS {
            let (queue, messages) = (queue.clone(), messages.clone());
            producers.spawn(async move {
                let mut flight = VecDeque::with_capacity(window);
                for number in (producer..records).step_by(PRODUCERS as usize) {
                    if flight.len() == window
                        && let Some(oldest) = flight.pop_front()
                    {
                        let receipt: edge_core::Receipt = oldest;
                        receipt.await.expect("the engine works");
                    }
                    let at = usize::try_from(number % MESSAGES).unwrap_or(0);
                    flight.push_back(queue.append(messages[at].clone()));
                }
                for receipt in flight {
                    receipt.await.expect("the engine works");
                }
            });
        }
        while let Some(ended) = producers.join_next().await {
            ended?;
        }
        Ok(())
    })
}
