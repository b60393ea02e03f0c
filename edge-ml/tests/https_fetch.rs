//! Files of models over HTTPS, from a server on this machine with certificates of an authority made for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use edge_ml::fetch::{Fetch as _, FetchError, FetchRequest, HttpFetch};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const CONTENT: &[u8] = b"the file of a model";

/// Serves one request by TLS, with a certificate for `name`; returns where, and the authority in PEM.
fn serve(name: &str) -> (SocketAddr, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let work = move || {
        let (socket, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(connection, socket));
        let mut line = String::new();
        // A client that does not trust the certificate goes away.
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
        }
        let stream = stream.get_mut();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", CONTENT.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(CONTENT)).unwrap();
        stream.conn.send_close_notify();
        let _gone = stream.flush().and_then(|()| stream.read(&mut [0]));
    };
    std::thread::Builder::new().name("server".into()).spawn(work).unwrap();
    (address, authority.pem())
}

async fn fetched(address: SocketAddr, authorities: &str) -> Result<Vec<u8>, FetchError> {
    let fetch = HttpFetch::with_roots(authorities.as_bytes())?;
    let (head, mut body) = fetch.fetch(&FetchRequest::whole(format!("https://{address}/m.onnx"))).await?;
    assert_eq!((head.status, head.content_length), (200, Some(CONTENT.len() as u64)));
    let mut all = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn told(error: &FetchError) -> String {
    edge_core::Report(error).to_string()
}

#[tokio::test]
async fn a_file_comes_from_a_server_that_is_trusted() {
    let (address, authority) = serve("127.0.0.1");
    assert_eq!(fetched(address, &authority).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn nothing_comes_from_a_server_that_is_not_trusted() {
    let (address, _) = serve("127.0.0.1");
    let (_, other) = serve("127.0.0.1");
    let error = fetched(address, &other).await.unwrap_err();
    assert!(told(&error).contains("invalid peer certificate"), "{}", told(&error));
}

#[tokio::test]
async fn nothing_comes_from_a_server_with_another_name() {
    let (address, authority) = serve("elsewhere.local");
    let error = fetched(address, &authority).await.unwrap_err();
    assert!(told(&error).contains("not valid for name"), "{}", told(&error));
}

#[test]
fn authorities_that_cannot_be_read_are_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert!(HttpFetch::with_roots(broken.as_bytes()).is_err());
}
