//! The engines beside onnxruntime and the ONNX project's own test data, both from PyPI.
//!
//! `EDGE_ML_PYTHON` is an interpreter that has the packages; `cargo xtask test` installs them.
#![cfg(feature = "peers")]

#[path = "../cases/mod.rs"]
mod cases;
mod compare;
mod data;
mod engine;
mod outcome;
mod python;
mod real;
mod table;
