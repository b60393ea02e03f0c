//! What survives when the process ends at any moment, and what is on the disk is cut at any byte.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use edge_core::testing::clock::ManualClock;
use edge_core::{Endpoint, EndpointError, Message, Outcome, Source, Stored, SystemKey, Timestamp};
use edge_stream::{OpenError, SnapshotError, WindowEndpoint, WindowSpec};
use support::Gateway;

const SPEC: &str = r#"{"name":"w","window":{"type":"hopping","size":"20s","hop":"10s"},"time":"$body.at",
    "time_unit":"s","lateness":"5s","values":{"n":"count()","sum":"sum($body.t)","p":"percentile($body.t, 90)"},
    "late":"send","on_error":"dead-letter"}"#;

fn open(folder: &Path, spec: &str) -> Result<WindowEndpoint, OpenError> {
    let spec: WindowSpec = serde_json::from_str(spec).unwrap();
    let device = "edge1".parse().unwrap();
    WindowEndpoint::open(
        &device,
        spec.check().unwrap(),
        Some(folder),
        Arc::new(ManualClock::new(Timestamp::from_unix_ms(1_000_000))),
    )
}

fn opened(folder: &Path, gateway: &Gateway) -> WindowEndpoint {
    let endpoint = open(folder, SPEC).unwrap_or_else(|error| panic!("{}", edge_core::Report(&error)));
    endpoint.connect(gateway.session("w"));
    endpoint
}

fn stored(offset: u64, device: &str, body: &str) -> Stored {
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, device)
        .body(body.as_bytes())
        .build();
    Stored::new(offset, Timestamp::from_unix_ms(1000 + offset), None, "r".parse().unwrap(), message)
}

/// Batches of readings of three devices, some of them out of order or late.
fn batches() -> Vec<Vec<Stored>> {
    let reading = |n: u64| {
        let at = if n.is_multiple_of(17) { n.saturating_sub(40) } else { n ^ 3 };
        stored(n, &format!("d{}", n % 3), &format!(r#"{{"at":{at},"t":{}.25}}"#, n % 11))
    };
    (0..20).map(|batch| (batch * 10..batch * 10 + 10).map(reading).collect()).collect()
}

async fn send_all(endpoint: &WindowEndpoint, batches: &[Vec<Stored>]) {
    for batch in batches {
        let outcomes = endpoint.send(batch).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted));
    }
}

/// Returns what was taken, by id, and how often anything came again; what comes again must be the same.
fn unique(gateway: &Gateway) -> (BTreeMap<String, Vec<u8>>, usize) {
    let (mut all, mut again) = (BTreeMap::new(), 0);
    for message in &gateway.far().taken {
        let body = message.body().to_vec();
        let id = message.system().value(SystemKey::MessageId).map(str::to_owned);
        let id = id.unwrap_or_else(|| String::from_utf8(body.clone()).unwrap());
        if let Some(known) = all.insert(id, body.clone()) {
            assert_eq!(known, body);
            again += 1;
        }
    }
    (all, again)
}

async fn expected() -> BTreeMap<String, Vec<u8>> {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
    send_all(&opened(folder.path(), &gateway), &batches()).await;
    let (all, again) = unique(&gateway);
    assert!(all.len() > 30 && again == 0);
    all
}

#[tokio::test]
async fn a_process_that_ends_between_batches_loses_and_doubles_nothing() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
    let batches = batches();
    for n in 0..batches.len() {
        let endpoint = opened(folder.path(), &gateway);
        // What was accepted and not yet trimmed comes again.
        let from = n.saturating_sub(3);
        send_all(&endpoint, &batches[from..=n]).await;
        let redelivered = endpoint.counts().redelivered;
        assert!(redelivered >= 10 * (n - from) as u64);
        if n % 4 == 0 {
            endpoint.close().await;
        }
    }
    assert_eq!(unique(&gateway), (expected().await, 0));
}

