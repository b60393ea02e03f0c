//! Reading back what is no longer in memory, and acknowledging it.

use std::path::Path;

use edge_core::{MessageStore, ReadLimit};
use edge_store::{SegmentStore, StoreOptions};
use tokio::runtime::Builder;

use super::fill;
use crate::cost::Cost;
use crate::engines::queue;
use crate::{Fallible, load};

pub(super) fn run(batch: &str, dir: &Path, records: u64) -> Fallible<()> {
    let queue = queue("$upstream");
    let (store, _) = SegmentStore::open(dir, StoreOptions::default())?;
    fill(&store, std::slice::from_ref(&queue), &load::messages(1024), records)?;
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(store.close())?;
    drop(store);
    let (store, _) = SegmentStore::open(dir, StoreOptions::default())?;
    let limit = ReadLimit::new(batch.parse()?, usize::MAX);
    let cost = Cost::now();
    let read = runtime.block_on(async {
        let (mut from, mut read) = (0, 0);
        loop {
            let batch = store.read(&queue, from, limit).await?;
            if batch.entries.is_empty() {
                return Ok::<u64, edge_core::StoreError>(read);
            }
            read += batch.entries.len() as u64;
            from = batch.next;
            store.trim(&queue, from)?;
        }
    })?;
    let spent = cost.spent();
    assert_eq!(read, records);
    println!("rate {}", records as f64 / spent.time.as_secs_f64());
    println!("cpu_us {}", spent.cpu.as_secs_f64() * 1e6 / records as f64);
    Ok(())
}
