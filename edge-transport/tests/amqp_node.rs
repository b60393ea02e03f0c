//! The Azure IoT SDK for Node, unmodified, over AMQP and TLS: `cargo test --features peers`.
//!
//! It wants `node`, and npm's `azure-iot-device` and `azure-iot-device-amqp` where `NODE_PATH` says.

mod common;

use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use common::Running;
use edge_core::{
    Channel, Credentials, Feed, Gateway, Hello, Incident, Message, MethodAnswer, MethodCall, Refusal,
    Session, Settlement, Source, SystemKey, TwinRequest,
};
use edge_transport::testing::FakeGateway;
use edge_transport::{
    AmqpListener, Listener, Resources, ServerCertificate, Stop, TlsServer, TransportLimits,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::task::JoinSet;

/// What the SDK is made to do; it tells a line each. The port is fixed in the SDK, so the socket is led elsewhere.
const SCRIPT: &str = r#"
const tls = require('tls');
const connect = tls.connect;
const port = Number(process.argv[1]);
const led = (a) => (typeof a === 'number' ? port : a && typeof a === 'object' && 'port' in a ? { ...a, port } : a);
tls.connect = (...args) => connect(...args.map(led));
const { Client, ModuleClient, Message } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { Amqp } = require('azure-iot-device-amqp');
const say = (...words) => console.log(words.join(' '));
const base = `HostName=localhost;DeviceId=d;SharedAccessKey=c2VjcmV0`;
async function open(client) {
  client.setRetryPolicy(new NoRetry());
  await client.setOptions({ ca: process.argv[2] });
  await client.open();
  return client;
}
async function main() {
  const device = await open(Client.fromConnectionString(base, Amqp));
  const message = new Message('21.5');
  message.messageId = '7f0ac2f4-3a5c-4a0e-9d5b-0f1e2d3c4b5a';
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.properties.add('line', '7/8 ä');
  await device.sendEvent(message);
  await device.sendEvent(new Message(Buffer.alloc(255 * 1024, 7)));
  await Promise.all([...Array(1000).keys()].map((n) => device.sendEvent(new Message(String(n)))));
  say('sent');
  device.on('message', (m) => {
    const settle = { complete: 'complete', reject: 'reject', abandon: 'abandon' }[m.data.toString()];
    device[settle](m, () => say('settled', settle, m.properties.getValue('a')));
  });
  device.onDeviceMethod('reboot', (request, response) => {
    say('method', JSON.stringify(request.payload));
    response.send(201, { done: true }, () => say('answered'));
  });
  const twin = await device.getTwin();
  say('twin', twin.properties.desired.$version);
  await new Promise((done, failed) => twin.properties.reported.update({ a: 1 }, (e) => (e ? failed(e) : done())));
  twin.on('properties.desired', (patch) => patch.$version === 4 && say('desired', JSON.stringify(patch)));
  say('reported');
  await new Promise((done) => process.stdin.once('data', done));
  await device.close();
  say('closed');
  const module = await open(ModuleClient.fromConnectionString(`${base};ModuleId=m`, Amqp));
  module.on('inputMessage', (input, m) => {
    say('input', input, m.data.toString());
    module.complete(m, () => say('completed'));
  });
  await module.sendOutputEvent('hot', new Message('out'));
  say('output');
  await new Promise((done) => process.stdin.once('data', done));
  await module.close();
  process.exit(0);
}
main().catch((error) => { console.log('failed', error.stack); process.exit(1); });
"#;

/// Lets in whoever has a token that looks like one: the SDK makes its own.
#[derive(Clone, Debug)]
struct AnyToken(FakeGateway);

#[async_trait]
impl Gateway for AnyToken {
    async fn open(&self, mut hello: Hello) -> Result<Box<dyn Session>, Refusal> {
        let Credentials::SasToken(token) = &hello.credentials else { panic!("it shows a token") };
        assert!(token.starts_with("SharedAccessSignature sr="), "{token}");
        hello.credentials = Credentials::SasToken(FakeGateway::TOKEN.to_owned());
        self.0.open(hello).await
    }

    fn report(&self, incident: &Incident<'_>) {
        self.0.report(incident);
    }
}

async fn expect(said: &mut Lines<BufReader<ChildStdout>>, line: &str) {
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some(line));
}

