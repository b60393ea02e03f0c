//! The conformance kit: how to know that a [`TwinStore`](crate::TwinStore) keeps its contract.
//!
//! A case is a public function that takes a harness and panics when the contract is broken. A macro makes one test of
//! each case:
//!
//! ```
//! use async_trait::async_trait;
//! use edge_twin::MemoryTwins;
//! use edge_twin::testing::twin_store::TwinHarness;
//!
//! struct InMemory;
//!
//! #[async_trait]
//! impl TwinHarness for InMemory {
//!     type Store = MemoryTwins;
//!
//!     async fn open(&self) -> MemoryTwins {
//!         MemoryTwins::default()
//!     }
//!
//!     async fn crash(&self, _store: MemoryTwins) -> Option<MemoryTwins> {
//!         None
//!     }
//! }
//!
//! edge_twin::twin_store_conformance!(InMemory);
//! ```
//!
//! The crate under test needs `tokio` with `rt` and `macros` as a dev-dependency. The kit is exempt from semantic
//! versioning: a new case may fail an implementation that passed before.

pub mod twin_store;
