//! Orders of delivery, windows and budgets, in virtual time.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{EndpointId, MemoryStore, Priority};
use edge_hub::{Budget, DeliveryKey, DeliveryPolicy, Hub, InFlight, Order, RouteSpec};
use support::{ALL, Faulty, Link, Mode, VirtualClock, builder, pass, pass_long, send, until};

struct World {
    store: Arc<Faulty>,
    clock: Arc<VirtualClock>,
    link: Arc<Link>,
    policy: DeliveryPolicy,
}

impl World {
    fn new(mode: Mode, policy: DeliveryPolicy) -> Self {
        let store = Faulty::over(MemoryStore::new());
        let link = Arc::new(Link::new("$upstream", mode));
        Self { store, clock: Arc::new(VirtualClock::new()), link, policy }
    }

    fn hub(&self) -> Hub {
        let urgent =
            RouteSpec::new("urgent", "FROM /messages/* WHERE urgent = 'yes' INTO $upstream").with_priority(0);
        builder(&self.store, &self.clock, &self.link)
            .delivery(EndpointId::upstream(), self.policy.clone())
            .route("all", ALL)
            .routes([urgent])
            .build()
            .unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_device_holds_up_only_itself() {
    let policy = DeliveryPolicy::new().order(Order::PerKey(DeliveryKey::Device));
    let world = World::new(Mode::ReleaseFrom("bad".into()), policy);
    let hub = world.hub();
    let (bad, good) =
        (hub.client("bad".parse().unwrap()).unwrap(), hub.client("good".parse().unwrap()).unwrap());
    let handle = hub.handle();
    let running = hub.start();
    for n in 0..500 {
        send(if n % 2 == 0 { &bad } else { &good }, n, 8).await.unwrap();
    }
    until(|| world.link.count() == 250).await;
    assert_eq!(world.link.accepted(), (0..500).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    world.link.set(Mode::Accept);
    until(|| world.link.count() == 500).await;
    let late: Vec<_> = world.link.accepted().split_off(250);
    assert_eq!(late, (0..500).filter(|n| n % 2 == 0).collect::<Vec<_>>(), "its own order is kept");
    assert_eq!((handle.ledger().total.delivered, handle.ledger().total.residual()), (500, 0));
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_passed_is_delivered_after_a_restart_and_nothing_twice() {
    let policy = DeliveryPolicy::new().order(Order::PerKey(DeliveryKey::Device));
    let world = World::new(Mode::ReleaseFrom("bad".into()), policy);
    let hub = world.hub();
    let (bad, good) =
        (hub.client("bad".parse().unwrap()).unwrap(), hub.client("good".parse().unwrap()).unwrap());
    let running = hub.start();
    for n in 0..20 {
        send(if n % 2 == 0 { &bad } else { &good }, n, 8).await.unwrap();
    }
    until(|| world.link.count() == 10).await;
    running.stop().await.unwrap();
    world.link.set(Mode::Accept);
    let running = world.hub().start();
    until(|| world.link.count() == 20).await;
    let mut all = world.link.accepted();
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
    assert_eq!(running.stop().await.unwrap().ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_newest_go_first_also_after_a_restart() {
    let policy =
        DeliveryPolicy::new().order(Order::NewestFirst { above: 50 }).in_flight(InFlight::messages(10));
    let world = World::new(Mode::Down, policy);
    let hub = world.hub();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let running = hub.start();
    for n in 0..1000 {
        send(&client, n, 8).await.unwrap();
    }
    running.stop().await.unwrap();
    world.link.set(Mode::Accept);
    let running = world.hub().start();
    until(|| world.link.count() == 1000).await;
    let accepted = world.link.accepted();
    let batches = (0..100).rev().flat_map(|batch| batch * 10..batch * 10 + 10);
    assert_eq!(accepted, batches.collect::<Vec<_>>(), "from the newest batch down, each in order");
    let report = running.stop().await.unwrap();
    assert_eq!((report.ledger.total.delivered, report.ledger.total.residual()), (1000, 0));
}

#[tokio::test(start_paused = true)]
async fn the_window_bounds_a_send() {
    let world = World::new(Mode::Down, DeliveryPolicy::new().in_flight(InFlight::messages(7).bytes(600)));
    let hub = world.hub();
    let client = hub.client("d".parse().unwrap()).unwrap();
    for n in 0..50 {
        send(&client, n, 8).await.unwrap();
    }
    send(&client, 50, 5000).await.unwrap();
    world.link.set(Mode::Accept);
    let running = hub.start();
    until(|| world.link.count() == 51).await;
    let sends = world.link.sends.lock().unwrap().clone();
    assert!(sends.iter().all(|(n, bytes)| *n <= 7 && (*bytes <= 600 || *n == 1)), "{sends:?}");
    assert!(sends.iter().any(|(_, bytes)| *bytes > 5000), "a large message goes alone");
    running.stop().await.unwrap();
}

fn bytes(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_budget_per_second_is_kept_and_urgent_messages_pass() {
    let budget = Budget::per_second(bytes(1000)).free_up_to(Priority::new(0));
    let world = World::new(Mode::Accept, DeliveryPolicy::new().budget(budget));
    let hub = world.hub();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let running = hub.start();
    for n in 0..100 {
        send(&client, n, 500).await.unwrap();
    }
    pass(Duration::from_secs(10)).await;
    let sent: u64 = world.link.sends.lock().unwrap().iter().map(|(_, bytes)| bytes).sum();
    assert!((9_000..=12_600).contains(&sent), "{sent} bytes in ten seconds");
    let urgent = edge_hub::Outgoing::new(9_999u64.to_le_bytes()).property("urgent", "yes");
    client.send(urgent).await.unwrap();
    pass(Duration::from_millis(10)).await;
    assert!(world.link.accepted().contains(&9_999), "it is not held back");
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_budget_per_day_survives_a_restart_and_ends_at_midnight() {
    let world = World::new(Mode::Accept, DeliveryPolicy::new().budget(Budget::per_day(bytes(10_000))));
    let sent = || world.link.sends.lock().unwrap().iter().map(|(_, bytes)| bytes).sum::<u64>();
    let hub = world.hub();
    let client = hub.client("d".parse().unwrap()).unwrap();
    for n in 0..100 {
        send(&client, n, 500).await.unwrap();
    }
    let running = hub.start();
    pass_long(Duration::from_secs(3600)).await;
    let first = sent();
    assert!((8_000..=10_000).contains(&first), "{first} bytes on the first day");
    running.stop().await.unwrap();
    let running = world.hub().start();
    pass_long(Duration::from_secs(22 * 3600)).await;
    assert!(sent() <= 10_000, "{} bytes after a restart", sent());
    pass_long(Duration::from_secs(2 * 3600)).await;
    assert!((16_000..=20_000).contains(&sent()), "{} bytes after midnight", sent());
    let report = running.stop().await.unwrap();
    assert_eq!(report.ledger.total.residual(), 0);
    assert_eq!(report.ledger.routes.len(), 1, "what the hub keeps for itself is not in the ledger");
}

/// What was held back by one policy is sent by the next one, which the pump does not sleep through.
#[tokio::test(start_paused = true)]
async fn another_policy_holds_from_the_next_batch_on() {
    let world = World::new(Mode::Accept, DeliveryPolicy::new().budget(Budget::per_day(bytes(1000))));
    let hub = world.hub();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let running = hub.start();
    for n in 0..40 {
        send(&client, n, 200).await.unwrap();
    }
    pass(Duration::from_secs(1)).await;
    let held = world.link.count();
    assert!((1..10).contains(&held), "{held} messages for a day's budget");
    handle.set_delivery(&EndpointId::upstream(), DeliveryPolicy::new().in_flight(InFlight::messages(3)));
    pass(Duration::from_millis(100)).await;
    assert_eq!(world.link.accepted(), (0..40).collect::<Vec<_>>(), "nothing is sent twice");
    let sends = world.link.sends.lock().unwrap().clone();
    assert!(sends.iter().skip(held).all(|(n, _)| *n <= 3), "{sends:?}");

    // A budget that comes back counts what was used of the day before.
    handle.set_delivery(&EndpointId::upstream(), DeliveryPolicy::new().budget(Budget::per_day(bytes(1000))));
    for n in 40..50 {
        send(&client, n, 200).await.unwrap();
    }
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.link.count(), 40);
    assert_eq!(handle.ledger().total.residual(), 0);
    running.stop().await.unwrap();
}
