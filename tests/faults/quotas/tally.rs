//! What the gateway counts, what has arrived, and what its files take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use edge_bench::clock;
use edge_e2e::wait;
use serde_json::Value;

/// One route's line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) accepted: u64,
    delivered: u64,
    stored: u64,
    dropped: BTreeMap<String, u64>,
}

impl Line {
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    pub(super) fn dropped_for(&self, cause: &str) -> u64 {
        self.dropped.get(cause).copied().unwrap_or_default()
    }
}

/// The ledger, as the metrics tell it.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<String, Line>);

impl Ledger {
    /// Asks for the metrics.
    pub(super) fn of(address: SocketAddr) -> Self {
        let text = wait::until("metrics", || metrics(address).ok());
        let mut ledger = Self::default();
        for line in text.lines().filter(|line| line.starts_with("edge_ledger_copies{")) {
            let (labels, count) = line.rsplit_once(' ').expect("a sample has a value");
            let count = count.parse::<f64>().expect("a count is a number") as u64;
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\"")).expect("a sample has its labels");
                rest.split_once('"').expect("a label ends").0.to_owned()
            };
            let route = ledger.0.entry(label("route")).or_default();
            match label("state").as_str() {
                "accepted" => route.accepted = count,
                "delivered" => route.delivered = count,
                "stored" => route.stored = count,
                state => {
                    let cause = state.strip_prefix("dropped_").expect("all states are known");
                    route.dropped.insert(cause.to_owned(), count);
                }
            }
        }
        ledger
    }

    /// Checks accepted = delivered + stored + dropped.
    pub(super) fn adds_up(&self) {
        for (route, line) in &self.0 {
            assert_eq!(line.accepted, line.delivered + line.stored + line.dropped(), "{route}: {line:?}");
        }
    }

    pub(super) fn line(&self, route: &str) -> Line {
        self.0.get(route).cloned().unwrap_or_default()
    }

    /// Returns how many copies wait, over all routes.
    pub(super) fn stored(&self) -> u64 {
        self.0.values().map(|line| line.stored).sum()
    }

    pub(super) fn shown(&self) -> String {
        let line = |(route, line): (&String, &Line)| {
            format!(
                "{route} {}={}+{}+{:?}",
                line.accepted,
                line.delivered,
                line.stored,
                line.dropped.iter().filter(|(_, count)| **count > 0).collect::<Vec<_>>()
            )
        };
        self.0.iter().map(line).collect::<Vec<_>>().join(", ")
    }
}

fn metrics(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns the numbers of each device that have arrived in a file.
pub(super) fn arrivals(file: &Path) -> BTreeMap<String, BTreeSet<u64>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut arrived: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        let device = line["systemProperties"]["connectionDeviceId"].as_str().expect("a message has a sender");
        let number = line["body"]["n"].as_u64().expect("a message has a number");
        arrived.entry(device.to_owned()).or_default().insert(number);
    }
    arrived
}

/// Looks at the size of a folder all the time.
#[derive(Debug)]
pub(super) struct DiskWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl DiskWatch {
    pub(super) fn start(folder: &Path, limit_bytes: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, folder) = (Arc::clone(&stop), folder.to_owned());
        let work = move || {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(size(&folder));
                assert!(most <= limit_bytes, "the store takes {most} of {limit_bytes} bytes");
                clock::pause(Duration::from_millis(2));
            }
            most
        };
        let thread =
            thread::Builder::new().name("watch".into()).spawn(work).expect("a thread can be started");
        Self { stop, thread }
    }

    /// Returns the most bytes that there were.
    pub(super) fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the store keeps to its quota")
    }
}

/// Returns the bytes of all files of a folder at one moment: a listing during which a file has come, gone or changed its
/// name is made again.
fn size(folder: &PathBuf) -> u64 {
    loop {
        let (before, sum) = listing(folder);
        let (after, _) = listing(folder);
        if before == after {
            return sum;
        }
    }
}

fn listing(folder: &PathBuf) -> (BTreeSet<PathBuf>, u64) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let known: Vec<_> = files.map(|file| (file.path(), file.metadata().map_or(0, |m| m.len()))).collect();
    let sum = known.iter().map(|(_, bytes)| bytes).sum();
    (known.into_iter().map(|(path, _)| path).collect(), sum)
}
