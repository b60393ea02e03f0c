//! Twins, direct methods and cloud-to-device messages, between a client inside the process and the service side.

use std::sync::Arc;
use std::time::Duration;

use edge_core::service::{
    AuthSpec, BulkEntry, BulkMode, IdentitySpec, IfMatch, LockOutcome, MethodRequest, Service, ServiceError,
    TwinChange,
};
use edge_core::{
    Feed, FeedSet, Identity, MemoryStore, Message, MessageStore, MethodAnswer, SessionEvent, Source,
    SystemKey,
};
use edge_hub::{Call, Client, ClientEvent, Hub, HubHandle, Registry, RunningHub};
use edge_twin::{MemoryTwins, TwinStore};
use serde_json::{Value, json};

/// A hub with one device, `press-7`, and one module, `edge1/filter`, and what it keeps.
struct Bench {
    running: RunningHub,
    hub: HubHandle,
}

async fn bench() -> Bench {
    bench_on(Arc::new(MemoryStore::new()), Arc::new(MemoryTwins::default())).await
}

async fn bench_on(store: Arc<dyn MessageStore>, twins: Arc<dyn TwinStore>) -> Bench {
    let registry = Arc::new(Registry::new(["hub.local"]));
    let hub = Hub::builder("edge1".parse().unwrap())
        .registry(registry)
        .store(store)
        .twins(twins)
        .route(
            "changes",
            r#"FROM /twinChangeNotifications INTO BrokeredEndpoint("/modules/filter/inputs/twins")"#,
        )
        .build()
        .unwrap();
    let handle = hub.handle();
    for id in ["edge1", "edge1/filter", "press-7"] {
        let mut spec = IdentitySpec::new(id.parse().unwrap());
        spec.auth = AuthSpec::default();
        handle.create(spec).await.unwrap();
    }
    Bench { running: hub.start(), hub: handle }
}

impl Bench {
    fn client(&self, id: &str) -> Client {
        self.hub.client(who(id)).unwrap()
    }

    async fn twin(&self, id: &str) -> Value {
        serde_json::from_slice(&self.hub.twin(&who(id)).await.unwrap()).unwrap()
    }

    async fn desire(&self, desired: Value) -> Result<bytes::Bytes, ServiceError> {
        let patch = json!({ "properties": { "desired": desired } }).to_string();
        self.hub.change_twin(&who("press-7"), TwinChange::Patch(patch.into()), IfMatch::Any).await
    }
}

fn who(id: &str) -> Identity {
    id.parse().unwrap()
}

fn message(body: &str) -> Message {
    Message::builder(&Source::telemetry()).body(body.as_bytes()).build()
}

async fn next_call(events: &mut edge_hub::Events) -> Call {
    match events.next().await {
        Some(ClientEvent::Called(call)) => call,
        other => panic!("a call was due: {other:?}"),
    }
}

