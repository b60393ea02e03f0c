//! How a version of a model comes to serve, is compared, judged, committed or rolled back.
//!
//! ```text
//!  desired ─▶ fetch ─▶ check ─▶ shadow ─▶ canary ─▶ probation ─▶ committed
//!                        │        │          │          │
//!                        └────────┴──────────┴──────────┴─▶ rolled back: the last known good version answers everybody
//! ```
//!
//! | stage | who answers | what the candidate does |
//! |---|---|---|
//! | check | the current version | is opened, and tried on golden samples |
//! | shadow | the current version | sees answered requests on a bounded side queue; its answers are compared |
//! | canary | the candidate for a share of the devices | is answered for by the current version where it fails |
//! | probation | the candidate | is answered for by the last known good version where it fails |
//!
//! Shadow and canary are optional, and there are none while nothing serves. [`Lifecycle`] decides, [`Serving`] is where
//! requests meet versions.

mod asked;
mod divergence;
mod drift;
mod driver;
mod evidence;
mod generation;
mod histogram;
mod lifecycle;
mod metrics;
mod numbers;
mod opening;
mod pinned;
mod pools;
mod reported;
mod serving;
mod side;
#[cfg(test)]
mod tests;
mod trial;

pub(crate) use asked::Asked;
pub use divergence::divergence;
pub use drift::{Baseline, ColumnBaseline, Drift, Profile};
pub use driver::{Driver, Monitor};
pub use evidence::{Case, Evidence, Verdict, judge};
pub use generation::Generation;
pub use histogram::Histogram;
pub use lifecycle::{Lifecycle, Next};
pub use metrics::{ModelMetrics, VersionMetrics, prometheus};
pub use numbers::Moments;
pub use pinned::Pinned;
pub use serving::{Answer, ServeError, Serving, ServingLimits, Share};
