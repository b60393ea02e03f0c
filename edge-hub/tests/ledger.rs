//! The ledger under random faults: what was acknowledged is accounted for, one by one, and the residual is zero.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use edge_core::{EndpointId, MemoryStore, Overflow, OverflowKey};
use edge_hub::{
    DeadLetterPlace, DeliveryKey, DeliveryPolicy, DropCause, Hub, HubHandle, Ledger, Order, Outgoing,
    Policies, RoutePolicy, RunningHub,
};
use proptest::prelude::*;
use support::{Faulty, Link, Mode, Sabotage, VirtualClock, builder, pass, until};

const ROUTED: &str = "FROM /messages/* WHERE NOT is_defined(nowhere) INTO $upstream";

/// What happens to a hub.
#[derive(Clone, Debug)]
enum Step {
    Send { device: u8, count: u8 },
    SendNowhere(u8),
    Link(Mode),
    StoreRefuses(bool),
    Unreadable(bool),
    Pass(u16),
    Jump(i16),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![
        3 => Just(Mode::Accept),
        1 => Just(Mode::Down),
        1 => Just(Mode::Breaks),
        1 => Just(Mode::Release),
        1 => Just(Mode::ReleaseFrom("d1".into())),
        1 => Just(Mode::RejectOdd),
        1 => Just(Mode::Half),
        1 => Just(Mode::Hang),
    ];
    prop_oneof![
        6 => (0u8..3, 1u8..20).prop_map(|(device, count)| Step::Send { device, count }),
        1 => (1u8..5).prop_map(Step::SendNowhere),
        5 => mode.prop_map(Step::Link),
        1 => any::<bool>().prop_map(Step::StoreRefuses),
        1 => any::<bool>().prop_map(Step::Unreadable),
        5 => (1u16..400).prop_map(Step::Pass),
        1 => (-4000i16..4000).prop_map(Step::Jump),
        1 => Just(Step::Restart),
    ]
}

struct World {
    store: Arc<Faulty>,
    clock: Arc<VirtualClock>,
    link: Arc<Link>,
    order: Order,
    overflow: Overflow,
    hub: Option<(HubHandle, RunningHub)>,
    sent: u64,
    acknowledged: BTreeSet<u64>,
    unrouted: u64,
}

impl World {
    fn new(order: Order, overflow: Overflow) -> Self {
        let store = Faulty::over(MemoryStore::with_limit(30_000));
        let link = Arc::new(Link::new("$upstream", Mode::Accept));
        let (acknowledged, clock) = (BTreeSet::new(), Arc::new(VirtualClock::new()));
        let mut world =
            Self { store, clock, link, order, overflow, hub: None, sent: 0, acknowledged, unrouted: 0 };
        world.start();
        world
    }

    fn start(&mut self) {
        let policy = DeliveryPolicy::new().order(self.order.clone());
        let hub: Hub = builder(&self.store, &self.clock, &self.link)
            .route("all", ROUTED)
            .time_to_live(Some(Duration::from_secs(1800)))
            .policies(Policies::new(RoutePolicy::new().overflow(self.overflow.clone())))
            .delivery(EndpointId::upstream(), policy)
            .build()
            .unwrap();
        self.hub = Some((hub.handle(), hub.start()));
    }

    fn handle(&self) -> &HubHandle {
        &self.hub.as_ref().unwrap().0
    }

    async fn stop(&mut self) -> Ledger {
        let (_, running) = self.hub.take().unwrap();
        running.stop().await.unwrap().ledger
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Send { device, count } => {
                let client = self.handle().client(format!("d{device}").parse().unwrap()).unwrap();
                for _ in 0..count {
                    let (n, mut body) = (self.sent, self.sent.to_le_bytes().to_vec());
                    self.sent += 1;
                    body.resize(200, 0);
                    if client.send(Outgoing::new(body)).await.is_ok() {
                        self.acknowledged.insert(n);
                    }
                }
            }
            Step::SendNowhere(count) => {
                let client = self.handle().client("d9".parse().unwrap()).unwrap();
                for _ in 0..count {
                    client.send(Outgoing::new("x").property("nowhere", "1")).await.unwrap();
                    self.unrouted += 1;
                }
            }
            Step::Link(mode) => self.link.set(mode),
            Step::StoreRefuses(refuses) => self.store.refuses.store(refuses, Ordering::Relaxed),
            Step::Unreadable(unreadable) => self.store.unreadable.store(unreadable, Ordering::Relaxed),
            Step::Pass(seconds) => pass(Duration::from_secs(seconds.into())).await,
            Step::Jump(seconds) => self.clock.jump(seconds.into()),
            Step::Restart => {
                self.stop().await;
                self.start();
            }
        }
    }

    /// Lets everything work again, and waits until nothing is stored.
    async fn drain(&self) {
        self.link.set(Mode::Accept);
        self.store.refuses.store(false, Ordering::Relaxed);
        self.store.unreadable.store(false, Ordering::Relaxed);
        let handle = self.handle().clone();
        until(|| handle.ledger().total.stored == 0).await;
    }

    /// Returns the numbers of the dead letters.
    async fn dead(&self) -> BTreeSet<u64> {
        let most = NonZeroUsize::new(100_000).unwrap();
        let from = DeadLetterPlace::default();
        let page = self.handle().dead_letters(&EndpointId::upstream(), from, most).await.unwrap();
        let number = |body: &[u8]| u64::from_le_bytes(body[..8].try_into().unwrap());
        page.letters.iter().map(|letter| number(letter.message.body())).collect()
    }

    /// Compares the ledger with what really happened.
    async fn check(&self) -> Result<(), String> {
        let ledger = self.handle().ledger();
        let lines = ledger.routes.values().chain([&ledger.total]);
        if let Some(line) = lines.clone().find(|line| line.residual() != 0) {
            return Err(format!("residual {}: {line:?}", line.residual()));
        }
        let accepted = self.link.accepted();
        let delivered: BTreeSet<u64> = accepted.iter().copied().collect();
        let dead = self.dead().await;
        let lost =
            self.acknowledged.iter().filter(|n| !delivered.contains(n) && !dead.contains(n)).count() as u64;
        let total = ledger.total;
        let dropped = |cause| total.dropped_for(cause);
        let overflowed: u64 = [
            DropCause::OverflowOldest,
            DropCause::OverflowNewest,
            DropCause::OverflowLowestPriority,
            DropCause::Superseded,
        ]
        .map(dropped)
        .iter()
        .sum();
        let expected = [
            ("accepted", total.accepted, self.acknowledged.len() as u64 + self.unrouted),
            ("delivered", total.delivered, accepted.len() as u64),
            ("delivered once", accepted.len() as u64, delivered.len() as u64),
            ("refused", dropped(DropCause::Refused), dead.len() as u64),
            ("no route", dropped(DropCause::NoRoute), self.unrouted),
            ("neither delivered nor dead", dropped(DropCause::Expired) + overflowed + total.stored, lost),
            (
                "total",
                ledger.routes.values().map(|line| line.accepted).sum::<u64>() + self.unrouted,
                total.accepted,
            ),
        ];
        match expected.iter().find(|(_, counted, real)| counted != real) {
            Some((what, counted, real)) => {
                Err(format!("{what}: {counted} are counted, and it was {real}: {ledger:?}"))
            }
            None => Ok(()),
        }
    }
}

