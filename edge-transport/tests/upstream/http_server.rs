//! An HTTP server that does what a test tells it, on loopback.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use edge_transport::upstream::ndjson::Record;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::broker::Mode;
use super::tasks::spawn;

/// A request that has come.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Arrival {
    /// Returns the bodies of the messages in it.
    pub fn messages(&self) -> Vec<Bytes> {
        let text = std::str::from_utf8(&self.body).unwrap();
        if text.starts_with('[') {
            return vec![self.body.clone()];
        }
        text.lines().map(|line| line.parse::<Record>().unwrap().message.body_bytes()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// An answer: status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, &'static str);
type Judge = Box<dyn Fn(&Arrival) -> Option<Answer> + Send + Sync>;

pub struct State {
    mode: watch::Sender<Mode>,
    held: watch::Sender<usize>,
    /// Answers requests otherwise than with 204.
    pub judge: Mutex<Option<Judge>>,
    pub arrived: Mutex<Vec<Arrival>>,
    /// What was answered with success.
    pub taken: Mutex<Vec<Bytes>>,
    pub connections: watch::Sender<usize>,
}

/// A server that runs as long as the test's runtime.
#[derive(Clone)]
pub struct HttpServer {
    pub port: u16,
    pub state: Arc<State>,
}

impl HttpServer {
    pub async fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            mode: watch::Sender::new(Mode::Open),
            held: watch::Sender::new(0),
            judge: Mutex::default(),
            arrived: Mutex::default(),
            taken: Mutex::default(),
            connections: watch::Sender::new(0),
        });
        let shared = state.clone();
        spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (state, tls) = (shared.clone(), tls.clone());
                state.connections.send_modify(|made| *made += 1);
                spawn(async move {
                    let mut mode = state.mode.subscribe();
                    tokio::select! {
                        biased;
                        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
                        () = state.serve(tcp, tls) => {}
                    }
                });
            }
        });
        Self { port, state }
    }

    pub fn set(&self, mode: Mode) {
        self.state.mode.send_replace(mode);
    }

    pub async fn holds(&self, count: usize) {
        self.state.held.subscribe().wait_for(|held| *held >= count).await.unwrap();
    }

    /// Makes the server answer otherwise than with 204 where `judge` says so.
    pub fn judge(&self, judge: impl Fn(&Arrival) -> Option<Answer> + Send + Sync + 'static) {
        *self.state.judge.lock().unwrap() = Some(Box::new(judge));
    }
}

impl State {
    async fn serve(self: &Arc<Self>, tcp: tokio::net::TcpStream, tls: Option<Arc<ServerConfig>>) {
        let service = service_fn(|request| self.answer(request));
        let served = match tls {
            None => http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await,
            Some(config) => match TlsAcceptor::from(config).accept(tcp).await {
                Ok(stream) => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                Err(error) => return println!("the server's TLS refused a client: {error}"),
            },
        };
        drop(served);
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Ok(Response::default()) };
        let arrival = Arrival { path: head.uri.to_string(), headers: head.headers, body: body.to_bytes() };
        self.arrived.lock().unwrap().push(arrival.clone());
        self.held.send_modify(|held| *held += 1);
        self.mode.subscribe().wait_for(|mode| *mode == Mode::Open).await.map(drop).unwrap();
        self.held.send_modify(|held| *held -= 1);
        let judged = self.judge.lock().unwrap().as_ref().and_then(|judge| judge(&arrival));
        let (status, headers, said) = judged.unwrap_or((204, Vec::new(), ""));
        if (200..300).contains(&status) {
            self.taken.lock().unwrap().extend(arrival.messages());
        }
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(response.body(Full::from(said)).unwrap())
    }
}