#[tokio::test]
async fn a_device_reports_and_the_service_sees_it() {
    let bench = bench().await;
    let press = bench.client("press-7");
    let mut told = bench.client("edge1/filter").inputs();
    assert_eq!(press.report(r#"{"rpm": 880, "fan": {"on": true}}"#).await.unwrap(), 2);
    assert_eq!(press.report(r#"{"rpm": null}"#).await.unwrap(), 3);
    let twin = bench.twin("press-7").await;
    assert_eq!(twin["properties"]["reported"]["fan"]["on"], json!(true));
    assert_eq!(twin["properties"]["reported"].get("rpm"), None);
    assert_eq!(twin["properties"]["reported"]["$version"], json!(3));
    assert_eq!(twin["connectionState"], json!("Connected"));
    let change = told.next().await.unwrap();
    assert_eq!(change.message().system().value(SystemKey::ReportedDeviceId), Some("press-7"));
    assert_eq!(change.message().body(), br#"{"fan":{"on":true},"rpm":880}"#);
    change.accept();
    assert_eq!(told.next().await.unwrap().message().body(), br#"{"rpm":null}"#);
}

#[tokio::test]
async fn a_refused_report_changes_nothing() {
    let bench = bench().await;
    let press = bench.client("press-7");
    let long = format!(r#"{{"{}": 1}}"#, "k".repeat(1025));
    for patch in ["", "[1]", r#"{"a.b": 1}"#, r#"{"a": [null]}"#, &long, r#"{"n": 4503599627370496}"#] {
        assert!(press.report(patch).await.is_err(), "{patch}");
    }
    assert_eq!(bench.twin("press-7").await["properties"]["reported"]["$version"], json!(1));
}

#[tokio::test]
async fn desired_changes_arrive_in_order_and_wait_for_no_disk() {
    let bench = bench().await;
    let press = bench.client("press-7");
    let mut events = press.events();
    for rpm in 1..=5 {
        bench.desire(json!({ "rpm": rpm })).await.unwrap();
    }
    for version in 2..=6 {
        let Some(ClientEvent::Desired { version: found, patch }) = events.next().await else { panic!() };
        assert_eq!(found, version);
        assert_eq!(patch, format!(r#"{{"rpm":{},"$version":{version}}}"#, version - 1));
    }
    let seen: Value = serde_json::from_slice(&press.twin().await.unwrap()).unwrap();
    assert_eq!(seen["desired"], json!({ "rpm": 5, "$version": 6 }));
}

#[tokio::test]
async fn a_twin_changed_by_another_is_not_overwritten() {
    let bench = bench().await;
    let etag = bench.twin("press-7").await["etag"].as_str().unwrap().to_owned();
    bench.desire(json!({ "a": 1 })).await.unwrap();
    let patch = TwinChange::Patch(r#"{"properties":{"desired":{"a":2}}}"#.into());
    let refused = bench.hub.change_twin(&who("press-7"), patch, IfMatch::Etag(etag)).await;
    assert!(matches!(refused, Err(ServiceError::PreconditionFailed { .. })), "{refused:?}");
    assert_eq!(bench.twin("press-7").await["properties"]["desired"]["a"], json!(1));
    let unknown = bench.hub.twin(&who("press-8")).await;
    assert!(matches!(unknown, Err(ServiceError::NotFound { .. })));
}

#[tokio::test]
async fn the_etag_of_a_twin_that_nobody_has_changed_is_good() {
    let bench = bench().await;
    let etag = bench.twin("press-7").await["etag"].as_str().unwrap().to_owned();
    assert_eq!(bench.twin("press-7").await["etag"], json!(etag));
    let patch = TwinChange::Patch(r#"{"tags":{"floor":1}}"#.into());
    bench.hub.change_twin(&who("press-7"), patch, IfMatch::Etag(etag)).await.unwrap();
}

#[tokio::test]
async fn methods_are_answered_by_who_was_called() {
    let bench = bench().await;
    let mut events = bench.client("press-7").events();
    let target = who("press-7");
    let called = bench.hub.invoke(&target, MethodRequest::new("stop", r#"{"in":5}"#));
    let (answer, ()) = tokio::join!(called, async {
        let call = next_call(&mut events).await;
        assert_eq!((call.name(), call.payload()), ("stop", &br#"{"in":5}"#[..]));
        call.answer(202, "[1]");
    });
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.payload[..]), (202, &b"[1]"[..]));
    let (answer, ()) = tokio::join!(bench.hub.invoke(&target, MethodRequest::new("x", "")), async {
        let call = next_call(&mut events).await;
        assert_eq!(call.payload(), b"null");
        call.answer(200, "not json");
    });
    assert!(matches!(answer, Err(ServiceError::BadAnswer { .. })), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn who_calls_need_not_wait_for_an_answer_without_status() {
    let bench = bench().await;
    let target = who("press-7");
    let mut session = bench.hub.session(target.clone()).unwrap();
    session.subscribe(FeedSet::EMPTY.with(Feed::Methods)).await.unwrap();
    let (answer, ()) = tokio::join!(bench.hub.invoke(&target, MethodRequest::new("x", "")), async {
        let SessionEvent::Method(call) = std::future::poll_fn(|cx| session.poll_event(cx)).await else {
            panic!("a method is called");
        };
        session.answer_method(call.id, MethodAnswer::malformed());
    });
    let error = answer.unwrap_err();
    assert_eq!((error.status(), error.code()), (400, "ArgumentInvalid"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn methods_time_out_and_wait_for_a_connection() {
    let bench = bench().await;
    let target = who("press-7");
    let nobody = bench.hub.invoke(&target, MethodRequest::new("stop", "")).await;
    assert!(matches!(nobody, Err(ServiceError::NotOnline { .. })), "{nobody:?}");
    let mut patient = MethodRequest::new("stop", "");
    patient.connect_timeout = Duration::from_secs(60);
    let press = bench.client("press-7");
    let (answer, ()) = tokio::join!(bench.hub.invoke(&target, patient), async {
        let mut events = press.events();
        next_call(&mut events).await.answer(200, "");
    });
    assert_eq!(answer.unwrap().status, 200);
    let _events = press.events();
    let late = bench.hub.invoke(&target, MethodRequest::new("stop", "")).await;
    assert!(matches!(late, Err(ServiceError::TimedOut { .. })), "{late:?}");
    for bad in ["", "a/b", &"n".repeat(101)] {
        let refused = bench.hub.invoke(&target, MethodRequest::new(bad, "")).await;
        assert!(matches!(refused, Err(ServiceError::Invalid { .. })), "{bad:?}");
    }
}

#[tokio::test]
async fn messages_wait_for_their_device_and_arrive_once_in_order() {
    let bench = bench().await;
    let target = who("press-7");
    for n in 0..20 {
        bench.hub.send_to_device(&target, message(&n.to_string())).await.unwrap();
    }
    let mut inbox = bench.client("press-7").messages();
    for n in 0..20 {
        let delivery = inbox.next().await.unwrap();
        assert_eq!(delivery.message().body(), n.to_string().as_bytes());
        let to = delivery.message().system().value(SystemKey::To);
        assert_eq!(to, Some("/devices/press-7/messages/devicebound"));
        delivery.accept();
    }
    assert_eq!(bench.hub.purge(&target).await.unwrap(), 0);
}

#[tokio::test]
async fn a_device_that_goes_away_gets_again_what_it_did_not_settle() {
    let bench = bench().await;
    let target = who("press-7");
    for n in 0..3 {
        bench.hub.send_to_device(&target, message(&n.to_string())).await.unwrap();
    }
    let mut inbox = bench.client("press-7").messages();
    inbox.next().await.unwrap().accept();
    let held = inbox.next().await.unwrap();
    drop(inbox);
    drop(held);
    let mut inbox = bench.client("press-7").messages();
    let again = inbox.next().await.unwrap();
    assert_eq!((again.message().body(), again.is_redelivered()), (&b"1"[..], true));
    again.accept();
    assert_eq!(inbox.next().await.unwrap().message().body(), b"2");
}

#[tokio::test]
async fn fifty_messages_wait_and_no_more() {
    let bench = bench().await;
    let target = who("press-7");
    for _ in 0..50 {
        bench.hub.send_to_device(&target, message("")).await.unwrap();
    }
    let full = bench.hub.send_to_device(&target, message("")).await;
    assert!(matches!(full, Err(ServiceError::QueueFull { .. })), "{full:?}");
    let large = bench.hub.send_to_device(&who("edge1"), message(&"x".repeat(65_537))).await;
    assert!(matches!(large, Err(ServiceError::TooLarge { .. })), "{large:?}");
    assert_eq!(bench.hub.purge(&target).await.unwrap(), 50);
    bench.hub.send_to_device(&target, message("")).await.unwrap();
}

#[tokio::test]
async fn fetched_messages_are_settled_by_their_lock_and_senders_hear_of_it() {
    let bench = bench().await;
    let target = who("press-7");
    for id in ["a", "b", "c"] {
        let message =
            message(id).to_builder().system(SystemKey::MessageId, id).system(SystemKey::Ack, "full");
        bench.hub.send_to_device(&target, message.build()).await.unwrap();
    }
    let mut locks = Vec::new();
    for (body, number) in [("a", "1"), ("b", "2"), ("c", "3")] {
        let message = bench.hub.receive(&target, None).await.unwrap().unwrap();
        let system = message.system();
        assert_eq!(message.body(), body.as_bytes());
        assert_eq!(system.value(SystemKey::SequenceNumber), Some(number));
        assert_eq!(system.value(SystemKey::DeliveryCount), Some("1"));
        locks.push(system.value(SystemKey::LockToken).unwrap().to_owned());
    }
    assert!(bench.hub.receive(&target, None).await.unwrap().is_none());
    bench.hub.settle(&target, &locks[0], LockOutcome::Complete).await.unwrap();
    bench.hub.settle(&target, &locks[1], LockOutcome::Abandon).await.unwrap();
    bench.hub.settle(&target, &locks[2], LockOutcome::Reject).await.unwrap();
    for lock in [&locks[0], &locks[1], "no token", &"0".repeat(32)] {
        let lost = bench.hub.settle(&target, lock, LockOutcome::Complete).await;
        assert!(matches!(lost, Err(ServiceError::LockLost)), "{lock}: {lost:?}");
    }
    let again = bench.hub.receive(&target, None).await.unwrap().unwrap();
    assert_eq!((again.body(), again.system().value(SystemKey::DeliveryCount)), (&b"b"[..], Some("2")));
    let feedback = bench.hub.receive_feedback().await.unwrap().unwrap();
    let records: Value = serde_json::from_slice(feedback.body()).unwrap();
    let seen: Vec<_> = records
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["originalMessageId"].as_str().unwrap(), record["statusCode"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [("a", "Success"), ("c", "Rejected")]);
    assert!(bench.hub.receive_feedback().await.unwrap().is_none(), "it is locked");
    let lock = feedback.system().value(SystemKey::LockToken).unwrap();
    bench.hub.settle_feedback(lock, LockOutcome::Complete).await.unwrap();
    assert!(bench.hub.settle_feedback(lock, LockOutcome::Complete).await.is_err());
    assert!(bench.hub.receive_feedback().await.unwrap().is_none(), "it is gone");
}

#[tokio::test]
async fn twins_and_messages_survive_a_restart() {
    let (store, twins) = (Arc::new(MemoryStore::new()), Arc::new(MemoryTwins::default()));
    let first = bench_on(store.clone(), twins.clone()).await;
    first.hub.send_to_device(&who("press-7"), message("wait")).await.unwrap();
    first.desire(json!({ "rpm": 900 })).await.unwrap();
    drop(first);
    let second = bench_on(store, twins).await;
    let press = second.client("press-7");
    assert_eq!(press.messages().next().await.unwrap().message().body(), b"wait");
    let seen: Value = serde_json::from_slice(&press.twin().await.unwrap()).unwrap();
    assert_eq!(seen["desired"], json!({ "rpm": 900, "$version": 2 }));
}

#[tokio::test]
async fn what_is_deleted_is_forgotten() {
    let bench = bench().await;
    let target = who("press-7");
    let press = bench.client("press-7");
    let mut events = press.events();
    bench.desire(json!({ "rpm": 900 })).await.unwrap();
    bench.hub.send_to_device(&target, message("")).await.unwrap();
    bench.hub.delete(&target, IfMatch::Any).await.unwrap();
    assert!(matches!(events.next().await, None | Some(ClientEvent::Desired { .. })));
    assert!(events.next().await.is_none(), "the session has ended");
    assert!(matches!(bench.hub.twin(&target).await, Err(ServiceError::NotFound { .. })));
    bench.hub.create(IdentitySpec::new(target.clone())).await.unwrap();
    assert_eq!(bench.twin("press-7").await["properties"]["desired"]["$version"], json!(1));
    assert!(bench.hub.receive(&target, None).await.unwrap().is_none());
    assert_eq!(bench.running.stop().await.unwrap().ledger.total.residual(), 0);
}

#[tokio::test]
async fn an_entry_of_a_bulk_with_a_bad_twin_changes_nothing() {
    let bench = bench().await;
    let entry = |id: &str, twin: &'static str| {
        let mut entry = BulkEntry::new(BulkMode::Create, IdentitySpec::new(who(id)));
        entry.twin = Some(twin.into());
        entry
    };
    let entries = vec![entry("good", r#"{"tags":{"line":7}}"#), entry("bad", r#"{"tags":{"a b":1}}"#)];
    let failures = bench.hub.bulk(entries).await.unwrap();
    let [failure] = &*failures else { panic!("{failures:?}") };
    assert_eq!((&failure.identity, failure.error.code()), (&who("bad"), "ArgumentInvalid"));
    assert!(failure.error.to_string().contains("tags"), "{}", failure.error);
    assert!(matches!(bench.hub.identity(&who("bad")).await, Err(ServiceError::NotFound { .. })));
    assert_eq!(bench.twin("good").await["tags"], json!({ "line": 7 }));
}

#[tokio::test]
async fn what_makes_a_twin_too_large_is_told_in_numbers() {
    let bench = bench().await;
    let text = "x".repeat(4000);
    let half = json!({ "a": text, "b": text, "c": text, "d": text });
    bench.desire(json!({ "one": half })).await.unwrap();
    let error = bench.desire(json!({ "two": half, "three": text })).await.unwrap_err();
    assert_eq!(error.status(), 413, "{error}");
    assert!(error.to_string().contains("desired properties has 3"), "{error}");
    assert!(error.to_string().contains("at most 32768"), "{error}");
    let tags = json!({ "tags": { "a": text, "b": text, "c": text } }).to_string();
    let patch = TwinChange::Patch(tags.into());
    let error = bench.hub.change_twin(&who("press-7"), patch, IfMatch::Any).await.unwrap_err();
    assert_eq!(error.status(), 413);
    assert!(
        error.to_string().contains("tags has 12") && error.to_string().contains("at most 8192"),
        "{error}"
    );
    assert_eq!(
        bench.twin("press-7").await["properties"]["desired"]["$version"],
        json!(2),
        "nothing has changed"
    );
}
