//! Writes batches: each whole and synced, or not at all. Blocks on the disk.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};

use edge_core::Stored;

use super::{FileUpstreamError, FileUpstreamOptions, rotation, tail};
use crate::upstream::ndjson::Record;

/// What a file can do, so that tests can have one that fails.
trait Disk: Write + Send {
    fn sync(&self) -> io::Result<()>;
    fn cut(&self, len: u64) -> io::Result<()>;
    /// Whether `path` still leads to this file.
    fn is_at(&self, path: &std::path::Path) -> io::Result<bool>;
}

impl Disk for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    #[cfg(unix)]
    fn is_at(&self, path: &std::path::Path) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let (own, found) = (self.metadata()?, std::fs::metadata(path));
        Ok(found.is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino())))
    }

    #[cfg(not(unix))]
    fn is_at(&self, path: &std::path::Path) -> io::Result<bool> {
        path.try_exists()
    }
}

/// The file that is written to.
struct Open {
    disk: Box<dyn Disk>,
    /// How many bytes are written and synced.
    len: u64,
}

/// Writes recorded messages to a file and those that follow it.
pub(super) struct Writer {
    options: FileUpstreamOptions,
    open: Option<Open>,
    lines: String,
}

impl Writer {
    pub(super) fn new(options: FileUpstreamOptions) -> Self {
        Self { options, open: None, lines: String::new() }
    }

    fn failed(&self, what: &'static str) -> impl Fn(io::Error) -> FileUpstreamError + use<> {
        let path = self.options.path.clone();
        move |source| FileUpstreamError::Io { what, path: path.clone(), source }
    }

    /// Opens the file, and cuts off what is torn.
    pub(super) fn open(&mut self) -> Result<(), FileUpstreamError> {
        let path = self.options.path.clone();
        if path.file_name().is_none() || !rotation::directory(&path).is_dir() || path.is_dir() {
            return Err(FileUpstreamError::NoFile { path });
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut file = opened.map_err(self.failed("opening"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileUpstreamError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(self.failed("locking")(source)),
        }
        let Some(len) = tail::sound_bytes(&mut file).map_err(self.failed("reading"))? else {
            return Err(FileUpstreamError::NotRecorded { path });
        };
        let torn = file.metadata().map_err(self.failed("reading"))?.len() - len;
        if torn > 0 {
            tracing::warn!(path = %path.display(), torn_bytes = torn, "the end of a recording was torn");
            file.set_len(len).map_err(self.failed("cutting"))?;
        }
        rotation::sync_directory(&path).map_err(self.failed("syncing the directory of"))?;
        self.open = Some(Open { disk: Box::new(file), len });
        Ok(())
    }

    /// Writes a batch; after an error the file holds none of it.
    pub(super) fn write(&mut self, batch: &[Stored]) -> Result<(), FileUpstreamError> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        for stored in batch {
            let _writing_to_a_string_succeeds = writeln!(lines, "{}", Record::from(stored));
        }
        let written = self.write_lines(lines.as_bytes());
        self.lines = lines;
        written
    }

    fn write_lines(&mut self, lines: &[u8]) -> Result<(), FileUpstreamError> {
        let moved = match &self.open {
            Some(open) => !open.disk.is_at(&self.options.path).map_err(self.failed("looking for"))?,
            None => true,
        };
        if moved {
            self.open = None;
            self.open()?;
        }
        self.make_room(lines.len() as u64)?;
        let (writing, syncing) = (self.failed("writing"), self.failed("syncing"));
        let Some(open) = &mut self.open else { return Ok(()) };
        let written = open.disk.write_all(lines).map_err(writing);
        let synced = written.and_then(|()| open.disk.sync().map_err(syncing));
        if synced.is_err() {
            // What a failed sync leaves behind may never reach the disk: the batch is written anew, from where the
            // last good one ends. When even that cannot be cut off, opening the file again finds it.
            let _found_again_otherwise = open.disk.cut(open.len);
            self.open = None;
            return synced;
        }
        open.len += lines.len() as u64;
        Ok(())
    }

    /// Begins a new file when the next `bytes` would make this one too large.
    fn make_room(&mut self, bytes: u64) -> Result<(), FileUpstreamError> {
        let path = self.options.path.clone();
        let full = self.open.as_ref().is_some_and(|open| {
            open.len > 0 && open.len.saturating_add(bytes) > self.options.max_file_bytes.get()
        });
        if !full {
            return Ok(());
        }
        self.open = None;
        rotation::set_aside(&path).map_err(self.failed("renaming"))?;
        self.open()?;
        if let Some(keep) = self.options.keep_files {
            rotation::remove_old(&path, keep).map_err(self.failed("removing older files of"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
