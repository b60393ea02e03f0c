//! Qpid Proton, an independent AMQP client, against the listener: `cargo test --features peers`.
//!
//! It wants Python 3 with `proton` (in Debian: `python3-qpid-proton`).

mod common;

use std::process::Stdio;

use common::run;
use edge_core::{Channel, Feed, Message, Settlement, Source, SystemKey};
use edge_transport::testing::FakeGateway;
use edge_transport::{AmqpListener, Resources, TransportLimits};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Puts a token, sends 100 messages, receives one and accepts it; tells what happens, a line each.
const SCRIPT: &str = r#"
import sys
from proton import Message, symbol
from proton.utils import BlockingConnection
from proton.reactor import AtLeastOnce
connection = BlockingConnection(f"amqp://127.0.0.1:{sys.argv[1]}", timeout=20, allowed_mechs="ANONYMOUS")
asks = connection.create_sender("$cbs")
answers = connection.create_receiver("$cbs", credit=10)
asks.send(Message(id="ask-1", address="$cbs", reply_to="cbs", body=sys.argv[2], properties={
    "operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": "hub.local/devices/d"}))
answer = answers.receive()
assert answer.correlation_id == "ask-1", answer
print("status", int(answer.properties["status-code"]), flush=True)
events = connection.create_sender("/devices/d/messages/events")
for n in range(100):
    body = b"x" * (200_000 if n == 50 else n)
    events.send(Message(id=f"m{n}", body=body, inferred=True, properties={"n": str(n), "number": n}))
print("sent", flush=True)
bound = connection.create_receiver("/devices/d/messages/devicebound", credit=1)
print("bound", flush=True)
message = bound.receive()
print("received", bytes(message.body).decode(), flush=True)
bound.accept()
connection.close()
print("closed", flush=True)
"#;

#[tokio::test]
async fn proton_sends_and_receives() {
    let resources = Resources::new(TransportLimits::default());
    let running = run(AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap(), resources);
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT, &running.address.port().to_string(), FakeGateway::TOKEN])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is installed");
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for expected in ["status 200", "sent", "bound"] {
        assert_eq!(said.next_line().await.unwrap().as_deref(), Some(expected));
    }
    let published = running.gateway.published();
    assert_eq!(published.len(), 100);
    for (n, message) in published.iter().enumerate() {
        assert_eq!(message.body().len(), if n == 50 { 200_000 } else { n });
        assert_eq!(message.system().value(SystemKey::MessageId), Some(&*format!("m{n}")));
        assert_eq!(message.properties().value("n"), Some(Some(&*n.to_string())));
        assert_eq!(message.properties().value("number"), Some(Some(&*n.to_string())));
    }
    let who = "d".parse().unwrap();
    running.gateway.until(|gateway| gateway.feeds(&who).contains(Feed::CloudToDevice)).await;
    let message = Message::builder(&Source::telemetry()).body(b"hello").build();
    running.gateway.deliver(&who, Channel::CloudToDevice, message).unwrap();
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("received hello"));
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("closed"));
    assert!(child.wait().await.unwrap().success());
    assert_eq!(running.gateway.settled(), [(0, Settlement::Accept)]);
    assert_eq!(running.gateway.incidents(), []);
}
