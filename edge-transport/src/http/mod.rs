//! HTTP: so far only what Prometheus needs.

mod driver;

pub use driver::MetricsListener;
