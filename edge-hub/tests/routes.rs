//! Routes change while messages flow, and nothing is lost, doubled or reordered by it.
#![allow(missing_docs, reason = "a test")]

mod common;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use common::{Scripted, until, while_running};
use edge_core::Settlement;
use edge_hub::{Hub, Outgoing, RouteSpec};

const UP: &str = "FROM /messages/* INTO $upstream";
const SINK: &str = r#"FROM /messages/* INTO BrokeredEndpoint("/modules/sink/inputs/in")"#;

#[tokio::test(start_paused = true)]
async fn a_removed_route_does_not_lose_what_is_queued() {
    let hub = Hub::builder("edge1".parse().unwrap()).route("r", SINK).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (report, ()) = while_running(hub, async {
        sender.send(Outgoing::new("x")).await.unwrap();
        handle.set_routes(&[RouteSpec::new("up", UP)]).unwrap();
        let mut inputs = handle.client("edge1/sink".parse().unwrap()).unwrap().inputs();
        let delivery = inputs.next().await.unwrap();
        assert_eq!(delivery.message().body(), b"x");
        delivery.settle(Settlement::Accept);
        until(|| handle.ledger().total.delivered > 0).await;
    })
    .await;
    assert_eq!(report.unwrap().ledger.total.residual(), 0);
}

#[tokio::test(start_paused = true)]
async fn bad_routes_leave_the_old_ones_in_force() {
    let upstream = Arc::new(Scripted::upstream([]));
    let hub =
        Hub::builder("edge1".parse().unwrap()).endpoint(upstream.clone()).route("up", UP).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (_, ()) = while_running(hub, async {
        let bad = [
            RouteSpec::new("a", "FROM /messages/* INTO $downstream"),
            RouteSpec::new("b", "FORM /x INTO $upstream"),
        ];
        let error = handle.set_routes(&bad).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("$downstream") && text.contains("FORM"), "both mistakes are told: {text}");
        sender.send(Outgoing::new("x")).await.unwrap();
        upstream.until(1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn routes_change_under_traffic() {
    let upstream = Arc::new(Scripted::upstream([]));
    let hub =
        Hub::builder("edge1".parse().unwrap()).endpoint(upstream.clone()).route("up", UP).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let (report, ()) = while_running(hub, async {
        for i in 0..100u8 {
            let name = if i % 2 == 0 { "even" } else { "odd" };
            handle.set_routes(&[RouteSpec::new(name, UP)]).unwrap();
            sender.send(Outgoing::new([i])).await.unwrap();
        }
        upstream.until(100).await;
    })
    .await;
    assert_eq!(upstream.accepted(), (0..100u8).map(|i| vec![i]).collect::<Vec<_>>());
    let ledger = report.unwrap().ledger;
    assert_eq!(ledger.total.residual(), 0);
    let even: edge_core::RouteName = "even".parse().unwrap();
    assert_eq!(ledger.routes[&even].delivered, 50);
}

/// Holds up whoever logs the first warning, until it is told to go on.
struct Gate {
    reached: SyncSender<()>,
    open: Mutex<Receiver<()>>,
}

impl tracing::Subscriber for Gate {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn event(&self, _: &tracing::Event<'_>) {
        if self.reached.send(()).is_ok() {
            // A closed channel opens the gate too.
            let _ = self.open.lock().unwrap().recv();
        }
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// A change of routes is held up in its middle; messages are routed by the old ones meanwhile.
#[tokio::test(start_paused = true)]
async fn a_change_of_routes_does_not_hold_up_messages() {
    let upstream = Arc::new(Scripted::upstream([]));
    let hub =
        Hub::builder("edge1".parse().unwrap()).endpoint(upstream.clone()).route("old", UP).build().unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let ((reached, at), (open, opened)) = (sync_channel(1), sync_channel(1));
    let gate = Gate { reached, open: Mutex::new(opened) };
    let other = handle.clone();
    let change = move || {
        let warned = RouteSpec::new("new", "FROM /messages/* WHERE $body.t > 30 INTO $upstream");
        tracing::subscriber::with_default(gate, || other.set_routes(&[warned]).map(drop))
    };
    let changing = std::thread::Builder::new().name("routes".into()).spawn(change).unwrap();
    let (report, ()) = while_running(hub, async {
        at.recv().unwrap();
        sender.send(Outgoing::new("in between")).await.unwrap();
        upstream.until(1).await;
        drop(open);
        changing.join().unwrap().unwrap();
        sender.send(Outgoing::new("cold")).await.unwrap();
    })
    .await;
    let ledger = report.unwrap().ledger;
    let old: edge_core::RouteName = "old".parse().unwrap();
    assert_eq!(ledger.routes[&old].delivered, 1);
    assert_eq!((ledger.total.accepted, ledger.total.residual()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn upstreams_have_names_queues_and_accounts_of_their_own_and_can_be_replaced() {
    const ARCHIVE: &str = r#"FROM /messages/* INTO BrokeredEndpoint("/upstreams/archive")"#;
    let archive = edge_hub::upstream_id("archive").unwrap();
    let upstream = Arc::new(Scripted::upstream([]));
    let first = Arc::new(Scripted::named(archive.clone()));
    let hub = Hub::builder("edge1".parse().unwrap())
        .endpoint(upstream.clone())
        .endpoint(first.clone())
        .route("up", UP)
        .route("keep", ARCHIVE)
        .build()
        .unwrap();
    let sender = hub.client("sensor1".parse().unwrap()).unwrap();
    let handle = hub.handle();
    let second = Arc::new(Scripted::named(archive.clone()));
    let (report, ()) = while_running(hub, async {
        sender.send(Outgoing::new("1")).await.unwrap();
        upstream.until(1).await;
        first.until(1).await;
        until(|| handle.ledger().total.delivered == 2).await;
        let ledger = handle.ledger();
        assert_eq!((ledger.endpoints[&archive].delivered, ledger.routes.len()), (1, 2));
        assert!(handle.metrics().contains(r#"endpoint="/upstreams/archive""#));

        let unknown = RouteSpec::new("x", r#"FROM /messages/* INTO BrokeredEndpoint("/upstreams/nowhere")"#);
        let error = handle.set_routes(&[unknown]).unwrap_err().to_string();
        assert!(error.contains("the upstreams are $upstream, archive"), "{error}");

        handle.remove_endpoint(&archive).await;
        sender.send(Outgoing::new("2")).await.unwrap();
        upstream.until(2).await;
        assert_eq!(handle.ledger().total.stored, 1, "it waits for an upstream of that name");
        assert!(handle.set_routes(&[RouteSpec::new("keep", ARCHIVE)]).is_err());

        handle.set_endpoint(second.clone()).await;
        second.until(1).await;
        sender.send(Outgoing::new("3")).await.unwrap();
        second.until(2).await;
    })
    .await;
    assert_eq!(first.accepted(), [b"1"]);
    assert_eq!(second.accepted(), [b"2", b"3"]);
    assert_eq!(report.unwrap().ledger.total.stored, 0);
}
