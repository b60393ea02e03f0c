//! An AMQP 1.0 broker that does what a test tells it, on loopback.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fe2o3_amqp::Delivery;
use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, SaslAnonymousMechanism, SaslPlainMechanism,
    SessionAcceptor,
};
use fe2o3_amqp::link::Receiver;
use fe2o3_amqp::types::definitions::{AmqpError, Error};
use fe2o3_amqp::types::messaging::{Data, Message, Modified};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::broker::Mode;
use super::tasks::spawn;

/// What becomes of a message with a certain body; others are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Reject(AmqpError, &'static str),
    Release,
    Modify { undeliverable: bool },
}

/// When to cut the connection on which a certain message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    BeforeSettling,
    AfterSettling,
}

#[derive(Debug)]
pub struct State {
    mode: watch::Sender<Mode>,
    pub verdicts: Mutex<Vec<(Bytes, Verdict)>>,
    /// Cuts the connection once, at the message with this body.
    pub cut: Mutex<Option<(Bytes, Cut)>>,
    /// Hangs up whenever the message with this body comes.
    pub poison: Mutex<Option<Bytes>>,
    /// Whom it lets in; `None` is everybody.
    pub login: Mutex<Option<(String, String)>>,
    /// The only address that it has; `None` is any.
    pub address: Mutex<Option<String>>,
    pub max_message_bytes: Mutex<Option<u64>>,
    /// What it has accepted, in order.
    pub taken: Mutex<Vec<Message<Data>>>,
    /// What has come, in order.
    pub arrived: Mutex<Vec<Bytes>>,
    held: watch::Sender<usize>,
    pub most_held: AtomicUsize,
    pub connections: watch::Sender<usize>,
    pub goodbyes: watch::Sender<usize>,
}

/// A broker that runs as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct AmqpBroker {
    pub port: u16,
    pub state: Arc<State>,
}

impl AmqpBroker {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    pub async fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            mode: watch::Sender::new(Mode::Open),
            verdicts: Mutex::default(),
            cut: Mutex::default(),
            poison: Mutex::default(),
            login: Mutex::default(),
            address: Mutex::default(),
            max_message_bytes: Mutex::default(),
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
                let (near, mut far) = tokio::io::duplex(1 << 16);
                let cut = watch::Sender::new(false);
                let (state, tls, is_cut) = (shared.clone(), tls.clone(), cut.subscribe());
                // What the broker reads passes through here, so that it can be cut off at any byte.
                spawn(async move {
                    let copy = async {
                        match tls {
                            None => {
                                let mut tcp = tcp;
                                tokio::io::copy_bidirectional(&mut tcp, &mut far).await.map(drop)
                            }
                            Some(config) => {
                                let mut stream = TlsAcceptor::from(config).accept(tcp).await?;
                                tokio::io::copy_bidirectional(&mut stream, &mut far).await.map(drop)
                            }
                        }
                    };
                    let mut is_cut = is_cut;
                    tokio::select! {
                        _ = copy => {}
                        // A broker that goes by itself is no cut: what it said last arrives.
                        Ok(_) = is_cut.wait_for(|cut| *cut) => {}
                    }
                });
                let mut mode = state.mode.subscribe();
                spawn(async move {
                    tokio::select! {
                        biased;
                        _ = mode.wait_for(|mode| *mode == Mode::Cut) => drop(cut.send_replace(true)),
                        () = state.serve(near, &cut) => {}
                    }
                });
            }
        });
        Self { port, state }
    }

    pub fn set(&self, mode: Mode) {
        self.state.mode.send_replace(mode);
    }

    /// Resolves when at least `count` messages are without an answer.
    pub async fn holds(&self, count: usize) {
        self.state.held.subscribe().wait_for(|held| *held >= count).await.unwrap();
    }

    pub fn bodies(&self) -> Vec<Bytes> {
        self.state.taken.lock().unwrap().iter().map(body).collect()
    }
}

fn body(message: &Message<Data>) -> Bytes {
    Bytes::copy_from_slice(&message.body.0)
}

