//! The documents of the service API.

mod identity;
mod import;

pub(super) use identity::{IdentityBody, identity};
pub(super) use import::{ImportEntry, failures};
