//! What is compared beside the traffic.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use edge_core::Clock;

use super::divergence::divergence;
use super::generation::Generation;
use crate::tensor::{Tensor, TensorView};

/// An answered request, to be asked of another version too.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
    /// Which version is asked.
    pub(super) other: Arc<Generation>,
    /// Which version is on trial: the one that is asked, or the one that answered.
    pub(super) on_trial: Arc<Generation>,
    bytes: usize,
}

/// Samples that wait to be compared: bounded in number and bytes; what does not fit is left out and counted.
#[derive(Debug)]
pub(super) struct Side {
    queue: Mutex<Queue>,
    more: Condvar,
    left_out: AtomicU64,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    samples: VecDeque<Sample>,
    bytes: usize,
    /// Whoever works for an earlier shift goes home.
    shift: u64,
}

fn bytes_of(tensor: &Tensor) -> usize {
    tensor.view().bytes()
}

impl Side {
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self { queue: Mutex::default(), more: Condvar::new(), left_out: AtomicU64::new(0), most, most_bytes }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample when there is room.
    pub(super) fn offer(
        &self,
        inputs: &[TensorView<'_>],
        outputs: &[Tensor],
        other: &Arc<Generation>,
        on_trial: &Arc<Generation>,
    ) {
        let bytes =
            inputs.iter().map(TensorView::bytes).sum::<usize>() + outputs.iter().map(bytes_of).sum::<usize>();
        let full = |queue: &Queue| {
            queue.samples.len() >= self.most || bytes > self.most_bytes.saturating_sub(queue.bytes)
        };
        if full(&self.queue()) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Copied without the lock: somebody may have taken the room meanwhile.
        let sample = Sample {
            inputs: inputs.iter().map(TensorView::to_tensor).collect(),
            outputs: outputs.to_vec(),
            other: Arc::clone(other),
            on_trial: Arc::clone(on_trial),
            bytes,
        };
        let mut queue = self.queue();
        if full(&queue) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes;
        queue.samples.push_back(sample);
        drop(queue);
        self.more.notify_one();
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> Option<Sample> {
        let mut queue = self.queue();
        let sample = queue.samples.pop_front()?;
        queue.bytes -= sample.bytes;
        Some(sample)
    }

    /// Waits for a sample; `None` when the shift is over.
    pub(super) fn wait(&self, shift: u64) -> Option<Sample> {
        let mut queue = self.queue();
        loop {
            if queue.shift != shift {
                return None;
            }
            if let Some(sample) = queue.samples.pop_front() {
                queue.bytes -= sample.bytes;
                return Some(sample);
            }
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn shift(&self) -> u64 {
        self.queue().shift
    }

    /// Ends the shift and forgets what waits; returns the next shift.
    pub(super) fn next_shift(&self) -> u64 {
        let mut queue = self.queue();
        queue.shift += 1;
        queue.samples.clear();
        queue.bytes = 0;
        let shift = queue.shift;
        drop(queue);
        self.more.notify_all();
        shift
    }
}

impl Sample {
    /// Asks the other version and compares.
    pub(super) fn compare(self, clock: &dyn Clock) {
        let views: Vec<_> = self.inputs.iter().map(Tensor::view).collect();
        let answer = if Arc::ptr_eq(&self.other, &self.on_trial) {
            self.other.run(&views, std::time::Duration::ZERO, clock)
        } else {
            self.other.rerun(&views)
        };
        if let Ok(outputs) = answer {
            self.on_trial.compared(divergence(&self.outputs, &outputs));
        }
    }
}
