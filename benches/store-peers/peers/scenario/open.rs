//! Opening a store that holds much.

use std::fs;
use std::path::Path;
use std::time::Instant;

use edge_core::MessageStore;
use edge_store::{SegmentStore, StoreOptions};
use tokio::runtime::Builder;

use super::fill;
use crate::engines::queue;
use crate::{Fallible, load};

pub(super) fn run(state: &str, dir: &Path, records: u64) -> Fallible<()> {
    let (first, second) = (dir.join("first"), dir.join("second"));
    let (store, _) = SegmentStore::open(&first, StoreOptions::default())?;
    fill(&store, &[queue("$upstream")], &load::messages(256), records)?;
    let runtime = Builder::new_current_thread().build()?;
    let from = if state == "killed" {
        // A kill leaves the files as they are; so does looking at them under other names.
        fs::create_dir(&second)?;
        for entry in fs::read_dir(&first)? {
            let entry = entry?;
            fs::hard_link(entry.path(), second.join(entry.file_name()))?;
        }
        fs::remove_file(second.join("lock"))?;
        &second
    } else {
        runtime.block_on(store.close())?;
        &first
    };
    let started = Instant::now();
    let (opened, recovery) = SegmentStore::open(from, StoreOptions::default())?;
    println!("open_ms {}", started.elapsed().as_secs_f64() * 1e3);
    println!("entries {}", recovery.entries);
    assert_eq!(recovery.entries, records);
    drop(opened);
    drop(store);
    Ok(())
}
