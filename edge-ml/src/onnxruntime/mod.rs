//! ONNX models run by ONNX Runtime, from a library that the user supplies.

mod convert;
mod library;
mod load;
mod model;

pub use model::OnnxRuntimeModel;
