//! Models of tables: pipelines of scaling, encoding and trees, as scikit-learn exports them, run without an engine.
//!
//! The operators are those of the domain `ai.onnx.ml`, and those of the default domain that stand around them. Where the
//! ONNX specification leaves a meaning open, it is onnxruntime's, and the vectors in `tests/vectors` hold it there.

mod arithmetic;
mod arrange;
mod build;
mod columns;
mod encode;
mod kernel;
mod linear;
mod model;
mod reduce;
mod scores;
mod svm;
mod trees;

pub use model::TabularModel;

pub(crate) use build::is_supported;
