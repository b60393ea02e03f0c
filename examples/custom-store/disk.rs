//! A disk in memory that fails, is cut off or forgets what was not synced, when a test says so.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, ThreadId};

use edge_core::Durability;
use redb::StorageBackend;

/// A disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    allowed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    synced: Vec<u8>,
    cut_off: bool,
    syncs_fail: bool,
    forbidden_to: Option<ThreadId>,
}

impl Disk {
    /// Ends all use of the disk, and returns another one with what is left of it.
    pub(crate) fn cut_off(&self, kept: Durability) -> Self {
        let mut state = self.0.state.lock().unwrap();
        state.cut_off = true;
        let left = if kept == Durability::Synced { &state.synced } else { &state.written };
        let fresh = State { written: left.clone(), synced: left.clone(), ..State::default() };
        Self(Arc::new(Inner { state: Mutex::new(fresh), allowed: Condvar::new() }))
    }

    pub(crate) fn fail_syncs(&self) {
        self.0.state.lock().unwrap().syncs_fail = true;
    }

    /// Makes the disk's use panic on this thread, and wait on others.
    pub(crate) fn forbid(&self) {
        self.0.state.lock().unwrap().forbidden_to = Some(thread::current().id());
    }

    pub(crate) fn allow(&self) {
        self.0.state.lock().unwrap().forbidden_to = None;
        self.0.allowed.notify_all();
    }

    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.0.state.lock().unwrap();
        while let Some(thread) = state.forbidden_to {
            assert!(thread != thread::current().id(), "the disk is touched by a call");
            state = self.0.allowed.wait(state).unwrap();
        }
        if state.cut_off { Err(io::Error::other("the disk is cut off")) } else { Ok(state) }
    }
}

fn range(offset: u64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(offset).unwrap();
    start..start + len
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let found = state.written.get(range(offset, out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state()?.written.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        if state.syncs_fail {
            return Err(io::Error::other("the disk is scripted to fail"));
        }
        state.synced = state.written.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let place = state.written.get_mut(range(offset, data.len()));
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}