#[tokio::test]
async fn results_that_were_not_taken_come_after_the_restart() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
    let batches = batches();
    for n in 0..batches.len() {
        let endpoint = opened(folder.path(), &gateway);
        gateway.far().fails = true;
        // A batch without results passes; one with results waits for them to be taken.
        let failed = endpoint.send(&batches[n]).await;
        assert!(matches!(failed, Ok(_) | Err(EndpointError::Local { .. })), "{failed:?}");
        drop(endpoint);
        gateway.far().fails = false;
        send_all(&opened(folder.path(), &gateway), &batches[n..=n]).await;
    }
    assert_eq!(unique(&gateway), (expected().await, 0));
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_nothing() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
    let endpoint = opened(folder.path(), &gateway);
    for batch in batches() {
        gateway.far().withholds = true;
        {
            let mut send = endpoint.send(&batch);
            tokio::select! {
                biased;
                _ = &mut send => {}
                () = gateway.withheld() => {}
            }
        }
        gateway.answer();
        send_all(&endpoint, &[batch]).await;
    }
    assert_eq!(unique(&gateway).0, expected().await);
}

#[tokio::test]
async fn a_journal_cut_at_any_byte_is_gone_on_from() {
    let (folder, wanted) = (tempfile::tempdir().unwrap(), expected().await);
    let batches = batches();
    {
        let gateway = Gateway::default();
        let endpoint = opened(folder.path(), &gateway);
        send_all(&endpoint, &batches[..4]).await;
        endpoint.close().await;
        drop(endpoint);
        send_all(&opened(folder.path(), &gateway), &batches[4..8]).await;
    }
    let journal = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let journal = journal.filter(|name| name.to_string_lossy().starts_with("journal-")).collect::<Vec<_>>();
    let [journal] = &journal[..] else { panic!("{journal:?}") };
    let (bytes, snapshot) =
        (fs::read(folder.path().join(journal)).unwrap(), fs::read(folder.path().join("snapshot")).unwrap());
    for cut in (0..=bytes.len()).step_by(23) {
        let (copy, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
        fs::write(copy.path().join("snapshot"), &snapshot).unwrap();
        fs::write(copy.path().join(journal), &bytes[..cut]).unwrap();
        send_all(&opened(copy.path(), &gateway), &batches[4..]).await;
        let (found, again) = unique(&gateway);
        assert_eq!(again, 0);
        // Results of the first batches had been taken before; all others are as they should be.
        for (id, body) in &found {
            assert_eq!(wanted.get(id), Some(body), "cut at {cut}");
        }
        assert!(found.len() >= wanted.len() / 2, "cut at {cut}: {} of {}", found.len(), wanted.len());
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_counted_once() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
    let endpoint = opened(folder.path(), &gateway);
    let batch = [stored(0, "d", r#"{"at":1,"t":1}"#), stored(1, "d", "no json")];
    for _try in 0..3 {
        let outcomes = endpoint.send(&batch).await.unwrap();
        assert_eq!(outcomes[0], Outcome::Accepted);
        let Outcome::Rejected { reason } = &outcomes[1] else { panic!("{outcomes:?}") };
        assert!(reason.contains("the body is not JSON at line 1, column 2"), "{reason}");
    }
    let counts = endpoint.counts();
    assert_eq!((counts.events, counts.errors, counts.redelivered), (1, 1, 2));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_an_error() {
    let (folder, gateway) = (tempfile::tempdir().unwrap(), Gateway::default());
    let endpoint = opened(folder.path(), &gateway);
    assert!(matches!(open(folder.path(), SPEC), Err(OpenError::InUse { .. })));
    send_all(&endpoint, &batches()[..2]).await;
    endpoint.close().await;
    drop(endpoint);
    let other = SPEC.replace("20s", "30s");
    let is_other =
        |result| matches!(result, Err(OpenError::Snapshot { source: SnapshotError::OtherDefinition, .. }));
    assert!(is_other(open(folder.path(), &other)));
    let path = folder.path().join("snapshot");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    let error = open(folder.path(), SPEC).unwrap_err();
    assert!(edge_core::Report(&error).to_string().ends_with("snapshot cannot be used: the kept state is damaged: remove it to begin anew, or restore it from a backup"));
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing was changed");
}

#[tokio::test]
async fn without_a_session_messages_wait() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = open(folder.path(), SPEC).unwrap();
    assert!(matches!(endpoint.send(&batches()[0]).await, Err(EndpointError::Absent)));
    endpoint.connect(Gateway::default().session("w"));
    endpoint.send(&batches()[0]).await.unwrap();
}
