//! Judging a model file before it serves: what it needs, what it costs, and whether it answers as its makers say.

mod compare;
mod survey;

use std::collections::BTreeMap;
use std::time::Duration;

use edge_core::{Clock, Report};

pub use compare::Difference;
pub use survey::read;
pub(crate) use survey::zeros;

use crate::engine::Engine;
use crate::load::UnsupportedNode;
use crate::model::{InferenceModel, RunError};
use crate::onnx::FileError;
use crate::options::ReadOptions;
use crate::signature::Signature;
use crate::tensor::Tensor;

/// Inputs with the outputs that a model must have for them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// One tensor for each input.
    pub inputs: Vec<Tensor>,
    /// One tensor for each output.
    pub outputs: Vec<Tensor>,
    /// How far a number may be from the one expected, in relation to the larger of 1 and both.
    pub tolerance: f64,
}

impl Sample {
    /// Returns the sample.
    #[must_use]
    pub const fn new(inputs: Vec<Tensor>, outputs: Vec<Tensor>, tolerance: f64) -> Self {
        Self { inputs, outputs, tolerance }
    }
}

/// What a model must keep to be allowed to serve.
#[derive(Clone, Debug, Default)]
#[must_use = "a demand does nothing until a model is judged by it"]
pub struct Demands {
    pub(crate) read: ReadOptions,
    samples: Vec<Sample>,
    max_memory_bytes: Option<u64>,
    max_run: Option<Duration>,
}

impl Demands {
    /// Returns the demands on a model that is read with these options.
    pub fn new(read: ReadOptions) -> Self {
        Self { read, ..Self::default() }
    }

    /// Adds a sample that the model must answer.
    pub fn sample(mut self, sample: Sample) -> Self {
        self.samples.push(sample);
        self
    }

    /// Sets how much memory the model may be estimated to need.
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = Some(bytes);
        self
    }

    /// Sets how long a run may take here, as the median of a few.
    pub fn max_run(mut self, limit: Duration) -> Self {
        self.max_run = Some(limit);
        self
    }
}

/// Why a model may not serve.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// The file is no model file.
    #[error("the file is no ONNX model: {0}")]
    File(
        /// What is wrong with it.
        FileError,
    ),
    /// Nothing here runs the model.
    #[error("the model cannot be loaded: {reason}")]
    Load {
        /// Why, with the nodes that nothing runs.
        reason: String,
    },
    /// The model needs more memory than allowed.
    #[error("about {needed_bytes} bytes are needed, and {allowed_bytes} are allowed")]
    Memory {
        /// The estimate.
        needed_bytes: u64,
        /// The most allowed.
        allowed_bytes: u64,
    },
    /// A run takes longer than allowed.
    #[error("a run takes {} µs here, and {} are allowed", taken.as_micros(), allowed.as_micros())]
    Slow {
        /// The median.
        taken: Duration,
        /// The most allowed.
        allowed: Duration,
    },
    /// The model has no answer for a sample.
    #[error("sample {sample} has no answer: {reason}")]
    NoAnswer {
        /// The sample's number, from 0.
        sample: usize,
        /// Why.
        reason: String,
    },
    /// The answer to a sample is not the one expected.
    #[error("sample {sample}: {difference}")]
    Sample {
        /// The sample's number, from 0.
        sample: usize,
        /// What differs.
        difference: Difference,
    },
}

/// What was found out about a model file.
///
/// # Examples
/// ```
/// use edge_core::SystemClock;
/// use edge_ml::{Demands, Preflight};
///
/// let (report, model) = Preflight::run(b"no model at all", &Demands::default(), &SystemClock);
/// assert!(!report.is_ready() && model.is_none());
/// println!("{report}");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Preflight {
    /// What runs the model.
    pub engine: Option<Engine>,
    /// What it takes and gives.
    pub signature: Option<Signature>,
    /// How often each operator stands in the file, with its domain where that is not the default one.
    pub operators: BTreeMap<String, usize>,
    /// The nodes that the evaluator of tables does not run; an engine may run them all the same.
    pub not_of_tables: Vec<UnsupportedNode>,
    /// Dimensions that were left open and were given a size.
    pub resolved: Vec<(String, usize)>,
    /// Bytes of the constants in the file.
    pub constant_bytes: u64,
    /// An estimate of the memory of one instance: constants twice, as the engine packs a copy, and inputs and outputs.
    pub memory_bytes: u64,
    /// The median time of a run on this machine, on zeros or on the first sample.
    pub run_time: Option<Duration>,
    /// Why the model may not serve; empty when it may.
    pub objections: Vec<Objection>,
}

