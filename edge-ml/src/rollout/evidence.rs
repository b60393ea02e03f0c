//! What was seen of a version, and whether it is enough and good.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::Histogram;
use super::numbers::{Moments, numbers};
use crate::model::RunError;
use crate::registry::{Gates, StageRule};
use crate::serve::Spent;
use crate::tensor::{Tensor, TensorView};

/// What was seen of a version.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Evidence {
    /// How many requests it was run for.
    pub runs: u64,
    /// How often it gave no answer, by cause: the names of [`RunError::cause`].
    pub errors: BTreeMap<&'static str, u64>,
    /// How long runs took.
    ///
    /// # Units
    /// Microseconds.
    pub run_time: Histogram,
    /// How long requests waited before.
    ///
    /// # Units
    /// Microseconds.
    pub queue_wait: Histogram,
    /// How many rows runs had.
    pub rows: Histogram,
    /// How far its answers were from those of the version that it was compared with.
    pub divergence: Moments,
    /// The elements of each output; of more than 8 the first.
    pub outputs: Vec<Moments>,
}

/// Elements of one output beyond these are left out of its statistics.
const MOST_ELEMENTS: usize = 64;
const MOST_OUTPUTS: usize = 8;

impl Evidence {
    /// Counts a run.
    pub(super) fn run(
        &mut self,
        inputs: &[TensorView<'_>],
        outcome: Result<&[Tensor], &RunError>,
        spent: &Spent,
    ) {
        self.runs += 1;
        self.run_time.record(micros(spent.running));
        self.queue_wait.record(micros(spent.waited));
        let rows = inputs.first().and_then(|input| input.shape().first().copied()).unwrap_or(1);
        // The requests of a batch have as many rows each, mostly.
        if spent.is_first {
            self.rows.record(rows.saturating_mul(spent.batch.max(1)) as u64);
        }
        match outcome {
            Err(error) => *self.errors.entry(error.cause()).or_default() += 1,
            Ok(outputs) => {
                self.outputs.resize_with(outputs.len().min(MOST_OUTPUTS), Moments::default);
                for (moments, output) in self.outputs.iter_mut().zip(outputs) {
                    numbers(&output.view(), MOST_ELEMENTS, |_, number| moments.record(number));
                }
            }
        }
    }

    pub(super) fn fault(&mut self, cause: &'static str) {
        *self.errors.entry(cause).or_default() += 1;
    }

    pub(super) fn forgive(&mut self, cause: &'static str) {
        if let Some(count) = self.errors.get_mut(cause) {
            *count = count.saturating_sub(1);
        }
    }

    /// Returns how many runs failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Returns the 99th percentile of the time that runs took.
    #[must_use]
    pub fn p99(&self) -> Duration {
        Duration::from_micros(self.run_time.quantile(0.99))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What follows from the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Not enough was seen.
    Wait {
        /// What is missing.
        reason: String,
    },
    /// All gates were kept to.
    Pass,
    /// A gate was not kept to.
    Fail {
        /// Which, and by how much.
        reason: String,
    },
}

/// What a candidate is judged by.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case<'a> {
    /// What was seen of the candidate in this stage.
    pub candidate: &'a Evidence,
    /// What was seen of the current version, if there is one.
    pub current: Option<&'a Evidence>,
    /// How far the inputs drifted, if there is a baseline.
    pub drift: Option<f64>,
    /// How long the stage has lasted.
    pub lasted: Duration,
}

impl<'a> Case<'a> {
    /// Returns the case of a candidate that replaces nothing.
    #[must_use]
    pub const fn new(candidate: &'a Evidence, lasted: Duration) -> Self {
        Self { candidate, current: None, drift: None, lasted }
    }
}

/// Returns what follows from the evidence of a stage.
///
/// A gate that cannot be kept to any more fails at once; the others are asked when the stage has seen enough. Divergence is
/// asked for when there is a current version; comparisons are made beside the traffic, and half as many as samples are enough.
#[must_use]
pub fn judge(gates: &Gates, rule: &StageRule, case: &Case<'_>) -> Verdict {
    let Case { candidate, current, drift, lasted } = case;
    let fail = |reason: String| Verdict::Fail { reason };
    let (failed, runs) = (candidate.failed(), candidate.runs);
    let allowed = gates.error_rate * runs.max(rule.samples) as f64;
    if failed as f64 > allowed {
        let causes: Vec<_> =
            candidate.errors.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
        let share = gates.error_rate;
        return fail(format!(
            "{failed} of {runs} runs failed ({}), allowed is a share of {share}",
            causes.join(", ")
        ));
    }
    let compared = candidate.divergence.count;
    let enough = rule.samples.div_ceil(2);
    let comparable = gates.divergence.filter(|_| current.is_some());
    if runs < rule.samples {
        return Verdict::Wait { reason: format!("{runs} of {} runs", rule.samples) };
    }
    if comparable.is_some() && compared < enough {
        return Verdict::Wait { reason: format!("{compared} of {enough} comparisons") };
    }
    let p99 = candidate.p99();
    if let Some(most) = gates.p99_ms.filter(|most| p99.as_secs_f64() * 1e3 > *most) {
        return fail(format!("the 99th percentile of the run time is {p99:?}, allowed are {most} ms"));
    }
    if let (Some(most), Some(current)) =
        (gates.p99_ratio, current.filter(|current| current.runs >= enough.max(1)))
    {
        let was = current.p99();
        // Below a few microseconds a ratio says nothing.
        if p99.as_secs_f64() > was.max(Duration::from_micros(8)).as_secs_f64() * most {
            return fail(format!(
                "the 99th percentile of the run time is {p99:?}, that of the current version {was:?}"
            ));
        }
    }
    let apart = candidate.divergence.mean;
    if let Some(most) = comparable.filter(|most| apart > *most) {
        return fail(format!(
            "its answers are {apart:.4} from those of the current version, allowed are {most}"
        ));
    }
    if let (Some(most), Some(score)) =
        (gates.drift, drift.filter(|score| gates.drift.is_some_and(|most| *score > most)))
    {
        return fail(format!("the inputs drifted by {score:.3}, allowed are {most}"));
    }
    let least = Duration::from_secs(rule.seconds);
    if *lasted < least {
        return Verdict::Wait { reason: format!("{} of {} s", lasted.as_secs(), rule.seconds) };
    }
    Verdict::Pass
}
