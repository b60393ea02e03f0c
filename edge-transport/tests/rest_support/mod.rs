//! The service API over TLS, and a client of it.

use std::sync::Arc;

use edge_transport::testing::{FakeService, HttpAnswer, HttpClient};
use edge_transport::{Resources, ServerCertificate, TlsServer, TransportLimits, WebListener};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::common::{Running, run};

/// A listener, the service behind it, and a client.
pub(crate) struct Rest {
    pub(crate) running: Running,
    pub(crate) service: FakeService,
    pub(crate) client: HttpClient<TlsStream<TcpStream>>,
    connector: TlsConnector,
}

pub(crate) async fn start() -> Rest {
    start_with(TransportLimits::default()).await
}

pub(crate) async fn start_with(limits: TransportLimits) -> Rest {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let resources = Resources::new(limits);
    let service = FakeService::default();
    let listener = WebListener::bind("127.0.0.1:0", &resources).await.unwrap();
    let listener =
        listener.with_tls(TlsServer::new(&certificate).unwrap()).with_service(Arc::new(service.clone()));
    let running = run(listener, resources);
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let client = connect(&running, &connector).await;
    Rest { running, service, client, connector }
}

async fn connect(running: &Running, connector: &TlsConnector) -> HttpClient<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    HttpClient::new(connector.connect(name, stream).await.unwrap())
}

impl Rest {
    /// Sends a request with the good token.
    pub(crate) async fn ask(&mut self, line: &str, body: &str) -> HttpAnswer {
        self.ask_with(line, &[], body).await
    }

    /// Sends a request with the good token and these headers.
    pub(crate) async fn ask_with(&mut self, line: &str, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
        let headers = [&[("Authorization", FakeService::TOKEN)], headers].concat();
        self.client.ask(line, &headers, body.as_bytes()).await.unwrap()
    }

    /// Connects anew.
    pub(crate) async fn again(mut self) -> Self {
        self.client = connect(&self.running, &self.connector).await;
        self
    }
}
