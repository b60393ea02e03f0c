//! The conformance kit for listeners, with a client that speaks in lines.

use std::net::SocketAddr;

use async_trait::async_trait;
use edge_core::Identity;
use edge_transport::Listener;
use edge_transport::testing::listener::{ListenerClient, ListenerHarness};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::listener::LineListener;

struct Lines;

#[async_trait]
impl ListenerHarness for Lines {
    async fn listener(&self) -> Box<dyn Listener> {
        Box::new(LineListener::bind("127.0.0.1:0").await.unwrap())
    }

    async fn connect(
        &self,
        address: SocketAddr,
        identity: &Identity,
        token: &str,
    ) -> Option<Box<dyn ListenerClient>> {
        let stream = TcpStream::connect(address).await.ok()?;
        let mut client = Client { stream: BufReader::new(stream), last: None };
        client.say(format!("HELLO {identity} {token}").as_bytes()).await.then_some(())?;
        (client.line().await? == "WELCOME").then(|| Box::new(client) as Box<dyn ListenerClient>)
    }
}

#[derive(Debug)]
struct Client {
    stream: BufReader<TcpStream>,
    /// The number of the delivery that came last.
    last: Option<String>,
}

impl Client {
    async fn say(&mut self, line: &[u8]) -> bool {
        self.stream.write_all(&[line, b"\n"].concat()).await.is_ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.ok()?;
        line.strip_suffix('\n').map(str::to_owned)
    }
}

#[async_trait]
impl ListenerClient for Client {
    async fn send(&mut self, sender: &Identity, body: &[u8]) -> bool {
        self.say(&[b"SEND ", sender.to_string().as_bytes(), b" ", body].concat()).await
    }

    async fn acknowledged(&mut self) -> bool {
        self.line().await.is_some_and(|line| line.starts_with("OK "))
    }

    async fn subscribe(&mut self) {
        self.say(b"LISTEN").await;
        assert_eq!(self.line().await.as_deref(), Some("LISTENING"));
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        let line = self.line().await?;
        let (number, body) = line.strip_prefix("MESSAGE ")?.split_once(' ')?;
        self.last = Some(number.to_owned());
        Some(body.as_bytes().to_vec())
    }

    async fn accept(&mut self) {
        let number = self.last.take().expect("a delivery came");
        self.say(format!("TAKE {number}").as_bytes()).await;
    }

    async fn send_nonsense(&mut self) {
        self.say(b"GET / HTTP/1.1").await;
    }

    async fn ended(&mut self) {
        while self.line().await.is_some() {}
    }
}

edge_transport::listener_conformance!(Lines);
