//! The implementations of this crate keep the contracts, and so do those that the saboteurs wrap.

mod support;

mod memory_store {
    use async_trait::async_trait;
    use edge_core::MemoryStore;
    use edge_core::testing::message_store::{Capabilities, StoreHarness};

    struct InMemory;

    #[async_trait]
    impl StoreHarness for InMemory {
        type Store = MemoryStore;

        fn capabilities(&self) -> Capabilities {
            Capabilities::volatile().with_overflow()
        }

        async fn open(&self) -> MemoryStore {
            MemoryStore::new()
        }

        async fn crash(&self, _store: MemoryStore) -> Option<MemoryStore> {
            None
        }

        async fn open_limited(&self, limit_bytes: u64) -> Option<MemoryStore> {
            Some(MemoryStore::with_limit(limit_bytes))
        }
    }

    edge_core::message_store_conformance!(InMemory);
}

mod journal_store {
    use async_trait::async_trait;
    use edge_core::Durability;
    use edge_core::testing::message_store::{Capabilities, StoreHarness};

    use super::support::journal::JournalStore;

    struct Journal;

    #[async_trait]
    impl StoreHarness for Journal {
        type Store = JournalStore;

        fn capabilities(&self) -> Capabilities {
            Capabilities::durable(Durability::Synced, 0).with_overflow()
        }

        async fn open(&self) -> JournalStore {
            JournalStore::default()
        }

        async fn crash(&self, store: JournalStore) -> Option<JournalStore> {
            let written = std::mem::take(&mut store.disk().ops);
            Some(JournalStore::replay(written))
        }

        async fn power_loss(&self, store: JournalStore) -> Option<JournalStore> {
            let mut ops = std::mem::take(&mut store.disk().ops);
            ops.truncate(store.disk().synced);
            Some(JournalStore::replay(ops))
        }

        async fn open_limited(&self, limit_bytes: u64) -> Option<JournalStore> {
            Some(JournalStore::with_limit(limit_bytes))
        }

        async fn fail_syncs(&self, store: &JournalStore) -> bool {
            store.disk().syncs_fail = true;
            true
        }

        fn forbid_disk(&self, store: &JournalStore) -> bool {
            store.disk().forbidden = true;
            true
        }

        fn allow_disk(&self, store: &JournalStore) {
            store.disk().forbidden = false;
        }
    }

    edge_core::message_store_conformance!(Journal);
}

mod memory_sessions {
    use async_trait::async_trait;
    use edge_core::MemorySessions;
    use edge_core::testing::session_store::SessionHarness;

    struct InMemory;

    #[async_trait]
    impl SessionHarness for InMemory {
        type Store = MemorySessions;

        async fn open(&self) -> MemorySessions {
            MemorySessions::default()
        }

        async fn crash(&self, _store: MemorySessions) -> Option<MemorySessions> {
            None
        }
    }

    edge_core::session_store_conformance!(InMemory);
}

mod durable_sessions {
    use super::support::sessions::DurableHarness;

    edge_core::session_store_conformance!(DurableHarness::new(|sessions| sessions));
}

mod memory_identities {
    use async_trait::async_trait;
    use edge_core::service::MemoryIdentities;
    use edge_core::testing::identity_store::IdentityHarness;

    struct InMemory;

    #[async_trait]
    impl IdentityHarness for InMemory {
        type Store = MemoryIdentities;

        async fn open(&self) -> MemoryIdentities {
            MemoryIdentities::default()
        }

        async fn crash(&self, _store: MemoryIdentities) -> Option<MemoryIdentities> {
            None
        }
    }

    edge_core::identity_store_conformance!(InMemory);
}

mod durable_identities {
    use super::support::identities::DurableHarness;

    edge_core::identity_store_conformance!(DurableHarness::new(|identities| identities));
}

mod line {
    use super::support::far::{FarHarness, Line};

    edge_core::endpoint_conformance!(FarHarness { far: std::sync::Arc::default(), make: |line: Line| line });
}

mod judge {
    use super::support::judge::{Judge, JudgeHarness};

    edge_core::authenticator_conformance!(JudgeHarness { make: |judge: Judge| judge });
}

mod uploads {
    use super::support::uploads::{TicketHarness, Tickets};

    edge_core::uploads_conformance!(TicketHarness { make: |tickets: Tickets| tickets });
}

mod system_clock {
    use edge_core::SystemClock;
    use edge_core::testing::clock::ClockHarness;

    struct Machine;

    impl ClockHarness for Machine {
        type Clock = SystemClock;

        fn open(&self) -> SystemClock {
            SystemClock
        }
    }

    edge_core::clock_conformance!(Machine);
}

mod manual_clock {
    use std::time::Duration;

    use edge_core::testing::clock::{ClockHarness, ManualClock};
    use edge_core::{Clock, Timestamp};

    struct Manual;

    impl ClockHarness for Manual {
        type Clock = ManualClock;

        fn open(&self) -> ManualClock {
            ManualClock::new(Timestamp::from_unix_ms(1_767_225_600_000))
        }

        fn turn_back_wall(&self, clock: &ManualClock, by: Duration) -> bool {
            let back = clock.wall().as_unix_ms() - u64::try_from(by.as_millis()).unwrap();
            clock.set_wall(Timestamp::from_unix_ms(back));
            true
        }
    }

    edge_core::clock_conformance!(Manual);
}
