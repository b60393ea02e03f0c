//! How much is written for what is queued, when it is delivered as it comes.

use std::path::Path;

use edge_core::{Durability, Enqueue, MessageStore, ReadLimit, StoreError, Timestamp};
use edge_store::{SegmentStore, StoreOptions};
use tokio::runtime::Builder;

use crate::cost::Cost;
use crate::engines::{json_message, queue, targets};
use crate::{Fallible, load};

const MESSAGE_BYTES: u64 = 1024;
/// Messages that are appended, and delivered, together.
const BATCH: u64 = 64;
/// Of so many messages one goes to the queue that is stuck.
const STUCK: u64 = 10;

pub(super) fn run(case: &str, dir: &Path, records: u64) -> Fallible<()> {
    let (open, stuck) = (queue("$upstream"), queue("stuck"));
    let (to_open, to_stuck) = (targets(std::slice::from_ref(&open))?, targets(std::slice::from_ref(&stuck))?);
    let messages: std::sync::Arc<[_]> = if case.starts_with("json") {
        (0..1024).map(|seed| json_message(seed, 1024)).collect()
    } else {
        load::messages(1024)
    };
    let options = StoreOptions::default().with_compression(case == "json-compressed");
    let (store, _) = SegmentStore::open(dir, options)?;
    let cost = Cost::now();
    let has_stuck = case == "slow-endpoint";
    Builder::new_current_thread().build()?.block_on(async {
        for first in (0..records).step_by(BATCH as usize) {
            let entry = |number: u64| {
                let targets = if has_stuck && number.is_multiple_of(STUCK) { &to_stuck } else { &to_open };
                let at = usize::try_from(number).unwrap_or(0) % messages.len();
                Enqueue::new(messages[at].clone(), targets.clone(), Timestamp::from_unix_ms(number))
            };
            let entries = (first..records.min(first + BATCH)).map(entry).collect();
            store.append(entries, Durability::Synced).await?;
            let Some(state) = store.queue(&open) else { continue };
            let limit = ReadLimit::new(std::num::NonZeroUsize::MAX, usize::MAX);
            let batch = store.read(&open, state.head, limit).await?;
            store.trim(&open, batch.next)?;
        }
        store.flush().await?;
        Ok::<(), StoreError>(())
    })?;
    println!("cpu_us {}", cost.spent().cpu.as_secs_f64() * 1e6 / records as f64);
    let usage = store.usage();
    let waiting = store.queue(&stuck).map_or(0, |state| state.len()) * MESSAGE_BYTES;
    let queued = (records * MESSAGE_BYTES) as f64;
    println!("written {}", usage.written_bytes as f64 / queued);
    println!("metric {}", usage.write_amplification().unwrap_or(0.0));
    println!("moved {}", usage.moved_bytes as f64 / queued);
    println!("disk_x {}", usage.used_bytes as f64 / waiting as f64);
    println!("disk_mib {}", usage.used_bytes as f64 / 1048576.0);
    Ok(())
}
