//! Tests of the writer, with a disk that fails.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use edge_core::{Message, Source, Timestamp};

use super::*;

/// A disk that takes some bytes and then is full, or cannot sync.
struct Failing {
    file: File,
    room: Cell<usize>,
    syncs: bool,
    cuts: bool,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room.get() == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let some = bytes.len().min(self.room.get());
        self.room.set(self.room.get() - some);
        self.file.write(&bytes[..some])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Failing {
    fn sync(&self) -> io::Result<()> {
        if self.syncs { self.file.sync() } else { Err(io::Error::other("the disk is scripted to fail")) }
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        if self.cuts { self.file.cut(len) } else { Err(io::Error::other("the disk is scripted to fail")) }
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.file.is_at(path)
    }
}

fn stored(body: &str) -> Stored {
    let message = Message::builder(&Source::telemetry()).body(body.as_bytes()).build();
    Stored::new(0, Timestamp::from_unix_ms(0), None, "r".parse().unwrap(), message)
}

fn bodies(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let records = text.lines().map(|line| line.parse::<Record>().unwrap());
    records.map(|record| String::from_utf8(record.message.body().to_vec()).unwrap()).collect()
}

fn check_fault(room: usize, syncs: bool, cuts: bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let mut writer = Writer::new(FileUpstreamOptions::new(&path));
    writer.write(&[stored("1")]).unwrap();
    let open = writer.open.as_mut().unwrap();
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    open.disk = Box::new(Failing { file, room: Cell::new(room), syncs, cuts });
    writer.write(&[stored("2"), stored("3")]).unwrap_err();
    if cuts {
        assert_eq!(bodies(&path), ["1"], "nothing is left of the batch that failed");
    }
    writer.write(&[stored("2"), stored("3")]).unwrap();
    let found = bodies(&path);
    assert_eq!(found[found.len() - 2..], ["2", "3"]);
    assert_eq!(found[0], "1");
}

#[test]
fn a_full_disk_costs_nothing_but_time() {
    let line = format!("{}\n", Record::from(&stored("2"))).len();
    for room in [0, 1, line - 1, line, line + 1, 2 * line - 1] {
        check_fault(room, true, true);
        check_fault(room, true, false);
    }
}

#[test]
fn a_failed_sync_is_written_anew() {
    check_fault(usize::MAX, false, true);
    check_fault(usize::MAX, false, false);
}
