//! Opening what is there: reading the log, cutting its torn end, setting aside what is damaged.

mod complete;
mod into_state;
mod replay;
mod report;
mod salt;
mod scan;

use std::path::Path;

use edge_core::DropCause;

use crate::OpenError;
use crate::fs::Fs;
use crate::log::{HEADER_BYTES, Header, file_name, file_number};

pub(crate) use replay::Replay;
pub use report::{Damage, Lost, Recovery};
pub(crate) use report::{found_damage, set_aside};
pub(crate) use salt::keep_salt;
use salt::kept_salt;
use scan::{Scan, scan, scan_index};

/// What the log in a directory says.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) replay: Replay,
    pub(crate) report: Recovery,
    /// Segments and their lengths, by rising number.
    pub(crate) segments: Vec<(u64, u64)>,
    /// The number that no segment has had yet.
    pub(crate) next_segment: u64,
    pub(crate) salt: Option<u64>,
    /// Whether a segment of the store has been durable before: since then there was always one.
    was_begun: bool,
    /// The newest segment, when it is whole but has no index.
    unindexed: Option<u64>,
    /// Whether files may be changed.
    repairs: bool,
}

/// Reads the log in `dir`; when it `repairs`, the next reading finds the same without damage at its end.
///
/// The newest segment is read whole; of the others only the indexes, unless the newest does not say how things stand.
pub(crate) fn recover(fs: &dyn Fs, dir: &Path, repairs: bool) -> Result<Recovered, OpenError> {
    let mut files: Vec<(u64, u64)> = fs
        .list(dir)
        .map_err(OpenError::io("listing", dir))?
        .into_iter()
        .filter_map(|(name, len)| Some((file_number(&name)?, len)))
        .collect();
    files.sort_unstable();
    let headers: Result<Vec<_>, _> = files.iter().map(|&(number, _)| read_header(fs, dir, number)).collect();
    let headers = headers?;
    let kept = kept_salt(fs, dir);
    let mut recovered = Recovered {
        replay: Replay::default(),
        report: Recovery::default(),
        segments: Vec::new(),
        next_segment: files.last().map_or(1, |(newest, _)| newest.saturating_add(1)),
        salt: headers.iter().flatten().map(|header| header.salt).next_back().or(kept),
        was_begun: kept.is_some(),
        unindexed: None,
        repairs,
    };
    let files: Vec<_> =
        files.into_iter().zip(headers).map(|((number, len), header)| File { number, len, header }).collect();
    if !recovered.read_all(fs, dir, &files, true)? || !recovered.report.lost.is_empty() {
        (recovered.replay, recovered.report) = (Replay::default(), Recovery::default());
        recovered.segments.clear();
        recovered.read_all(fs, dir, &files, false)?;
    }
    if recovered.report.damage.is_empty() && !recovered.report.lost.is_empty() {
        // All that is there is whole, so what is missing was in segments that are gone.
        let nameless = recovered.replay.nameless();
        recovered.report.lost.retain(|lost| !nameless.contains(lost));
        recovered.report.removed = std::mem::replace(&mut recovered.report.lost, nameless);
        recovered.replay.give_up_gaps(DropCause::Removed);
    } else {
        recovered.replay.give_up_gaps(DropCause::Damaged);
    }
    recovered.complete_newest(fs, dir)?;
    Ok(recovered)
}

/// A segment file that is there.
#[derive(Clone, Copy, Debug)]
struct File {
    number: u64,
    len: u64,
    header: Option<Header>,
}

impl Recovered {
    /// Reads all segments and sums up; returns `false` when indexes are not enough.
    fn read_all(
        &mut self,
        fs: &dyn Fs,
        dir: &Path,
        files: &[File],
        by_index: bool,
    ) -> Result<bool, OpenError> {
        let enough = self.read_segments(fs, dir, files, by_index)?;
        self.replay.finish();
        self.report.segments = self.segments.len() as u64;
        self.report.entries = self.replay.entries();
        self.report.lost = self.replay.lost();
        Ok(enough)
    }

