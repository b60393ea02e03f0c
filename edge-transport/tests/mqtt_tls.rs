//! MQTT over TLS, on loopback.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Running, run};
use edge_core::{Credentials, IncidentKind};
use edge_transport::mqtt::packet::{Connect, ConnectCode, Packet};
use edge_transport::testing::{FakeGateway, MqttClient};
use edge_transport::{MqttListener, Resources, ServerCertificate, TlsServer, TransportLimits};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn generate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn server_certificate(generated: &CertifiedKey<KeyPair>) -> ServerCertificate {
    let (chain, key) = (generated.cert.pem(), generated.signing_key.serialize_pem());
    ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
}

async fn start(limits: TransportLimits) -> (Running, CertifiedKey<KeyPair>, TlsServer) {
    let generated = generate();
    let tls = TlsServer::new(&server_certificate(&generated)).unwrap();
    let resources = Resources::new(limits);
    let listener = MqttListener::bind("127.0.0.1:0", &resources).await.unwrap().with_tls(tls.clone());
    (run(listener, resources), generated, tls)
}

/// A client's side of TLS that trusts one server, speaks one version, and may show a certificate.
fn config(
    trusted: &CertifiedKey<KeyPair>,
    version: &'static SupportedProtocolVersion,
    own: Option<&CertifiedKey<KeyPair>>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![own.cert.der().clone()], key).unwrap()
        }
    })
}

async fn dial(
    running: &Running,
    config: &Arc<ClientConfig>,
) -> std::io::Result<MqttClient<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(running.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    Ok(MqttClient::over(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?))
}

async fn check_telemetry(version: &'static SupportedProtocolVersion) {
    let (running, server, _tls) = start(TransportLimits::default()).await;
    let mut client = dial(&running, &config(&server, version, None)).await.unwrap();
    assert_eq!(client.connect("d", FakeGateway::TOKEN).await.unwrap(), ConnectCode::Accepted);
    // More than one record, so that one read of the server sees several.
    let body = vec![7; 50_000];
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(client.publish("devices/d/messages/events/", &body).await.unwrap());
    }
    for id in ids {
        assert!(client.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
    }
    assert!(running.gateway.published().iter().all(|message| message.body() == body));
    assert_eq!(client.stream().get_ref().1.protocol_version(), Some(version.version));
}

#[tokio::test]
async fn telemetry_over_tls_1_2() {
    check_telemetry(&TLS12).await;
}

#[tokio::test]
async fn telemetry_over_tls_1_3() {
    check_telemetry(&TLS13).await;
}

#[tokio::test]
async fn a_self_signed_client_certificate_reaches_the_gateway() {
    for version in [&TLS12, &TLS13] {
        let (running, server, _tls) = start(TransportLimits::default()).await;
        let own = generate();
        let mut client = dial(&running, &config(&server, version, Some(&own))).await.unwrap();
        let connect = Connect {
            client_id: "d",
            clean_session: false,
            keep_alive_secs: 60,
            will: None,
            user_name: Some("hub.local/d/?api-version=2021-04-12"),
            password: None,
        };
        client.send(&Packet::Connect(connect)).await.unwrap();
        let accepted = Packet::ConnAck { session_present: false, code: ConnectCode::Accepted };
        assert!(client.receive(|packet| packet == accepted).await.unwrap());
        let expected = Credentials::X509(vec![own.cert.der().to_vec()]);
        assert_eq!(running.gateway.hellos()[0].credentials, expected);
    }
}

#[tokio::test]
async fn a_token_counts_more_than_a_certificate() {
    let (running, server, _tls) = start(TransportLimits::default()).await;
    let mut client = dial(&running, &config(&server, &TLS13, Some(&generate()))).await.unwrap();
    assert_eq!(client.connect("d", "wrong").await.unwrap(), ConnectCode::NotAuthorized);
    client.closed().await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let (running, old, tls) = start(TransportLimits::default()).await;
    let mut before = dial(&running, &config(&old, &TLS13, None)).await.unwrap();
    let new = generate();
    tls.replace(&server_certificate(&new));
    assert!(dial(&running, &config(&old, &TLS13, None)).await.is_err());
    dial(&running, &config(&new, &TLS13, None)).await.unwrap();
    assert_eq!(before.connect("d", FakeGateway::TOKEN).await.unwrap(), ConnectCode::Accepted);
}

#[tokio::test]
async fn sessions_are_resumed() {
    for version in [&TLS12, &TLS13] {
        let (running, server, _tls) = start(TransportLimits::default()).await;
        let config = config(&server, version, None);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut client = dial(&running, &config).await.unwrap();
            assert_eq!(client.connect("d", FakeGateway::TOKEN).await.unwrap(), ConnectCode::Accepted);
            assert_eq!(client.stream().get_ref().1.handshake_kind(), Some(expected));
        }
    }
}

#[tokio::test]
async fn what_is_no_tls_is_reported_and_closed() {
    let (running, _server, _tls) = start(TransportLimits::default()).await;
    let mut client = MqttClient::dial(running.address).await.unwrap();
    client.send_bytes(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.closed().await.unwrap();
    running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Tls]).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_reported_and_closed() {
    let limits =
        TransportLimits { handshake_timeout: Duration::from_millis(20), ..TransportLimits::default() };
    let (running, _server, _tls) = start(limits).await;
    let mut client = MqttClient::dial(running.address).await.unwrap();
    client.closed().await.unwrap();
    running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Timeout]).await;
}
