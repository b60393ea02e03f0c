//! What a failing disk, and a call that was given up, leave behind.

use edge_core::testing::clock::ManualClock;
use edge_core::{Source, SystemKey, Timestamp};

use super::*;
use crate::config::WindowSpec;

fn open(folder: &Path) -> WindowEndpoint {
    let spec = r#"{"name":"w","window":{"type":"tumbling","size":"10s"},"time":"$body.at","time_unit":"s",
        "values":{"n":"count()"}}"#;
    let spec: WindowSpec = serde_json::from_str(spec).expect("a window");
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_ms(1_000_000)));
    let device = "edge1".parse().expect("a device");
    WindowEndpoint::open(&device, spec.check().expect("sound"), Some(folder), clock).expect("opens")
}

/// An event in the window from 1,000 s on, which stays open.
fn event(offset: u64) -> Stored {
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "d")
        .body(&br#"{"at":1000}"#[..])
        .build();
    let enqueued = Timestamp::from_unix_ms(1_000_000 + offset);
    Stored::new(offset, enqueued, None, "r".parse().expect("a route"), message)
}

fn disk(endpoint: &WindowEndpoint) -> &Disk {
    endpoint.disk.as_deref().expect("a folder was given")
}

#[tokio::test]
async fn what_a_failing_disk_did_not_take_is_accepted_when_a_snapshot_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = open(folder.path());
    {
        let mut core = endpoint.core.lock().await;
        lock(&disk(&endpoint).journal).fail().expect("opens for reading");
        assert_eq!(endpoint.take(&mut core, &event(1)), Outcome::Accepted);
        endpoint.settle(&mut core).await.expect_err("the disk fails");
        // The batch comes again, and its event is known.
        assert_eq!(endpoint.take(&mut core, &event(1)), Outcome::Accepted);
        endpoint.settle(&mut core).await.expect("the disk is well again");
        assert_eq!(endpoint.take(&mut core, &event(2)), Outcome::Accepted);
        endpoint.settle(&mut core).await.expect("the journal is a new one");
    }
    drop(endpoint);
    let core = open(folder.path()).core.into_inner();
    assert!((1..=2).all(|offset| core.state.seen.contains(&Mark::of(&event(offset)))));
}

#[tokio::test]
async fn while_no_snapshot_can_be_written_nothing_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = open(folder.path());
    let mut core = endpoint.core.lock().await;
    lock(&disk(&endpoint).journal).fail().expect("opens for reading");
    // A folder in the place of the snapshot's file.
    std::fs::create_dir(folder.path().join("snapshot.new")).expect("makes a folder");
    for _ in 0..3 {
        assert_eq!(endpoint.take(&mut core, &event(1)), Outcome::Accepted);
        endpoint.settle(&mut core).await.expect_err("nothing can be written");
    }
    std::fs::remove_dir(folder.path().join("snapshot.new")).expect("removes it");
    endpoint.settle(&mut core).await.expect("all is well again");
}

#[tokio::test]
async fn a_snapshot_that_was_given_up_replaces_no_later_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = open(folder.path());
    {
        let mut core = endpoint.core.lock().await;
        endpoint.take(&mut core, &event(1));
        let (old, made) = (core.state.encode(1), lock(&disk(&endpoint).steps).made);
        endpoint.take(&mut core, &event(2));
        disk(&endpoint).replace(&old, made).expect("leaves the journal alone");
        endpoint.settle(&mut core).await.expect("writes the steps");
    }
    drop(endpoint);
    let core = open(folder.path()).core.into_inner();
    assert!((1..=2).all(|offset| core.state.seen.contains(&Mark::of(&event(offset)))));
}
