//! The versions of a model behind one endpoint: swapped, compared and rolled back while messages pass.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::num::NonZeroUsize;
use std::time::Duration;

use edge_core::{Endpoint as _, Outcome};
use edge_ml::PoolOptions;
use edge_ml::registry::Sha256;
use edge_ml::rollout::Share;
use serde_json::json;
use support::models::{POISON, Site, hasty, quick};

fn pools(batch: usize) -> PoolOptions {
    let mut options = PoolOptions::default();
    options.max_batch = NonZeroUsize::new(batch).unwrap();
    options.max_requests = NonZeroUsize::new(batch.max(64)).unwrap();
    options
}

async fn with_first(script: &str) -> Site {
    let mut site = Site::new(pools(16));
    site.desire("1", script, if script.contains("loops") { hasty(quick(0)) } else { quick(0) });
    site.until_committed("1").await;
    site.factors();
    site
}

/// Asks for a candidate that is bad, sends messages until it is rolled back, and returns why it was; every message has an
/// answer of the first version.
async fn refused(script: &str, policy: serde_json::Value) -> String {
    let mut site = with_first("2").await;
    site.desire("bad", script, policy);
    let before = site.endpoint.stats().results;
    let (mut sent, mut report) = (0, site.reported.borrow().clone());
    while report["rejected"][0]["version"] != "bad" {
        let outcomes = site.send_all(&[1.0; 8]).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "{script}: {outcomes:?}");
        sent += 8;
        report = site.reported.borrow().clone();
        tokio::time::timeout(Duration::from_millis(20), site.reported.changed()).await.ok();
    }
    site.send_all(&[1.0; 8]).await;
    assert_eq!(site.factors(), vec![2.0; sent + 8], "{script}");
    assert_eq!(report["current"]["version"], "1", "{report}");
    assert_eq!(site.endpoint.stats().results - before, sent as u64 + 8);
    report["rejected"][0]["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_that_is_no_model_never_serves() {
    assert!(refused("nonsense", quick(1)).await.contains("it is no script"));
    assert!(refused("3 breaks", quick(1)).await.contains("panicked while it opened it"));
    assert!(refused("3 lies", quick(1)).await.contains("golden sample 0"));
    let reason = refused("3 wide", quick(1)).await;
    assert!(reason.contains("f32[batch, 3]"), "the signature is shown: {reason}");
}

#[tokio::test]
async fn a_file_that_never_ends_to_be_opened_never_serves() {
    let reason = refused("3 never-opens", quick(1)).await;
    assert!(reason.contains("it was not opened and tried within 1 s"), "{reason}");
}

#[tokio::test]
async fn a_candidate_that_panics_is_answered_for_and_rolled_back() {
    assert!(refused("3 panics", quick(1000)).await.contains("panicked"));
}

#[tokio::test]
async fn a_candidate_that_loops_is_answered_for_and_rolled_back() {
    let reason = refused("3 loops", hasty(quick(1000))).await;
    assert!(reason.contains("200 ms") || reason.contains("200ms"), "{reason}");
}

#[tokio::test]
async fn a_candidate_that_fails_is_answered_for_and_rolled_back() {
    let reason = refused("3 fails", quick(100)).await;
    assert!(reason.contains("in probation"), "{reason}");
}

#[tokio::test]
async fn a_candidate_whose_answers_are_no_numbers_is_answered_for_and_rolled_back() {
    let reason = refused("3 nan", quick(100)).await;
    assert!(reason.contains("in probation") && reason.contains("result"), "{reason}");
}

#[tokio::test]
async fn a_candidate_in_the_shadow_answers_nobody_and_is_compared() {
    let policy = json!({
        "shadow": { "samples": 40, "seconds": 0 }, "probation": { "samples": 1, "seconds": 0 },
        "gates": { "divergence": 0.1 },
    });
    let reason = refused("3", policy.clone()).await;
    assert!(reason.contains("in shadow: its answers are 0.3333"), "{reason}");
    assert!(refused("3 panics", policy.clone()).await.contains("panicked"));
    assert!(refused("3 loops", hasty(policy)).await.contains("has not ended within"));
}

#[tokio::test]
async fn a_canary_answers_its_share_of_the_devices() {
    let mut site = with_first("2").await;
    let policy = json!({
        "canary": { "percent": 30, "samples": 1_000_000, "seconds": 0 }, "probation": { "samples": 1, "seconds": 0 },
    });
    site.desire("2", "3", policy);
    site.until(|report| report["candidate"]["stage"] == "canary").await;
    let share = Share::new(30.0, &Sha256::of(b"3"));
    let batch: Vec<_> = (0..200).map(|_| site.stored(1.0)).collect();
    for part in batch.chunks(16) {
        site.endpoint.send(part).await.unwrap();
    }
    let key = edge_core::SystemKey::ConnectionDeviceId;
    let expected: Vec<f32> = batch
        .iter()
        .map(|stored| stored.message.system().value(key).unwrap())
        .map(|device| if share.contains(device) { 3.0 } else { 2.0 })
        .collect();
    let answered = site.factors();
    assert_eq!(answered, expected);
    assert!(answered.contains(&3.0) && answered.contains(&2.0));
}

