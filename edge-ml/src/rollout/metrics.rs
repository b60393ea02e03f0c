//! What is counted, as data and as text for Prometheus.

use std::fmt::Write as _;
use std::sync::Arc;

use super::evidence::Evidence;
use super::generation::Generation;
use super::histogram::Histogram;
use super::lifecycle::Lifecycle;
use super::numbers::Moments;
use crate::serve::EndpointStats;

type Told<From, To> = fn(&From) -> To;
type HistogramOf = fn(&Evidence) -> &Histogram;

/// What is known of one version that is loaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VersionMetrics {
    /// What it is called.
    pub version: String,
    /// Its number.
    pub generation: u64,
    /// `current`, or the stage of its trial: `shadow`, `canary` or `probation`.
    pub status: &'static str,
    /// All that was seen of it.
    pub evidence: Evidence,
}

/// What is known of one model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelMetrics {
    /// The model.
    pub model: String,
    /// Its versions that are loaded.
    pub versions: Vec<VersionMetrics>,
    /// How far the inputs have drifted, if there is a baseline.
    pub drift: Option<f64>,
    /// How many versions were rolled back, of those that are remembered.
    pub rolled_back: usize,
    /// How many requests found no version.
    pub unanswered: u64,
    /// How many requests the last known good version answered for one on trial.
    pub fell_back: u64,
    /// How many requests were left out of the comparison.
    pub left_out: u64,
    /// The versions that were rolled back and are remembered, the latest last.
    pub rejected: Vec<String>,
    /// How each known version stands, by name: `current`, how far its trial is (`fetch`, `check`, `shadow`, `canary`,
    /// `probation`), `installed` and ready to serve again, or `rejected`.
    pub statuses: Vec<(String, &'static str)>,
    /// What became of the messages, where an endpoint was added by [`ModelMetrics::with_messages`].
    pub messages: Option<EndpointStats>,
    /// Mean and variance of each column of the inputs, at most 64, since the baseline began to be learned.
    pub inputs: Vec<(f64, f64)>,
}

impl ModelMetrics {
    /// Adds what an endpoint counted.
    #[must_use]
    pub fn with_messages(mut self, messages: EndpointStats) -> Self {
        self.messages = Some(messages);
        self
    }
}

impl Lifecycle {
    /// Returns what is counted.
    #[must_use]
    pub fn metrics(&self) -> ModelMetrics {
        let record = self.registry.record();
        let of = |generation: &Arc<Generation>, status| VersionMetrics {
            version: generation.version().to_string(),
            generation: generation.number(),
            status,
            evidence: generation.total(),
        };
        let current = self.current.iter().map(|current| of(current, "current"));
        let stage = record.candidate.as_ref().map_or("", |candidate| candidate.stage.name());
        let trial = self.trial.iter().map(|trial| of(&trial.generation, stage));
        ModelMetrics {
            model: record.model.to_string(),
            versions: current.chain(trial).collect(),
            drift: self.serving.drift(),
            rolled_back: record.rejected.len(),
            rejected: record.rejected.iter().map(|rejected| rejected.version.clone()).collect(),
            statuses: self.statuses(),
            messages: None,
            unanswered: self.serving.unanswered(),
            fell_back: self.serving.fell_back(),
            left_out: self.serving.left_out(),
            inputs: self.serving.input_moments().iter().map(|seen| (seen.mean, seen.variance())).collect(),
        }
    }
}

