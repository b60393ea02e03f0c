//! Qpid Proton does over TLS all that a device and a module can: `cargo test --features peers`.
//!
//! It wants Python 3 with `proton` (in Debian: `python3-qpid-proton`).

mod common;

use std::process::Stdio;

use bytes::Bytes;
use common::run;
use edge_core::{
    Channel, Feed, IncidentKind, Message, MethodAnswer, MethodCall, Settlement, Source, SystemKey,
    TwinRequest,
};
use edge_transport::testing::FakeGateway;
use edge_transport::{AmqpListener, Resources, ServerCertificate, TlsServer, TransportLimits};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

/// Tells what happens, a line each, and waits for a line where the test has something to do.
const SCRIPT: &str = r#"
import json, os, sys
from proton import Message, SSLDomain, int32, symbol
from proton.utils import BlockingConnection, LinkDetached, SendException
port, token, ca = sys.argv[1:4]
domain = SSLDomain(SSLDomain.MODE_CLIENT)
domain.set_trusted_ca_db(ca)
domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
connection = BlockingConnection(f"amqps://127.0.0.1:{port}", timeout=60, allowed_mechs="ANONYMOUS", ssl_domain=domain)
def say(*words): print(*words, flush=True)
asks = connection.create_sender("$cbs")
answers = connection.create_receiver("$cbs", credit=10)
def put(name, token):
    asks.send(Message(id=name, address="$cbs", reply_to="cbs", body=token, properties={
        "operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": name}))
    return int(answers.receive().properties["status-code"])
def refused(make):
    try:
        make()
    except LinkDetached as detached:
        return detached.condition
say("wrong", put("hub.local/devices/d", "nonsense"))
say("early", refused(lambda: connection.create_sender("/devices/d/messages/events")))
say("status", put("hub.local/devices/d", token))
say("foreign", refused(lambda: connection.create_sender("/devices/e/messages/events")))

events = connection.create_sender("/devices/d/messages/events")
full = Message(id="m1", correlation_id="c/1", user_id=b"user", content_type="application/json",
    content_encoding="utf-8", expiry_time=1_900_000_000, body=b'{"t":21.5}', inferred=True,
    properties={"line": "7/8 \u00e4", "empty": "", "iothub-ack": "full", "iothub-creation-time-utc": "2026-01-01T00:00:00Z"})
full.annotations = {symbol("dt-subject"): "motor", symbol("iothub-interface-id"): "urn:x"}
events.send(full)
events.send(Message(body=b"x" * (255 << 10), inferred=True))
for n in range(1000):
    events.send(Message(body=str(n).encode(), inferred=True))
deliveries = [events.link.send(Message(body=str(n).encode(), inferred=True)) for n in range(1000)]
connection.wait(lambda: all(delivery.settled for delivery in deliveries))
say("at once", sum(delivery.remote_state == delivery.ACCEPTED for delivery in deliveries))
try:
    events.send(Message(body=b"x" * ((256 << 10) + 1), inferred=True))
except SendException as refusal:
    say("too large", refusal.state)

bound = connection.create_receiver("/devices/d/messages/devicebound", credit=10)
say("bound")
for settle in (bound.accept, bound.reject, lambda: bound.release(delivered=False)):
    message = bound.receive()
    say("message", bytes(message.body).decode(), message.properties["a"])
    settle()
    say("settled")

ask = connection.create_sender("/devices/d/twin")
told = connection.create_receiver("/devices/d/twin", credit=10)
def twin(operation, resource=None, body=b" "):
    request = Message(correlation_id=operation, body=body, inferred=True)
    request.annotations = {symbol("operation"): operation, symbol("resource"): resource}
    ask.send(request)
    answer = told.receive()
    assert answer.correlation_id == operation, answer
    return answer
document = json.loads(bytes(twin("GET").body))
say("twin", document["desired"]["$version"])
say("reported", int(twin("PATCH", "/properties/reported", b'{"a":1}').annotations["status"]) < 300)
twin("PUT", "/notifications/twin/properties/desired")
say("watching")
change = told.receive()
say("desired", bytes(change.body).decode(), change.correlation_id)

results = connection.create_sender("/devices/d/methods/devicebound")
calls = connection.create_receiver("/devices/d/methods/devicebound", credit=10)
say("callable")
call = calls.receive()
say("called", call.properties["IoThub-methodname"], bytes(call.body).decode())
results.send(Message(correlation_id=call.correlation_id, properties={"IoThub-status": int32(201)}, body=b'{"done":true}', inferred=True))

say("renewed", put("hub.local/devices/d", token))
events.send(Message(body=b"after", inferred=True))
say("module", put("hub.local/devices/d/modules/m", token))
outputs = connection.create_sender("/devices/d/modules/m/messages/events")
outputs.send(Message(body=b"out", inferred=True, properties={"iothub-outputname": "hot"}))
inputs = connection.create_receiver("/devices/d/modules/m/messages/events", credit=10)
say("listening")
message = inputs.receive()
say("input", message.annotations["x-opt-input-name"], bytes(message.body).decode())
inputs.accept()
connection.close()
say("closed")
# Its links are not taken down a second time.
os._exit(0)
"#;

