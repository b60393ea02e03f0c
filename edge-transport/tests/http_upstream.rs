//! The HTTP upstream against a server that does what the test tells it.

mod upstream;

use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{Disposition, Endpoint, EndpointError, EndpointId, Outcome, Report};
use edge_transport::upstream::{HttpFormat, HttpUpstream, HttpUpstreamOptions};
use tokio::sync::OnceCell;
use upstream::broker::Mode;
use upstream::http_server::HttpServer;
use upstream::{batch, pki};

fn options(server: &HttpServer) -> HttpUpstreamOptions {
    HttpUpstreamOptions::new(format!("http://127.0.0.1:{}/in?site=7", server.port).parse().unwrap())
}

fn open(options: HttpUpstreamOptions) -> HttpUpstream {
    HttpUpstream::new(EndpointId::upstream(), options).unwrap()
}

fn numbers(bodies: &[Bytes]) -> Vec<u64> {
    bodies.iter().map(|body| std::str::from_utf8(body).unwrap().parse().unwrap()).collect()
}

/// Runs the kit of endpoints.
#[derive(Default)]
struct Kit(OnceCell<HttpServer>);

impl Kit {
    async fn server(&self) -> &HttpServer {
        self.0.get_or_init(|| HttpServer::start(None)).await
    }
}

#[async_trait]
impl EndpointHarness for Kit {
    type Endpoint = HttpUpstream;

    async fn open(&self) -> HttpUpstream {
        open(options(self.server().await))
    }

    async fn taken(&self) -> Vec<Bytes> {
        self.server().await.state.taken.lock().unwrap().clone()
    }

    async fn refuse(&self, body: &[u8]) -> bool {
        let refused = Bytes::copy_from_slice(body);
        let judge = move |arrival: &upstream::http_server::Arrival| {
            arrival.messages().contains(&refused).then(|| (422, Vec::new(), "not this one"))
        };
        self.server().await.judge(judge);
        true
    }

    async fn cut(&self) -> bool {
        self.server().await.set(Mode::Cut);
        true
    }

    async fn restore(&self) {
        self.server().await.set(Mode::Open);
    }

    async fn withhold(&self) -> bool {
        self.server().await.set(Mode::Withholding);
        true
    }

    async fn withheld(&self) {
        self.server().await.holds(1).await;
    }

    async fn answer(&self) {
        self.restore().await;
    }
}

mod kit {
    edge_core::endpoint_conformance!(super::Kit::default());
}

#[tokio::test]
async fn a_batch_is_one_request_on_a_kept_connection() {
    let server = HttpServer::start(None).await;
    let upstream = open(options(&server).bearer("s3cret").header("X-Site", "7").gateway("edge1"));
    for _ in 0..3 {
        assert_eq!(upstream.send(&batch(0..5)).await.unwrap(), vec![Outcome::Accepted; 5]);
    }
    let arrived = server.state.arrived.lock().unwrap();
    assert_eq!(arrived.len(), 3);
    assert_eq!(*server.state.connections.borrow(), 1);
    assert_eq!(arrived[0].path, "/in?site=7");
    assert_eq!(arrived[0].header("authorization"), Some("Bearer s3cret"));
    assert_eq!(arrived[0].header("x-site"), Some("7"));
    assert_eq!(arrived[0].header("content-type"), Some("application/x-ndjson"));
    assert_eq!(arrived[0].header("host"), Some(&*format!("127.0.0.1:{}", server.port)));
    let key = arrived[0].header("idempotency-key").unwrap();
    assert_eq!(key.len(), 32);
    assert_eq!(arrived[1].header("idempotency-key"), Some(key), "the same messages have the same key");
}

#[tokio::test]
async fn a_poison_message_is_found_and_the_rest_passes_in_order() {
    let server = HttpServer::start(None).await;
    server.judge(|arrival| {
        let refused = arrival.messages().iter().any(|body| matches!(&body[..], b"3" | b"6"));
        refused.then(|| (400, Vec::new(), "no number"))
    });
    let upstream = open(options(&server));
    let outcomes = upstream.send(&batch(0..9)).await.unwrap();
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Rejected { reason } => {
                assert!([3, 6].contains(&number), "{number}");
                assert_eq!(reason, "the server answers 400 Bad Request, \"no number\"");
            }
            other => assert_eq!((other, [3, 6].contains(&number)), (&Outcome::Accepted, false)),
        }
    }
    assert_eq!(numbers(&server.state.taken.lock().unwrap()), [0, 1, 2, 4, 5, 7, 8]);
}

#[tokio::test]
async fn a_batch_that_is_halved_for_too_long_is_handed_back_with_what_is_known() {
    let server = HttpServer::start(None).await;
    server.judge(|_| Some((400, Vec::new(), "no")));
    let upstream = open(options(&server).send_time(Duration::ZERO));
    for _ in 0..2 {
        let outcomes = upstream.send(&batch(0..8)).await.unwrap();
        assert!(matches!(outcomes[0], Outcome::Rejected { .. }), "the first one is known");
        assert_eq!(outcomes[1..], vec![Outcome::Released; 7]);
    }
    assert_eq!(server.state.arrived.lock().unwrap().len(), 8, "batches of 8, 4, 2 and 1, twice");
}

