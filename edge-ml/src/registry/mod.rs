//! Versions of models on the disk: fetched, checked, installed and remembered across restarts.
//!
//! A model has a folder with its name. In it are
//!
//! | file | content |
//! |---|---|
//! | `<sha256>.model` | the file of a version, under its checksum in hexadecimal digits |
//! | `<sha256>.part` | the part of a file that was fetched so far |
//! | `record.0`, `record.1` | what is known of the model; written in turn, the one with the higher sequence counts |
//! | `lock` | empty; locked while the registry is open |
//! | `*.tmp` | what was being written when the process ended; removed when the registry is opened |
//!
//! A record is the line `edge-ml registry 1 <sha256 of the rest>` and JSON, see [`Record`]. It is written under another
//! name, synced, renamed, and the folder synced, so that each change survives the loss of power once it was made, and a
//! record that was damaged later leaves the one before it. A model's file gets its name once its checksum was seen to be
//! right and its bytes are on the disk. A file is read and checked again, bytes and signature, each time that it is opened as
//! a model; what was checked is what is opened.
//!
//! What is not referred to by either record is removed, but for the newest [`RegistryOptions::spare_versions`].

mod desired;
mod digest;
mod factory;
mod files;
mod golden;
mod mistakes;
mod name;
mod onnx;
mod policy;
mod record;
mod store;
#[cfg(test)]
mod tests;
mod trust;

pub use desired::{Desired, Origin};
pub(crate) use digest::Hasher;
pub use digest::{Sha256, Sha256Error};
pub use factory::{Golden, ModelFactory, ModelFile, OpenError, Opened};
#[cfg(test)]
pub(crate) use files::Files;
pub use mistakes::{Mistake, Mistakes};
pub use name::{ModelName, NameError, VersionName};
pub use onnx::OnnxFactory;
pub use policy::{CanaryRule, Gates, Policy, StageRule};
pub use record::{Candidate, Entry, MAX_RECORD_BYTES, Record, RecordError, Rejected, Stage};
pub(crate) use store::Part;
pub use store::{Recovery, Registry, RegistryError, RegistryOptions};
#[cfg(test)]
pub(crate) use tests::memory::MemoryFiles;
pub(crate) use trust::shown;
pub use trust::{AnchorError, ModelSignature, Trust, TrustError, signed_text};
