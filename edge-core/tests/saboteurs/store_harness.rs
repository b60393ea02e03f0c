//! Gets at broken stores, and breaks what comes back after a crash.

use async_trait::async_trait;
use edge_core::testing::message_store::{Capabilities, StoreHarness};
use edge_core::{Durability, MessageStore};

use super::store::{Broken, StoreFlaw};
use crate::support::journal::{JournalStore, Op};

#[async_trait]
impl StoreHarness for StoreFlaw {
    type Store = Broken;

    fn capabilities(&self) -> Capabilities {
        Capabilities::durable(Durability::Synced, 0).with_overflow()
    }

    async fn open(&self) -> Broken {
        Broken::new(JournalStore::default(), *self)
    }

    async fn crash(&self, store: Broken) -> Option<Broken> {
        let mut ops = std::mem::take(&mut store.inner.disk().ops);
        match self {
            Self::ReversesAfterACrash => ops.reverse(),
            Self::TearsBatches => {
                ops.pop();
            }
            Self::ForgetsAccounts => ops.iter_mut().for_each(|op| {
                if let Op::Settle(_, _, dropped) = op {
                    dropped.clear();
                }
            }),
            Self::ForgetsDrops => ops.iter_mut().for_each(|op| {
                if let Op::Append(batch) = op {
                    batch.iter_mut().for_each(|entry| {
                        entry.targets = entry
                            .targets
                            .iter()
                            .cloned()
                            .map(|target| target.with_max_queue_bytes(u64::MAX))
                            .collect();
                    });
                }
            }),
            _ => {}
        }
        let back = Broken::new(JournalStore::replay(ops), *self);
        for state in back.inner.queues() {
            if *self == Self::TrimsAheadInACrash {
                back.inner.memory.trim(&state.queue, state.head + 3).unwrap();
            }
            if *self == Self::RestartsAfterReopening && state.is_empty() {
                back.restart(&state.queue);
            }
        }
        Some(back)
    }

    async fn power_loss(&self, store: Broken) -> Option<Broken> {
        let mut ops: Vec<Op> = std::mem::take(&mut store.inner.disk().ops);
        ops.truncate(store.inner.disk().synced);
        Some(Broken::new(JournalStore::replay(ops), *self))
    }

    async fn open_limited(&self, limit_bytes: u64) -> Option<Broken> {
        Some(Broken::new(JournalStore::with_limit(limit_bytes), *self))
    }

    async fn fail_syncs(&self, store: &Broken) -> bool {
        store.inner.disk().syncs_fail = true;
        true
    }

    fn forbid_disk(&self, store: &Broken) -> bool {
        store.inner.disk().forbidden = true;
        true
    }

    fn allow_disk(&self, store: &Broken) {
        store.inner.disk().forbidden = false;
    }
}
