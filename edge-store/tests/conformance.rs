//! The store and the session file keep the contracts of `edge_core`.

mod store {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use edge_core::Durability;
    use edge_core::testing::message_store::{Capabilities, StoreHarness};
    use edge_store::testing::{Call, CrashFs};
    use edge_store::{SegmentStore, StoreOptions};

    const SEGMENT_BYTES: u64 = 64 * 1024;

    /// Makes stores on the simulated file system that was made last.
    #[derive(Default)]
    struct OnCrashFs {
        fs: Mutex<CrashFs>,
    }

    impl OnCrashFs {
        fn fs(&self) -> CrashFs {
            self.fs.lock().unwrap().clone()
        }

        fn open_on(&self, fs: CrashFs, options: StoreOptions) -> SegmentStore {
            *self.fs.lock().unwrap() = fs.clone();
            SegmentStore::open_on(Arc::new(fs), "store", options).unwrap().0
        }
    }

    fn options() -> StoreOptions {
        StoreOptions::default().with_segment_bytes(SEGMENT_BYTES).with_tail_bytes(16 * 1024)
    }

    #[async_trait]
    impl StoreHarness for OnCrashFs {
        type Store = SegmentStore;

        fn capabilities(&self) -> Capabilities {
            Capabilities::durable(Durability::Synced, 2 * SEGMENT_BYTES).with_overflow()
        }

        async fn open(&self) -> SegmentStore {
            self.open_on(CrashFs::new(), options())
        }

        async fn crash(&self, store: SegmentStore) -> Option<SegmentStore> {
            self.fs().freeze();
            drop(store);
            Some(self.open_on(self.fs().after_kill(), options()))
        }

        async fn power_loss(&self, store: SegmentStore) -> Option<SegmentStore> {
            self.fs().freeze();
            drop(store);
            Some(self.open_on(self.fs().after_power_loss(11), options()))
        }

        async fn open_limited(&self, limit_bytes: u64) -> Option<SegmentStore> {
            Some(self.open_on(CrashFs::new(), options().with_max_bytes(limit_bytes)))
        }

        async fn fail_syncs(&self, _store: &SegmentStore) -> bool {
            self.fs().set_fault(|call| (call == Call::Sync).then_some(std::io::ErrorKind::Other));
            true
        }

        fn forbid_disk(&self, _store: &SegmentStore) -> bool {
            self.fs().forbid();
            true
        }

        fn allow_disk(&self, _store: &SegmentStore) {
            self.fs().allow();
        }

        async fn settle(&self, store: &SegmentStore) {
            store.flush().await.unwrap();
        }
    }

    edge_core::message_store_conformance!(OnCrashFs::default());
}

mod sessions {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use edge_core::testing::session_store::SessionHarness;
    use edge_store::SessionFile;
    use edge_store::testing::CrashFs;

    #[derive(Default)]
    struct OnCrashFs {
        fs: Mutex<CrashFs>,
    }

    impl OnCrashFs {
        fn fs(&self) -> CrashFs {
            self.fs.lock().unwrap().clone()
        }
    }

    #[async_trait]
    impl SessionHarness for OnCrashFs {
        type Store = SessionFile;

        async fn open(&self) -> SessionFile {
            *self.fs.lock().unwrap() = CrashFs::new();
            SessionFile::open_on(Arc::new(self.fs()), "sessions").unwrap()
        }

        async fn crash(&self, store: SessionFile) -> Option<SessionFile> {
            self.fs().freeze();
            drop(store);
            let after = self.fs().after_power_loss(3);
            *self.fs.lock().unwrap() = after;
            Some(SessionFile::open_on(Arc::new(self.fs()), "sessions").unwrap())
        }

        fn forbid_disk(&self, _store: &SessionFile) -> bool {
            self.fs().forbid();
            true
        }

        fn allow_disk(&self, _store: &SessionFile) {
            self.fs().allow();
        }
    }

    edge_core::session_store_conformance!(OnCrashFs::default());
}
