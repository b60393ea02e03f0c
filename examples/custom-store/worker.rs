//! The thread that owns the disk: it takes everything that waits, and makes one transaction of it.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use edge_core::{Durability, StoreError};

use crate::commit::commit;
use crate::shared::{Shared, poisoned};
use crate::work::Work;

/// Starts the thread; it ends when the store is closed or dropped, or when the disk fails.
pub(crate) fn start(shared: Arc<Shared>, next_message: u64) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name("custom-store".into()).spawn(move || run(&shared, next_message))
}

fn run(shared: &Shared, mut next_message: u64) {
    while let Some(mut work) = next_work(shared) {
        let receipts = std::mem::take(&mut work.receipts);
        let closing = work.closing.take();
        let result = commit(&shared.database, &work, &mut next_message);
        let result = match result {
            Ok(()) => {
                shared.committed(&work);
                Ok(())
            }
            // The database refuses everything after an error of the disk, and so does this store.
            Err(error) => Err(shared.fail(std::io::Error::other(error))),
        };
        for receipt in receipts {
            receipt.send(result.clone().map(|()| Durability::Synced));
        }
        let over = closing.is_some() || result.is_err();
        if let Some(closing) = closing {
            // Whoever closed the store need not wait for it.
            let _nobody_waits = closing.send(result);
        }
        if over {
            break;
        }
    }
    refuse_the_rest(shared);
}

/// Waits for something to do; `None` when the store was dropped, which abandons what waits, as a crash would.
fn next_work(shared: &Shared) -> Option<Work> {
    let mut state = shared.lock();
    state.busy = false;
    shared.turns.send_replace(());
    while state.work.is_empty() && !state.dropped {
        state = shared.wait(state);
    }
    if state.dropped {
        return None;
    }
    state.busy = true;
    Some(std::mem::take(&mut state.work))
}

/// Answers what came between a failure and its announcement.
fn refuse_the_rest(shared: &Shared) {
    let mut state = shared.lock();
    let work = std::mem::take(&mut state.work);
    let error = state.failed.clone().map_or(StoreError::Closed, poisoned);
    drop(state);
    for receipt in work.receipts {
        receipt.send(Err(error.clone()));
    }
    if let Some(closing) = work.closing {
        let _nobody_waits = closing.send(Err(error));
    }
}