impl Lifecycle {
    fn statuses(&self) -> Vec<(String, &'static str)> {
        let record = self.registry.record();
        let candidate = record.candidate.as_ref().map(|candidate| (candidate.generation, candidate.stage));
        let current = self.current.as_ref().map(|current| current.number());
        let status = |generation| match candidate {
            _ if current == Some(generation) => "current",
            Some((of, stage)) if of == generation => stage.name(),
            _ => "installed",
        };
        let known = record.entries.iter();
        let known = known.map(|entry| (entry.desired.version.to_string(), status(entry.generation)));
        let rejected = record.rejected.iter().map(|rejected| (rejected.version.clone(), "rejected"));
        let mut all: Vec<_> = known.chain(rejected).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// Returns the metrics of models as text for Prometheus.
///
/// # Examples
/// ```
/// let text = edge_ml::rollout::prometheus(&[]);
/// assert!(text.starts_with("# HELP edge_ml_runs_total "));
/// ```
///
/// # Source
/// Prometheus, "Exposition formats", text format 0.0.4; the names are ours.
#[must_use]
pub fn prometheus(models: &[ModelMetrics]) -> String {
    let mut text = String::new();
    let versions =
        || models.iter().flat_map(|model| model.versions.iter().map(move |version| (model, version)));
    let labels = |model: &ModelMetrics, version: &VersionMetrics| {
        format!("model=\"{}\",version=\"{}\"", model.model, version.version)
    };
    head(&mut text, "edge_ml_runs_total", "counter", "Runs of a version of a model.");
    for (model, version) in versions() {
        sample(&mut text, "edge_ml_runs_total", &labels(model, version), version.evidence.runs as f64);
    }
    head(&mut text, "edge_ml_errors_total", "counter", "Runs without an answer, by cause.");
    for (model, version) in versions() {
        for (cause, count) in &version.evidence.errors {
            let labels = format!("{},cause=\"{cause}\"", labels(model, version));
            sample(&mut text, "edge_ml_errors_total", &labels, *count as f64);
        }
    }
    let summaries: [(&str, &str, HistogramOf, f64); 3] = [
        ("edge_ml_run_seconds", "Time that runs took.", |evidence| &evidence.run_time, 1e-6),
        (
            "edge_ml_queue_wait_seconds",
            "Time that requests waited before.",
            |evidence| &evidence.queue_wait,
            1e-6,
        ),
        ("edge_ml_batch_rows", "Rows of a run.", |evidence| &evidence.rows, 1.0),
    ];
    for (name, help, histogram, scale) in summaries {
        head(&mut text, name, "summary", help);
        for (model, version) in versions() {
            summary(&mut text, name, &labels(model, version), histogram(&version.evidence), scale);
        }
    }
    head(
        &mut text,
        "edge_ml_divergence",
        "gauge",
        "Mean distance of answers from the version compared with.",
    );
    for (model, version) in versions().filter(|(_, version)| version.evidence.divergence.count > 0) {
        sample(&mut text, "edge_ml_divergence", &labels(model, version), version.evidence.divergence.mean);
    }
    head(&mut text, "edge_ml_compared_total", "counter", "Answers compared with those of another version.");
    for (model, version) in versions() {
        let count = version.evidence.divergence.count;
        sample(&mut text, "edge_ml_compared_total", &labels(model, version), count as f64);
    }
    let moments: [(&str, &str, Told<Moments, f64>); 3] = [
        ("edge_ml_output_mean", "Mean of the elements of an output.", |seen| seen.mean),
        ("edge_ml_output_variance", "Variance of the elements of an output.", Moments::variance),
        ("edge_ml_output_not_finite", "Elements of an output that are no finite number.", |seen| {
            seen.not_finite as f64
        }),
    ];
    for (name, help, value) in moments {
        head(&mut text, name, "gauge", help);
        for (model, version) in versions() {
            for (place, seen) in version.evidence.outputs.iter().enumerate() {
                let labels = format!("{},output=\"{place}\"", labels(model, version));
                sample(&mut text, name, &labels, value(seen));
            }
        }
    }
    head(
        &mut text,
        "edge_ml_version_status",
        "gauge",
        "1 for each version that is known, and how it stands.",
    );
    for model in models {
        for (version, status) in &model.statuses {
            let labels = format!("model=\"{}\",version=\"{version}\",status=\"{status}\"", model.model);
            sample(&mut text, "edge_ml_version_status", &labels, 1.0);
        }
    }
    of_messages(&mut text, models);
    of_models(&mut text, models);
    text
}

fn of_messages(text: &mut String, models: &[ModelMetrics]) {
    head(text, "edge_ml_messages_total", "counter", "Messages of an endpoint, by what became of them.");
    for (model, seen) in models.iter().filter_map(|model| Some((model, model.messages.as_ref()?))) {
        for (outcome, count) in [
            ("result", seen.results),
            ("without_result", seen.without_result),
            ("rejected", seen.rejected),
            ("passed", seen.passed),
            ("dropped", seen.dropped),
            ("repeated", seen.repeated),
        ] {
            let labels = format!("model=\"{}\",outcome=\"{outcome}\"", model.model);
            sample(text, "edge_ml_messages_total", &labels, count as f64);
        }
    }
    head(text, "edge_ml_message_errors_total", "counter", "Messages that there was no result for, by cause.");
    for (model, seen) in models.iter().filter_map(|model| Some((model, model.messages.as_ref()?))) {
        for (cause, count) in &seen.errors {
            let labels = format!("model=\"{}\",cause=\"{cause}\"", model.model);
            sample(text, "edge_ml_message_errors_total", &labels, *count as f64);
        }
    }
}

fn of_models(text: &mut String, models: &[ModelMetrics]) {
    let label = |model: &ModelMetrics| format!("model=\"{}\"", model.model);
    head(text, "edge_ml_input_mean", "gauge", "Mean of a column of the inputs.");
    for (model, place, (mean, _)) in columns(models) {
        sample(text, "edge_ml_input_mean", &format!("{},column=\"{place}\"", label(model)), mean);
    }
    head(text, "edge_ml_input_variance", "gauge", "Variance of a column of the inputs.");
    for (model, place, (_, variance)) in columns(models) {
        sample(text, "edge_ml_input_variance", &format!("{},column=\"{place}\"", label(model)), variance);
    }
    head(text, "edge_ml_drift", "gauge", "Population stability index of the inputs against the baseline.");
    for (model, drift) in models.iter().filter_map(|model| Some((model, model.drift?))) {
        sample(text, "edge_ml_drift", &label(model), drift);
    }
    let counts: [(&str, &str, Told<ModelMetrics, u64>); 3] = [
        ("edge_ml_unanswered_total", "Requests that found no version.", |model| model.unanswered),
        ("edge_ml_fell_back_total", "Requests answered by the last known good version.", |model| {
            model.fell_back
        }),
        ("edge_ml_not_compared_total", "Requests left out of the comparison.", |model| model.left_out),
    ];
    for (name, help, value) in counts {
        head(text, name, "counter", help);
        for model in models {
            sample(text, name, &label(model), value(model) as f64);
        }
    }
    head(text, "edge_ml_rolled_back", "gauge", "Versions that were rolled back and are remembered.");
    for model in models {
        sample(text, "edge_ml_rolled_back", &label(model), model.rolled_back as f64);
    }
}

fn columns(models: &[ModelMetrics]) -> impl Iterator<Item = (&ModelMetrics, usize, (f64, f64))> {
    models
        .iter()
        .flat_map(|model| model.inputs.iter().enumerate().map(move |(place, seen)| (model, place, *seen)))
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _never_fails = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &str, value: f64) {
    let _never_fails = writeln!(text, "{name}{{{labels}}} {value}");
}

fn summary(text: &mut String, name: &str, labels: &str, histogram: &Histogram, scale: f64) {
    for share in [0.5, 0.9, 0.99] {
        let value = histogram.quantile(share) as f64 * scale;
        sample(text, name, &format!("{labels},quantile=\"{share}\""), value);
    }
    sample(text, &format!("{name}_sum"), labels, histogram.sum() as f64 * scale);
    sample(text, &format!("{name}_count"), labels, histogram.count() as f64);
}
