//! The ledger on a real store whose process is killed, or loses its power, at random moments: it adds up, and nothing
//! acknowledged is missing.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use edge_core::{Durability, EndpointId, Overflow, OverflowKey};
use edge_hub::{DeliveryKey, DeliveryPolicy, Hub, Order, Outgoing, Policies, RoutePolicy};
use edge_store::testing::CrashFs;
use edge_store::{SegmentStore, StoreOptions};
use proptest::prelude::*;
use support::{ALL, Link, Mode};

/// Opens the store of a file system, and makes a hub of it.
fn hub(disk: &CrashFs, link: &Arc<Link>, order: &Order, overflow: &Overflow, level: Durability) -> Hub {
    let options = StoreOptions::default().with_segment_bytes(64 << 10).with_max_bytes(1 << 20);
    let policy = RoutePolicy::new().overflow(overflow.clone()).max_queue_bytes(QUEUE_BYTES);
    let (store, _) = SegmentStore::open_on(Arc::new(disk.clone()), "store", options).unwrap();
    Hub::builder("edge1".parse().unwrap())
        .store(Arc::new(store))
        .endpoint(link.clone())
        .delivery(EndpointId::upstream(), DeliveryPolicy::new().order(order.clone()))
        .durability(level)
        .route("all", ALL)
        .policies(Policies::new(policy))
        .build()
        .unwrap()
}

/// Room for some fifty messages.
const QUEUE_BYTES: u64 = 10_000;

/// How a life ends.
#[derive(Clone, Copy, Debug)]
enum Crash {
    Kill,
    /// What is lost depends on the seed.
    PowerLoss(u64),
}

impl Crash {
    /// Returns what another process would find now.
    fn leaves(self, disk: &CrashFs) -> CrashFs {
        match self {
            Self::Kill => disk.after_kill(),
            Self::PowerLoss(seed) => disk.after_power_loss(seed),
        }
    }

    /// Returns the level that survives it.
    fn level(self) -> Durability {
        if matches!(self, Self::Kill) { Durability::Written } else { Durability::Synced }
    }
}

async fn live(
    order: Order,
    overflow: Overflow,
    crash: Crash,
    lives: Vec<(Mode, u8)>,
) -> Result<(), TestCaseError> {
    let link = Arc::new(Link::new("$upstream", Mode::Accept));
    let (mut disk, mut acknowledged, mut sent) = (CrashFs::new(), BTreeSet::new(), 0u64);
    for (mode, count) in lives {
        link.set(mode);
        let hub = hub(&disk, &link, &order, &overflow, crash.level());
        prop_assert_eq!(hub.handle().ledger().total.residual(), 0, "after a crash");
        let client = hub.client(format!("d{}", count % 3).parse().unwrap()).unwrap();
        let (handle, running) = (hub.handle(), hub.start());
        for _ in 0..count {
            if client.send(Outgoing::new(sent.to_le_bytes())).await.is_ok() {
                acknowledged.insert(sent);
            }
            sent += 1;
        }
        prop_assert_eq!(handle.ledger().total.residual(), 0, "while it runs");
        // The first process goes on in a world that nobody sees.
        let next = crash.leaves(&disk);
        disk.freeze();
        drop(running.stop().await);
        disk = next;
    }
    link.set(Mode::Accept);
    let hub = hub(&disk, &link, &order, &overflow, crash.level());
    let (handle, running) = (hub.handle(), hub.start());
    support::until(|| handle.ledger().total.stored == 0).await;
    let ledger = running.stop().await.unwrap().ledger;
    prop_assert_eq!(ledger.total.residual(), 0);
    let delivered: BTreeSet<u64> = link.accepted().into_iter().collect();
    // What is not there has made room, or has not been given any: by name, and no more than that.
    let missing = acknowledged.difference(&delivered).count() as u64;
    prop_assert!(missing <= ledger.total.dropped_total(), "{} are missing: {:?}", missing, ledger);
    let (route, copies) =
        (ledger.routes.values().next(), delivered.len() as u64 + ledger.total.dropped_total());
    prop_assert_eq!(route, Some(&ledger.total), "there is one route");
    prop_assert!(ledger.total.accepted <= copies + sent, "{:?}", ledger);
    if overflow == Overflow::Refuse {
        prop_assert_eq!((missing, ledger.total.dropped_total()), (0, 0));
    }
    prop_assert!(ledger.total.accepted >= acknowledged.len() as u64, "{:?}", ledger);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(support::cases(32)))]

    #[test]
    fn a_gateway_that_ends_without_warning_knows_what_it_took(
        crash in prop_oneof![Just(Crash::Kill), any::<u64>().prop_map(Crash::PowerLoss)],
        order in prop_oneof![
            Just(Order::Strict),
            Just(Order::PerKey(DeliveryKey::Device)),
            Just(Order::NewestFirst { above: 10 }),
        ],
        overflow in prop_oneof![
            Just(Overflow::Refuse),
            Just(Overflow::DropOldest),
            Just(Overflow::DropNewest),
            Just(Overflow::KeepLatestPerKey(OverflowKey::Device)),
        ],
        lives in proptest::collection::vec(
            (prop_oneof![Just(Mode::Accept), Just(Mode::Down), Just(Mode::Half), Just(Mode::ReleaseFrom("d1".into()))], 1u8..60),
            1..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(live(order, overflow, crash, lives))?;
    }
}
