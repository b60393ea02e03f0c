//! Broken session stores.

use edge_core::{Durability, Feed, FeedSet, Identity, Receipt, SessionStore};

use super::flaws;
use crate::support::sessions::DurableSessions;

flaws! { SessionFlaw {
    SavesNothing => "what_is_saved_is_loaded",
    KeepsTheUnion => "a_later_save_replaces",
    ForgetsTheModule => "clients_are_kept_apart",
    WritesNothing => "what_is_saved_survives_a_crash",
    WritesNoRemovals => "what_is_removed_stays_removed_after_a_crash",
    KeepsEmptySets => "an_empty_set_removes_the_entry",
    WritesInTheCall => "calls_do_not_touch_the_disk",
    NamesDevicesOnly => "all_names_everybody",
} }

/// A sound session store with one flaw.
#[derive(Debug)]
pub struct Broken {
    pub inner: DurableSessions,
    pub flaw: SessionFlaw,
}

impl Broken {
    fn key(&self, identity: &Identity) -> Identity {
        match self.flaw {
            SessionFlaw::ForgetsTheModule => Identity::of_device(identity.device().clone()),
            _ => identity.clone(),
        }
    }
}

impl SessionStore for Broken {
    fn load(&self, identity: &Identity) -> FeedSet {
        self.inner.load(&self.key(identity))
    }

    fn save(&self, identity: &Identity, feeds: FeedSet) -> Receipt {
        let key = self.key(identity);
        match self.flaw {
            SessionFlaw::SavesNothing => Receipt::ready(Ok(Durability::Written)),
            SessionFlaw::KeepsTheUnion => self.inner.save(&key, self.inner.load(&key).union(feeds)),
            SessionFlaw::WritesNothing => self.inner.memory.save(&key, feeds),
            SessionFlaw::WritesNoRemovals if feeds.is_empty() => self.inner.memory.save(&key, feeds),
            SessionFlaw::KeepsEmptySets if feeds.is_empty() => self.inner.save(&key, Feed::Methods.into()),
            SessionFlaw::WritesInTheCall => {
                self.inner.disk.lock().unwrap().write(key.clone(), feeds);
                self.inner.save(&key, feeds)
            }
            _ => self.inner.save(&key, feeds),
        }
    }

    fn all(&self) -> Vec<(Identity, FeedSet)> {
        let mut all = self.inner.all();
        if self.flaw == SessionFlaw::NamesDevicesOnly {
            all.retain(|(identity, _)| identity.module().is_none());
        }
        all
    }
}
