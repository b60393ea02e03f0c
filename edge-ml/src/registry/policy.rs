//! How a candidate is judged before it replaces what serves.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::mistakes::{Mistaken, Object};

/// How much must be seen in a stage before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StageRule {
    /// At least so many requests.
    pub samples: u64,
    /// At least so long.
    ///
    /// # Units
    /// Seconds.
    pub seconds: u64,
}

/// The stage in which a candidate answers a share of the devices.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CanaryRule {
    /// The share of the devices.
    ///
    /// # Units
    /// Percent.
    pub percent: f64,
    /// How much must be seen.
    #[serde(flatten)]
    pub rule: StageRule,
}

/// What a candidate must keep to; a gate that is not declared is open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Gates {
    /// The largest share of requests that may fail, from 0 to 1.
    pub error_rate: f64,
    /// The largest 99th percentile of the time of a run.
    ///
    /// # Units
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// How often the 99th percentile of the current model it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ratio: Option<f64>,
    /// The largest mean distance of its answers from those of the current model, from 0 to 1; see
    /// [`divergence`](crate::rollout::divergence).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<f64>,
    /// The largest population stability index of the inputs, against the stored baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
}

/// The stages that a candidate goes through, and what it must keep to in each.
///
/// # Examples
/// ```
/// use edge_ml::registry::Policy;
///
/// let policy = Policy::default();
/// assert!(policy.shadow.is_none() && policy.canary.is_none());
/// assert_eq!(policy.probation.samples, 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Policy {
    /// Whether, and for how long, it only sees the traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<StageRule>,
    /// Whether, and for how long, it answers a share of the devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryRule>,
    /// How long it answers everybody before what it replaced is let go.
    pub probation: StageRule,
    /// What it must keep to.
    pub gates: Gates,
    /// How long one run may take; a candidate that takes longer is bad.
    ///
    /// # Units
    /// Milliseconds.
    pub time_limit_ms: u64,
    /// How often it may be started: a candidate with which the process died so often is bad.
    pub starts: u32,
}

impl Default for Policy {
    /// No shadow and no canary; probation of 100 requests and one minute, at most one error in a hundred, ten seconds for a
    /// run, three starts.
    fn default() -> Self {
        Self {
            shadow: None,
            canary: None,
            probation: StageRule { samples: 100, seconds: 60 },
            gates: Gates { error_rate: 0.01, p99_ms: None, p99_ratio: None, divergence: None, drift: None },
            time_limit_ms: 10_000,
            starts: 3,
        }
    }
}

impl Policy {
    /// Returns how long one run may take.
    #[must_use]
    pub const fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    pub(super) fn read(value: Option<&Value>, mistaken: &mut Mistaken) -> Self {
        let known = ["shadow", "canary", "probation", "gates", "timeLimitMs", "starts"];
        let object = Object::open(value, "policy", &known, mistaken);
        let default = Self::default();
        let rule = |object: &Object<'_>, mistaken: &mut Mistaken| StageRule {
            samples: object.count("samples", 0, 1_000_000_000, mistaken).unwrap_or(default.probation.samples),
            seconds: object.count("seconds", 0, 31_536_000, mistaken).unwrap_or(default.probation.seconds),
        };
        let shadow = object.member("shadow").map(|value| {
            let object = Object::open(Some(value), "policy.shadow", &["samples", "seconds"], mistaken);
            rule(&object, mistaken)
        });
        let canary = object.member("canary").map(|value| {
            let known = ["percent", "samples", "seconds"];
            let object = Object::open(Some(value), "policy.canary", &known, mistaken);
            if object.member("percent").is_none() {
                mistaken.add("policy.canary.percent", "is missing");
            }
            let percent = object.number("percent", 0.01, 100.0, mistaken).unwrap_or(100.0);
            CanaryRule { percent, rule: rule(&object, mistaken) }
        });
        let probation = object.member("probation");
        let probation = Object::open(probation, "policy.probation", &["samples", "seconds"], mistaken);
        let probation = rule(&probation, mistaken);
        let gates = Gates::read(object.member("gates"), default.gates, mistaken);
        let limit = object.count("timeLimitMs", 1, 3_600_000, mistaken);
        let starts = object.count("starts", 1, 100, mistaken).and_then(|starts| u32::try_from(starts).ok());
        Self {
            shadow,
            canary,
            probation,
            gates,
            time_limit_ms: limit.unwrap_or(default.time_limit_ms),
            starts: starts.unwrap_or(default.starts),
        }
    }
}

impl Gates {
    fn read(value: Option<&Value>, default: Self, mistaken: &mut Mistaken) -> Self {
        let known = ["errorRate", "p99Ms", "p99Ratio", "divergence", "drift"];
        let object = Object::open(value, "policy.gates", &known, mistaken);
        let rate = object.number("errorRate", 0.0, 1.0, mistaken);
        Self {
            error_rate: rate.unwrap_or(default.error_rate),
            p99_ms: object.number("p99Ms", 0.0, 3_600_000.0, mistaken),
            p99_ratio: object.number("p99Ratio", 0.0, 1e6, mistaken),
            divergence: object.number("divergence", 0.0, 1.0, mistaken),
            drift: object.number("drift", 0.0, 1e6, mistaken),
        }
    }
}
