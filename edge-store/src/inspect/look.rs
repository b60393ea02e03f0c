//! Reading the log of a store that may be in use.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::OpenError;
use crate::fs::Fs;
use crate::log::file_number;
use crate::recovery::{Recovered, recover};

/// How often the log is read again when segments come and go meanwhile.
const MAX_LOOKS: u32 = 16;

/// Reads the log without changing anything.
///
/// A gateway that is at work removes segments and begins others while they are read: that looks like damage, so what
/// is not whole counts only when the segments are the same before and after.
pub(super) fn look(fs: &dyn Fs, dir: &Path) -> Result<Recovered, OpenError> {
    let mut looks = 1;
    loop {
        let before = segments(fs, dir).map_err(OpenError::io("listing", dir))?;
        let found = recover(fs, dir, false);
        if is_whole(&found) || looks == MAX_LOOKS || segments(fs, dir).is_ok_and(|after| after == before) {
            return found;
        }
        looks += 1;
    }
}

/// Returns the numbers of the segments that are there.
pub(super) fn segments(fs: &dyn Fs, dir: &Path) -> io::Result<BTreeSet<u64>> {
    Ok(fs.list(dir)?.iter().filter_map(|(name, _)| file_number(name)).collect())
}

fn is_whole(found: &Result<Recovered, OpenError>) -> bool {
    let report = found.as_ref().map(|found| &found.report);
    report.is_ok_and(|report| report.damage.is_empty() && report.lost.is_empty() && report.removed.is_empty())
}
