//! The engines beside onnxruntime, on models that ship in packages of PyPI.
//!
//! `EDGE_ML_PYTHON` is an interpreter that has the packages; `cargo xtask test` installs them.
#![cfg(feature = "peers")]

#[path = "../cases/mod.rs"]
mod cases;
mod compare;
mod data;
#[cfg(feature = "ort")]
mod engine;
mod python;
mod real;
