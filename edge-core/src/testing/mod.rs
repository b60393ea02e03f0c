//! Conformance kits: how to know that an implementation keeps a trait's contract.
//!
//! One kit for each trait. A kit is a list of cases, each a public function that takes a harness and panics when the
//! contract is broken; its doc quotes the sentence that it checks. A macro makes one test of each case:
//!
//! ```
//! use async_trait::async_trait;
//! use edge_core::MemoryStore;
//! use edge_core::testing::message_store::{Capabilities, StoreHarness};
//!
//! struct InMemory;
//!
//! #[async_trait]
//! impl StoreHarness for InMemory {
//!     type Store = MemoryStore;
//!
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::volatile()
//!     }
//!
//!     async fn open(&self) -> MemoryStore {
//!         MemoryStore::new()
//!     }
//!
//!     async fn crash(&self, _store: MemoryStore) -> Option<MemoryStore> {
//!         None
//!     }
//! }
//!
//! edge_core::message_store_conformance!(InMemory);
//! ```
//!
//! The macros expand to `#[tokio::test]` functions: the crate under test needs `tokio` with `rt` and `macros` as a
//! dev-dependency. The kits need no network and read no clock. They are exempt from semantic versioning: a new case
//! may fail an implementation that passed before.
//!
//! Each case is known to have teeth: a deliberately broken implementation, named in the table of the kit's module,
//! fails it in this crate's own tests.

pub mod arbitrary;
pub mod authenticator;
pub mod clock;
pub mod endpoint;
pub mod identity_store;
pub mod message_store;
mod race;
pub mod session_store;
pub mod uploads;

/// Makes a test of each case of a kit.
#[doc(hidden)]
#[macro_export]
macro_rules! __kit_tests {
    ([$harness:expr] $kit:ident: $($case:ident,)*) => {
        $(
            #[::tokio::test]
            async fn $case() {
                $crate::testing::$kit::$case(&$harness).await;
            }
        )*
    };
}

/// Makes the list of a kit's cases, and the function that runs one by its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __kit_index {
    ([$harness:ident] $kit:ident: $($case:ident,)*) => {
        /// The names of all cases of the kit.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Runs the case with this name.
        ///
        /// # Cancel safety
        /// Not cancel-safe: a case dropped half way has checked nothing.
        ///
        /// # Panics
        /// Panics when the contract is broken, and when there is no such case.
        pub async fn run(case: &str, harness: &impl $harness) {
            match case {
                $(stringify!($case) => Box::pin($case(harness)).await,)*
                _ => panic!("there is no case {case:?} in this kit"),
            }
        }
    };
}

/// Says that a case checked nothing, since the harness cannot do what it needs.
fn absent(case: &str, wanted: &str) {
    println!("{case}: nothing checked, since this harness has no {wanted}");
}