fn message(body: &str) -> Message {
    Message::builder(&Source::telemetry()).property("a", "1").body(body.as_bytes()).build()
}

#[tokio::test]
async fn a_device_and_a_module_do_all_they_can() {
    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (generated.cert.pem(), generated.signing_key.serialize_pem());
    let tls = TlsServer::new(&ServerCertificate::from_pem(pem.as_bytes(), key.as_bytes()).unwrap()).unwrap();
    let resources = Resources::new(TransportLimits::default());
    let listener = AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap().with_tls(tls);
    let address = listener.local_addr().unwrap();
    let (stopper, stop) = Stop::pair();
    let gateway = FakeGateway::new();
    let mut tasks = JoinSet::new();
    let serving = Box::new(listener).serve(Arc::new(AnyToken(gateway.clone())), stop);
    tasks.spawn(async move { serving.await.unwrap() });
    let running = Running { gateway, address, stopper, resources, tasks };
    let gateway = &running.gateway;

    let mut child = Command::new("node")
        .args(["-e", SCRIPT, &address.port().to_string(), &pem])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed");
    let mut go = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    expect(&mut said, "sent").await;
    let published = gateway.published();
    assert_eq!(published.len(), 1002);
    let system = |key| published[0].system().value(key);
    assert_eq!(system(SystemKey::MessageId), Some("7f0ac2f4-3a5c-4a0e-9d5b-0f1e2d3c4b5a"));
    assert_eq!(system(SystemKey::ContentType), Some("application/json"));
    assert_eq!(system(SystemKey::ContentEncoding), Some("utf-8"));
    assert_eq!(published[0].properties().value("line"), Some(Some("7/8 ä")));
    assert_eq!(published[1].body().len(), 255 * 1024);
    for (n, message) in published[2..].iter().enumerate() {
        assert_eq!(message.body(), n.to_string().as_bytes());
    }
    expect(&mut said, "twin 1").await;
    expect(&mut said, "reported").await;
    assert_eq!(gateway.twin_requests()[1], TwinRequest::Report(Bytes::from_static(b"{\"a\":1}")));

    let who = "d".parse().unwrap();
    let wanted = [Feed::CloudToDevice, Feed::Methods, Feed::Desired];
    gateway.until(|gateway| wanted.iter().all(|feed| gateway.feeds(&who).contains(*feed))).await;
    for (word, settlement) in
        [("complete", Settlement::Accept), ("reject", Settlement::Reject), ("abandon", Settlement::Release)]
    {
        let tag = gateway.deliver(&who, Channel::CloudToDevice, message(word)).unwrap();
        expect(&mut said, &format!("settled {word} 1")).await;
        gateway.until(|gateway| gateway.settled().last() == Some(&(tag, settlement))).await;
    }
    gateway.call(&who, MethodCall::new(9, "reboot".to_owned(), "{\"delay\":5}".into()));
    expect(&mut said, "method {\"delay\":5}").await;
    expect(&mut said, "answered").await;
    let answered = [(9, MethodAnswer::new(201, "{\"done\":true}"))];
    gateway.until(|gateway| gateway.method_answers() == answered).await;
    gateway.desire(&who, 4, &Bytes::from_static(b"{\"b\":2,\"$version\":4}"));
    expect(&mut said, "desired {\"b\":2,\"$version\":4}").await;

    tokio::io::AsyncWriteExt::write_all(&mut go, b"\n").await.unwrap();
    expect(&mut said, "closed").await;
    expect(&mut said, "output").await;
    let last = gateway.published().pop().unwrap();
    assert_eq!((last.source(), last.body()), ("/messages/modules/m/outputs/hot/", &b"out"[..]));
    let who = "d/m".parse().unwrap();
    gateway.until(|gateway| gateway.feeds(&who).contains(Feed::Inputs)).await;
    gateway.deliver(&who, Channel::Input("in".parse().unwrap()), message("hello")).unwrap();
    expect(&mut said, "input in hello").await;
    expect(&mut said, "completed").await;
    tokio::io::AsyncWriteExt::write_all(&mut go, b"\n").await.unwrap();
    assert!(child.wait().await.unwrap().success());
    assert_eq!(gateway.incidents(), []);
}
