//! Windows over streams of messages: counts, sums, means, extremes, deviations and percentiles by device or key.
//!
//! A window is declared ([`WindowSpec`]), checked ([`Definition`]), and runs either by itself ([`Stream`]) or as an
//! endpoint of a gateway ([`WindowEndpoint`]): routes lead messages into `/modules/<name>/inputs/…`, and results come
//! out as `/messages/modules/<name>/outputs/results`, so that windows chain with modules, models and each other.
//!
//! - **Event time.** An event counts at the time that it says it happened, in any order of arrival within the lateness.
//!   Each key has a watermark of its own: a device that was away for a day and sends its backlog is late for nobody,
//!   and makes nobody late.
//! - **Exact.** Sums are kept without rounding, and rounded once: the order of events makes no difference, nothing
//!   drifts, nothing cancels. See [`Function`].
//! - **Bounded.** Keys, windows and values are limited; what a limit closes early is counted and says so.
//! - **Durable.** See [`WindowEndpoint`] for what survives a crash.
//!
//! # Examples
//! ```
//! use edge_core::{Message, Source, SystemKey, Timestamp};
//! use edge_stream::{Stream, WindowSpec};
//!
//! let spec: WindowSpec = serde_json::from_str(
//!     r#"{"name": "w", "window": {"type": "tumbling", "size": "10s"}, "time": "$body.at", "time_unit": "s",
//!         "values": {"mean": "avg($body.t)"}}"#,
//! )?;
//! let mut stream = Stream::new(spec.check()?);
//! let at = Timestamp::from_unix_ms(100_000);
//! let mut results = Vec::new();
//! for body in [r#"{"at": 1, "t": 20}"#, r#"{"at": 2, "t": 21}"#, r#"{"at": 11, "t": 30}"#] {
//!     let message = Message::builder(&Source::telemetry())
//!         .system(SystemKey::ConnectionDeviceId, "press-7")
//!         .body(body.as_bytes())
//!         .build();
//!     results.extend(stream.message(&message, at, at)?);
//! }
//! assert_eq!(results.len(), 1);
//! assert_eq!(results[0].values, [("mean".into(), Some(20.5))]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod driver;
mod endpoint;
mod event;
mod hash;
mod journal;
mod metrics;
mod operator;
mod recent;
mod result;
mod seen;
mod snapshot;
mod state;
mod stats;
mod steps;
mod stream;
mod window;
mod wire;

pub use config::{Definition, LimitsSpec, Mistake, Mistakes, OnError, OnLate, ShapeSpec, WindowSpec};
pub use endpoint::{OpenError, WindowEndpoint};
pub use event::EventError;
pub use metrics::prometheus;
pub use operator::Counts;
pub use result::{ClosedBy, WindowResult};
pub use snapshot::SnapshotError;
pub use stats::Function;
pub use stream::Stream;
