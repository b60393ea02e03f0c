//! What becomes of a message that a model has no result for: it is set aside, leaves as it came, or is dropped and counted.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::path::Path;
use std::sync::Arc;

use edge_core::{Endpoint as _, Outcome, Stored};
use edge_ml::mapping::MappingSpec;
use edge_ml::{
    Affine, EndpointStats, InferenceModel as _, Mapped, ModelEndpoint, ModelPool, OnError, PoolOptions,
};
use serde_json::{Value, json};
use support::Gateway;
use support::models::{POISON, Site, quick, stored};

/// One message that is in order, and after it those that are not, with what is said of each.
fn messages() -> (Vec<Stored>, [(&'static str, &'static str); 4]) {
    let bodies =
        [r#"{"a":1}"#, r#"{"b":1}"#, r#"{"a":"warm"}"#, r#"{"a":1e999}"#, &format!(r#"{{"a":{POISON}}}"#)]
            .map(str::to_owned);
    let stored = (1..).zip(&bodies).map(|(offset, body)| stored(offset, "d", body)).collect();
    let said = [
        ("mapping", "there is nothing at `$body.a`, which has no default"),
        ("mapping", "`$body.a` is a text, where a finite number is wanted"),
        ("mapping", "`$body.a` is"),
        ("result", "`y` is not a finite number"),
    ];
    (stored, said)
}

/// Sends them, and checks that the one in order has its result and each other takes its path, with its reason.
async fn check(endpoint: &ModelEndpoint, gateway: &Gateway, on_error: OnError) -> EndpointStats {
    let (batch, said) = messages();
    let outcomes = endpoint.send(&batch).await.unwrap();
    let taken = std::mem::take(&mut gateway.far().taken);
    assert_eq!(outcomes[0], Outcome::Accepted);
    assert_eq!(taken[0].body(), br#"{"y":[2,2]}"#);
    let passed: Vec<_> = taken[1..].iter().collect();
    for (place, (_, reason)) in said.iter().enumerate() {
        let (outcome, came) = (&outcomes[place + 1], &batch[place + 1].message);
        if on_error == OnError::DeadLetter {
            let Outcome::Rejected { reason: told } = outcome else { panic!("{outcome:?}") };
            assert!(told.contains(reason), "{told}");
        } else {
            assert_eq!(*outcome, Outcome::Accepted, "{reason}");
        }
        if on_error == OnError::PassThrough {
            assert_eq!(passed[place].body(), came.body());
            let told = passed[place].properties().value("inferenceError").flatten().unwrap();
            assert!(told.contains(reason), "{told}");
        }
    }
    assert_eq!(passed.len(), if on_error == OnError::PassThrough { said.len() } else { 0 });
    let stats = endpoint.stats();
    for (cause, _) in said {
        assert_eq!(stats.errors[cause], said.iter().filter(|(other, _)| *other == cause).count() as u64);
    }
    stats
}

fn counts(stats: &EndpointStats) -> (u64, u64, u64) {
    (stats.rejected, stats.passed, stats.dropped)
}

async fn of_versions(on_error: OnError) -> EndpointStats {
    let mut site = Site::new(PoolOptions::default());
    site.desire("1", "2 nan-on-poison", quick(0));
    site.until_committed("1").await;
    site.factors();
    site.endpoint = site.endpoint.on_error(on_error);
    check(&site.endpoint, &site.gateway, on_error).await
}

#[tokio::test]
async fn a_message_without_a_result_is_set_aside_with_the_reason() {
    assert_eq!(counts(&of_versions(OnError::DeadLetter).await), (4, 0, 0));
}

#[tokio::test]
async fn a_message_without_a_result_leaves_as_it_came_with_the_reason() {
    assert_eq!(counts(&of_versions(OnError::PassThrough).await), (0, 4, 0));
}

#[tokio::test]
async fn a_message_without_a_result_is_dropped_and_counted() {
    assert_eq!(counts(&of_versions(OnError::Drop).await), (0, 0, 4));
}

/// What a mapping says goes before what the endpoint does.
async fn of_mapping(said: &str, endpoints: OnError) -> (Vec<Outcome>, Gateway, EndpointStats) {
    let model = Affine::new(&[2.0], &[0.0]).unwrap();
    let spec: Value = json!({
        "on_error": said, "inputs": { "x": { "fields": ["$body.a"] } }, "outputs": { "y": {} },
    });
    let spec: MappingSpec = serde_json::from_value(spec).unwrap();
    let mapping = spec.check(model.signature(), Path::new(".")).unwrap();
    let pool = ModelPool::start(&model, PoolOptions::default()).unwrap();
    let (device, module) = ("edge1".parse().unwrap(), "m".parse().unwrap());
    let ports = ("in".parse().unwrap(), "out".parse().unwrap());
    let mapped = Arc::new(Mapped::new(mapping));
    let endpoint = ModelEndpoint::new(&device, &module, (&ports.0, ports.1), pool, mapped);
    let endpoint = endpoint.on_error(endpoints);
    let gateway = Gateway::default();
    endpoint.connect(gateway.session("m"));
    let outcomes = endpoint.send(&[stored(1, "d", "{}")]).await.unwrap();
    (outcomes, gateway, endpoint.stats())
}

#[tokio::test]
async fn a_mapping_may_say_the_path() {
    let (outcomes, gateway, stats) = of_mapping("pass", OnError::Drop).await;
    assert_eq!((outcomes, counts(&stats)), (vec![Outcome::Accepted], (0, 1, 0)));
    assert_eq!(gateway.far().taken[0].body(), b"{}");
    let (outcomes, gateway, stats) = of_mapping("drop", OnError::PassThrough).await;
    assert_eq!((outcomes, counts(&stats)), (vec![Outcome::Accepted], (0, 0, 1)));
    assert!(gateway.far().taken.is_empty());
    let (outcomes, _, stats) = of_mapping("dead-letter", OnError::Drop).await;
    assert!(matches!(outcomes[0], Outcome::Rejected { .. }), "{outcomes:?}");
    assert_eq!(counts(&stats), (1, 0, 0));
}
