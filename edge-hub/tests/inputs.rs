//! Module inputs: delivered to whoever is connected, waiting while nobody is, settled one by one.
#![allow(missing_docs, reason = "a test")]

mod common;

use std::sync::Arc;

use common::{until, while_running};
use edge_core::{MemoryStore, Settlement};
use edge_hub::{Hub, HubBuilder, Outgoing};

const TO_SINK: &str = r#"FROM /messages/* INTO BrokeredEndpoint("/modules/sink/inputs/in")"#;

fn builder() -> HubBuilder {
    Hub::builder("edge1".parse().unwrap()).route("r", TO_SINK)
}

#[tokio::test(start_paused = true)]
async fn messages_wait_until_the_module_comes() {
    let hub = builder().build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (report, ()) = while_running(hub, async {
        for i in 0..5u8 {
            sender.send(Outgoing::new([i])).await.unwrap();
        }
        let mut inputs = handle.client("edge1/sink".parse().unwrap()).unwrap().inputs();
        for i in 0..5u8 {
            let delivery = inputs.next().await.unwrap();
            assert_eq!(delivery.message().body(), [i]);
            delivery.settle(Settlement::Accept);
        }
        until(|| handle.ledger().total.delivered >= 5).await;
    })
    .await;
    assert_eq!(report.unwrap().ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_unsettled_comes_again() {
    let hub = builder().build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let sink = hub.client("edge1/sink".parse().unwrap()).unwrap();
    let (_, ()) = while_running(hub, async {
        let mut inputs = sink.inputs();
        sender.send(Outgoing::new("x")).await.unwrap();
        let first = inputs.next().await.unwrap();
        assert!(!first.is_redelivered());
        drop(first);
        let again = inputs.next().await.unwrap();
        assert_eq!(again.message().body(), b"x");
        assert!(again.is_redelivered());
        again.settle(Settlement::Accept);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unacknowledged_message_comes_again_after_the_timeout() {
    let hub = builder().build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let sink = hub.client("edge1/sink".parse().unwrap()).unwrap();
    let (_, ()) = while_running(hub, async {
        let mut inputs = sink.inputs();
        sender.send(Outgoing::new("x")).await.unwrap();
        let held = inputs.next().await.unwrap();
        let again = inputs.next().await.unwrap();
        assert_eq!(again.message(), held.message());
        held.settle(Settlement::Accept);
        again.settle(Settlement::Accept);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_newer_connection_wins() {
    let hub = builder().build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (_, ()) = while_running(hub, async {
        let mut first = handle.client("edge1/sink".parse().unwrap()).unwrap().inputs();
        let mut second = handle.client("edge1/sink".parse().unwrap()).unwrap().inputs();
        assert!(first.next().await.is_none(), "the first session is over");
        sender.send(Outgoing::new("x")).await.unwrap();
        let delivery = second.next().await.unwrap();
        delivery.settle(Settlement::Accept);
        assert_eq!(handle.connected(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_hub_ends_its_streams_and_keeps_what_waits() {
    let store = Arc::new(MemoryStore::new());
    let hub = builder().store(store).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let mut inputs = hub.client("edge1/other".parse().unwrap()).unwrap().inputs();
    let (report, ()) = while_running(hub, async {
        sender.send(Outgoing::new("x")).await.unwrap();
    })
    .await;
    assert_eq!(report.unwrap().ledger.total.stored, 1);
    assert!(inputs.next().await.is_none());
    assert!(sender.send(Outgoing::new("y")).await.is_err());
}
