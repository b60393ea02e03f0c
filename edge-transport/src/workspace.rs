//! Buffers that a connection has only while it does something.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::mqtt::session::Scratch;

/// How many bytes are read from a socket at a time.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// The largest write buffer that is kept for the next turn.
const KEPT_OUT_BYTES: usize = 128 << 10;
/// How many sets of buffers are kept; one a worker thread is in use at a time.
const KEPT: usize = 64;

/// The buffers of one turn.
pub(crate) struct Workspace {
    pub(crate) read: Box<[u8]>,
    pub(crate) out: Vec<u8>,
    pub(crate) scratch: Scratch,
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workspace")
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self { read: vec![0; READ_BYTES].into(), out: Vec::new(), scratch: Scratch::default() }
    }
}

/// The workspaces that nobody uses now.
///
/// A workspace is lent for the length of one `poll`, so that no more exist than threads poll at once.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Workspace>>);

impl Pool {
    pub(crate) fn lend(&self) -> Workspace {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_default()
    }

    pub(crate) fn give_back(&self, mut workspace: Workspace) {
        workspace.out.clear();
        workspace.out.shrink_to(KEPT_OUT_BYTES);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(workspace);
        }
    }
}
