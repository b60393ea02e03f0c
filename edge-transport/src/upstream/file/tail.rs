//! Finds where the sound part of a recording ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::upstream::ndjson::Record;

/// What every recorded line begins with.
const BEGINNING: &[u8] = br#"{"source":"#;
/// How much is read at a time.
const CHUNK: u64 = 64 << 10;

/// Returns how many bytes of `file` are whole lines that can be read; `None` when it holds something else.
///
/// Only the end is read: the last batch before a crash is all that can be torn.
pub(super) fn sound_bytes(file: &mut File) -> io::Result<Option<u64>> {
    let len = file.seek(SeekFrom::End(0))?;
    let head = read(file, 0, len.min(BEGINNING.len() as u64))?;
    if !BEGINNING.starts_with(&head) && head.iter().any(|byte| *byte != 0) {
        return Ok(None);
    }
    let mut end = line_start(file, len)?;
    while end > 0 {
        let start = line_start(file, end - 1)?;
        let line = read(file, start, end - 1 - start)?;
        if std::str::from_utf8(&line).is_ok_and(|line| line.parse::<Record>().is_ok()) {
            break;
        }
        end = start;
    }
    Ok(Some(end))
}

/// Returns where the line begins that goes on to `end`: behind the last line break before it.
fn line_start(file: &mut File, end: u64) -> io::Result<u64> {
    let mut upto = end;
    while upto > 0 {
        let from = upto.saturating_sub(CHUNK);
        let bytes = read(file, from, upto - from)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        upto = from;
    }
    Ok(0)
}

fn read(file: &mut File, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut buffer = Vec::new();
    file.take(bytes).read_to_end(&mut buffer)?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use edge_core::{Message, Source, Timestamp};

    use super::*;

    fn line(body: &[u8]) -> Vec<u8> {
        let message = Message::builder(&Source::telemetry()).body(body).build();
        format!("{}\n", Record::new(Timestamp::from_unix_ms(0), message)).into_bytes()
    }

    fn check(bytes: &[u8], expected: Option<usize>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        assert_eq!(sound_bytes(&mut file).unwrap(), expected.map(|n| n as u64), "{} bytes", bytes.len());
    }

    #[test]
    fn every_torn_end_is_found() {
        let (first, second) = (line(b"first"), line(b"second"));
        let whole = [first.clone(), second].concat();
        check(&whole, Some(whole.len()));
        for cut in 0..whole.len() {
            check(&whole[..cut], Some(if cut < first.len() { 0 } else { first.len() }));
        }
    }

    #[test]
    fn holes_of_zeros_are_cut() {
        let first = line(b"first");
        check(&[first.clone(), vec![0; 5000]].concat(), Some(first.len()));
        check(&[first.clone(), vec![0; 5000], b"\n".to_vec()].concat(), Some(first.len()));
        check(&[0; 100], Some(0));
    }

    #[test]
    fn long_lines_are_read_whole() {
        let long = line(&vec![b'x'; 3 * CHUNK as usize]);
        let whole = [line(b"first"), long].concat();
        check(&whole, Some(whole.len()));
        check(&whole[..whole.len() - 1], Some(line(b"first").len()));
    }

    #[test]
    fn other_files_are_left_alone() {
        check(b"# notes\n", None);
        check(b"{\"name\": 1}\n", None);
    }
}