impl Preflight {
    /// Judges a file; returns the model too when there is one, whether or not it may serve.
    ///
    /// It runs the model in the caller's thread, without a time limit: who does not trust the file calls it in a thread of
    /// its own.
    #[must_use]
    pub fn run(
        bytes: &[u8],
        demands: &Demands,
        clock: &dyn Clock,
    ) -> (Self, Option<Box<dyn InferenceModel>>) {
        let (mut report, is_model) = Self::survey(bytes, demands);
        if !is_model {
            return (report, None);
        }
        let mut model = match read(bytes, &demands.read) {
            Ok((model, engine, resolved)) => {
                (report.engine, report.resolved) = (Some(engine), resolved);
                model
            }
            Err(error) => {
                report.objections.push(Objection::Load { reason: Report(&error).to_string() });
                return (report, None);
            }
        };
        report.signature = Some(model.signature().clone());
        report.memory(demands);
        report.samples(&mut *model, &demands.samples);
        report.time(&mut *model, demands, clock);
        (report, Some(model))
    }

    /// Returns whether the model may serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.objections.is_empty() && self.signature.is_some()
    }

    fn memory(&mut self, demands: &Demands) {
        let ports =
            self.signature.iter().flat_map(|signature| signature.inputs().iter().chain(signature.outputs()));
        let elements = |port: &crate::Port| {
            let dims = port.dims.iter().flatten().map(|dim| match dim {
                crate::Dim::Fixed(size) => *size as u64,
                _ => 1,
            });
            dims.fold(1u64, u64::saturating_mul).saturating_mul(port.element.size_bytes().max(1) as u64)
        };
        let ports: u64 = ports.map(elements).fold(0, u64::saturating_add);
        self.memory_bytes = self.constant_bytes.saturating_mul(2).saturating_add(ports);
        if let Some(allowed_bytes) = demands.max_memory_bytes.filter(|allowed| self.memory_bytes > *allowed) {
            self.objections.push(Objection::Memory { needed_bytes: self.memory_bytes, allowed_bytes });
        }
    }

    fn samples(&mut self, model: &mut dyn InferenceModel, samples: &[Sample]) {
        for (number, sample) in samples.iter().enumerate() {
            match run(model, &sample.inputs) {
                Ok(outputs) => {
                    if let Some(difference) = compare::difference(&outputs, &sample.outputs, sample.tolerance)
                    {
                        self.objections.push(Objection::Sample { sample: number, difference });
                    }
                }
                Err(error) => {
                    let reason = Report(&error).to_string();
                    self.objections.push(Objection::NoAnswer { sample: number, reason });
                }
            }
        }
    }

    fn time(&mut self, model: &mut dyn InferenceModel, demands: &Demands, clock: &dyn Clock) {
        const RUNS: usize = 5;
        let zeros = || model.signature().inputs().iter().map(zeros).collect::<Option<Vec<_>>>();
        let Some(inputs) = demands.samples.first().map(|sample| sample.inputs.clone()).or_else(zeros) else {
            return;
        };
        // The first run allocates what later ones use again.
        if run(model, &inputs).is_err() {
            return;
        }
        let mut times: Vec<_> = (0..RUNS)
            .map(|_| {
                let begin = clock.now();
                // Zeros may have no answer; how long that takes is what is asked.
                drop(run(model, &inputs));
                clock.now() - begin
            })
            .collect();
        times.sort_unstable();
        self.run_time = times.get(RUNS / 2).copied();
        if let (Some(taken), Some(allowed)) = (self.run_time, demands.max_run)
            && taken > allowed
        {
            self.objections.push(Objection::Slow { taken, allowed });
        }
    }
}

fn run(model: &mut dyn InferenceModel, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
    let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
    model.run(&views)
}

impl std::fmt::Display for Preflight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let (Some(signature), Some(engine)) = (&self.signature, self.engine) {
            writeln!(f, "{signature}\nengine: {engine:?}, about {} bytes", self.memory_bytes)?;
        }
        if let Some(time) = self.run_time {
            writeln!(f, "a run takes {} µs here", time.as_micros())?;
        }
        for (symbol, size) in &self.resolved {
            writeln!(f, "{symbol} is {size} from now on")?;
        }
        for objection in &self.objections {
            writeln!(f, "refused: {objection}")?;
        }
        Ok(())
    }
}
