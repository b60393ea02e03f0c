//! The service API over TLS, on loopback.

mod common;
mod rest_support;

use std::time::Duration;

use edge_core::service::{LockOutcome, Permission};
use edge_core::{IncidentKind, Message, MethodAnswer, Source, SystemKey};
use edge_transport::TransportLimits;
use edge_transport::testing::FakeService;
use rest_support::{Rest, start, start_with};
use serde_json::json;

const JSON: &str = "application/json; charset=utf-8";

/// Sends a request with the good token, and checks status and error code of the answer.
async fn check(rest: &mut Rest, line: &str, body: &str, status: u16, code: Option<&str>) {
    let answer = rest.ask(line, body).await;
    assert_eq!(
        (answer.status, answer.header("iothub-errorcode")),
        (status, code),
        "{line} {body} {answer:?}"
    );
    if let Some(code) = code {
        assert_eq!(answer.header("content-type"), Some(JSON));
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("ErrorCode:{code};")), "{message}");
        assert!(answer.json()["ExceptionMessage"].as_str().unwrap().starts_with("Tracking ID:"));
    }
}

#[tokio::test]
async fn a_device_is_made_read_changed_listed_and_deleted() {
    let mut rest = start().await;
    let made = rest.ask("PUT /devices/press?api-version=2021-04-12", r#"{"deviceId":"press"}"#).await;
    assert_eq!((made.status, made.header("content-type")), (200, Some(JSON)));
    let made = made.json();
    assert_eq!(made["deviceId"], "press");
    assert_eq!(made["status"], "enabled");
    assert_eq!(made["connectionState"], "Disconnected");
    assert_eq!(made["lastActivityTime"], "0001-01-01T00:00:00Z");
    assert_eq!(made["authentication"]["type"], "sas");
    assert!(made["authentication"]["symmetricKey"]["primaryKey"].is_string());
    check(&mut rest, "PUT /devices/press", "{}", 409, Some("DeviceAlreadyExists")).await;

    let etag = made["etag"].as_str().unwrap().to_owned();
    let body = r#"{"deviceId":"press","status":"disabled","statusReason":"away"}"#;
    let stale = rest.ask_with("PUT /devices/press", &[("If-Match", "\"AAAA9=\"")], body).await;
    assert_eq!((stale.status, stale.header("iothub-errorcode")), (412, Some("PreconditionFailed")));
    let changed = rest.ask_with("PUT /devices/press", &[("If-Match", &format!("\"{etag}\""))], body).await;
    assert_eq!((changed.status, &changed.json()["status"]), (200, &json!("disabled")));
    let read = rest.ask("GET /devices/press", "").await;
    assert_eq!(read.json(), changed.json());
    assert_eq!(read.header("etag").unwrap(), format!("\"{}\"", changed.json()["etag"].as_str().unwrap()));

    check(&mut rest, "PUT /devices/press/modules/filter", "{}", 200, None).await;
    check(&mut rest, "PUT /devices/press/modules/filter", "{}", 409, Some("ModuleAlreadyExistsOnDevice"))
        .await;
    let modules = rest.ask("GET /devices/press/modules", "").await;
    assert_eq!(modules.json()[0]["moduleId"], "filter");
    assert!(modules.json()[0].get("status").is_none());
    for line in ["GET /devices?top=10", "GET /devices/?top=10&api-version=2021-04-12", "GET /devices"] {
        let list = rest.ask(line, "").await;
        assert_eq!(list.json().as_array().map(Vec::len), Some(1), "{line}");
    }
    let statistics = rest.ask("GET /statistics/devices", "").await;
    assert_eq!(
        statistics.json(),
        json!({"totalDeviceCount": 1, "enabledDeviceCount": 0, "disabledDeviceCount": 1})
    );
    assert_eq!(rest.ask("GET /statistics/service", "").await.json(), json!({"connectedDeviceCount": 0}));
    let gone = rest.ask_with("DELETE /devices/press", &[("If-Match", "*")], "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    check(&mut rest, "GET /devices/press", "", 404, Some("DeviceNotFound")).await;
    check(&mut rest, "GET /devices/press/modules/m", "", 404, Some("ModuleNotFound")).await;
}

#[tokio::test]
async fn a_bulk_operation_says_what_failed() {
    let mut rest = start().await;
    let body = json!([
        {"id": "a", "importMode": "create", "status": "enabled", "tags": {"line": 7}},
        {"id": "b", "importMode": "delete"},
    ]);
    let answer = rest.ask("POST /devices", &body.to_string()).await;
    assert_eq!(answer.status, 400);
    let answer = answer.json();
    assert_eq!((&answer["isSuccessful"], answer["errors"].as_array().unwrap().len()), (&json!(false), 1));
    assert_eq!(answer["errors"][0]["deviceId"], "b");
    assert_eq!(answer["errors"][0]["errorCode"], "DeviceNotFound");
    assert_eq!(answer["errors"][0]["operation"], "delete");
    assert_eq!(rest.ask("GET /twins/a", "").await.json(), json!({"tags": {"line": 7}}));
    let one = json!([{"id": "a", "importMode": "delete"}]).to_string();
    let good = rest.ask("POST /devices/", &one).await;
    assert_eq!((good.status, good.json()["isSuccessful"].as_bool()), (200, Some(true)));
    let many: Vec<_> = (0..101).map(|n| json!({"id": format!("d{n}")})).collect();
    check(&mut rest, "POST /devices", &json!(many).to_string(), 400, Some("ArgumentInvalid")).await;
    let malformed = r#"[{"id":"c"},{"id":"d","importMode":"x"},{"id":"e/f","status":"enabled"}]"#;
    let answer = rest.ask("POST /devices", malformed).await;
    assert_eq!((answer.status, answer.json()["isSuccessful"].as_bool()), (400, Some(false)));
    let answer = answer.json();
    let named: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| &error["deviceId"]).collect();
    assert_eq!(named, ["d", "e/f"]);
    assert_eq!(answer["errors"][0]["errorCode"], "ArgumentInvalid");
    check(&mut rest, "GET /devices/c", "", 200, None).await;
    check(&mut rest, "GET /devices/d", "", 404, Some("DeviceNotFound")).await;
}

#[tokio::test]
async fn twins_are_read_patched_and_replaced() {
    let mut rest = start().await;
    check(&mut rest, "GET /twins/press", "", 404, Some("DeviceNotFound")).await;
    check(&mut rest, "PUT /devices/press", "{}", 200, None).await;
    let twin = rest.ask("GET /twins/press", "").await;
    assert_eq!((twin.status, twin.header("content-type")), (200, Some(JSON)));
    assert_eq!(twin.json()["properties"]["desired"]["$version"], 1);
    for (method, etag, status) in
        [("PATCH", "\"AAAB=\"", 200), ("PUT", "*", 200), ("PATCH", "\"*\"", 200), ("PATCH", "old", 412)]
    {
        let line = format!("{method} /twins/press");
        let answer = rest.ask_with(&line, &[("If-Match", etag)], r#"{"tags":{}}"#).await;
        assert_eq!(answer.status, status, "{line} {etag}");
    }
    for odd in ["\"a\", \"b\"", "a b", "W/\"a\""] {
        let answer = rest.ask_with("PATCH /twins/press", &[("If-Match", odd)], "{}").await;
        assert_eq!(answer.status, 400, "{odd}");
    }
    check(&mut rest, "PATCH /twins/press", "{", 400, Some("ArgumentInvalid")).await;
}

#[tokio::test]
async fn methods_are_called_by_the_service_side() {
    let mut rest = start().await;
    let call = r#"{"methodName":"reboot","payload":{"a":[1, 2]},"responseTimeoutInSeconds":5,"connectTimeoutInSeconds":7}"#;
    check(&mut rest, "POST /twins/press/methods", call, 404, Some("DeviceNotOnline")).await;
    rest.service.answer_methods(MethodAnswer::new(-3, r#"{"big":12345678901234567890}"#));
    let answer = rest.ask("POST /twins/press/modules/filter/methods", call).await;
    assert_eq!(answer.body, r#"{"status":-3,"payload":{"big":12345678901234567890}}"#);
    let (target, request) = rest.service.invoked().pop().unwrap();
    assert_eq!(target.to_string(), "press/filter");
    assert_eq!((request.name.as_str(), request.payload.as_ref()), ("reboot", br#"{"a":[1, 2]}"#.as_slice()));
    let times = (request.response_timeout, request.connect_timeout);
    assert_eq!(times, (Duration::from_secs(5), Duration::from_secs(7)));
    rest.service.answer_methods(MethodAnswer::new(200, ""));
    let answer = rest.ask("POST /twins/press/methods", r#"{"methodName":"x"}"#).await;
    assert_eq!(answer.body, r#"{"status":200,"payload":null}"#);
    let request = rest.service.invoked().pop().unwrap().1;
    assert_eq!((request.payload.len(), request.response_timeout.as_secs()), (0, 30));
    check(&mut rest, "POST /twins/press/methods", r#"{"payload":1}"#, 400, Some("ArgumentInvalid")).await;
    rest.service.answer_methods(MethodAnswer::new(200, "{"));
    check(&mut rest, "POST /twins/press/methods", r#"{"methodName":"x"}"#, 502, Some("BadDeviceResponse"))
        .await;
}

#[tokio::test]
async fn a_module_calls_methods_with_its_own_token() {
    let mut rest = start().await;
    rest.service.answer_methods(MethodAnswer::new(200, "1"));
    for (caller, status) in
        [("edge1/filter", 200), ("edge2/filter", 401), ("edge1", 400), ("", 400), ("edge1/a/b", 400)]
    {
        let headers = [("x-ms-edge-moduleId", caller)];
        let answer = rest.ask_with("POST /twins/press/methods", &headers, r#"{"methodName":"x"}"#).await;
        assert_eq!(answer.status, status, "{caller}");
        assert_eq!(answer.json()["message"].is_string(), status != 200, "{answer:?}");
    }
    assert_eq!(rest.service.invoked().len(), 1);
}

#[tokio::test]
async fn messages_are_sent_and_purged() {
    let mut rest = start().await;
    check(&mut rest, "POST /devices/press/messages/deviceBound", "hi", 404, Some("DeviceNotFound")).await;
    check(&mut rest, "PUT /devices/press", "{}", 200, None).await;
    let headers = [
        ("iothub-messageid", "m1"),
        ("IoTHub-Ack", "full"),
        ("iothub-app-line", "7"),
        ("iothub-expiry", "2030-01-01T00:00:00Z"),
    ];
    let sent = rest.ask_with("POST /devices/press/messages/deviceBound", &headers, "hi").await;
    assert_eq!(sent.status, 204);
    let messages = rest.service.waiting(&"press".parse().unwrap());
    let system = messages[0].system();
    assert_eq!((messages[0].body(), system.value(SystemKey::MessageId)), (b"hi".as_slice(), Some("m1")));
    assert_eq!(system.value(SystemKey::To), Some("/devices/press/messages/devicebound"));
    assert_eq!(system.value(SystemKey::Ack), Some("full"));
    assert_eq!(messages[0].properties().value("line"), Some(Some("7")));
    for odd in [("iothub-ack", "yes"), ("iothub-expiry", "tomorrow")] {
        let refused = rest.ask_with("POST /devices/press/messages/devicebound", &[odd], "hi").await;
        assert_eq!(refused.status, 400, "{odd:?}");
    }
    let large = "x".repeat(65_537);
    check(&mut rest, "POST /devices/press/messages/devicebound", &large, 413, Some("MessageTooLarge")).await;
    let mut rest = rest.again().await;
    let purged = rest.ask("DELETE /devices/press/commands", "").await;
    assert_eq!(purged.json(), json!({"totalMessagesPurged": 1, "deviceId": "press", "moduleId": null}));
}

#[tokio::test]
async fn feedback_is_received_and_settled() {
    let mut rest = start().await;
    check(&mut rest, "GET /messages/serviceBound/feedback", "", 204, None).await;
    let feedback = Message::builder(&Source::telemetry())
        .system(SystemKey::LockToken, "lock-1")
        .body(br#"[{"statusCode":"Success"}]"#)
        .build();
    rest.service.put_feedback(feedback);
    let answer = rest.ask("GET /messages/servicebound/feedback?api-version=2021-04-12", "").await;
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"lock-1\"")));
    assert_eq!(answer.json()[0]["statusCode"], "Success");
    check(&mut rest, "DELETE /messages/serviceBound/feedback/other", "", 412, Some("DeviceMessageLockLost"))
        .await;
    check(&mut rest, "POST /messages/serviceBound/feedback/lock-1/abandon", "", 204, None).await;
    check(&mut rest, "DELETE /messages/serviceBound/feedback/lock-1", "", 204, None).await;
    let settled = rest.service.settled();
    assert_eq!(
        settled,
        [("lock-1".to_owned(), LockOutcome::Abandon), ("lock-1".to_owned(), LockOutcome::Complete)]
    );
}

#[tokio::test]
async fn nothing_is_done_without_the_right_policy() {
    let mut rest = start().await;
    let lines = [
        ("GET /devices/press", Permission::RegistryRead, "/devices/press"),
        ("GET /devices", Permission::RegistryRead, "/devices"),
        ("PUT /devices/press/modules/m", Permission::RegistryWrite, "/devices/press/modules/m"),
        ("DELETE /devices/press", Permission::RegistryWrite, "/devices/press"),
        ("POST /devices", Permission::RegistryWrite, "/devices"),
        ("GET /twins/press", Permission::ServiceConnect, "/twins/press"),
        ("PATCH /twins/press", Permission::ServiceConnect, "/twins/press"),
        ("PUT /twins/press/modules/m", Permission::ServiceConnect, "/twins/press/modules/m"),
        ("POST /twins/press/methods", Permission::ServiceConnect, "/twins/press"),
        ("POST /devices/press/messages/deviceBound", Permission::ServiceConnect, "/devices/press"),
        ("DELETE /devices/press/commands", Permission::ServiceConnect, "/devices/press"),
        ("GET /messages/serviceBound/feedback", Permission::ServiceConnect, "/messages"),
        ("GET /statistics/devices", Permission::RegistryRead, "/statistics"),
        ("GET /statistics/service", Permission::ServiceConnect, "/statistics"),
    ];
    for (line, permission, path) in lines {
        for token in [None, Some("Bearer x"), Some("SharedAccessSignature other")] {
            let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
            let answer = rest.client.ask(line, &headers, b"{}").await.unwrap();
            assert_eq!(answer.status, 401, "{line} {token:?}");
            assert_eq!(answer.header("iothub-errorcode"), Some("IotHubUnauthorizedAccess"));
            assert!(!answer.body.contains("another token"), "the reason is for the log: {}", answer.body);
        }
        assert_eq!(rest.service.asked().pop(), Some((permission, path.to_owned())), "{line}");
    }
    let reader = [("Authorization", FakeService::READER)];
    assert_eq!(rest.client.ask("PUT /devices/press", &reader, b"{}").await.unwrap().status, 401);
    assert_eq!(rest.client.ask("GET /devices", &reader, b"").await.unwrap().status, 200);
    assert_eq!(rest.service.changes(), 0);
    assert!(rest.running.gateway.incidents().contains(&IncidentKind::Refused));
}

#[tokio::test]
async fn tricks_in_paths_are_refused() {
    let mut rest = start().await;
    for id in
        ["a%2Fb", "a%2fmodules%2fm", ".", "..", "%2e%2e", "a%00", "a%20b", "%ff", "a%C3%A4", "a\\b", "a%7F"]
    {
        check(&mut rest, &format!("PUT /devices/{id}"), "{}", 400, Some("ArgumentInvalid")).await;
        check(&mut rest, &format!("GET /twins/d/modules/{id}"), "", 400, Some("ArgumentInvalid")).await;
    }
    check(&mut rest, &format!("PUT /devices/{}", "x".repeat(129)), "{}", 400, Some("ArgumentInvalid")).await;
    for path in ["/", "/devices/a/b", "//devices", "/devices/../twins/a", "/Devices/a", "/jobs"] {
        check(&mut rest, &format!("GET {path}"), "", 404, Some("NotFound")).await;
    }
    check(&mut rest, "POST /devices/a", "{}", 405, Some("MethodNotAllowed")).await;
    check(&mut rest, "DELETE /twins/a", "", 405, Some("MethodNotAllowed")).await;
    assert_eq!(rest.service.changes(), 0);
    // Decoded once, and no more.
    let made = rest.ask("PUT /devices/a%2523%23b", "{}").await;
    assert_eq!(made.json()["deviceId"], "a%23#b");
    check(&mut rest, "PUT /devices/c", r#"{"deviceId":"other"}"#, 400, Some("ArgumentInvalid")).await;
    for odd in ["0", "1001", "-1", "x", "99999999999999999999"] {
        check(&mut rest, &format!("GET /devices?top={odd}"), "", 400, Some("ArgumentInvalid")).await;
    }
}

#[tokio::test]
async fn bodies_come_in_chunks_and_stay_within_limits() {
    let limits = TransportLimits { max_request_bytes: 1000, ..TransportLimits::default() };
    let mut rest = start_with(limits).await;
    let token = FakeService::TOKEN;
    let head = format!(
        "PUT /devices/press HTTP/1.1\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    rest.client.send(format!("{head}1\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(rest.client.answer().await.unwrap().status, 200);
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(1000));
    check(&mut rest, "PUT /devices/large", &large, 413, Some("MessageTooLarge")).await;
    let mut rest = rest.again().await;
    for odd in ["", "[]", "{", "{\"status\":1}", "{\"status\":\"odd\"}", "\u{feff}{}"] {
        check(&mut rest, "PUT /devices/odd", odd, 400, Some("ArgumentInvalid")).await;
    }
    check(&mut rest, "GET /devices/odd", "", 404, Some("DeviceNotFound")).await;
}

#[tokio::test]
async fn large_heads_and_slow_clients_are_ended() {
    let limits = TransportLimits { packet_timeout: Duration::from_millis(50), ..TransportLimits::default() };
    let mut rest = start_with(limits).await;
    let answer = rest.ask_with("GET /devices", &[("X-Large", &"x".repeat(40_000))], "").await;
    assert_eq!(answer.status, 431);
    let mut rest = rest.again().await;
    rest.client.send(b"GET /devices HTTP/1.1\r\nHos").await.unwrap();
    let ended = rest.client.answer().await;
    assert!(ended.as_ref().map_or(true, |answer| answer.status == 408), "{ended:?}");
    let mut rest = rest.again().await;
    let token = FakeService::TOKEN;
    let head = format!("PUT /devices/slow HTTP/1.1\r\nAuthorization: {token}\r\nContent-Length: 9\r\n\r\n{{");
    rest.client.send(head.as_bytes()).await.unwrap();
    assert_eq!(rest.client.answer().await.unwrap().status, 408);
}

#[tokio::test]
async fn stopping_ends_idle_connections() {
    let mut rest = start().await;
    check(&mut rest, "GET /devices", "", 200, None).await;
    rest.running.stopper.stop();
    assert!(rest.client.answer().await.is_err(), "the connection is closed");
    rest.running.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(rest.running.resources.connections(), 0);
}
