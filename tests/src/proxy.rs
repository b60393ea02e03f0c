//! A wire that can be cut.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes connections on to a server until they are cut.
#[derive(Debug)]
pub struct Proxy {
    streams: Arc<Mutex<Streams>>,
}

#[derive(Debug, Default)]
struct Streams {
    accepted: usize,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// Listens at one address and connects to another; ends with the process.
    ///
    /// # Panics
    /// When the address cannot be had.
    #[must_use]
    pub fn start(listen: SocketAddr, server: SocketAddr) -> Self {
        let listener =
            TcpListener::bind(listen).unwrap_or_else(|error| panic!("{listen} cannot be had: {error}"));
        let streams = Arc::new(Mutex::new(Streams::default()));
        let shared = Arc::clone(&streams);
        run("proxy", move || {
            for client in listener.incoming().flatten() {
                // A server that is away looks like one to the client too.
                if let Ok(server) = TcpStream::connect(server) {
                    // A connection that ended at once needs no copying.
                    let _ = pass(&shared, client, server);
                }
            }
        });
        Self { streams }
    }

    /// Ends all connections that are open now, without a word.
    pub fn cut(&self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.open.drain(..) {
            // One that has ended by itself needs no cutting.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Returns how many connections there have been.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).accepted
    }
}

fn pass(streams: &Mutex<Streams>, client: TcpStream, server: TcpStream) -> io::Result<()> {
    let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
    streams.accepted += 1;
    streams.open.extend([client.try_clone()?, server.try_clone()?]);
    drop(streams);
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        run("wire", move || {
            // However it ended, the other side is to see the end.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn run(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.into()).spawn(work).expect("a thread can be started");
}
