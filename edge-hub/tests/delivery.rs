//! What is accepted is delivered: through failures, refusals and poison, in order, and counted.
#![allow(missing_docs, reason = "a test")]

mod common;

use std::sync::Arc;

use common::{Act, Scripted, until, while_running};
use edge_core::{Durability, EndpointId, MemoryStore, MessageStore, Priority, QueueId};
use edge_hub::{DropCause, Hub, Outgoing};

const ALL: &str = "FROM /messages/* INTO $upstream";

fn bodies(n: u8) -> Vec<Vec<u8>> {
    (0..n).map(|i| vec![i]).collect()
}

#[tokio::test(start_paused = true)]
async fn order_holds_through_failures() {
    let upstream = Arc::new(Scripted::upstream([Act::Fail, Act::AcceptFirst, Act::Fail, Act::AcceptFirst]));
    let hub =
        Hub::builder("edge1".parse().unwrap()).endpoint(upstream.clone()).route("all", ALL).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (report, ()) = while_running(hub, async {
        for body in bodies(30) {
            sender.send(Outgoing::new(body)).await.unwrap();
        }
        upstream.until(30).await;
    })
    .await;
    let report = report.unwrap();
    assert!(report.orderly);
    assert_eq!(upstream.accepted(), bodies(30));
    assert_eq!(handle.ledger().total.delivered, 30);
    assert_eq!(report.ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_goes_to_the_dead_letters_and_blocks_nobody() {
    let mut upstream = Scripted::upstream([]);
    upstream.poison = Some(3);
    let upstream = Arc::new(upstream);
    let store = Arc::new(MemoryStore::new());
    let hub = Hub::builder("edge1".parse().unwrap())
        .endpoint(upstream.clone())
        .store(store.clone())
        .route("all", ALL)
        .build()
        .unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (report, ()) = while_running(hub, async {
        for body in bodies(8) {
            sender.send(Outgoing::new(body)).await.unwrap();
        }
        upstream.until(7).await;
        until(|| handle.ledger().total.dropped_for(DropCause::Refused) > 0).await;
    })
    .await;
    let grave: EndpointId = "$dead-letter/$upstream".parse().unwrap();
    let state = store.queue(&QueueId::new(grave, Priority::DEFAULT)).unwrap();
    assert_eq!(state.len(), 1, "the message can be looked at");
    let ledger = report.unwrap().ledger;
    assert_eq!((ledger.total.delivered, ledger.total.dropped_for(DropCause::Refused)), (7, 1));
    assert_eq!(ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_route_wants_is_counted() {
    let hub = Hub::builder("edge1".parse().unwrap())
        .route("some", "FROM /messages/* WHERE kind = 'a' INTO $upstream")
        .endpoint(Arc::new(Scripted::upstream([])))
        .build()
        .unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    sender.send(Outgoing::new("x").property("kind", "b")).await.unwrap();
    let ledger = handle.ledger();
    assert_eq!(ledger.total.dropped_for(DropCause::NoRoute), 1);
    assert_eq!(ledger.total.residual(), 0);
    assert!(handle.metrics().contains(r#"reason="no_route"} 1"#), "{}", handle.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_full_store_refuses_and_loses_nothing() {
    let store = Arc::new(MemoryStore::with_limit(1000));
    let hub = Hub::builder("edge1".parse().unwrap()).store(store).route("all", ALL).build();
    let hub = hub.unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let mut taken = 0;
    while sender.send(Outgoing::new([0; 100])).await.is_ok() {
        taken += 1;
        assert!(taken < 100, "the store has a limit");
    }
    let ledger = handle.ledger();
    assert_eq!((ledger.total.accepted, ledger.total.stored, ledger.refused_batches), (taken, taken, 1));
    assert_eq!(ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_level_reached_is_told() {
    let hub = Hub::builder("edge1".parse().unwrap()).route("all", ALL).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let reached = sender.send_at(Outgoing::new("x"), Durability::Synced).await.unwrap();
    assert_eq!(reached, Durability::Memory, "a store in memory does not claim more");
}