/// Runs a test in virtual time.
fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Strict),
        Just(Order::PerKey(DeliveryKey::Device)),
        Just(Order::NewestFirst { above: 10 }),
    ]
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![
        Just(Overflow::Refuse),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest),
        Just(Overflow::DropLowestPriority),
        Just(Overflow::KeepLatestPerKey(OverflowKey::Device)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(support::cases(64)))]

    #[test]
    fn everything_acknowledged_is_accounted_for(
        order in order(),
        overflow in overflow(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        run(async {
            let mut world = World::new(order, overflow);
            for step in steps {
                let name = format!("{step:?}");
                world.step(step).await;
                prop_assert_eq!(world.handle().ledger().total.residual(), 0, "after {}", name);
            }
            world.drain().await;
            world.check().await.map_err(TestCaseError::fail)?;
            let before = world.handle().ledger();
            world.stop().await;
            world.start();
            prop_assert_eq!(world.handle().ledger().total, before.total, "a restart changes nothing");
            world.stop().await;
            Ok(())
        })?;
    }
}

/// Does a bit of everything, so that every count that the scenario can reach is above zero.
async fn scenario(overflow: Overflow, cause: DropCause, sabotage: Option<Sabotage>) -> Result<(), String> {
    let mut world = World::new(Order::Strict, overflow);
    if matches!(sabotage, Some(Sabotage::DropsAreDeliveries | Sabotage::NoRouteIsNothing)) {
        *world.store.sabotage.lock().unwrap() = sabotage;
    }
    let steps = [
        Step::Send { device: 0, count: 5 },
        Step::SendNowhere(2),
        Step::Pass(60),
        Step::Link(Mode::Down),
        Step::Send { device: 1, count: 3 },
        Step::Pass(2000),
        Step::Link(Mode::RejectOdd),
        Step::Send { device: 1, count: 6 },
        Step::Pass(300),
        Step::Link(Mode::Down),
        Step::Send { device: 2, count: 200 },
    ];
    for step in steps {
        world.step(step).await;
    }
    if sabotage.is_none() {
        let total = world.handle().ledger().total;
        let causes = [DropCause::NoRoute, DropCause::Expired, DropCause::Refused, cause];
        assert!(causes.into_iter().all(|cause| total.dropped_for(cause) > 0), "{total:?}");
        assert!(total.delivered > 0 && total.stored > 0, "{total:?}");
    }
    *world.store.sabotage.lock().unwrap() = sabotage;
    let checked = world.check().await;
    *world.store.sabotage.lock().unwrap() = None;
    world.stop().await;
    checked
}

#[test]
fn without_any_one_count_it_does_not_add_up() {
    let check = |overflow: &Overflow, cause, sabotage| run(scenario(overflow.clone(), cause, sabotage));
    let overflows = [
        (Overflow::DropNewest, DropCause::OverflowNewest),
        (Overflow::KeepLatestPerKey(OverflowKey::Device), DropCause::Superseded),
        (Overflow::DropOldest, DropCause::OverflowOldest),
    ];
    for (overflow, cause) in &overflows {
        assert_eq!(check(overflow, *cause, None), Ok(()), "{overflow}");
        let forgotten = Some(Sabotage::Dropped(*cause));
        assert!(check(overflow, *cause, forgotten).is_err(), "{} is not noticed", cause.name());
    }
    let (overflow, cause) = &overflows[2];
    for sabotage in [
        Sabotage::Accepted,
        Sabotage::Delivered,
        Sabotage::Stored,
        Sabotage::Dropped(DropCause::NoRoute),
        Sabotage::Dropped(DropCause::Expired),
        Sabotage::Dropped(DropCause::Refused),
        Sabotage::DropsAreDeliveries,
        Sabotage::NoRouteIsNothing,
    ] {
        assert!(check(overflow, *cause, Some(sabotage)).is_err(), "{sabotage:?} is not noticed");
    }
}
