//! The threads of a pool, and its one queue.
#![expect(clippy::disallowed_methods, reason = "the threads of a pool measure how long a model runs")]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::PoolOptions;
use super::stack::run_all;
use super::stats::Counters;
use crate::model::{InferenceModel, RunError};
use crate::tensor::Tensor;

type Answer = Result<Vec<Tensor>, RunError>;

/// What a request cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// How long it waited for a thread.
    pub(crate) waited: Duration,
    /// How long the run took that answered it.
    pub(crate) running: Duration,
    /// How many requests that run had; 0 when there was none.
    pub(crate) batch: usize,
    /// Whether it was the first of them.
    pub(crate) is_first: bool,
}

pub(super) type Reply = (Answer, Spent);

/// One request.
#[derive(Debug)]
pub(super) struct Job {
    inputs: Vec<Tensor>,
    reply: oneshot::Sender<Reply>,
    queued: Instant,
    /// Whether it shares its run with no other.
    alone: bool,
    /// The request's place among those allowed, given back with it.
    _place: Option<OwnedSemaphorePermit>,
}

impl Job {
    pub(super) fn new(
        inputs: Vec<Tensor>,
        reply: oneshot::Sender<Reply>,
        place: Option<OwnedSemaphorePermit>,
        alone: bool,
    ) -> Self {
        Self { inputs, reply, queued: Instant::now(), alone, _place: place }
    }
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
    /// When each thread began the run that it is at, and how many requests it has.
    running: Vec<Option<(Instant, usize)>>,
    /// How many threads have not ended.
    alive: usize,
}

/// What the threads of a pool share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
    pub(super) bad: watch::Sender<Option<String>>,
    pub(super) counters: Counters,
    options: PoolOptions,
}

impl Shared {
    pub(super) fn new(options: PoolOptions) -> Self {
        let queue = Queue { running: vec![None; options.threads.get()], ..Queue::default() };
        Self {
            queue: Mutex::new(queue),
            more: Condvar::new(),
            bad: watch::Sender::new(None),
            counters: Counters::default(),
            options,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        self.queue().closed = true;
        self.more.notify_all();
    }

    /// Marks the model bad: nothing is run any more.
    fn mark(&self, reason: &str) {
        self.bad.send_if_modified(|bad| bad.is_none() && bad.replace(reason.to_owned()).is_none());
        let left = std::mem::take(&mut self.queue().jobs);
        for job in left {
            self.answer_to(job, Err(RunError::Bad { reason: reason.to_owned() }), Spent::default());
        }
        self.close();
    }

    /// Returns how many threads have not ended.
    pub(super) fn alive(&self) -> usize {
        self.queue().alive
    }

    fn answer_to(&self, job: Job, answer: Answer, spent: Spent) {
        self.counters.answered(&answer);
        // Whoever asked may have gone.
        drop(job.reply.send((answer, spent)));
    }

    pub(super) fn push(&self, job: Job) {
        let bad = self.bad.borrow().clone();
        if let Some(reason) = bad {
            return self.answer_to(job, Err(RunError::Bad { reason }), Spent::default());
        }
        self.queue().jobs.push_back(job);
        self.more.notify_one();
    }

    /// Waits for an answer, and looks after the time limit while it waits.
    pub(super) async fn answer(&self, mut answer: oneshot::Receiver<Reply>) -> Reply {
        let limit = self.options.time_limit;
        let mut bad = self.bad.subscribe();
        loop {
            // Between an answer that is there and a model that is bad by now, the answer counts.
            tokio::select! {
                biased;
                answer = &mut answer => {
                    let gone = |_| (Err(RunError::Bad { reason: "its thread is gone".into() }), Spent::default());
                    return answer.unwrap_or_else(gone);
                }
                changed = bad.wait_for(Option::is_some) => {
                    let reason = changed.ok().and_then(|bad| bad.clone()).unwrap_or_default();
                    let error = RunError::Bad { reason };
                    return answer.try_recv().unwrap_or((Err(error), Spent::default()));
                }
                () = wait(limit) => {
                    let now = Instant::now();
                    let longest = self.queue().running.iter().flatten().min_by_key(|(begin, _)| *begin).copied();
                    let overdue = longest.map(|(begin, batch)| (now - begin, batch));
                    if let Some((running, batch)) = overdue.filter(|(running, _)| *running >= limit) {
                        self.mark(&format!("a run did not end within {} ms", limit.as_millis()));
                        let spent = Spent { running, batch, ..Spent::default() };
                        return answer.try_recv().unwrap_or((Err(RunError::TimedOut { after: limit }), spent));
                    }
                }
            }
        }
    }

    pub(super) fn start_thread(
        self: &Arc<Self>,
        number: usize,
        model: Box<dyn InferenceModel>,
    ) -> std::io::Result<()> {
        let shared = self.clone();
        let name = format!("edge-ml-{number}");
        // The handle is not kept: a thread ends with its pool, and one that never returns cannot be waited for.
        self.queue().alive += 1;
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            shared.work(number, model);
            shared.queue().alive -= 1;
        });
        if spawned.is_err() {
            self.queue().alive -= 1;
        }
        spawned.map(drop)
    }

    fn work(&self, number: usize, mut model: Box<dyn InferenceModel>) {
        while let Some(jobs) = self.take(number) {
            let begin = Instant::now();
            let answers = {
                let requests: Vec<_> = jobs.iter().map(|job| job.inputs.as_slice()).collect();
                run_all(&mut *model, &requests)
            };
            if let Some(running) = self.queue().running.get_mut(number) {
                *running = None;
            }
            let (running, batch) = (begin.elapsed(), jobs.len());
            self.counters.run(batch, running);
            let bad = answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| error.is_bad()));
            let bad = bad.map(ToString::to_string);
            for (place, (job, answer)) in jobs.into_iter().zip(answers).enumerate() {
                let waited = begin - job.queued;
                self.counters.waited(waited);
                self.answer_to(job, answer, Spent { waited, running, batch, is_first: place == 0 });
            }
            if let Some(reason) = bad {
                return self.mark(&reason);
            }
        }
    }

    /// Waits for requests, and takes as many as go into one run; `None` when there will be none.
    fn take(&self, number: usize) -> Option<Vec<Job>> {
        loop {
            let jobs = self.take_some(number)?;
            if !jobs.is_empty() {
                return Some(jobs);
            }
        }
    }

    /// As [`Shared::take`]; nothing when another thread was faster.
    fn take_some(&self, number: usize) -> Option<Vec<Job>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if queue.closed {
                return None;
            }
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let most = self.options.max_batch.get();
        let until = Instant::now() + self.options.max_wait;
        while queue.jobs.len() < most && !queue.closed && !queue.jobs.iter().any(|job| job.alone) {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                break;
            };
            queue = self.more.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let together = queue.jobs.iter().take(most).take_while(|job| !job.alone).count();
        if queue.jobs.is_empty() {
            return Some(Vec::new());
        }
        let count = together.max(1);
        if let Some(running) = queue.running.get_mut(number) {
            *running = Some((Instant::now(), count));
        }
        let jobs = queue.jobs.drain(..count).collect();
        if !queue.jobs.is_empty() {
            self.more.notify_one();
        }
        Some(jobs)
    }
}

/// Waits for `limit` to pass.
async fn wait(limit: Duration) {
    tokio::time::sleep(limit).await;
}
