//! Cloud-to-device messages for more devices, one after the other, than the store has queues.
#![allow(missing_docs, reason = "a test")]

use std::sync::Arc;

use edge_core::service::{AuthSpec, IdentitySpec, LockOutcome, Service};
use edge_core::{DropCause, Identity, Message, MessageStore, Source, SystemKey};
use edge_hub::{Hub, HubHandle, Registry};
use edge_store::testing::CrashFs;
use edge_store::{SegmentStore, StoreOptions};

const QUEUES: u32 = 32;
const DEVICES: u32 = 200;

fn device(n: u32) -> Identity {
    format!("device-{n}").parse().unwrap()
}

async fn send(hub: &HubHandle, to: u32, body: &str) {
    let message = Message::builder(&Source::telemetry()).body(body.as_bytes()).build();
    hub.send_to_device(&device(to), message).await.unwrap();
}

/// Takes the next message for a device, which must be this one.
async fn take(hub: &HubHandle, from: u32, body: &str) {
    let message = hub.receive(&device(from), None).await.unwrap().expect("there is one");
    assert_eq!(message.body(), body.as_bytes());
    let lock = message.system().value(SystemKey::LockToken).unwrap().to_owned();
    hub.settle(&device(from), &lock, LockOutcome::Complete).await.unwrap();
    assert!(hub.receive(&device(from), None).await.unwrap().is_none(), "device-{from} has nothing else");
}

#[tokio::test]
async fn devices_come_and_go_for_years() {
    let options = StoreOptions::default().with_max_queues(QUEUES);
    let (store, _) = SegmentStore::open_on(Arc::new(CrashFs::new()), "store", options).unwrap();
    let store = Arc::new(store);
    let hub = Hub::builder("edge1".parse().unwrap())
        .registry(Arc::new(Registry::new(["hub.local"])))
        .store(store.clone())
        .build()
        .unwrap();
    let handle = hub.handle();
    let running = hub.start();
    for n in 0..DEVICES {
        let mut spec = IdentitySpec::new(device(n));
        spec.auth = AuthSpec::default();
        handle.create(spec).await.unwrap();
    }
    send(&handle, 0, "waits").await;
    for round in 0..3 {
        for n in 1..DEVICES {
            let body = format!("{round} for {n}");
            send(&handle, n, &body).await;
            take(&handle, n, &body).await;
        }
    }
    take(&handle, 0, "waits").await;
    assert!(store.queues().len() <= QUEUES as usize);
    let accounts = store.accounts();
    let mail = accounts.iter().filter(|account| account.queue.endpoint().as_str().starts_with("$c2d/"));
    let (delivered, removed) = mail.fold((0, 0), |(delivered, removed), account| {
        assert_eq!(account.residual(), 0, "{account:?}");
        (delivered + account.delivered, removed + account.dropped.count(DropCause::Removed))
    });
    assert_eq!((delivered, removed), (u64::from(DEVICES - 1) * 3 + 1, 0));
    running.stop().await.unwrap();
}
