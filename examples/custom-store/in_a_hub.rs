//! A hub on this store: what it does not deliver before it stops is delivered by the next one.

use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{Durability, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use edge_hub::{Hub, Ledger, Outgoing};
use edge_transport::Stop;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::store::RedbStore;

const MESSAGES: usize = 50;

/// Takes messages, or is away.
#[derive(Debug)]
struct Upstream {
    id: EndpointId,
    away: bool,
    taken: watch::Sender<Vec<Vec<u8>>>,
}

impl Upstream {
    fn new(away: bool) -> Arc<Self> {
        Arc::new(Self { id: EndpointId::upstream(), away, taken: watch::Sender::default() })
    }
}

#[async_trait]
impl Endpoint for Upstream {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        if self.away {
            return Err(EndpointError::Absent);
        }
        let bodies = batch.iter().map(|stored| stored.message.body().to_vec());
        self.taken.send_modify(|taken| taken.extend(bodies));
        Ok(vec![Outcome::Accepted; batch.len()])
    }
}

fn body(number: usize) -> Vec<u8> {
    format!("reading {number}").into_bytes()
}

/// Runs a hub that is sent these messages, until the upstream has taken as many as given.
async fn run(
    folder: &TempDir,
    upstream: Arc<Upstream>,
    send: std::ops::Range<usize>,
    wanted: usize,
) -> Ledger {
    let store = RedbStore::open(&folder.path().join("queues.redb"), None).unwrap();
    let hub = Hub::builder("edge1".parse().unwrap())
        .route("all", "FROM /messages/* INTO $upstream")
        .store(Arc::new(store))
        .endpoint(upstream.clone())
        .build()
        .unwrap();
    let sensor = hub.client("edge1/sensor".parse().unwrap()).unwrap();
    let (stopper, stop) = Stop::pair();
    let work = async {
        for number in send {
            let reached = sensor.send(Outgoing::new(body(number))).await.unwrap();
            assert_eq!(reached, Durability::Synced);
        }
        upstream.taken.subscribe().wait_for(|taken| taken.len() >= wanted).await.unwrap();
        stopper.stop();
    };
    let (report, ()) = tokio::join!(hub.run(stop), work);
    report.unwrap().ledger
}

#[tokio::test]
async fn what_waits_is_delivered_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = run(&folder, Upstream::new(true), 0..MESSAGES, 0).await;
    assert_eq!((ledger.total.delivered, ledger.total.stored), (0, MESSAGES as u64));

    let upstream = Upstream::new(false);
    run(&folder, upstream.clone(), MESSAGES..2 * MESSAGES, 2 * MESSAGES).await;
    assert_eq!(*upstream.taken.borrow(), (0..2 * MESSAGES).map(body).collect::<Vec<_>>());

    let ledger = run(&folder, Upstream::new(true), 0..0, 0).await;
    assert_eq!(ledger.total.stored, 0, "nothing is left");
}
