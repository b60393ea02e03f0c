//! Opening what is there: reading the log, cutting its torn end, setting aside what is damaged.

mod replay;
mod report;
mod scan;

use std::path::Path;

use crate::OpenError;
use crate::fs::Fs;
use crate::log::{HEADER_BYTES, Header, file_name, file_number};

pub(crate) use replay::Replay;
pub(crate) use report::set_aside;
pub use report::{Damage, Lost, Recovery};
use scan::{Scan, scan};

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
}

/// Reads the log in `dir`; it is repaired, so that the next reading finds the same without damage at its end.
pub(crate) fn recover(fs: &dyn Fs, dir: &Path) -> Result<Recovered, OpenError> {
    let mut numbers: Vec<(u64, u64)> = fs
        .list(dir)
        .map_err(OpenError::io("listing", dir))?
        .into_iter()
        .filter_map(|(name, len)| Some((file_number(&name)?, len)))
        .collect();
    numbers.sort_unstable();
    let headers =
        numbers.iter().map(|&(number, _)| read_header(fs, dir, number)).collect::<Result<Vec<_>, _>>()?;
    let salt = headers.iter().flatten().map(|header| header.salt).next_back();
    let newest = numbers.last().map(|&(number, _)| number);
    let mut recovered = Recovered {
        replay: Replay::default(),
        report: Recovery::default(),
        segments: Vec::new(),
        next_segment: newest.map_or(1, |newest| newest.saturating_add(1)),
        salt,
    };
    for (&(number, len), header) in numbers.iter().zip(headers) {
        let is_newest = Some(number) == newest;
        let Some(salt) = header.map(|header| header.salt).or(salt) else {
            recovered.set_aside(fs, dir, number, len, is_newest)?;
            continue;
        };
        let mut found = scan(
            fs,
            dir,
            Scan { number, len, salt, is_newest, has_header: header.is_some() },
            &mut recovered.replay,
        )?;
        recovered.report.records += found.records;
        if header.is_none() && found.records == 0 {
            recovered.set_aside(fs, dir, number, len, is_newest)?;
            continue;
        }
        if is_newest && found.end < len {
            cut(fs, dir, number, found.end)?;
            recovered.report.bytes_cut += len - found.end;
        }
        if header.is_none() && !is_newest {
            found.damage.insert(0, (0, HEADER_BYTES));
        }
        for (from, to) in found.damage {
            recovered.report.damage.push(set_aside(fs, dir, number, from, to));
        }
        recovered.segments.push((number, found.end));
    }
    recovered.report.segments = recovered.segments.len() as u64;
    recovered.replay.finish();
    recovered.report.entries = recovered.replay.entries();
    recovered.report.lost = recovered.replay.lost();
    Ok(recovered)
}

impl Recovered {
    /// A segment that cannot be read at all: torn while it was begun, or destroyed.
    fn set_aside(
        &mut self,
        fs: &dyn Fs,
        dir: &Path,
        number: u64,
        len: u64,
        is_newest: bool,
    ) -> Result<(), OpenError> {
        if is_newest {
            self.report.bytes_cut += len;
        }
        let torn_at_birth = is_newest && (self.salt.is_some() || len < HEADER_BYTES);
        if !torn_at_birth {
            self.report.damage.push(set_aside(fs, dir, number, 0, len));
        }
        remove(fs, dir, number)
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
