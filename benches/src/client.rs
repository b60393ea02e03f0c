//! One connection of the load generator.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use crate::mqtt::Packet;
use crate::protocol::Protocol;

/// A connection that never blocks; what it wants to send waits in `out`.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What is to be sent; written by [`Client::flush`].
    pub out: Vec<u8>,
    sent: usize,
    rest: Vec<u8>,
    protocol: Protocol,
}

impl Client {
    /// Begins to connect.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn connect(
        address: SocketAddr,
        protocol: Protocol,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let tls = tls
            .map(|config| {
                ClientConnection::new(Arc::clone(config), ServerName::IpAddress(address.ip().into()))
            })
            .transpose()
            .map_err(io::Error::other)?
            .map(Box::new);
        Ok(Self { stream, tls, out: Vec::new(), sent: 0, rest: Vec::new(), protocol })
    }

    /// Returns the socket, for registering it.
    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Writes what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            let wrote = match &mut self.tls {
                None => self.stream.write(&self.out[self.sent..]),
                Some(tls) => {
                    let taken = tls.writer().write(&self.out[self.sent..]);
                    push(tls, &mut self.stream)?;
                    taken
                }
            };
            match wrote {
                Ok(0) => return Ok(()),
                Ok(count) => self.sent += count,
                Err(error) if later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        match &mut self.tls {
            Some(tls) => push(tls, &mut self.stream),
            None => Ok(()),
        }
    }

    /// Reads all that the socket holds and hands over each packet.
    ///
    /// # Errors
    /// When the connection is broken or ended.
    pub fn read(&mut self, buffer: &mut [u8], mut packet: impl FnMut(Packet)) -> io::Result<()> {
        loop {
            let count = match &mut self.tls {
                None => self.stream.read(buffer),
                Some(tls) => pull(tls, &mut self.stream, buffer),
            };
            match count {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.parse(&buffer[..count], &mut packet),
                Err(error) if later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn parse(&mut self, bytes: &[u8], packet: &mut impl FnMut(Packet)) {
        let joined;
        let mut bytes = if self.rest.is_empty() {
            bytes
        } else {
            self.rest.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.rest);
            &joined
        };
        while let Some((found, length)) = self.protocol.read(bytes) {
            packet(found);
            bytes = &bytes[length..];
        }
        self.rest.extend_from_slice(bytes);
    }
}

/// Says whether an error only means that the socket has no more for now.
fn later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
    )
}

fn push(tls: &mut ClientConnection, stream: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Ok(_) => {}
            Err(error) if later(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn pull(tls: &mut ClientConnection, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        if tls.read_tls(stream)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        push(tls, stream)?;
    }
}
