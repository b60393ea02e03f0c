//! Tests of the registry.

mod desired;
pub(crate) mod memory;
mod store;
mod trust;
