//! The way over HTTP keeps to the contract, against a server that is written by hand.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use async_trait::async_trait;
use edge_ml::fetch::{Fetch, FetchRequest, HttpFetch};
use edge_ml::testing::fetch::{FetchHarness, Site, content};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

fn http() -> Arc<dyn Fetch> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Arc::new(HttpFetch::new(Arc::new(config)))
}

/// Answers one request.
fn answer(stream: &mut TcpStream, site: Site) -> std::io::Result<()> {
    let mut headers = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        headers.push(line);
    }
    let value = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!(value("accept-encoding"), Some("identity"), "{headers:?}");
    assert!(value("host").is_some_and(|host| host.starts_with("127.0.0.1:")), "{headers:?}");
    if site == Site::Missing {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    let content = content();
    let range =
        value("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = range.filter(|_| value("if-range") == Some("\"v1\"")).unwrap_or(0);
    let (last, total) = (content.len() - 1, content.len());
    let status = if from > 0 {
        format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{total}")
    } else {
        "200 OK".into()
    };
    write!(stream, "HTTP/1.1 {status}\r\nETag: \"v1\"\r\nContent-Length: {}\r\n\r\n", total - from)?;
    let end = if site == Site::Torn { total / 2 } else { total };
    stream.write_all(&content[from..end])
}

struct OverHttp;

#[async_trait]
impl FetchHarness for OverHttp {
    async fn serve(&self, site: Site) -> (Arc<dyn Fetch>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/models/m.onnx?v=1", listener.local_addr().unwrap());
        if site != Site::Silent {
            std::thread::Builder::new()
                .name("server".into())
                .spawn(move || {
                    let (mut stream, _) = listener.accept().unwrap();
                    // Whoever asked may have gone.
                    let _gone = answer(&mut stream, site);
                })
                .unwrap();
        }
        (http(), url)
    }
}

edge_ml::fetch_conformance!(OverHttp);

#[tokio::test]
async fn addresses_that_are_none_are_errors() {
    for url in ["http://", "https:///x", "ht tp://x", "/x"] {
        assert!(http().fetch(&FetchRequest::whole(url)).await.is_err(), "{url}");
    }
}
