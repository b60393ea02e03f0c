//! A process that is killed over and over, at any moment, by a signal that it cannot see coming.
//!
//! The child feeds windows from a queue and appends their results to a file, as a gateway would; the parent kills it
//! after it has accepted a few batches. In the end every result is there, with what it should say. One may be there
//! twice, with the same id, when the child was killed between its answer and the note of it.

#[allow(dead_code, reason = "shared by several tests, which each use a part")]
mod support;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use edge_core::testing::clock::ManualClock;
use edge_core::{Endpoint, Message, Source, Stored, SystemKey, Timestamp};
use edge_stream::{WindowEndpoint, WindowSpec};
use support::Gateway;

const SPEC: &str = r#"{"name":"w","window":{"type":"hopping","size":"20s","hop":"5s"},"time":"$body.at",
    "time_unit":"s","lateness":"3s","values":{"n":"count()","sum":"sum($body.t)","p":"percentile($body.t, 90)"}}"#;

const BATCHES: u64 = 300;
const KILLS: u64 = 40;
const SEED: u64 = 20_260_701;

fn batch(number: u64) -> Vec<Stored> {
    let reading = |n: u64| {
        let body = format!(r#"{{"at":{},"t":{}.25}}"#, n / 4 + n % 3, n % 11);
        let message = Message::builder(&Source::telemetry())
            .system(SystemKey::ConnectionDeviceId, ["a", "b"][(n % 2) as usize])
            .body(body.as_bytes())
            .build();
        Stored::new(n, Timestamp::from_unix_ms(1000 + n), None, "r".parse().unwrap(), message)
    };
    (8 * number..8 * number + 8).map(reading).collect()
}

fn open(folder: &Path, gateway: &Gateway) -> WindowEndpoint {
    let definition = serde_json::from_str::<WindowSpec>(SPEC).unwrap().check().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_ms(1_000_000)));
    let endpoint =
        WindowEndpoint::open(&"edge1".parse().unwrap(), definition, Some(&folder.join("windows")), clock);
    let endpoint = endpoint.unwrap();
    endpoint.connect(gateway.session("w"));
    endpoint
}

/// Goes on from what was accepted, and says so after each batch.
async fn child(folder: &Path) {
    let gateway = Gateway::writing(folder.join("results"));
    let endpoint = open(folder, &gateway);
    let accepted = fs::read_to_string(folder.join("accepted")).unwrap_or_default();
    // A queue may fall back in a crash: what was accepted comes again.
    let first = accepted.lines().count() as u64;
    let mut note = OpenOptions::new().create(true).append(true).open(folder.join("accepted")).unwrap();
    for number in first.saturating_sub(2)..BATCHES {
        endpoint.send(&batch(number)).await.unwrap();
        if number >= first {
            note.write_all(b"accepted\n").unwrap();
        }
        println!("accepted {number}");
    }
}

/// Returns results by id, and how many came again.
fn results(text: &str) -> (BTreeMap<String, String>, usize) {
    let (mut all, mut again) = (BTreeMap::new(), 0);
    for line in text.lines() {
        // A line that was cut short belongs to a batch that was not taken.
        let Some((id, body)) = line.split_once(' ').filter(|(_, body)| body.ends_with("}}")) else {
            continue;
        };
        match all.insert(id.to_owned(), body.to_owned()) {
            Some(known) => {
                assert_eq!(known, body, "one id, two results");
                again += 1;
            }
            None => continue,
        }
    }
    (all, again)
}

fn parent() {
    let (folder, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut seed = SEED;
    let mut killed = 0;
    loop {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env("EDGE_STREAM_KILLED_IN", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let lives = if killed < KILLS { (seed >> 33) % 12 } else { u64::MAX };
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = (0..lives).zip(lines).count() as u64;
        if said == lives {
            process.kill().unwrap();
            killed += 1;
        }
        let ended = process.wait().unwrap();
        if said < lives {
            assert!(ended.success(), "seed {SEED}");
            break;
        }
    }
    let gateway = Gateway::writing(plain.path().join("results"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let endpoint = open(plain.path(), &gateway);
        for number in 0..BATCHES {
            endpoint.send(&batch(number)).await.unwrap();
        }
    });
    let read = |folder: &Path| results(&fs::read_to_string(folder.join("results")).unwrap());
    let ((found, again), (wanted, _)) = (read(folder.path()), read(plain.path()));
    assert!(wanted.len() > 200, "{}", wanted.len());
    assert_eq!(found, wanted, "seed {SEED}");
    assert!(again as u64 <= 4 * killed, "{again} results came again");
    println!("{killed} kills: {} results, none lost, {again} sent again with the same id", wanted.len());
}

fn main() -> ExitCode {
    match std::env::var_os("EDGE_STREAM_KILLED_IN") {
        Some(folder) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(child(Path::new(&folder)));
        }
        None => parent(),
    }
    ExitCode::SUCCESS
}
