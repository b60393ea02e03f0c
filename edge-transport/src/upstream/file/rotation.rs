//! Full files: `out.ndjson.1` is the oldest, higher numbers are younger.

use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// Returns the directory of the file at `path`.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Returns the numbers of the full files of `path`, rising.
fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory(path))? {
        let found = entry?.file_name();
        let digits = found.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.'));
        numbers.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Renames the file at `path` to the next number.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    let next = numbers(path)?.last().map_or(1, |last| last.saturating_add(1));
    fs::rename(path, numbered(path, next))
}

/// Removes the oldest full files, all but `keep`.
pub(super) fn remove_old(path: &Path, keep: NonZeroU32) -> io::Result<()> {
    let numbers = numbers(path)?;
    let keep = usize::try_from(keep.get()).unwrap_or(usize::MAX);
    let old = numbers.len().saturating_sub(keep);
    numbers.iter().take(old).try_for_each(|number| fs::remove_file(numbered(path, *number)))
}

/// Makes names in the directory of `path` durable, where directories can be synced.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(directory(path))?.sync_all() } else { Ok(()) }
}
