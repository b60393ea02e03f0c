//! Conformance kit: how to know that a model keeps the contract of [`InferenceModel`](crate::InferenceModel).
//!
//! The kit is a list of cases, each a public function that takes a harness and panics when the contract is broken; its
//! doc quotes the sentence that it checks. A macro makes one test of each case:
//!
//! ```
//! use edge_ml::testing::model::ModelHarness;
//! use edge_ml::{Affine, InferenceModel, Tensor};
//!
//! struct Small;
//!
//! impl ModelHarness for Small {
//!     fn open(&self) -> Box<dyn InferenceModel> {
//!         Box::new(Affine::new(&[2.0, 3.0], &[0.0, 1.0]).unwrap())
//!     }
//!
//!     fn inputs(&self, rows: usize) -> Vec<Tensor> {
//!         vec![Tensor::new([rows, 2], (0..2 * rows).map(|i| i as f32).collect()).unwrap()]
//!     }
//! }
//!
//! edge_ml::model_conformance!(Small);
//! ```
//!
//! It is exempt from semantic versioning: a new case may fail a model that passed before. Each case is known to have
//! teeth: a deliberately broken model, named in the table of the kit's module, fails it in this crate's own tests.

pub mod factory;
pub mod fetch;
pub mod model;