#[tokio::test]
async fn a_message_that_breaks_the_model_that_serves_fails_alone() {
    for flaw in ["panics-on-poison", "loops-on-poison"] {
        let mut site = with_first(&format!("2 {flaw}")).await;
        let mut values = vec![1.0; 12];
        values[5] = POISON;
        let outcomes = site.send_all(&values).await;
        let failed: Vec<_> =
            (0..12).filter(|place| matches!(outcomes[*place], Outcome::Rejected { .. })).collect();
        assert_eq!(failed, [5], "{flaw}: {outcomes:?}");
        assert_eq!(site.factors(), [2.0; 11], "{flaw}");
        assert!(site.send_all(&[1.0; 4]).await.iter().all(|outcome| *outcome == Outcome::Accepted));
        let stats = site.endpoint.stats();
        let cause = if flaw.starts_with("panics") { "panicked" } else { "timed_out" };
        assert_eq!((stats.rejected, stats.errors.get(cause)), (1, Some(&1)), "{flaw}: {stats:?}");
    }
}

#[tokio::test]
async fn a_rollout_goes_on_after_a_crash_and_what_was_rolled_back_stays_so() {
    let mut site = with_first("2").await;
    let policy = json!({
        "canary": { "percent": 100, "samples": 40, "seconds": 0 }, "probation": { "samples": 4, "seconds": 0 },
    });
    site.desire("2", "3", policy.clone());
    site.until(|report| report["candidate"]["stage"] == "canary").await;
    site.send_all(&[1.0; 8]).await;
    assert_eq!(site.factors(), [3.0; 8]);
    let mut site = site.killed(pools(16)).await;
    let report = site.until(|report| report["candidate"]["stage"] == "canary").await;
    assert_eq!(report["current"]["version"], "1", "{report}");
    site.send_all(&[1.0; 8]).await;
    site.until_committed("2").await;
    site.factors();
    site.desire("3", "4 panics", policy.clone());
    while site.reported.borrow()["rejected"][0]["version"] != "3" {
        site.send_all(&[1.0; 4]).await;
        tokio::time::timeout(Duration::from_millis(20), site.reported.changed()).await.ok();
    }
    let mut site = site.killed(pools(16)).await;
    site.desire("3", "4 panics", policy);
    let report = site.until(|report| report["refused"].is_string()).await;
    assert_eq!(report["current"]["version"], "2", "{report}");
    assert_eq!(report["rejected"][0]["version"], "3", "{report}");
    site.send_all(&[1.0; 4]).await;
    assert_eq!(site.factors(), [3.0; 4]);
}

#[tokio::test]
async fn what_a_failed_publish_left_is_counted_once() {
    let mut site = with_first("2").await;
    let before = site.endpoint.stats();
    site.endpoint = site.endpoint.on_error(edge_ml::OnError::Drop);
    let batch = [support::models::stored(9001, "d", "{}"), support::models::stored(9002, "d", r#"{"a":1}"#)];
    site.gateway.far().fails = true;
    assert!(site.endpoint.send(&batch).await.is_err());
    assert!(site.endpoint.send(&batch).await.is_err());
    site.gateway.far().fails = false;
    assert_eq!(site.endpoint.send(&batch).await.unwrap(), [Outcome::Accepted, Outcome::Accepted]);
    let after = site.endpoint.stats();
    assert_eq!((after.dropped, after.results - before.results, after.errors["mapping"]), (1, 1, 1));
    site.endpoint.send(&batch[1..]).await.unwrap();
    assert_eq!(site.endpoint.stats().repeated, 1);
    assert_eq!(site.factors(), [2.0]);
}

#[tokio::test]
async fn metrics_tell_of_versions_and_messages() {
    let mut site = with_first("2").await;
    site.send_all(&[1.0; 32]).await;
    site.desire("2", "3 breaks", quick(1));
    site.until(|report| report["rejected"][0]["version"] == "2").await;
    let metrics = site.monitor.metrics().with_messages(site.endpoint.stats());
    let text = edge_ml::rollout::prometheus(&[metrics]);
    for line in [
        "edge_ml_version_status{model=\"m\",version=\"1\",status=\"current\"} 1",
        "edge_ml_version_status{model=\"m\",version=\"2\",status=\"rejected\"} 1",
        "edge_ml_messages_total{model=\"m\",outcome=\"rejected\"} 0",
        "edge_ml_run_seconds_count{model=\"m\",version=\"1\"} ",
        "edge_ml_batch_rows{model=\"m\",version=\"1\",quantile=\"0.99\"} ",
        "edge_ml_input_mean{model=\"m\",column=\"1\"} 1",
        "edge_ml_output_mean{model=\"m\",version=\"1\",output=\"0\"} 2",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
