//! Broken identity stores.

use std::sync::Mutex;

use async_trait::async_trait;
use edge_core::service::{IdentityChange, IdentityRecord, IdentityStore};
use edge_core::{Durability, Identity, Receipt, StoreError};

use super::flaws;
use crate::support::identities::DurableIdentities;

flaws! { IdentityFlaw {
    PutsNothing => "what_is_put_is_loaded",
    ForgetsTheConfiguration => "every_field_comes_back",
    RemovesNothing => "what_is_removed_is_gone",
    ForgetsTheModule => "a_device_and_its_modules_are_kept_apart",
    WritesNothing => "what_is_put_survives_a_crash",
    WritesNoRemovals => "what_is_removed_stays_removed_after_a_crash",
    WritesOneByOne => "a_call_is_whole_or_absent_after_a_crash",
    KeepsTheFirst => "a_later_call_counts",
    TurnsTheCallAround => "a_later_change_of_a_call_counts",
    WritesInTheCall => "apply_does_not_touch_the_disk",
} }

/// A sound identity store with one flaw.
#[derive(Debug)]
pub struct Broken {
    pub inner: DurableIdentities,
    pub flaw: IdentityFlaw,
    is_first: Mutex<bool>,
}

impl Broken {
    pub fn new(inner: DurableIdentities, flaw: IdentityFlaw) -> Self {
        Self { inner, flaw, is_first: Mutex::new(true) }
    }
}

fn is_removal(change: &IdentityChange) -> bool {
    matches!(change, IdentityChange::Remove(_))
}

/// Changes the records of a call.
fn with_records(mut changes: Vec<IdentityChange>, alter: fn(&mut IdentityRecord)) -> Vec<IdentityChange> {
    for change in &mut changes {
        if let IdentityChange::Put(record) = change {
            alter(record);
        }
    }
    changes
}

#[async_trait]
impl IdentityStore for Broken {
    async fn load(&self) -> Result<Vec<IdentityRecord>, StoreError> {
        self.inner.load().await
    }

    fn apply(&self, mut changes: Vec<IdentityChange>) -> Receipt {
        use IdentityFlaw as F;
        match self.flaw {
            F::PutsNothing => return Receipt::ready(Ok(Durability::Written)),
            F::ForgetsTheConfiguration => changes = with_records(changes, |record| record.configured = None),
            F::RemovesNothing => changes.retain(|change| !is_removal(change)),
            F::ForgetsTheModule => {
                changes = with_records(changes, |record| {
                    record.identity = Identity::of_device(record.identity.device().clone());
                });
            }
            F::WritesNothing => return self.inner.memory.apply(changes),
            F::WritesNoRemovals => {
                drop(self.inner.memory.apply(changes.clone()));
                changes.retain(|change| !is_removal(change));
                return self.inner.write(vec![changes]);
            }
            F::WritesOneByOne => {
                drop(self.inner.memory.apply(changes.clone()));
                return self.inner.write(changes.into_iter().map(|change| vec![change]).collect());
            }
            F::KeepsTheFirst => {
                let first = std::mem::take(&mut *self.is_first.lock().unwrap());
                return if first {
                    self.inner.apply(changes)
                } else {
                    Receipt::ready(Ok(Durability::Written))
                };
            }
            F::TurnsTheCallAround => changes.reverse(),
            F::WritesInTheCall => self.inner.disk.lock().unwrap().write(changes.clone()),
        }
        self.inner.apply(changes)
    }
}
