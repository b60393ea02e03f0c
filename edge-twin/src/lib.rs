//! Twins of devices and modules: documents that both sides of a connection change and see.
//!
//! [`Twin`] is the document, [`Patch`] a change of one of its sections, [`Limits`] what it may hold. Everything here is
//! pure: no clock, no task, no file, no socket.
//!
//! # What is promised
//! - Semantics are those of Azure IoT Hub and Azure IoT Edge: merge patches in which null removes, a `$version` for each
//!   section that rises by one with each change, `$metadata` with the time of each property's last change.
//! - A change that breaks a limit changes nothing, and the error says which limit, how far and where.
//! - A change rebuilds nothing that it does not touch: the document is kept in its stored form, of which a patch copies
//!   whole ranges.

// What the macro writes names this crate from outside.
extern crate self as edge_twin;

mod codec;
mod etag;
mod json;
mod limits;
mod merge;
mod patch;
mod section;
mod store;
mod stored;
pub mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod twin;
pub mod typed;
mod update;
mod value;

pub use codec::DecodeError;
pub use etag::{Etag, EtagError, Expect};
pub use json::JsonError;
pub use limits::{Limit, LimitError, Limits, TwinLimits};
pub use merge::{Nulls, diff, merge};
pub use patch::{Patch, PatchError};
pub use section::{FIRST_VERSION, Section, View};
pub use store::{MemoryTwins, TwinStore, TwinStoreError};
pub use twin::{ApplyError, DesiredChange, SectionKind, Twin, Updated};
pub use update::TwinUpdate;
pub use value::{Map, Value};
