//! A listener of a small line protocol, whole or with one flaw.
//!
//! The client says `HELLO <id> <token>`, `SEND <id> <body>`, `SUBSCRIBE` and `TAKE`; the server says `OK`, `NO`, `ACK`,
//! `SUBSCRIBED` and `MESSAGE <body>`.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{
    Credentials, Delivery, Feed, Gateway, Hello, Identity, Incident, IncidentKind, MessageBuilder, Origin,
    Receipt, Session, SessionEvent, Settlement,
};
use edge_transport::testing::listener::{ListenerClient, ListenerHarness};
use edge_transport::{Listener, ListenerError, Stop};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is wrong with a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    LetsEverybodyIn,
    AcknowledgesEarly,
    IgnoresFailedReceipts,
    ForwardsForAnybody,
    ReadsWithoutBound,
    ForgetsToSettle,
    SettlesEarly,
    KeepsSessions,
    IgnoresTheClose,
    DoesNotStop,
    DiesOfNonsense,
}

impl Flaw {
    /// All flaws, each with the case that must catch it.
    pub(crate) const ALL: &'static [(Self, &'static str)] = &[
        (Self::LetsEverybodyIn, "refused_clients_take_no_part"),
        (Self::AcknowledgesEarly, "acknowledgements_wait_for_the_receipt"),
        (Self::IgnoresFailedReceipts, "a_failed_receipt_is_told"),
        (Self::ForwardsForAnybody, "nobody_sends_for_another"),
        (Self::ReadsWithoutBound, "reading_stops_while_receipts_wait"),
        (Self::ForgetsToSettle, "taken_deliveries_are_settled"),
        (Self::SettlesEarly, "untaken_deliveries_are_released"),
        (Self::KeepsSessions, "the_session_ends_with_the_connection"),
        (Self::IgnoresTheClose, "a_closed_session_closes_the_connection"),
        (Self::DoesNotStop, "stopping_ends_everything"),
        (Self::DiesOfNonsense, "one_client_ends_nothing_for_others"),
    ];
}

#[derive(Debug)]
struct LineListener {
    listener: TcpListener,
    flaw: Option<Flaw>,
}

#[async_trait]
impl Listener for LineListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.wait(), if self.flaw != Some(Flaw::DoesNotStop) => break,
                Some(ended) = tasks.join_next() => {
                    if self.flaw == Some(Flaw::DiesOfNonsense) && matches!(ended, Ok(Err(_))) {
                        break;
                    }
                }
                Ok((stream, peer)) = self.listener.accept() => {
                    let (gateway, flaw) = (Arc::clone(&gateway), self.flaw);
                    tasks.spawn(async move { talk(stream, peer, &*gateway, flaw).await });
                }
            }
        }
        tasks.shutdown().await;
        Ok(())
    }
}

/// One connection.
struct Talk {
    session: Box<dyn Session>,
    origin: Origin,
    out: OwnedWriteHalf,
    receipts: VecDeque<Receipt>,
    deliveries: VecDeque<Delivery>,
    flaw: Option<Flaw>,
}

fn nonsense() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

async fn talk(
    stream: TcpStream,
    peer: SocketAddr,
    gateway: &dyn Gateway,
    flaw: Option<Flaw>,
) -> io::Result<()> {
    let has = |other| flaw == Some(other);
    let (read, mut out) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let hello = lines.next_line().await?.unwrap_or_default();
    let (id, token) =
        hello.strip_prefix("HELLO ").and_then(|rest| rest.split_once(' ')).ok_or_else(nonsense)?;
    let identity: Identity = id.parse().map_err(|_| nonsense())?;
    let open = |token: &str| {
        let credentials = Credentials::SasToken(token.to_owned());
        gateway.open(Hello::new(identity.clone(), credentials, "line", Some(peer)))
    };
    let mut opened = open(token).await;
    if opened.is_err() && has(Flaw::LetsEverybodyIn) {
        opened = open(edge_transport::testing::FakeGateway::TOKEN).await;
    }
    let Ok(session) = opened else { return out.write_all(b"NO\n").await };
    out.write_all(b"OK\n").await?;
    let origin = Origin::new(session.authenticated());
    let mut talk =
        Talk { session, origin, out, receipts: VecDeque::new(), deliveries: VecDeque::new(), flaw };
    let result = talk.run(&mut lines, gateway).await;
    if has(Flaw::KeepsSessions) {
        std::mem::forget(talk.session);
    }
    result
}