    /// Reads all segments; returns `false` when indexes are not enough.
    fn read_segments(
        &mut self,
        fs: &dyn Fs,
        dir: &Path,
        files: &[File],
        by_index: bool,
    ) -> Result<bool, OpenError> {
        let by_index = by_index && files.len() > 1;
        if by_index && files.iter().any(|file| file.header.is_none()) {
            return Ok(false);
        }
        for (at, file @ &File { number, len, header }) in files.iter().enumerate() {
            let is_newest = at + 1 == files.len();
            let Some(salt) = header.map(|header| header.salt).or(self.salt) else {
                self.set_aside(fs, dir, file, files)?;
                continue;
            };
            let segment = Scan {
                number,
                len,
                salt,
                is_newest,
                has_header: header.is_some(),
                recycled: header.is_some_and(|header| header.recycled),
            };
            if by_index && !is_newest && scan_index(fs, dir, segment, &mut self.replay)? {
                self.segments.push((number, len));
                continue;
            }
            let mut found = scan(fs, dir, segment, &mut self.replay)?;
            let says_nothing = is_newest && found.records == 0;
            if by_index && (says_nothing || !found.damage.is_empty()) {
                return Ok(false);
            }
            self.report.records += found.records;
            if header.is_none() && found.records == 0 {
                self.set_aside(fs, dir, file, files)?;
                continue;
            }
            if is_newest && found.end < len {
                if self.repairs {
                    cut(fs, dir, number, found.end)?;
                }
                self.report.bytes_cut += found.unfinished;
            }
            if is_newest && header.is_some() && found.damage.is_empty() && !found.ends_with_index {
                self.unindexed = Some(number);
            }
            if header.is_none() && !is_newest {
                found.damage.insert(0, (0, HEADER_BYTES));
            }
            for (from, to) in found.damage {
                self.damaged(fs, dir, number, from, to);
            }
            self.segments.push((number, found.end));
        }
        Ok(true)
    }

    /// A segment that cannot be read at all: torn while it was begun, or destroyed.
    fn set_aside(&mut self, fs: &dyn Fs, dir: &Path, file: &File, files: &[File]) -> Result<(), OpenError> {
        let &File { number, len, .. } = file;
        let is_newest = files.last().is_some_and(|newest| newest.number == number);
        let can_be_torn = files.len() > 1 || !self.was_begun;
        if is_newest && can_be_torn {
            self.report.bytes_cut += len;
        }
        if !(is_newest && can_be_torn && (self.salt.is_some() || len < HEADER_BYTES)) {
            self.damaged(fs, dir, number, 0, len);
        }
        if self.repairs { remove(fs, dir, number) } else { Ok(()) }
    }

    fn damaged(&mut self, fs: &dyn Fs, dir: &Path, number: u64, from: u64, to: u64) {
        let damage = if self.repairs {
            set_aside(fs, dir, number, from, to)
        } else {
            found_damage(dir, number, from, to)
        };
        self.report.damage.push(damage);
    }
}

fn read_header(fs: &dyn Fs, dir: &Path, number: u64) -> Result<Option<Header>, OpenError> {
    let path = dir.join(file_name(number));
    let file = fs.open_read(&path).map_err(OpenError::io("opening", &path))?;
    let mut bytes = [0; HEADER_BYTES as usize];
    let read = crate::fs::read_full(file.as_ref(), &mut bytes, 0).map_err(OpenError::io("reading", &path))?;
    let header = bytes.get(..read).filter(|read| read.len() == bytes.len()).and_then(Header::decode);
    Ok(header.filter(|header| header.number == number))
}

fn cut(fs: &dyn Fs, dir: &Path, number: u64, end: u64) -> Result<(), OpenError> {
    let path = dir.join(file_name(number));
    let file = fs.open(&path).map_err(OpenError::io("opening", &path))?;
    file.set_len(end).and_then(|()| file.sync()).map_err(OpenError::io("cutting", &path))
}

fn remove(fs: &dyn Fs, dir: &Path, number: u64) -> Result<(), OpenError> {
    let path = dir.join(file_name(number));
    fs.remove(&path).map_err(OpenError::io("removing", &path))
}

#[cfg(test)]
mod tests;
