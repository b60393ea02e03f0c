//! Many connections on one thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;

use crate::client::Client;
use crate::clock;
use crate::mqtt::{self, Login, Packet};

/// How long nothing may happen before a measurement is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// How many connections are being made at a time.
const CONNECTING: usize = 128;

/// Connections that take turns: packets come in by [`Swarm::turn`], and go out at the next one.
#[derive(Debug)]
pub struct Swarm {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    dirty: Vec<usize>,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Connects one client for each login and waits until all are accepted and subscribed.
    ///
    /// # Errors
    /// When one is refused, or nothing happens for a minute.
    pub fn connect(
        address: SocketAddr,
        logins: &[Login],
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let mut swarm = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            clients: Vec::with_capacity(logins.len()),
            dirty: Vec::new(),
            buffer: vec![0; 256 * 1024],
        };
        let mut ready = 0;
        let mut packets = Vec::new();
        while ready < logins.len() {
            while swarm.clients.len() < logins.len() && swarm.clients.len() < ready + CONNECTING {
                swarm.begin(address, &logins[swarm.clients.len()], tls)?;
            }
            swarm.turn(&mut packets)?;
            for (index, packet) in packets.drain(..) {
                match (packet, &logins[index].subscribes_to) {
                    (Packet::Connected(0), Some(filter)) => swarm.send(index, &mqtt::subscribe(filter)),
                    (Packet::Connected(0) | Packet::Answered(204), None) | (Packet::Subscribed(0..=2), _) => {
                        ready += 1;
                    }
                    (Packet::Settled { .. } | Packet::Other, _) => {}
                    (packet, _) => {
                        let client = &logins[index].client_id;
                        return Err(io::Error::other(format!("{client} was answered {packet:?}")));
                    }
                }
            }
        }
        Ok(swarm)
    }

    /// Queues bytes for a client; they leave at the next turn.
    pub fn send(&mut self, index: usize, bytes: &[u8]) {
        self.out(index).extend_from_slice(bytes);
    }

    /// Returns what a client is about to send, to be added to.
    pub fn out(&mut self, index: usize) -> &mut Vec<u8> {
        let client = &mut self.clients[index];
        if client.out.is_empty() {
            self.dirty.push(index);
        }
        &mut client.out
    }

    /// Sends what is queued, waits, and adds what arrived.
    ///
    /// # Errors
    /// When a connection is broken or nothing happens for a minute.
    pub fn turn(&mut self, packets: &mut Vec<(usize, Packet)>) -> io::Result<()> {
        let until = clock::now() + SILENCE;
        while packets.is_empty() {
            for index in self.dirty.drain(..) {
                self.clients[index].flush()?;
            }
            match self.poll.poll(&mut self.events, Some(SILENCE)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            if clock::now() > until {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the server has been silent for a minute",
                ));
            }
            for event in &self.events {
                let Token(index) = event.token();
                let client = &mut self.clients[index];
                if event.is_writable() {
                    client.flush()?;
                }
                if event.is_readable() {
                    client.read(&mut self.buffer, |packet| packets.push((index, packet)))?;
                }
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        address: SocketAddr,
        login: &Login,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<()> {
        let mut client = Client::connect(address, login.protocol, tls)?;
        let index = self.clients.len();
        self.poll.registry().register(
            client.source(),
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        client.out = login.protocol.connect(login);
        self.clients.push(client);
        self.dirty.push(index);
        Ok(())
    }
}
