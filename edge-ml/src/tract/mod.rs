//! ONNX models run by `tract`, the engine in pure Rust.

mod branches;
mod convert;
mod load;
mod mended;
mod model;
mod names;

pub use model::TractModel;
