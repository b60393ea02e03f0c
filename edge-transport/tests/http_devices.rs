//! Devices and modules over HTTP, on loopback, against a gateway that notes everything.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Running, run};
use edge_core::service::{FileUploads, LockOutcome, ServiceError, UploadNotice, UploadTicket};
use edge_core::{Identity, IncidentKind, Message, Source, SystemKey};
use edge_transport::testing::{FakeGateway, HttpAnswer, HttpClient};
use edge_transport::{Resources, TransportLimits, WebListener};
use serde_json::json;
use tokio::net::TcpStream;

const EVENTS: &str = "POST /devices/d/messages/events?api-version=2021-04-12";

struct Bench {
    running: Running,
    client: HttpClient<TcpStream>,
}

async fn start_with(limits: TransportLimits) -> Bench {
    let resources = Resources::new(limits);
    let running = run(WebListener::bind("127.0.0.1:0", &resources).await.unwrap(), resources);
    let client = connect(&running).await;
    Bench { running, client }
}

async fn start() -> Bench {
    start_with(TransportLimits::default()).await
}

async fn connect(running: &Running) -> HttpClient<TcpStream> {
    HttpClient::new(TcpStream::connect(running.address).await.unwrap())
}

impl Bench {
    async fn ask(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpAnswer {
        let headers = [&[("Authorization", FakeGateway::TOKEN)], headers].concat();
        self.client.ask(line, &headers, body).await.unwrap()
    }

    async fn check(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8], status: u16, code: &str) {
        let answer = self.ask(line, headers, body).await;
        assert_eq!(
            (answer.status, answer.header("iothub-errorcode")),
            (status, Some(code)),
            "{line}: {answer:?}"
        );
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("ErrorCode:{code};")), "{message}");
    }
}

#[tokio::test]
async fn telemetry_is_published_with_its_properties() {
    let mut bench = start().await;
    let headers = [
        ("iothub-to", "/devices/d/messages/events"),
        ("IoTHub-MessageId", "m1"),
        ("iothub-contenttype", "application/json"),
        ("iothub-app-Line", "7"),
        ("iothub-outputname", "hot"),
    ];
    assert_eq!(bench.ask(EVENTS, &headers, b"21.5").await.status, 204);
    let line = "POST /devices/edge1/modules/m/messages/events";
    assert_eq!(bench.ask(line, &headers, b"22").await.status, 204);
    let published = bench.running.gateway.published();
    assert_eq!((published[0].source(), published[0].body()), ("/messages/", &b"21.5"[..]));
    let system = |key| published[0].system().value(key);
    assert_eq!(system(SystemKey::MessageId), Some("m1"));
    assert_eq!(system(SystemKey::ContentType), Some("application/json"));
    assert_eq!(system(SystemKey::ConnectionDeviceId), Some("d"));
    assert_eq!(published[0].properties().value("line"), Some(Some("7")));
    assert_eq!(published[1].source(), "/messages/modules/m/outputs/hot/");
    let gateway = &bench.running.gateway;
    assert_eq!((gateway.visits(), gateway.opened(), gateway.incidents()), (2, 0, vec![]));
}

