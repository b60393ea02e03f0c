//! Very many messages through the threads of a model whose versions change under them.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::num::NonZeroUsize;

use edge_core::{Endpoint as _, Message, Outcome, RouteName, Source, Stored, SystemKey, Timestamp};
use edge_ml::PoolOptions;
use serde_json::json;
use support::models::Site;

/// A tenth of them without optimisation, which takes a hundred times as long.
const MESSAGES: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
const BATCH: usize = 500;

#[tokio::test]
async fn no_message_is_lost_failed_or_answered_by_two_versions() {
    let mut options = PoolOptions::default();
    options.max_batch = NonZeroUsize::new(BATCH).unwrap();
    options.max_requests = options.max_batch;
    let mut site = Site::new(options);
    let policy = json!({
        "shadow": { "samples": 300, "seconds": 0 }, "canary": { "percent": 40, "samples": 300, "seconds": 0 },
        "probation": { "samples": 300, "seconds": 0 }, "gates": { "divergence": 0.4 }, "timeLimitMs": 5000,
    });
    let harsh = json!({ "probation": { "samples": 300, "seconds": 0 }, "timeLimitMs": 5000 });
    site.desire("0", "1 raw", json!({ "probation": { "samples": 0, "seconds": 0 } }));
    site.until(|report| report["current"]["version"] == "0").await;
    let body: Vec<u8> = [1.0f32, 1.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let messages: Vec<_> = (0..100)
        .map(|device| {
            let device = format!("device-{device}");
            let message =
                Message::builder(&Source::telemetry()).system(SystemKey::ConnectionDeviceId, &device);
            message.body(&body).build()
        })
        .collect();
    let route: RouteName = "r".parse().unwrap();
    let bodies: Vec<_> = (16..20)
        .map(|factor| {
            let y = f64::from(factor) / 16.0;
            format!(r#"{{"y":[{y},{y}]}}"#)
        })
        .collect();
    let (mut offset, mut version, mut changes, mut seen) = (0u64, 0, 0, std::collections::BTreeSet::new());
    for _ in 0..MESSAGES / BATCH {
        if site.reported.borrow()["candidate"].is_null() {
            // Every third candidate is bad, each in its own way.
            let flaw = [" fails", "", "", " panics", "", "", " breaks", "", ""][version % 9];
            // Some come without being seen in the shadow first: there is more to answer for.
            let policy = if version % 2 == 0 { &harsh } else { &policy };
            version += 1;
            changes += 1;
            let script = format!("{} raw{flaw}", 1.0 + (version % 4) as f32 / 16.0);
            site.desire(&format!("v{version}"), &script, policy.clone());
        }
        let stored = |message: &Message| {
            offset += 1;
            Stored::new(offset, Timestamp::from_unix_ms(offset), None, route.clone(), message.clone())
        };
        let batch: Vec<_> = messages.iter().cycle().take(BATCH).map(stored).collect();
        let outcomes = site.endpoint.send(&batch).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "{outcomes:?}");
        let taken = std::mem::take(&mut site.gateway.far().taken);
        assert_eq!(taken.len(), BATCH);
        for message in taken {
            let version = bodies.iter().position(|body| message.body() == body.as_bytes());
            seen.insert(version.unwrap_or_else(|| panic!("an answer of two versions: {message:?}")));
        }
    }
    assert!(seen.len() > 2, "answers of {seen:?}");
    assert!(changes > 3, "{changes} versions were asked for");
    println!(
        "{changes} versions, answers of {} factors, {} for others",
        seen.len(),
        site.serving.fell_back()
    );
}