impl State {
    async fn serve(&self, stream: DuplexStream, cut: &watch::Sender<bool>) {
        self.connections.send_modify(|made| *made += 1);
        let login = self.login.lock().unwrap().clone();
        let builder = ConnectionAcceptor::builder().container_id("broker");
        let connection = match login {
            Some((user, password)) => {
                builder.sasl_acceptor(SaslPlainMechanism::new(user, password)).build().accept(stream).await
            }
            None => builder.sasl_acceptor(SaslAnonymousMechanism::new()).build().accept(stream).await,
        };
        let Ok(mut connection) = connection else { return };
        let Ok(mut session) = SessionAcceptor::new().accept(&mut connection).await else { return };
        let Some(attach) = session.next_incoming_attach().await else { return };
        let wanted = self.address.lock().unwrap().clone();
        let target = format!("{:?}", attach.target);
        if wanted.is_some_and(|wanted| !target.contains(&format!("{wanted:?}"))) {
            let error = Error::new(AmqpError::NotFound, Some("no such queue".into()), None);
            let _either_way = session.end_with_error(error).await;
            return;
        }
        let mut acceptor = LinkAcceptor::builder();
        if let Some(max) = *self.max_message_bytes.lock().unwrap() {
            acceptor = acceptor.max_message_size(max);
        }
        let Ok(LinkEndpoint::Receiver(mut receiver)) =
            acceptor.build().accept_incoming_attach(attach, &mut session).await
        else {
            return;
        };
        let mut mode = self.mode.subscribe();
        let mut waiting = Vec::new();
        loop {
            if *mode.borrow_and_update() == Mode::Open {
                for delivery in waiting.drain(..) {
                    self.held.send_modify(|held| *held -= 1);
                    self.settle(&receiver, &delivery).await;
                    if self.is_cut(&body(delivery.message()), Cut::AfterSettling) {
                        cut.send_replace(true);
                        return;
                    }
                }
            }
            tokio::select! {
                received = receiver.recv::<Data>() => match received {
                    Ok(delivery) => {
                        self.arrived.lock().unwrap().push(body(delivery.message()));
                        let is_poison = self.poison.lock().unwrap().as_ref() == Some(&body(delivery.message()));
                        if is_poison || self.is_cut(&body(delivery.message()), Cut::BeforeSettling) {
                            cut.send_replace(true);
                            return;
                        }
                        waiting.push(delivery);
                        self.held.send_modify(|held| *held += 1);
                        self.most_held.fetch_max(waiting.len(), Ordering::Relaxed);
                    }
                    Err(_gone) => {
                        self.held.send_modify(|held| *held -= waiting.len());
                        self.goodbyes.send_modify(|said| *said += 1);
                        return;
                    }
                },
                _ = mode.changed() => {}
            }
        }
    }

    async fn settle(&self, receiver: &Receiver, delivery: &Delivery<Data>) {
        let message = delivery.message();
        let verdict = {
            let verdicts = self.verdicts.lock().unwrap();
            verdicts.iter().find(|(of, _)| *of == body(message)).map(|(_, verdict)| verdict.clone())
        };
        let settled = match verdict {
            None => {
                self.taken.lock().unwrap().push(message.clone());
                receiver.accept(delivery).await
            }
            Some(Verdict::Release) => receiver.release(delivery).await,
            Some(Verdict::Reject(condition, description)) => {
                receiver.reject(delivery, Error::new(condition, Some(description.into()), None)).await
            }
            Some(Verdict::Modify { undeliverable }) => {
                let modified = Modified {
                    delivery_failed: Some(true),
                    undeliverable_here: Some(undeliverable),
                    message_annotations: None,
                };
                receiver.modify(delivery, modified).await
            }
        };
        drop(settled);
    }

    /// Whether to cut the connection now, which happens once.
    fn is_cut(&self, arrived: &Bytes, when: Cut) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let hit = cut.as_ref().is_some_and(|(body, cut)| body == arrived && *cut == when);
        if hit {
            *cut = None;
        }
        hit
    }
}

/// Attaches a link and gives no credit on it, as a broker does that is short of memory.
pub async fn stingy() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let list = |code: u8, fields: &[&[u8]]| {
                let body = fields.concat();
                let sizes = [u8::try_from(body.len() + 1).unwrap(), u8::try_from(fields.len()).unwrap()];
                [&[0, 0x53, code, 0xc0][..], &sizes, &body].concat()
            };
            let frame = |kind: u8, body: Vec<u8>| {
                let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
                [&size[..], &[2, kind, 0, 0], &body].concat()
            };
            let text = |text: &str| [&[0xa1, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            let target = list(0x29, &[&text("q")]);
            // What it waits for before it says each: a part of a header, or the code of a frame.
            let asked: [&[u8]; 7] = [
                b"AMQP\x03",
                b"AMQP\x03",
                b"\x00\x53\x41",
                b"AMQP\x00",
                b"\x00\x53\x10",
                b"\x00\x53\x11",
                b"\x00\x53\x12",
            ];
            let said = [
                b"AMQP\x03\x01\x00\x00".to_vec(),
                frame(1, list(0x40, &[b"\xa3\x09ANONYMOUS"])),
                frame(1, list(0x44, &[b"\x50\x00"])),
                b"AMQP\x00\x01\x00\x00".to_vec(),
                frame(0, list(0x10, &[&text("broker")])),
                frame(0, list(0x11, &[b"\x60\x00\x00", b"\x43", b"\x52\x64", b"\x52\x64"])),
                frame(
                    0,
                    list(
                        0x12,
                        &[&text("edge1-upstream"), b"\x43", b"\x41", b"\x40", b"\x40", b"\x40", &target],
                    ),
                ),
            ];
            spawn(async move {
                let _until_it_goes = async {
                    let mut heard = Vec::new();
                    for (asked, said) in asked.iter().zip(&said) {
                        while !heard.windows(asked.len()).any(|part| part == *asked) {
                            if tcp.read_buf(&mut heard).await? == 0 {
                                return Ok(0);
                            }
                        }
                        tcp.write_all(said).await?;
                    }
                    tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await
                }
                .await;
            });
        }
    });
    port
}