#[tokio::test]
async fn many_messages_are_one_batch_and_taken_all_or_not_at_all() {
    let mut bench = start().await;
    let batch = [("Content-Type", "application/vnd.microsoft.iothub.json; charset=utf-8")];
    let body = json!([
        {"body": "MjEuNQ==", "properties": {"iothub-app-Line": "7", "iothub-messageid": "m1", "n": 3, "none": null}},
        {"body": "plain", "base64Encoded": false},
    ]);
    assert_eq!(bench.ask(EVENTS, &batch, body.to_string().as_bytes()).await.status, 204);
    let published = bench.running.gateway.published();
    assert_eq!((published[0].body(), published[1].body()), (&b"21.5"[..], &b"plain"[..]));
    let properties: Vec<_> = published[0].properties().iter().collect();
    assert_eq!(properties, [("Line", Some("7")), ("n", Some("3")), ("none", None)]);
    assert_eq!(published[0].system().value(SystemKey::MessageId), Some("m1"));
    assert_eq!(bench.running.gateway.batches(), [2]);
    for odd in ["", "{}", "[]", "[{\"body\":\"*\"}]", "[{\"body\":\"\",\"properties\":{\"a\":[]}}]", "[1]"] {
        bench.check(EVENTS, &batch, odd.as_bytes(), 400, "ArgumentInvalid").await;
    }
    let one_bad = json!([{"body": ""}, {"body": "*"}]).to_string();
    bench.check(EVENTS, &batch, one_bad.as_bytes(), 400, "ArgumentInvalid").await;
    let many = |messages: usize| format!("[{}]", vec!["{}"; messages].join(","));
    bench.check(EVENTS, &batch, many(501).as_bytes(), 400, "ArgumentInvalid").await;
    let named =
        json!([{"properties": {"a": "x".repeat(200_000)}}, {"properties": {"a": "x".repeat(200_000)}}]);
    bench.check(EVENTS, &batch, named.to_string().as_bytes(), 413, "MessageTooLarge").await;
    let large = json!([{"body": "AAAA".repeat(50_000)}, {"body": "AAAA".repeat(50_000)}]).to_string();
    bench.check(EVENTS, &batch, large.as_bytes(), 413, "MessageTooLarge").await;
    assert_eq!(bench.running.gateway.published().len(), 2);
    assert_eq!(bench.ask(EVENTS, &batch, many(500).as_bytes()).await.status, 204);
    assert_eq!(bench.running.gateway.batches(), [2, 500]);
}

