//! A bounded pool of threads that run a model.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::PoolStats;
use super::driver::{Job, Reply, Shared, Spent};
use crate::model::{InferenceModel, RunError};
use crate::signature::Signature;
use crate::tensor::Tensor;

/// How a pool runs its model.
///
/// # Examples
/// ```
/// use std::num::NonZeroUsize;
/// use edge_ml::PoolOptions;
///
/// let mut options = PoolOptions::default();
/// options.max_batch = NonZeroUsize::new(32).ok_or("zero")?;
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOptions {
    /// How many threads run the model, each with a fork of it.
    pub threads: NonZeroUsize,
    /// The most requests in one run; 1 for models that are not batched, whatever this says.
    pub max_batch: NonZeroUsize,
    /// How long a thread waits for a batch to fill; zero runs what is there.
    pub max_wait: Duration,
    /// The most requests that wait or run; whoever asks for more waits.
    pub max_requests: NonZeroUsize,
    /// How long one run may take before the model is bad.
    pub time_limit: Duration,
}

impl Default for PoolOptions {
    /// One thread, batches of up to 16 without waiting, 64 requests, 10 s.
    fn default() -> Self {
        let number = |value| NonZeroUsize::new(value).unwrap_or(NonZeroUsize::MIN);
        Self {
            threads: NonZeroUsize::MIN,
            max_batch: number(16),
            max_wait: Duration::ZERO,
            max_requests: number(64),
            time_limit: Duration::from_secs(10),
        }
    }
}

/// Threads that run a model; clones are the same pool.
///
/// A model that panics or does not return in time is bad: its pool answers everything with [`RunError::Bad`] from then
/// on. A thread that does not return is left to itself, and takes its model with it when it ever does.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use edge_ml::{Affine, ModelPool, PoolOptions, Tensor};
///
/// let pool = ModelPool::start(&Affine::new(&[2.0], &[1.0])?, PoolOptions::default())?;
/// let answer = pool.run(vec![Tensor::new([1, 1], vec![20.0f32])?]).await?;
/// assert_eq!(answer[0].values::<f32>(), Some(&[41.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ModelPool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    signature: Signature,
    options: PoolOptions,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl ModelPool {
    /// Starts the threads, each with a fork of the model.
    ///
    /// # Errors
    /// What the operating system says when it has no thread to give.
    pub fn start(model: &dyn InferenceModel, mut options: PoolOptions) -> std::io::Result<Self> {
        if !model.signature().is_batched() {
            options.max_batch = NonZeroUsize::MIN;
        }
        let shared = Arc::new(Shared::new(options));
        for number in 0..options.threads.get() {
            if let Err(error) = shared.start_thread(number, model.fork()) {
                shared.close();
                return Err(error);
            }
        }
        let places = Arc::new(Semaphore::new(options.max_requests.get()));
        Ok(Self(Arc::new(Inner { shared, places, signature: model.signature().clone(), options })))
    }

    /// Returns what the model takes and gives.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// Returns how the pool runs its model.
    #[must_use]
    pub fn options(&self) -> &PoolOptions {
        &self.0.options
    }

    /// Returns what was counted.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.0.shared.counters.read()
    }

    /// Returns why the model is bad, if it is.
    #[must_use]
    pub fn bad(&self) -> Option<String> {
        self.0.shared.bad.borrow().clone()
    }

    /// Waits for a place, and asks for a run; the ticket brings the answer.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropped while it waits, nothing was asked for.
    pub async fn submit(&self, inputs: Vec<Tensor>) -> Ticket {
        self.ask(inputs, false).await
    }

    /// As [`ModelPool::submit`]; `alone` asks for a run that no other request shares.
    pub(crate) async fn ask(&self, inputs: Vec<Tensor>, alone: bool) -> Ticket {
        let (reply, answer) = oneshot::channel();
        let place = self.0.places.clone().acquire_owned().await.ok();
        self.0.shared.push(Job::new(inputs, reply, place, alone));
        Ticket { pool: self.clone(), answer }
    }

    /// Returns how many threads have not ended.
    pub(crate) fn threads(&self) -> usize {
        self.0.shared.alive()
    }

    /// Runs the model on one tensor for each input.
    ///
    /// # Errors
    /// [`RunError`] when there is no answer.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropped, the model may run all the same, and nobody hears of it.
    pub async fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        self.submit(inputs).await.answer().await
    }
}

/// A run that was asked for.
#[derive(Debug)]
#[must_use = "the answer is lost with the ticket"]
pub struct Ticket {
    pool: ModelPool,
    answer: oneshot::Receiver<Reply>,
}

impl Ticket {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`RunError`] when there is none.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropped, the model may run all the same, and nobody hears of it.
    pub async fn answer(self) -> Result<Vec<Tensor>, RunError> {
        self.timed().await.0
    }

    /// Waits for the answer, and returns what it cost too.
    pub(crate) async fn timed(self) -> (Result<Vec<Tensor>, RunError>, Spent) {
        self.pool.0.shared.answer(self.answer).await
    }
}
