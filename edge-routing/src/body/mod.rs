//! The JSON body of a message: which bodies can be looked into, and the values of the paths a set of routes asks for.

mod date;
mod encoding;
mod path;
mod scan;
mod tree;
mod trie;

pub(crate) use date::is_date;
pub(crate) use encoding::decode;
pub(crate) use path::{Path, Segment, check_path, read_path};
pub(crate) use scan::{BodyValue, Extract, extract};
pub(crate) use tree::Tree;
pub(crate) use trie::Trie;

use crate::fields::Fields;

/// The content type of bodies that can be looked into.
const JSON: &str = "application/json";

/// Whether the message says that its body is JSON, and in which encoding.
///
/// # Source
/// Route language §6.
pub(crate) fn declared_encoding<F: Fields + ?Sized>(fields: &F) -> Option<encoding::Encoding> {
    let content_type = fields.content_type()?;
    if content_type != JSON && !content_type.eq_ignore_ascii_case(JSON) {
        return None;
    }
    encoding::Encoding::named(fields.content_encoding()?)
}