async fn expect(said: &mut Lines<BufReader<ChildStdout>>, lines: &[&str]) {
    for line in lines {
        assert_eq!(said.next_line().await.unwrap().as_deref(), Some(*line));
    }
}

fn message(body: &str) -> Message {
    Message::builder(&Source::telemetry()).property("a", "1").body(body.as_bytes()).build()
}

#[tokio::test]
async fn proton_does_all_that_a_device_and_a_module_can() {
    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (generated.cert.pem(), generated.signing_key.serialize_pem());
    let tls = TlsServer::new(&ServerCertificate::from_pem(pem.as_bytes(), key.as_bytes()).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let resources = Resources::new(TransportLimits::default());
    let running = run(AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap().with_tls(tls), resources);
    let gateway = &running.gateway;
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT, &running.address.port().to_string(), FakeGateway::TOKEN])
        .arg(&ca)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is installed");
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();

    expect(&mut said, &["wrong 401", "early amqp:unauthorized-access", "status 200"]).await;
    expect(&mut said, &["foreign amqp:unauthorized-access", "at once 1000"]).await;
    let refusals = [IncidentKind::ForeignTopic, IncidentKind::ForeignTopic];
    expect(&mut said, &["too large REJECTED", "bound"]).await;
    let published = gateway.published();
    assert_eq!(published.len(), 2002);
    let system = |key| published[0].system().value(key);
    for (key, value) in [
        (SystemKey::MessageId, "m1"),
        (SystemKey::CorrelationId, "c/1"),
        (SystemKey::UserId, "user"),
        (SystemKey::ContentType, "application/json"),
        (SystemKey::ContentEncoding, "utf-8"),
        (SystemKey::ExpiryTime, "2030-03-17T17:46:40.000Z"),
        (SystemKey::Ack, "full"),
        (SystemKey::CreationTime, "2026-01-01T00:00:00Z"),
        (SystemKey::Subject, "motor"),
        (SystemKey::InterfaceId, "urn:x"),
        (SystemKey::ConnectionDeviceId, "d"),
    ] {
        assert_eq!(system(key), Some(value), "{key:?}");
    }
    assert_eq!(published[0].properties().value("line"), Some(Some("7/8 ä")));
    assert_eq!(published[0].properties().value("empty"), Some(Some("")));
    assert_eq!((published[0].body(), published[1].body().len()), (&br#"{"t":21.5}"#[..], 255 << 10));
    for (n, message) in published[2..].iter().enumerate() {
        assert_eq!(message.body(), (n % 1000).to_string().as_bytes(), "{n}");
    }

    let who = "d".parse().unwrap();
    gateway.until(|gateway| gateway.feeds(&who).contains(Feed::CloudToDevice)).await;
    for (body, settlement) in
        [("1", Settlement::Accept), ("2", Settlement::Reject), ("3", Settlement::Release)]
    {
        let tag = gateway.deliver(&who, Channel::CloudToDevice, message(body)).unwrap();
        expect(&mut said, &[&format!("message {body} 1"), "settled"]).await;
        gateway.until(|gateway| gateway.settled().last() == Some(&(tag, settlement))).await;
    }
    expect(&mut said, &["twin 1", "reported True", "watching"]).await;
    assert_eq!(gateway.twin_requests()[1], TwinRequest::Report(Bytes::from_static(b"{\"a\":1}")));
    gateway.desire(&who, 4, &Bytes::from_static(b"{\"b\":2,\"$version\":4}"));
    expect(&mut said, &["desired {\"b\":2,\"$version\":4} None", "callable"]).await;
    gateway.until(|gateway| gateway.feeds(&who).contains(Feed::Methods)).await;
    gateway.call(&who, MethodCall::new(9, "reboot".to_owned(), "{\"delay\":5}".into()));
    expect(&mut said, &["called reboot {\"delay\":5}"]).await;
    let answered = [(9, MethodAnswer::new(201, "{\"done\":true}"))];
    gateway.until(|gateway| gateway.method_answers() == answered).await;
    expect(&mut said, &["renewed 200", "module 200", "listening"]).await;
    let published = gateway.published();
    assert_eq!(published[2002].body(), b"after");
    assert_eq!(
        (published[2003].source(), published[2003].body()),
        ("/messages/modules/m/outputs/hot/", &b"out"[..])
    );
    let module = "d/m".parse().unwrap();
    gateway.until(|gateway| gateway.feeds(&module).contains(Feed::Inputs)).await;
    gateway.deliver(&module, Channel::Input("in".parse().unwrap()), message("hello")).unwrap();
    expect(&mut said, &["input in hello", "closed"]).await;
    assert!(child.wait().await.unwrap().success());
    let mut incidents = gateway.incidents();
    incidents.retain(|kind| *kind == IncidentKind::ForeignTopic);
    assert_eq!(incidents, refusals);
    gateway.until(|gateway| gateway.sessions() == 0).await;
}
