//! `routes lint`: what is odd about a set of routes.

use std::io::Write;

use crate::{End, Words, file, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [path] = words.files.as_slice() else { return Err("lint needs one file".into()) };
    let compiled = file::router(path)?;
    for warning in &compiled.warnings {
        write!(out, "{path}: {warning}").map_err(written)?;
    }
    Ok(if compiled.warnings.is_empty() { End::Fine } else { End::Found })
}
