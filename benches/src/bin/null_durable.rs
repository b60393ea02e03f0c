//! The lower bound for a durable ingest: one thread parses MQTT and answers, a second appends what has gathered to a
//! file, synchronises it once and says how far it got. No sessions, no authentication, no routes, no queues.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use edge_bench::args::Args;
use edge_bench::{mqtt, process};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

const LISTENER: Token = Token(usize::MAX);
const SYNCED: Token = Token(usize::MAX - 1);

/// What has been read and not yet written.
#[derive(Default)]
struct Gathered {
    records: Vec<u8>,
    last: u64,
}

#[derive(Default)]
struct Log {
    gathered: Mutex<Gathered>,
    more: Condvar,
    /// The number of the last record that is on disk.
    done: AtomicU64,
}

struct Connection {
    stream: TcpStream,
    rest: Vec<u8>,
    out: Vec<u8>,
    /// Record number and packet identifier of what waits for the disk.
    waiting: VecDeque<(u64, u16)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = Args::of_this_program();
    let address: SocketAddr = args.option("--listen")?.ok_or("--listen wants an address")?;
    let file: PathBuf = args.option("--file")?.ok_or("--file wants a path")?;
    let sync = !args.switch("--no-sync");
    args.finish()?;
    let _ = process::raise_file_limit();
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), SYNCED)?;
    let log = Arc::new(Log::default());
    let (file, shared) = (File::create(file)?, Arc::clone(&log));
    let writer = thread::Builder::new().name("log".into());
    writer.spawn(move || write_records(&shared, file, sync, &waker))?;
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    serve(&mut poll, &listener, &log)?;
    Ok(())
}

/// Writes what has gathered, all at once, for as long as the process lives.
fn write_records(log: &Log, mut file: File, sync: bool, waker: &Waker) -> io::Result<()> {
    let mut records = Vec::new();
    loop {
        let mut gathered = log.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        while gathered.records.is_empty() {
            gathered = log.more.wait(gathered).unwrap_or_else(PoisonError::into_inner);
        }
        records.clear();
        std::mem::swap(&mut records, &mut gathered.records);
        let last = gathered.last;
        drop(gathered);
        file.write_all(&records)?;
        if sync {
            file.sync_data()?;
        }
        log.done.store(last, Ordering::Release);
        waker.wake()?;
    }
}

fn serve(poll: &mut Poll, listener: &TcpListener, log: &Log) -> io::Result<()> {
    let mut events = Events::with_capacity(1024);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    let (mut records, mut last) = (Vec::new(), 0);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        let mut synced = false;
        for event in &events {
            match event.token() {
                LISTENER => accept(poll, listener, &mut connections)?,
                SYNCED => synced = true,
                Token(index) => {
                    let Some(connection) = connections.get_mut(index).and_then(Option::as_mut) else {
                        continue;
                    };
                    if connection.turn(&mut buffer, &mut records, &mut last).is_err() {
                        connections[index] = None;
                    }
                }
            }
        }
        if !records.is_empty() {
            let mut gathered = log.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.records.append(&mut records);
            gathered.last = last;
            log.more.notify_one();
        }
        if synced {
            let done = log.done.load(Ordering::Acquire);
            for connection in connections.iter_mut().flatten() {
                // A broken connection is noticed when it is read from.
                let _ = connection.acknowledge(done);
            }
        }
    }
}

fn accept(poll: &Poll, listener: &TcpListener, connections: &mut Vec<Option<Connection>>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(connections.len()), interest)?;
                let (rest, out, waiting) = (Vec::new(), Vec::new(), VecDeque::new());
                connections.push(Some(Connection { stream, rest, out, waiting }));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl Connection {
    /// Reads all there is, appends the publishes as records and answers the rest.
    fn turn(&mut self, buffer: &mut [u8], records: &mut Vec<u8>, last: &mut u64) -> io::Result<()> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.flush(),
                Err(error) => return Err(error),
            };
            let mut rest = std::mem::take(&mut self.rest);
            let bytes = if rest.is_empty() {
                &buffer[..count]
            } else {
                rest.extend_from_slice(&buffer[..count]);
                &rest
            };
            let used = self.packets(bytes, records, last);
            self.rest.extend_from_slice(&bytes[used..]);
        }
    }

    fn packets(&mut self, bytes: &[u8], records: &mut Vec<u8>, last: &mut u64) -> usize {
        let mut at = 0;
        while let Some((first, head, length)) = mqtt::frame(&bytes[at..]) {
            let Some(body) = bytes.get(at + head..at + head + length) else { break };
            at += head + length;
            match first >> 4 {
                1 => self.out.extend([0x20, 2, 0, 0]),
                3 => self.publish(body, records, last),
                12 => self.out.extend([0xd0, 0]),
                _ => {}
            }
        }
        at
    }

    fn publish(&mut self, body: &[u8], records: &mut Vec<u8>, last: &mut u64) {
        let topic = body.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        let Some(id) = body.get(2 + topic..).and_then(|rest| rest.first_chunk()) else { return };
        records.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        records.extend(crc32fast::hash(body).to_le_bytes());
        records.extend_from_slice(body);
        *last += 1;
        self.waiting.push_back((*last, u16::from_be_bytes(*id)));
    }

    fn acknowledge(&mut self, done: u64) -> io::Result<()> {
        while let Some((_, id)) = self.waiting.pop_front_if(|(record, _)| *record <= done) {
            self.out.extend(mqtt::puback(id));
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
