//! JSON text. RFC 8259.

mod read;
mod write;

pub use read::JsonError;
pub(crate) use read::{MAX_LEVELS, read};
pub(crate) use write::{len, string_len, write, write_string};
