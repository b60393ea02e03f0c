//! Memory while much is queued.

use std::path::Path;

use edge_core::MessageStore;
use edge_store::{SegmentStore, StoreOptions};
use tokio::runtime::Builder;

use super::fill;
use crate::cost::memory_kib;
use crate::engines::queue;
use crate::{Fallible, load};

pub(super) fn run(case: &str, dir: &Path, records: u64) -> Fallible<()> {
    let messages = load::messages(256);
    let count = if case == "100-queues" { 100 } else { 1 };
    let queues: Vec<_> = (0..count).map(|number| queue(&format!("endpoint-{number}"))).collect();
    if case == "reopened" {
        // Filled by another process, so that its memory is not counted.
        if std::env::var_os("STORE_PEERS_FILLS").is_some() {
            return filled(dir, &queues, &messages, records);
        }
        let mut child = std::process::Command::new(std::env::current_exe()?);
        child.args(std::env::args_os().skip(1)).env("STORE_PEERS_FILLS", "1");
        child.stdout(std::process::Stdio::null()).status()?;
    }
    println!("before_mib {}", memory_kib("VmRSS:") as f64 / 1024.0);
    let (store, recovery) = SegmentStore::open(dir, StoreOptions::default())?;
    if case == "reopened" {
        assert_eq!(recovery.entries, records);
    } else {
        fill(&store, &queues, &messages, records)?;
    }
    let waiting: u64 = store.queues().iter().map(|state| state.len()).sum();
    assert_eq!(waiting, records);
    println!("after_mib {}", memory_kib("VmRSS:") as f64 / 1024.0);
    println!("peak_mib {}", memory_kib("VmHWM:") as f64 / 1024.0);
    Ok(())
}

fn filled(
    dir: &Path,
    queues: &[edge_core::QueueId],
    messages: &[edge_core::Message],
    records: u64,
) -> Fallible<()> {
    let (store, _) = SegmentStore::open(dir, StoreOptions::default())?;
    fill(&store, queues, messages, records)?;
    Ok(Builder::new_current_thread().build()?.block_on(store.close())?)
}
