//! Local inference for an IoT edge gateway: models that sit in the path of messages.
//!
//! | to bring your own | implement | and run its kit |
//! |---|---|---|
//! | engine, or model in Rust | [`InferenceModel`] | `testing::model` |
//! | engine's way to open files | [`registry::ModelFactory`] | `testing::factory` |
//! | way to a server with files of models | [`fetch::Fetch`] | `testing::fetch` |
//!
//! The kit is behind the feature `testing`; it is exempt from semantic versioning.
//!
//! [`read`] opens a model file with what runs it best, [`Preflight`] judges it before it serves, [`ModelPool`] runs it in
//! threads of its own, and [`ModelEndpoint`] puts it into the routes of a gateway.
//!
//! Of the versions of a model [`rollout::Serving`] picks the one that answers, and [`rollout::Driver`] fetches, tries, commits
//! and rolls back as the twin of the model's module asks. The repository's example `gateway` puts all of it together: built
//! with `--features ml` it takes
//!
//! ```toml
//! [[models]]
//! name = "anomaly"
//! file = "anomaly.onnx"
//! mapping = { inputs = { readings = { window = 32, fields = ["$body.vibration"] } }, outputs = { score = {} } }
//! policy = { canary = { percent = 10 }, gates = { divergence = 0.05 } }
//!
//! [routes]
//! in = "FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO BrokeredEndpoint(\"/modules/anomaly/inputs/in\")"
//! out = "FROM /messages/modules/anomaly/outputs/results INTO $upstream"
//! ```
//!
//! and says at its head what else may stand there.
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `tract` | yes | the ONNX engine in pure Rust; its build takes minutes |
//! | `ort` | no | the adapter of ONNX Runtime, whose library the user supplies: see [`OnnxRuntimeModel`](https://docs.rs/edge-ml/latest/edge_ml/struct.OnnxRuntimeModel.html) |
//! | `image` | yes | JPEG and PNG as inputs, see [`mapping`] |
//! | `http-fetch` | no | files of models over HTTP and HTTPS |
//! | `testing` | no | the conformance kit |
//!
//! # Examples
//! ```
//! use edge_ml::{Affine, InferenceModel, Tensor};
//!
//! let mut model = Affine::new(&[2.0, 0.5], &[0.0, 1.0])?;
//! let rows = Tensor::new([1, 2], vec![1.0f32, 4.0])?;
//! let outputs = model.run(&[rows.view()])?;
//! assert_eq!(outputs[0].values::<f32>(), Some(&[2.0, 3.0][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod affine;
#[cfg(any(feature = "ort", feature = "tract"))]
mod declared;
mod engine;
pub mod fetch;
#[cfg(any(feature = "ort", feature = "tract"))]
mod guarded;
mod load;
pub mod mapping;
mod model;
mod onnx;
#[cfg(feature = "ort")]
mod onnxruntime;
mod options;
mod preflight;
#[cfg(any(feature = "ort", feature = "tract"))]
mod refused;
pub mod registry;
pub mod rollout;
mod serve;
mod signature;
mod tabular;
mod tensor;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tract")]
mod tract;

pub use affine::{Affine, AffineError};
pub use engine::{Engine, EngineNameError};
pub use load::{LoadError, UnsupportedNode};
pub use model::{InferenceModel, RunError};
pub use onnx::{FileError, FileLimits};
#[cfg(feature = "ort")]
pub use onnxruntime::OnnxRuntimeModel;
pub use options::ReadOptions;
pub use preflight::{Demands, Difference, Objection, Preflight, Sample, read};
pub use serve::{
    EndpointStats, Mapped, ModelEndpoint, ModelPool, OnError, PoolOptions, PoolStats, Ticket, Translate,
};
pub use signature::{Dim, DimText, MisfitError, Port, Signature};
pub use tabular::TabularModel;
pub use tensor::{Element, ElementType, F16, Shape, Tensor, TensorError, TensorView};
#[cfg(feature = "tract")]
pub use tract::TractModel;