#[tokio::test]
async fn what_is_too_large_is_split() {
    let server = HttpServer::start(None).await;
    server.judge(|arrival| (arrival.messages().len() > 2).then(|| (413, Vec::new(), "")));
    let upstream = open(options(&server));
    assert_eq!(upstream.send(&batch(0..9)).await.unwrap(), vec![Outcome::Accepted; 9]);
    assert_eq!(numbers(&server.state.taken.lock().unwrap()), (0..9).collect::<Vec<_>>());
    server.judge(|_| Some((413, Vec::new(), "")));
    let outcomes = upstream.send(&batch(0..1)).await.unwrap();
    assert!(matches!(&outcomes[0], Outcome::Rejected { reason } if reason.contains("413")));
}

#[tokio::test]
async fn a_busy_server_is_left_as_long_as_it_asks() {
    let server = HttpServer::start(None).await;
    let upstream = open(options(&server));
    server.judge(|_| Some((429, vec![("Retry-After", "7".into())], "")));
    let error = upstream.send(&batch(0..3)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::RetryAfter(Duration::from_secs(7)));
    server.judge(|_| Some((503, Vec::new(), "starting")));
    let error = upstream.send(&batch(0..3)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    assert!(
        Report(&error).to_string().contains("503 Service Unavailable, \"starting\""),
        "{}",
        Report(&error)
    );
    server.judge(|arrival| match arrival.messages().len() {
        3.. => Some((413, Vec::new(), "")),
        _ if arrival.messages()[0] == "2" => Some((503, Vec::new(), "")),
        _ => None,
    });
    let outcomes = upstream.send(&batch(0..4)).await.unwrap();
    let (accepted, released) = (Outcome::Accepted, Outcome::Released);
    assert_eq!(outcomes, [accepted.clone(), accepted, released.clone(), released], "what is known is kept");
}

#[tokio::test]
async fn what_is_no_fault_of_the_messages_is_named_and_tried_again() {
    let server = HttpServer::start(None).await;
    let upstream = open(options(&server).basic("edge1", "wrong"));
    for (status, header, expected) in [
        (401, None, "check token, password"),
        (404, None, "check the address"),
        (
            308,
            Some(("Location", "https://new.example/in".to_owned())),
            "write https://new.example/in as the address",
        ),
    ] {
        server.judge(move |_| Some((status, header.iter().cloned().collect(), "")));
        let error = upstream.send(&batch(0..2)).await.unwrap_err();
        assert_eq!(matches!(error, EndpointError::Unauthorized { .. }), status == 401, "{error:?}");
        assert!(Report(&error).to_string().contains(expected), "{}", Report(&error));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_left() {
    let server = HttpServer::start(None).await;
    server.set(Mode::Withholding);
    let patience = Duration::from_millis(50);
    let upstream = open(options(&server).timeout(patience));
    let error = upstream.send(&batch(0..3)).await.unwrap_err();
    assert!(matches!(error, EndpointError::TimedOut { after } if after == patience), "{error:?}");
    server.set(Mode::Open);
    assert_eq!(upstream.send(&batch(0..3)).await.unwrap(), vec![Outcome::Accepted; 3]);
}

#[tokio::test]
async fn events_are_posted_as_a_batch() {
    let server = HttpServer::start(None).await;
    let upstream = open(options(&server).format(HttpFormat::CloudEvents).batch(NonZeroUsize::MIN, 1));
    assert_eq!(upstream.batch_limit().messages, NonZeroUsize::MIN);
    assert_eq!(upstream.send(&batch(0..1)).await.unwrap(), [Outcome::Accepted]);
    let arrived = server.state.arrived.lock().unwrap();
    assert!(arrived[0].header("content-type").unwrap().starts_with("application/cloudevents-batch+json"));
    let events: Vec<serde_json::Value> = serde_json::from_slice(&arrived[0].body).unwrap();
    assert_eq!(events[0]["source"], "/devices/s1");
}

#[tokio::test]
async fn closing_is_final() {
    let server = HttpServer::start(None).await;
    let upstream = open(options(&server));
    upstream.close().await;
    assert!(matches!(upstream.send(&batch(0..1)).await, Err(EndpointError::Closed)));
}

#[tokio::test]
async fn tls_shows_a_certificate_and_judges_the_servers() {
    let dir = tempfile::tempdir().unwrap();
    let pki = pki::make(dir.path());
    let server = HttpServer::start(Some(pki.server.clone())).await;
    let new = || {
        let url = format!("https://localhost:{}", server.port).parse().unwrap();
        HttpUpstreamOptions::new(url).ca_file(&pki.ca)
    };
    let known = open(new().client_certificate(&pki.client_chain, &pki.client_key));
    assert_eq!(known.send(&batch(0..3)).await.unwrap(), vec![Outcome::Accepted; 3]);
    open(new()).send(&batch(0..1)).await.unwrap_err();
    let foreign =
        open(new().client_certificate(&pki.client_chain, &pki.client_key).ca_file(&pki.client_chain));
    let error = foreign.send(&batch(0..1)).await.unwrap_err();
    assert!(matches!(error, EndpointError::Unreachable { .. }), "{error:?}");
    assert_eq!(
        server.state.taken.lock().unwrap().len(),
        3,
        "nothing reaches a server that nobody vouches for"
    );
}

#[tokio::test]
async fn contradictory_options_are_refused() {
    let server = HttpServer::start(None).await;
    for (options, expected) in [
        (options(&server).ca_file("ca.pem"), "write https://127.0.0.1"),
        (options(&server).header("a b", "c"), "\"a b\" is no header"),
        (options(&server).header("Content-Type", "c"), "leave it out"),
        (options(&server).bearer("a\nb"), "Authorization"),
    ] {
        let error = HttpUpstream::new(EndpointId::upstream(), options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