impl Talk {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    async fn run(
        &mut self,
        lines: &mut Lines<BufReader<OwnedReadHalf>>,
        gateway: &dyn Gateway,
    ) -> io::Result<()> {
        let mut deaf = false;
        loop {
            let room = self.receipts.len() < 16 || self.has(Flaw::ReadsWithoutBound);
            tokio::select! {
                line = lines.next_line(), if room => match line? {
                    Some(line) => self.line(&line, gateway).await?,
                    None => return Ok(()),
                },
                receipt = async { self.receipts.front_mut().unwrap().await }, if !self.receipts.is_empty() => {
                    self.receipts.pop_front();
                    match receipt {
                        _ if self.has(Flaw::AcknowledgesEarly) => {}
                        Ok(_) => self.out.write_all(b"ACK\n").await?,
                        Err(_) if self.has(Flaw::IgnoresFailedReceipts) => self.out.write_all(b"ACK\n").await?,
                        Err(_) => return Ok(()),
                    }
                }
                event = poll_fn(|cx| self.session.poll_event(cx)), if !deaf => match event {
                    SessionEvent::Deliver(delivery) => self.deliver(delivery).await?,
                    _ if self.has(Flaw::IgnoresTheClose) => deaf = true,
                    _ => return Ok(()),
                },
            }
        }
    }

    async fn deliver(&mut self, delivery: Delivery) -> io::Result<()> {
        let body = String::from_utf8_lossy(delivery.message().body()).into_owned();
        if self.has(Flaw::SettlesEarly) {
            delivery.settle(Settlement::Accept);
        } else {
            self.deliveries.push_back(delivery);
        }
        self.out.write_all(format!("MESSAGE {body}\n").as_bytes()).await
    }

    async fn line(&mut self, line: &str, gateway: &dyn Gateway) -> io::Result<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "SEND" => {
                let (id, body) = rest.split_once(' ').ok_or_else(nonsense)?;
                let own = self.origin.identity().to_string();
                if id != own && !self.has(Flaw::ForwardsForAnybody) {
                    let detail = format_args!("{own} sends as {id}");
                    gateway.report(&Incident::new(IncidentKind::ForeignTopic, "line", detail));
                    return Err(nonsense());
                }
                let mut builder = MessageBuilder::default();
                self.origin.stamp(&mut builder, None);
                builder.set_body(body.as_bytes());
                self.receipts.push_back(self.session.publish(vec![builder.build()]));
                if self.has(Flaw::AcknowledgesEarly) {
                    self.out.write_all(b"ACK\n").await?;
                }
            }
            "SUBSCRIBE" => {
                drop(self.session.subscribe(Feed::Inputs.into()));
                self.out.write_all(b"SUBSCRIBED\n").await?;
            }
            "TAKE" => {
                let delivery = self.deliveries.pop_front().ok_or_else(nonsense)?;
                if self.has(Flaw::ForgetsToSettle) {
                    std::mem::forget(delivery);
                } else {
                    delivery.settle(Settlement::Accept);
                }
            }
            _ => return Err(nonsense()),
        }
        Ok(())
    }
}

/// The harness of the line protocol, whole or with one flaw.
pub(crate) struct LineHarness(pub(crate) Option<Flaw>);

#[async_trait]
impl ListenerHarness for LineHarness {
    async fn listener(&self) -> Box<dyn Listener> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Box::new(LineListener { listener, flaw: self.0 })
    }

    async fn connect(
        &self,
        address: SocketAddr,
        identity: &Identity,
        token: &str,
    ) -> Option<Box<dyn ListenerClient>> {
        let (read, mut out) = TcpStream::connect(address).await.ok()?.into_split();
        out.write_all(format!("HELLO {identity} {token}\n").as_bytes()).await.ok()?;
        let mut lines = BufReader::new(read).lines();
        let answer = lines.next_line().await.ok()??;
        (answer == "OK").then(|| Box::new(LineClient { lines, out }) as Box<dyn ListenerClient>)
    }
}

#[derive(Debug)]
struct LineClient {
    lines: Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
}

impl LineClient {
    async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }
}

#[async_trait]
impl ListenerClient for LineClient {
    async fn send(&mut self, sender: &Identity, body: &[u8]) -> bool {
        let body: String = body.iter().map(|byte| char::from(byte | 0x40)).collect();
        self.out.write_all(format!("SEND {sender} {body}\n").as_bytes()).await.is_ok()
    }

    async fn acknowledged(&mut self) -> bool {
        self.line().await.as_deref() == Some("ACK")
    }

    async fn subscribe(&mut self) {
        self.out.write_all(b"SUBSCRIBE\n").await.unwrap();
        assert_eq!(self.line().await.as_deref(), Some("SUBSCRIBED"));
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        self.line().await?.strip_prefix("MESSAGE ").map(|body| body.as_bytes().to_vec())
    }

    async fn accept(&mut self) {
        self.out.write_all(b"TAKE\n").await.unwrap();
    }

    async fn send_nonsense(&mut self) {
        self.out.write_all(b"?!\n").await.unwrap();
    }

    async fn ended(&mut self) {
        while self.line().await.is_some() {}
    }
}
