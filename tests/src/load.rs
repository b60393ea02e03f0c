//! A device that never stops sending: numbered messages over MQTT without TLS, connecting again after every end.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use edge_bench::clock;
use edge_bench::mqtt::{self, Login, Packet, Publish};
use edge_bench::server::Dialect;

/// How many messages may wait for their acknowledgement.
const WINDOW: usize = 10;
/// How long nothing may arrive before what is missing counts as lost.
const QUIET: Duration = Duration::from_secs(20);

/// Returns the login of a device whose messages are marked as JSON.
#[must_use]
pub fn device() -> Login {
    device_number(0)
}

/// Returns the login of one of several such devices.
#[must_use]
pub fn device_number(number: usize) -> Login {
    let mut login = Dialect::IotHub.publisher(number);
    login.publishes_to.push_str("%24.ct=application%2Fjson&%24.ce=utf-8");
    login
}

/// What the device knows.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The numbers that were acknowledged, in order.
    pub acked: Vec<u64>,
    /// How many messages were sent, acknowledged or not.
    pub sent: u64,
    /// How often it connected.
    pub connected: usize,
    stop: bool,
}

impl Sent {
    /// Waits until every acknowledged number has arrived, and returns how many arrived more than once.
    ///
    /// # Panics
    /// When one is missing though nothing has arrived for a while, or when the order of first arrivals is lost.
    pub fn has_arrived(&self, mut arrived: impl FnMut() -> Vec<u64>) -> usize {
        let acked: BTreeSet<u64> = self.acked.iter().copied().collect();
        let mut before = 0;
        let mut quiet = clock::now();
        loop {
            let numbers = arrived();
            let mut seen = BTreeSet::new();
            let first: Vec<u64> = numbers.iter().copied().filter(|number| seen.insert(*number)).collect();
            let missing: Vec<&u64> = acked.difference(&seen).collect();
            let shown = &missing[..missing.len().min(20)];
            if missing.is_empty() {
                assert!(first.is_sorted(), "the order was lost");
                println!("{} sent, {} acknowledged, {} arrived", self.sent, acked.len(), numbers.len());
                return numbers.len() - first.len();
            }
            if numbers.len() > before {
                (before, quiet) = (numbers.len(), clock::now());
            }
            let lost = || format!("{} of {} acknowledged are missing: {shown:?}", missing.len(), acked.len());
            assert!(quiet.elapsed() < QUIET, "{}", lost());
            clock::pause(Duration::from_millis(100));
        }
    }
}

/// A device at work on a thread of its own.
#[derive(Debug)]
pub struct Load {
    state: Arc<Mutex<Sent>>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Starts to send bodies `{"n": 0, …}` of about this size.
    ///
    /// # Panics
    /// When no thread can be had.
    #[must_use]
    pub fn start(address: SocketAddr, login: Login, body_bytes: usize) -> Self {
        let state = Arc::new(Mutex::new(Sent::default()));
        let shared = Arc::clone(&state);
        let work = move || {
            while !lock(&shared).stop {
                // However a connection ends, the device connects again.
                let _ = session(&shared, address, &login, body_bytes);
                clock::pause(Duration::from_millis(10));
            }
        };
        let thread = thread::Builder::new().name("load".into()).spawn(work).expect("a thread can be started");
        Self { state, thread }
    }

    /// Returns what it knows so far.
    #[must_use]
    pub fn so_far(&self) -> Sent {
        lock(&self.state).clone()
    }

    /// Stops it and returns what it knows.
    ///
    /// # Panics
    /// When its thread has failed.
    #[must_use]
    pub fn stop(self) -> Sent {
        lock(&self.state).stop = true;
        self.thread.join().expect("a device does not fail");
        lock(&self.state).clone()
    }
}

fn lock(state: &Mutex<Sent>) -> std::sync::MutexGuard<'_, Sent> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends over one connection until that ends, or the device is to stop.
fn session(state: &Mutex<Sent>, address: SocketAddr, login: &Login, body_bytes: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    stream.write_all(&mqtt::connect(login))?;
    let mut waiting = VecDeque::new();
    let mut accepted = false;
    let (mut bytes, mut buffer, mut out) = (Vec::new(), vec![0; 16 * 1024], Vec::new());
    let filler = "x".repeat(body_bytes);
    loop {
        let stop = {
            let mut state = lock(state);
            while accepted && !state.stop && waiting.len() < WINDOW {
                let number = state.sent;
                state.sent += 1;
                let id = u16::try_from(number % 65_535 + 1).unwrap_or(1);
                let body = format!("{{\"n\":{number},\"filler\":\"{filler}\"}}");
                Publish::new(&login.publishes_to, body.as_bytes()).write(id, &mut out);
                waiting.push_back((id, number));
            }
            state.stop
        };
        if stop && waiting.is_empty() {
            return Ok(());
        }
        stream.write_all(&out)?;
        out.clear();
        match stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if stop {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
        let mut used = 0;
        let mut state = lock(state);
        while let Some((packet, length)) = mqtt::read(&bytes[used..]) {
            used += length;
            match packet {
                Packet::Connected(0) => {
                    accepted = true;
                    state.connected += 1;
                }
                Packet::Connected(_) => return Err(io::ErrorKind::PermissionDenied.into()),
                Packet::Acked(id) => match waiting.pop_front() {
                    Some((expected, number)) if expected == id => state.acked.push(number),
                    other => panic!("an acknowledgement of {id} where {other:?} was next"),
                },
                _ => {}
            }
        }
        drop(state);
        bytes.drain(..used);
    }
}
