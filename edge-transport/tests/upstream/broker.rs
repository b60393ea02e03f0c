//! A broker that does what a test tells it, on loopback.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::packets::{self, Arrival, FromClient, PINGRESP, Welcome};
use super::tasks::spawn;

/// How the broker behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It answers everything at once.
    Open,
    /// It takes messages in and answers nothing, not even pings.
    Withholding,
    /// It closes every connection.
    Cut,
}

/// When to cut the connection on which a certain message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    BeforePuback,
    AfterPuback,
}

/// What a test tells the broker, and what it has seen.
#[derive(Debug)]
pub struct State {
    is_v5: bool,
    mode: watch::Sender<Mode>,
    /// Reason codes for bodies; everything else is a success.
    pub reasons: Mutex<Vec<(Bytes, u8)>>,
    /// Cuts the connection once, at the message with this body.
    pub cut: Mutex<Option<(Bytes, Cut)>>,
    /// Hangs up whenever the message with this body comes.
    pub poison: Mutex<Option<Bytes>>,
    /// Whom it lets in; `None` is everybody.
    pub login: Mutex<Option<(String, String)>>,
    pub welcome: Mutex<Welcome>,
    /// The code of every CONNACK.
    pub connack: Mutex<u8>,
    /// What it has answered with success, in order.
    pub taken: Mutex<Vec<Arrival>>,
    /// What has come, in order, answered or not.
    pub arrived: Mutex<Vec<Bytes>>,
    /// How many messages are without an answer.
    held: watch::Sender<usize>,
    pub most_held: AtomicUsize,
    pub connections: watch::Sender<usize>,
    pub goodbyes: watch::Sender<usize>,
}

/// A broker that runs as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct Broker {
    pub port: u16,
    pub state: Arc<State>,
}

impl Broker {
    pub async fn start(is_v5: bool) -> Self {
        Self::start_with(is_v5, None).await
    }

    pub async fn start_with(is_v5: bool, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            is_v5,
            mode: watch::Sender::new(Mode::Open),
            reasons: Mutex::default(),
            cut: Mutex::default(),
            poison: Mutex::default(),
            login: Mutex::default(),
            welcome: Mutex::default(),
            connack: Mutex::default(),
            taken: Mutex::default(),
            arrived: Mutex::default(),
            held: watch::Sender::new(0),
            most_held: AtomicUsize::new(0),
            connections: watch::Sender::new(0),
            goodbyes: watch::Sender::new(0),
        });
        let shared = state.clone();
        spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (state, tls) = (shared.clone(), tls.clone());
                spawn(async move {
                    match tls {
                        None => state.serve(tcp).await,
                        Some(config) => match TlsAcceptor::from(config).accept(tcp).await {
                            Ok(stream) => state.serve(stream).await,
                            Err(error) => println!("the broker's TLS refused a client: {error}"),
                        },
                    }
                });
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        self.state.mode.send_replace(mode);
    }

    /// Resolves when at least `count` messages are without an answer.
    pub async fn holds(&self, count: usize) {
        self.state.held.subscribe().wait_for(|held| *held >= count).await.unwrap();
    }

    pub fn bodies(&self) -> Vec<Bytes> {
        self.state.taken.lock().unwrap().iter().map(|arrival| arrival.body.clone()).collect()
    }
}

impl State {
    /// Serves one client; returning closes the connection.
    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Send + Unpin) {
        let mut mode = self.mode.subscribe();
        if *mode.borrow_and_update() == Mode::Cut {
            return;
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (mut input, mut waiting) = (BytesMut::new(), Vec::new());
        loop {
            while let Some(packet) = packets::read(self.is_v5, &mut input) {
                let Some(answer) = self.hear(packet, &mut waiting) else { return };
                if writer.write_all(&answer).await.is_err() || writer.flush().await.is_err() {
                    return;
                }
            }
            if *mode.borrow_and_update() == Mode::Open {
                for arrival in std::mem::take(&mut waiting) {
                    let Some(answer) = self.answer(&arrival) else { return };
                    self.held.send_modify(|held| *held -= 1);
                    if writer.write_all(&answer).await.is_err() || writer.flush().await.is_err() {
                        return;
                    }
                    if self.is_cut(&arrival, Cut::AfterPuback) {
                        return;
                    }
                }
            }
            tokio::select! {
                read = reader.read_buf(&mut input) => if !matches!(read, Ok(1..)) {
                    return self.held.send_modify(|held| *held -= waiting.len());
                },
                _ = mode.changed() => if *mode.borrow() == Mode::Cut {
                    return self.held.send_modify(|held| *held -= waiting.len());
                },
            }
        }
    }

    /// Takes in a packet, and returns what to say at once; `None` closes the connection.
    fn hear(&self, packet: FromClient, waiting: &mut Vec<Arrival>) -> Option<Vec<u8>> {
        match packet {
            FromClient::Connect { user, password, clean, .. } => {
                assert!(clean, "what is not delivered is in the gateway's queue, not in a session");
                let wanted = self.login.lock().unwrap().clone();
                let refused = if self.is_v5 { 0x86 } else { 4 };
                let code = match wanted {
                    Some(wanted) if Some(&wanted) != user.zip(password).as_ref() => refused,
                    _ => *self.connack.lock().unwrap(),
                };
                self.connections.send_modify(|made| *made += 1);
                Some(packets::connack(self.is_v5, code, &self.welcome.lock().unwrap()))
            }
            FromClient::Publish(arrival) => {
                self.arrived.lock().unwrap().push(arrival.body.clone());
                let is_poison = self.poison.lock().unwrap().as_ref() == Some(&arrival.body);
                if is_poison || self.is_cut(&arrival, Cut::BeforePuback) {
                    return None;
                }
                waiting.push(arrival);
                self.held.send_modify(|held| *held += 1);
                self.most_held.fetch_max(waiting.len(), Ordering::Relaxed);
                Some(Vec::new())
            }
            FromClient::Ping if *self.mode.borrow() == Mode::Withholding => Some(Vec::new()),
            FromClient::Ping => Some(PINGRESP.into()),
            FromClient::Disconnect => {
                self.goodbyes.send_modify(|said| *said += 1);
                None
            }
        }
    }

    fn answer(&self, arrival: &Arrival) -> Option<Vec<u8>> {
        let reasons = self.reasons.lock().unwrap();
        let code = reasons.iter().find(|(body, _)| *body == arrival.body).map_or(0, |(_, code)| *code);
        if code < 0x80 {
            self.taken.lock().unwrap().push(arrival.clone());
        }
        Some(packets::puback(arrival.id, code))
    }

    /// Whether to cut the connection now, which happens once.
    fn is_cut(&self, arrival: &Arrival, when: Cut) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let hit = cut.as_ref().is_some_and(|(body, cut)| *body == arrival.body && *cut == when);
        if hit {
            *cut = None;
        }
        hit
    }
}