#[tokio::test]
async fn who_is_not_let_in_sends_nothing() {
    let mut bench = start().await;
    for headers in [&[][..], &[("Authorization", "Bearer x")], &[("Authorization", "another")]] {
        let answer = bench.client.ask(EVENTS, headers, b"x").await.unwrap();
        assert_eq!(
            (answer.status, answer.header("iothub-errorcode")),
            (401, Some("IotHubUnauthorizedAccess"))
        );
    }
    bench.running.gateway.not_ready(true);
    bench.check(EVENTS, &[], b"x", 503, "ServiceUnavailable").await;
    bench.running.gateway.not_ready(false);
    bench.check("POST /devices/a%20b/messages/events", &[], b"x", 400, "ArgumentInvalid").await;
    bench.check("GET /devices/d/messages/events", &[], b"", 405, "MethodNotAllowed").await;
    bench.check("GET /twins/d", &[], b"", 404, "NotFound").await;
    assert_eq!(bench.running.gateway.published(), []);
    assert!(bench.running.gateway.incidents().iter().all(|kind| *kind == IncidentKind::Refused));
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_and_the_connection_goes_on() {
    let mut bench = start().await;
    bench.running.gateway.hold_receipts(true);
    let (gateway, asking) = (bench.running.gateway.clone(), bench.ask(EVENTS, &[], b"1"));
    let failing = async {
        gateway.until(|gateway| gateway.held() == 1).await;
        gateway.resolve_next(false);
    };
    let (answer, ()) = tokio::join!(asking, failing);
    assert_eq!((answer.status, answer.header("iothub-errorcode")), (503, Some("ServiceUnavailable")));
    gateway.hold_receipts(false);
    assert_eq!(bench.ask(EVENTS, &[], b"2").await.status, 204);
}

#[tokio::test]
async fn bodies_of_255_kib_come_in_chunks_and_larger_ones_are_refused() {
    let mut bench = start().await;
    let token = FakeGateway::TOKEN;
    let head = format!("{EVENTS} HTTP/1.1\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let body: Vec<u8> = (0..255 << 10).map(|n| n as u8).collect();
    let mut bytes = head.clone().into_bytes();
    for part in body.chunks(10_000) {
        bytes.extend(format!("{:x}\r\n", part.len()).into_bytes());
        bytes.extend(part);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bench.client.send(&bytes).await.unwrap();
    assert_eq!(bench.client.answer().await.unwrap().status, 204);
    assert_eq!(bench.running.gateway.published()[0].body(), body);
    bench.check(EVENTS, &[], &vec![0; (256 << 10) + 1], 413, "MessageTooLarge").await;
    let mut bench = Bench { client: connect(&bench.running).await, ..bench };
    let property = "x".repeat(2000);
    bench.check(EVENTS, &[("iothub-app-x", &property)], &vec![0; 255 << 10], 413, "MessageTooLarge").await;
    assert_eq!(bench.running.gateway.published().len(), 1);
}

/// The head of a request whose body comes in chunks.
fn chunked() -> Vec<u8> {
    let token = FakeGateway::TOKEN;
    format!("{EVENTS} HTTP/1.1\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_body_of_chunks_without_end_is_refused_at_its_largest() {
    let mut bench = start().await;
    let mut innocent = connect(&bench.running).await;
    bench.client.send(&chunked()).await.unwrap();
    let chunk = [b"2710\r\n".as_slice(), &[b'x'; 10_000], b"\r\n"].concat();
    for _ in 0..30 {
        // It is answered before all is sent.
        let _written = bench.client.send(&chunk).await;
    }
    assert_eq!(bench.client.answer().await.unwrap().status, 413);
    let headers = [("Authorization", FakeGateway::TOKEN)];
    assert_eq!(innocent.ask(EVENTS, &headers, b"x").await.unwrap().status, 204);
    assert_eq!(bench.running.gateway.published().len(), 1);
}

#[tokio::test]
async fn a_body_of_chunks_that_never_ends_is_given_up() {
    let limits = TransportLimits { packet_timeout: Duration::from_millis(200), ..TransportLimits::default() };
    let mut bench = start_with(limits).await;
    bench.client.send(&chunked()).await.unwrap();
    bench.client.send(b"1\r\nx\r\n").await.unwrap();
    assert_eq!(bench.client.answer().await.unwrap().status, 408);
    assert_eq!(bench.running.gateway.published(), []);
}

#[tokio::test]
async fn bombs_of_headers_are_refused() {
    let mut bench = start().await;
    let large = "x".repeat(40_000);
    let names: Vec<String> = (0..2000).map(|n| format!("iothub-app-{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    for headers in [&[("iothub-app-x", large.as_str())][..], &many] {
        let mut client = connect(&bench.running).await;
        assert_eq!(client.ask(EVENTS, headers, b"x").await.unwrap().status, 431);
        assert_eq!(bench.ask(EVENTS, &[], b"x").await.status, 204, "nobody else is affected");
    }
    bench.running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Malformed; 2]).await;
}

#[tokio::test]
async fn messages_are_fetched_and_settled_by_their_lock() {
    let mut bench = start().await;
    let queue = "/devices/d/messages/devicebound";
    assert_eq!(bench.ask(&format!("GET {queue}"), &[], b"").await.status, 204);
    for n in 1..=3 {
        let message = Message::builder(&Source::telemetry())
            .system(SystemKey::LockToken, &format!("lock-{n}"))
            .system(SystemKey::MessageId, &n.to_string())
            .system(SystemKey::Ack, "full")
            .system(SystemKey::DeliveryCount, "1")
            .property("Line", "7 ä")
            .body(b"hello");
        bench.running.gateway.enqueue(&"d".parse().unwrap(), message.build());
    }
    let answer =
        bench.ask("GET /devices/d/messages/deviceBound", &[("IotHub-MessageLockTimeout", "60")], b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    for (name, value) in [
        ("etag", "\"lock-1\""),
        ("iothub-messageid", "1"),
        ("iothub-ack", "full"),
        ("iothub-deliverycount", "1"),
        ("iothub-app-line", "7 ä"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    bench.check(&format!("DELETE {queue}/other"), &[], b"", 412, "DeviceMessageLockLost").await;
    bench
        .check("DELETE /devices/e/messages/devicebound/lock-1", &[], b"", 412, "DeviceMessageLockLost")
        .await;
    assert_eq!(bench.ask(&format!("POST {queue}/lock-1/abandon"), &[], b"").await.status, 204);
    assert_eq!(
        bench.ask(&format!("DELETE {queue}/lock-1"), &[("If-Match", "lock-1")], b"").await.status,
        204
    );
    assert_eq!(bench.ask(&format!("DELETE {queue}/lock-2?api-version=x&reject"), &[], b"").await.status, 204);
    let outcomes: Vec<_> = bench.running.gateway.outcomes().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [LockOutcome::Abandon, LockOutcome::Complete, LockOutcome::Reject]);
    let odd = [("IotHub-MessageLockTimeout", "soon")];
    bench.check(&format!("GET {queue}"), &odd, b"", 400, "ArgumentInvalid").await;
}

#[tokio::test]
async fn uploads_are_refused_where_nobody_serves_them() {
    let mut bench = start().await;
    let wish = br#"{"blobName":"log.txt"}"#;
    bench.check("POST /devices/d/files", &[], wish, 501, "InvalidOperation").await;
    bench.check("POST /devices/d/files/notifications", &[], b"{}", 501, "InvalidOperation").await;
}

/// One upload at a time, to a storage that is not there.
#[derive(Debug, Default)]
struct Uploads(Mutex<Vec<(Identity, String)>>);

#[async_trait]
impl FileUploads for Uploads {
    async fn begin(&self, device: &Identity, blob_name: &str) -> Result<UploadTicket, ServiceError> {
        if blob_name == ".." {
            return Err(ServiceError::invalid("no such name"));
        }
        Ok(UploadTicket::new("c1", "blobs.local", "uploads", format!("{device}/{blob_name}"), "?sig=x"))
    }

    async fn finish(&self, device: &Identity, notice: UploadNotice) -> Result<(), ServiceError> {
        if notice.correlation_id != "c1" {
            return Err(ServiceError::invalid("no such upload"));
        }
        let said = format!("{} {} {}", notice.is_success, notice.status_code, notice.status_description);
        self.0.lock().unwrap().push((device.clone(), said));
        Ok(())
    }
}

#[tokio::test]
async fn uploads_are_served_by_who_was_told_to() {
    let (resources, uploads) = (Resources::new(TransportLimits::default()), Arc::new(Uploads::default()));
    let listener = WebListener::bind("127.0.0.1:0", &resources).await.unwrap();
    let running = run(listener.with_uploads(uploads.clone()), resources);
    let mut bench = Bench { client: connect(&running).await, running };
    let answer = bench.ask("POST /devices/d/files", &[], br#"{"blobName":"log.txt"}"#).await;
    assert_eq!(answer.status, 200);
    let ticket = json!({
        "correlationId": "c1", "hostName": "blobs.local", "containerName": "uploads", "blobName": "d/log.txt",
        "sasToken": "?sig=x",
    });
    assert_eq!(answer.json(), ticket);
    let python = br#"{"correlationId":"c1","isSuccess":true,"statusCode":200,"statusDescription":"OK"}"#;
    assert_eq!(bench.ask("POST /devices/d/files/notifications", &[], python).await.status, 204);
    let node = br#"{"isSuccess":false,"statusCode":409,"statusDescription":"taken"}"#;
    assert_eq!(bench.ask("POST /devices/d/files/notifications/c1", &[], node).await.status, 204);
    let who: Identity = "d".parse().unwrap();
    let said = [(who.clone(), "true 200 OK".to_owned()), (who, "false 409 taken".to_owned())];
    assert_eq!(*uploads.0.lock().unwrap(), said);
    for (line, body) in [
        ("POST /devices/d/files", &br#"{"blobName":".."}"#[..]),
        ("POST /devices/d/files", br#"{"blobName":""}"#),
        ("POST /devices/d/files", b"{}"),
        ("POST /devices/d/files/notifications/c2", node),
        ("POST /devices/d/files/notifications", b"[]"),
    ] {
        bench.check(line, &[], body, 400, "ArgumentInvalid").await;
    }
    let refused = bench.client.ask("POST /devices/d/files", &[], br#"{"blobName":"x"}"#).await.unwrap();
    assert_eq!(refused.status, 401);
}
