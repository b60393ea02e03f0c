//! The store in memory keeps the contract, and every case of the kit has teeth.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{Durability, Identity};
use edge_twin::testing::twin_store::{self, TwinHarness};
use edge_twin::{MemoryTwins, Twin, TwinStore, TwinStoreError};

struct InMemory;

#[async_trait]
impl TwinHarness for InMemory {
    type Store = MemoryTwins;

    async fn open(&self) -> MemoryTwins {
        MemoryTwins::default()
    }

    async fn crash(&self, _store: MemoryTwins) -> Option<MemoryTwins> {
        None
    }
}

edge_twin::twin_store_conformance!(InMemory);

/// What a saboteur does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    SavesNothing,
    ListsOldTwins,
    WritesNothing,
    KeepsTheRemoved,
    WritesNoRemovals,
    IgnoresVersions,
    MakesTwice,
    Resurrects,
    SavesTheRefused,
    LetsAllWin,
    GoesBack,
    ForgetsTheModule,
    ListsBackwards,
    RepeatsTheLast,
    IgnoresLimits,
    ForgetsTheLast,
}

const SABOTEURS: &[(Flaw, &str)] = &[
    (Flaw::SavesNothing, "what_is_saved_is_loaded"),
    (Flaw::ListsOldTwins, "what_is_saved_is_listed"),
    (Flaw::WritesNothing, "what_is_saved_survives_a_crash"),
    (Flaw::KeepsTheRemoved, "what_is_removed_is_gone"),
    (Flaw::WritesNoRemovals, "what_is_removed_stays_removed_after_a_crash"),
    (Flaw::IgnoresVersions, "a_save_over_another_version_is_refused"),
    (Flaw::MakesTwice, "a_twin_is_made_once"),
    (Flaw::Resurrects, "what_is_gone_is_not_saved_over"),
    (Flaw::SavesTheRefused, "a_refused_save_changes_nothing"),
    (Flaw::LetsAllWin, "of_several_savers_one_succeeds"),
    (Flaw::GoesBack, "versions_never_go_back"),
    (Flaw::ForgetsTheModule, "identities_are_kept_apart"),
    (Flaw::ListsBackwards, "twins_are_listed_in_order"),
    (Flaw::RepeatsTheLast, "a_page_begins_behind_the_last"),
    (Flaw::IgnoresLimits, "a_page_keeps_to_its_limit"),
    (Flaw::ForgetsTheLast, "pages_reach_everybody"),
];

/// A store in two copies: what a process holds, and what its disk holds.
#[derive(Debug)]
struct Broken {
    flaw: Flaw,
    memory: MemoryTwins,
    disk: Arc<MemoryTwins>,
}

impl Broken {
    fn new(flaw: Flaw) -> Self {
        Self { flaw, memory: MemoryTwins::default(), disk: Arc::default() }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn key(&self, identity: &Identity) -> Identity {
        match self.flaw {
            Flaw::ForgetsTheModule => Identity::of_device(identity.device().clone()),
            _ => identity.clone(),
        }
    }

    async fn put(&self, store: &MemoryTwins, identity: &Identity, twin: Twin) {
        store.remove(identity).await.unwrap();
        store.save(identity, None, twin).await.unwrap();
    }

    fn forgives(&self, found: Option<u64>, over: Option<u64>, new: u64) -> bool {
        let is_newer = found.is_none_or(|found| new > found);
        match self.flaw {
            Flaw::IgnoresVersions => found.is_some() && over.is_some() && is_newer,
            Flaw::LetsAllWin => over == Some(1),
            Flaw::MakesTwice => over.is_none(),
            Flaw::Resurrects => found.is_none(),
            Flaw::GoesBack => found == over,
            Flaw::ForgetsTheModule => over.is_none(),
            _ => false,
        }
    }
}

#[async_trait]
impl TwinStore for Broken {
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError> {
        self.memory.load(&self.key(identity)).await
    }

    async fn save(
        &self,
        identity: &Identity,
        over: Option<u64>,
        twin: Twin,
    ) -> Result<Durability, TwinStoreError> {
        let key = self.key(identity);
        let found = self.memory.load(&key).await?.map(|twin| twin.version());
        if let Err(error) = TwinStoreError::conflict(found, over, twin.version())
            && !self.forgives(found, over, twin.version())
        {
            if self.is(Flaw::SavesTheRefused) {
                self.put(&self.memory, &key, twin).await;
            }
            return Err(error);
        }
        if !self.is(Flaw::SavesNothing) {
            self.put(&self.memory, &key, twin.clone()).await;
        }
        let is_forgotten = self.is(Flaw::ListsOldTwins) && over.is_some();
        if !self.is(Flaw::WritesNothing) && !is_forgotten {
            self.put(&self.disk, &key, twin).await;
        }
        Ok(Durability::Written)
    }

    async fn remove(&self, identity: &Identity) -> Result<bool, TwinStoreError> {
        let key = self.key(identity);
        if !self.is(Flaw::WritesNoRemovals) {
            self.disk.remove(&key).await?;
        }
        if self.is(Flaw::KeepsTheRemoved) {
            return Ok(self.memory.load(&key).await?.is_some());
        }
        self.memory.remove(&key).await
    }

    async fn list(
        &self,
        after: Option<&Identity>,
        limit: NonZeroUsize,
    ) -> Result<Vec<(Identity, Twin)>, TwinStoreError> {
        let limit = if self.is(Flaw::IgnoresLimits) { NonZeroUsize::MAX } else { limit };
        let source = if self.is(Flaw::ListsOldTwins) { &*self.disk } else { &self.memory };
        let mut page = source.list(after, limit).await?;
        if let (Some(after), Flaw::RepeatsTheLast) = (after, self.flaw) {
            page.extend(self.load(after).await?.map(|twin| (after.clone(), twin)));
        }
        if self.is(Flaw::ListsBackwards) {
            page.reverse();
        }
        if self.is(Flaw::ForgetsTheLast) && page.len() < limit.get() {
            page.pop();
        }
        if self.is(Flaw::ForgetsTheLast) && page.last().is_some_and(|(last, _)| last.device().as_str() == "b")
        {
            page.pop();
        }
        Ok(page)
    }
}

#[async_trait]
impl TwinHarness for Flaw {
    type Store = Broken;

    async fn open(&self) -> Broken {
        Broken::new(*self)
    }

    async fn crash(&self, store: Broken) -> Option<Broken> {
        let survivor = Broken::new(*self);
        for (identity, twin) in store.disk.list(None, NonZeroUsize::MAX).await.unwrap() {
            survivor.memory.save(&identity, None, twin).await.unwrap();
        }
        Some(survivor)
    }
}

#[test]
fn every_saboteur_is_caught() {
    let listed: BTreeSet<_> = twin_store::CASES.iter().copied().collect();
    let attacked: BTreeSet<_> = SABOTEURS.iter().map(|(_, case)| *case).collect();
    assert_eq!(listed, attacked, "the cases of the kit, and those that have a saboteur");
    let docs = include_str!("../src/testing/twin_store.rs");
    for (flaw, case) in SABOTEURS {
        let row = |line: &&str| line.contains(&format!("[`{case}`] | `{flaw:?}` |"));
        assert!(docs.lines().any(|line| row(&line)), "the table in the kit's docs has {case} and {flaw:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let run = AssertUnwindSafe(|| runtime.block_on(twin_store::run(case, flaw)));
        assert!(catch_unwind(run).is_err(), "{case} does not catch {flaw:?}");
    }
}
