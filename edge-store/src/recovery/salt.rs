//! A second copy of the salt: without it a store of one segment whose header is damaged could not be read at all.
//!
//! It is kept once the first segment is durable, and from then on there is always one that is: so it says too that a
//! store whose only segment is torn was not being begun, but has lost what it had.

use std::path::Path;

use crate::fs::{Fs, read_full, write_all};
use crate::log::{HEADER_BYTES, Header};

const FILE: &str = "salt";

/// Returns the salt that was kept.
pub(super) fn kept_salt(fs: &dyn Fs, dir: &Path) -> Option<u64> {
    let file = fs.open_read(&dir.join(FILE)).ok()?;
    let mut bytes = [0; HEADER_BYTES as usize];
    let read = read_full(file.as_ref(), &mut bytes, 0).ok()?;
    Header::decode(bytes.get(..read)?).map(|header| header.salt)
}

/// Keeps the salt, unless it is kept already; the store works without, too.
pub(crate) fn keep_salt(fs: &dyn Fs, dir: &Path, salt: u64) {
    if kept_salt(fs, dir) == Some(salt) {
        return;
    }
    let header = Header { number: 0, salt, recycled: false };
    let kept = fs.create(&dir.join(FILE)).and_then(|file| {
        write_all(file.as_ref(), &header.encode(), 0)?;
        file.sync()
    });
    if let Err(error) = kept {
        tracing::debug!(%error, "the salt of the store could not be kept");
    }
}
