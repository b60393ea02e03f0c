//! Files become models in threads of their own: one that never ends costs a thread, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use edge_core::Clock;

use super::divergence::divergence;
use super::generation::{Generation, panic_text};
use super::lifecycle::report;
use crate::registry::{Entry, ModelFactory, ModelFile, Opened};
use crate::tensor::Tensor;

/// So many openings may not have ended before no more are begun.
const MAX_STUCK: usize = 4;

/// A version that is being opened, and tried on its golden samples.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) generation: u64,
    pub(super) began: Instant,
    opened: Receiver<Result<Generation, String>>,
}

/// What is opened, and how.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) entry: Entry,
    pub(super) bytes: Vec<u8>,
    pub(super) factory: Arc<dyn ModelFactory>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether it must answer its golden samples.
    pub(super) tries: bool,
    /// Held by each thread that has not ended.
    pub(super) alive: Arc<()>,
}

impl Opening {
    /// Begins to open a version.
    pub(super) fn begin(order: Order) -> Result<Self, String> {
        if Arc::strong_count(&order.alive) > MAX_STUCK + 1 {
            return Err(format!(
                "{MAX_STUCK} versions have never ended to be opened; the process must be started anew"
            ));
        }
        let (generation, began) = (order.entry.generation, order.clock.now());
        let (sender, opened) = sync_channel(1);
        let work = move || {
            let made = catch_unwind(AssertUnwindSafe(|| order.open()));
            let made = made.unwrap_or_else(|panic| {
                Err(format!("the engine panicked while it opened it: {}", panic_text(&*panic)))
            });
            // Nobody may be waiting any more.
            drop(sender.send(made));
        };
        let spawned = std::thread::Builder::new().name("edge-ml open".into()).spawn(work);
        spawned.map_err(|error| format!("there is no thread to open it: {error}"))?;
        Ok(Self { generation, began, opened })
    }

    /// Waits for the version; `None` when there is none yet.
    pub(super) fn wait(&self, at_most: Duration) -> Option<Result<Generation, String>> {
        match self.opened.recv_timeout(at_most) {
            Ok(made) => Some(made),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err("the thread that opened it is gone".into())),
        }
    }
}

impl Order {
    fn open(&self) -> Result<Generation, String> {
        let desired = &self.entry.desired;
        let file = ModelFile {
            model: &desired.model,
            version: &desired.version,
            bytes: &self.bytes,
            mapping: desired.mapping.as_ref(),
            golden: desired.golden.as_ref(),
        };
        let opened = self.factory.open(&file).map_err(|error| report(&error))?;
        let Opened { model, golden, translate } = opened;
        let limit = desired.policy.time_limit();
        let (number, version) = (self.entry.generation, desired.version.clone());
        let generation = Generation::new(number, version, desired.sha256, limit, model);
        let generation = generation.with_translate(translate);
        for (place, golden) in golden.iter().enumerate().filter(|_| self.tries) {
            let views: Vec<_> = golden.inputs.iter().map(Tensor::view).collect();
            let answer = generation.run(&views, Duration::ZERO, &*self.clock);
            let outputs =
                answer.map_err(|error| format!("golden sample {place} has no answer: {}", report(&error)))?;
            let apart = divergence(&outputs, &golden.outputs);
            if apart > golden.tolerance {
                let most = golden.tolerance;
                return Err(format!(
                    "golden sample {place} is {apart:.6} from what is expected, allowed are {most}"
                ));
            }
        }
        Ok(generation)
    }
}
