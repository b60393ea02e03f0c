//! Faults: a full store, a clock that jumps, a link that flaps for a month, ten thousand routes.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use edge_core::{Durability, MemoryStore, MessageStore as _, Overflow, Priority};
use edge_hub::{DropCause, Hub, Outgoing, Policies, RoutePolicy, RouteSpec};
use support::{ALL, Faulty, Link, Mode, VirtualClock, builder, pass, pass_long, send, until};

fn parts(store: MemoryStore, mode: Mode) -> (Arc<Faulty>, Arc<VirtualClock>, Arc<Link>) {
    (Faulty::over(store), Arc::new(VirtualClock::new()), Arc::new(Link::new("$upstream", mode)))
}

#[tokio::test(start_paused = true)]
async fn a_full_store_refuses_and_takes_again_when_there_is_room() {
    let (store, clock, link) = parts(MemoryStore::with_limit(20_000), Mode::Down);
    let hub = builder(&store, &clock, &link).route("all", ALL).build().unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let running = hub.start();
    let mut taken = 0;
    while send(&client, taken, 500).await.is_ok() {
        taken += 1;
    }
    assert!((10..40).contains(&taken), "{taken}");
    link.set(Mode::Accept);
    until(|| link.count() as u64 == taken).await;
    for n in taken..taken + 10 {
        send(&client, n, 500).await.unwrap();
    }
    until(|| link.count() as u64 == taken + 10).await;
    assert_eq!(link.accepted(), (0..taken + 10).collect::<Vec<_>>());
    let ledger = running.stop().await.unwrap().ledger;
    assert_eq!((ledger.total.accepted, ledger.refused_batches), (taken + 10, 1));
    assert_eq!(ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_overflows_is_counted_by_cause_and_route() {
    let (store, clock, link) = parts(MemoryStore::with_limit(20_000), Mode::Down);
    let policies = Policies::new(RoutePolicy::new().overflow(Overflow::DropOldest));
    let hub = builder(&store, &clock, &link).route("all", ALL).policies(policies).build().unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let handle = hub.handle();
    for n in 0..100 {
        send(&client, n, 500).await.unwrap();
    }
    let ledger = handle.ledger();
    let line = ledger.routes.get("all").copied().unwrap();
    assert_eq!((line.accepted, line.residual()), (100, 0));
    assert_eq!(line.dropped_for(DropCause::OverflowOldest), 100 - line.stored);
    let text = handle.metrics();
    let expected = format!("reason=\"overflow_oldest\",route=\"all\"}} {}", 100 - line.stored);
    assert!(text.contains(&expected), "{text}");

    let newest = Policies::new(RoutePolicy::new().overflow(Overflow::DropNewest));
    handle.set_routes_with(&[RouteSpec::new("all", ALL)], newest).unwrap();
    send(&client, 100, 500).await.unwrap();
    assert_eq!(handle.ledger().total.dropped_for(DropCause::OverflowNewest), 1);
    let expected = r#"from="d",from_route_output="",reason="overflow_newest"} 1"#;
    assert!(handle.metrics().contains(expected), "{}", handle.metrics());
    link.set(Mode::Accept);
    let running = hub.start();
    until(|| link.count() as u64 == line.stored).await;
    assert_eq!(running.stop().await.unwrap().ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn routes_choose_their_durability() {
    let (store, clock, link) = parts(MemoryStore::new(), Mode::Down);
    let policies = Policies::new(RoutePolicy::new().durability(Durability::Memory))
        .class(Priority::new(0).unwrap(), RoutePolicy::new().durability(Durability::Synced));
    let urgent =
        RouteSpec::new("urgent", "FROM /messages/* WHERE urgent = 'yes' INTO $upstream").with_priority(0);
    let plain = RouteSpec::new("plain", "FROM /messages/* WHERE NOT is_defined(urgent) INTO $upstream");
    let hub = builder(&store, &clock, &link).routes([urgent, plain]).policies(policies).build().unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    send(&client, 0, 8).await.unwrap();
    client.send(Outgoing::new([0; 8]).property("urgent", "yes")).await.unwrap();
    let levels = store.levels.lock().unwrap().clone();
    assert_eq!(levels[0].1, [Some(Durability::Memory)]);
    assert_eq!(levels[1].1, [Some(Durability::Synced)]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_an_hour_loses_nothing_uncounted() {
    let (store, clock, link) = parts(MemoryStore::new(), Mode::Down);
    let hub = builder(&store, &clock, &link)
        .route("all", ALL)
        .time_to_live(Some(Duration::from_secs(1800)))
        .build()
        .unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let running = hub.start();
    for n in 0..10 {
        send(&client, n, 8).await.unwrap();
    }
    clock.jump(3600);
    until(|| handle.ledger().total.stored == 0).await;
    assert_eq!(handle.ledger().total.dropped_for(DropCause::Expired), 10, "by the wall clock, they are old");
    for n in 10..20 {
        send(&client, n, 8).await.unwrap();
    }
    clock.jump(-3600);
    pass(Duration::from_secs(2000)).await;
    assert_eq!(handle.ledger().total.stored, 10, "they seem to come from the future, and wait");
    for n in 20..30 {
        send(&client, n, 8).await.unwrap();
    }
    link.set(Mode::Accept);
    until(|| link.count() == 20).await;
    assert_eq!(
        link.accepted(),
        (10..30).collect::<Vec<_>>(),
        "the order is that of the queue, not of the clock"
    );
    let ledger = running.stop().await.unwrap().ledger;
    assert_eq!((ledger.total.accepted, ledger.total.residual()), (30, 0));
}

#[tokio::test(start_paused = true)]
async fn a_month_of_a_flapping_link() {
    let (store, clock, link) = parts(MemoryStore::new(), Mode::Accept);
    let hub = builder(&store, &clock, &link).route("all", ALL).build().unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let mut running = hub.start();
    let mut sent = 0;
    for hour in 0..30 * 24u64 {
        let mode = match hour * 2_654_435_761 % 7 {
            0 | 1 => Mode::Down,
            2 => Mode::Breaks,
            3 => Mode::Half,
            4 => Mode::Release,
            _ => Mode::Accept,
        };
        link.set(mode);
        for _ in 0..6 {
            if send(&client, sent, 8).await.is_ok() {
                sent += 1;
            }
            pass_long(Duration::from_secs(600)).await;
        }
        assert_eq!(handle.ledger().total.residual(), 0, "hour {hour}");
    }
    link.set(Mode::Accept);
    until(|| link.count() as u64 >= sent).await;
    let mut accepted = link.accepted();
    accepted.sort_unstable();
    assert_eq!(accepted, (0..sent).collect::<Vec<_>>());
    let report = running.stop().await.unwrap();
    assert_eq!((report.ledger.total.delivered, report.ledger.total.residual()), (sent, 0));
    running = builder(&store, &clock, &link).route("all", ALL).build().unwrap().start();
    assert_eq!(running.stop().await.unwrap().ledger.total.accepted, sent, "the ledger goes on");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_routes_each_with_a_queue() {
    const ROUTES: u64 = 10_000;
    let store = Faulty::over(MemoryStore::new());
    let routes = (0..ROUTES).map(|n| {
        let text = format!(
            r#"FROM /messages/* WHERE kind = '{n}' INTO BrokeredEndpoint("/modules/m{n}/inputs/in")"#
        );
        RouteSpec::new(format!("r{n}"), text)
    });
    let routes: Vec<_> = routes.collect();
    let hub = Hub::builder("edge1".parse().unwrap()).store(store.clone()).routes(routes).build().unwrap();
    let client = hub.client("d".parse().unwrap()).unwrap();
    let mut input = hub.client("edge1/m77".parse().unwrap()).unwrap().inputs();
    let handle = hub.handle();
    let running = hub.start();
    for n in 0..ROUTES {
        client.send(Outgoing::new("x").property("kind", &n.to_string())).await.unwrap();
    }
    input.next().await.unwrap().accept();
    until(|| handle.ledger().total.delivered == 1).await;
    let ledger = running.stop().await.unwrap().ledger;
    assert_eq!((ledger.total.stored, ledger.routes.len() as u64), (ROUTES - 1, ROUTES));
    assert!(ledger.routes.values().all(|line| line.residual() == 0));
    assert_eq!(store.queues().len() as u64, ROUTES);
}
