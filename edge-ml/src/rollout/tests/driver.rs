use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::World;
use crate::fetch::{DownloadLimits, Fetch, FetchBody, FetchError, FetchHead, FetchRequest};
use crate::registry::Sha256;
use crate::rollout::Driver;

/// What a server does with one request.
#[derive(Clone, Debug)]
enum Act {
    /// Sends what is asked for, but so many bytes at most before the connection ends.
    Send { most: usize },
    /// Sends all, and takes no notice of ranges.
    Whole,
    /// Sends a part that was not asked for.
    WrongPart,
    /// Announces so many bytes and sends all.
    Announce(u64),
    /// Never ends.
    Endless,
    /// Says nothing for ever.
    Silent,
    /// Says that there is no such part.
    NoSuchPart,
    /// Answers with this status.
    Status(u16),
}

#[derive(Debug)]
struct Server {
    content: Mutex<(Vec<u8>, &'static str)>,
    acts: Mutex<Vec<Act>>,
    asked: Mutex<Vec<FetchRequest>>,
}

struct Body {
    bytes: Vec<u8>,
    torn: bool,
    endless: bool,
    silent: bool,
}

#[async_trait]
impl FetchBody for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        if self.silent {
            std::future::pending::<()>().await;
        }
        if self.endless {
            return Ok(Some(Bytes::from_static(&[7; 4096])));
        }
        let rest = self.bytes.split_off(self.bytes.len().min(4));
        let piece = std::mem::replace(&mut self.bytes, rest);
        match piece.is_empty() {
            false => Ok(Some(piece.into())),
            true if self.torn => Err(FetchError::new("reading the file", "the connection ended")),
            true => Ok(None),
        }
    }
}

#[async_trait]
impl Fetch for Server {
    async fn fetch(&self, request: &FetchRequest) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError> {
        self.asked.lock().unwrap().push(request.clone());
        let act = self.acts.lock().unwrap().pop().unwrap_or(Act::Send { most: usize::MAX });
        let (content, tag) = self.content.lock().unwrap().clone();
        let same = request.validator.as_deref() == Some(tag);
        let from = if same && !matches!(act, Act::Whole) { request.from as usize } else { 0 };
        let mut head = FetchHead {
            status: if from > 0 { 206 } else { 200 },
            content_length: Some((content.len() - from) as u64),
            content_range: (from > 0)
                .then(|| format!("bytes {from}-{}/{}", content.len() - 1, content.len())),
            etag: Some(tag.to_owned()),
        };
        let mut body = Body { bytes: content[from..].to_vec(), torn: false, endless: false, silent: false };
        match act {
            Act::Send { most } if body.bytes.len() > most => {
                body.bytes.truncate(most);
                body.torn = true;
            }
            Act::Send { .. } | Act::Whole => {}
            Act::WrongPart => {
                (head.status, head.content_range) = (206, Some("bytes 1-2/3".into()));
            }
            Act::Announce(bytes) => head.content_length = Some(bytes),
            Act::Endless => (head.content_length, body.endless) = (None, true),
            Act::Silent => body.silent = true,
            Act::NoSuchPart => head.status = 416,
            Act::Status(status) => head.status = status,
        }
        Ok((head, Box::new(body)))
    }
}

const SCRIPT: &[u8] = b"2.125 and more words that are sent";

/// Fetches from a server that acts so, and returns from where it was asked each time, and the problems reported on the way.
fn check(acts: impl Into<Vec<Act>>, asked: &[u64], problems: &[&str]) {
    let server = Arc::new(Server {
        content: Mutex::new((SCRIPT.to_vec(), "\"a\"")),
        acts: Mutex::new(acts.into().into_iter().rev().collect()),
        asked: Mutex::default(),
    });
    run(&server, problems, |_| ());
    let from: Vec<_> = server.asked.lock().unwrap().iter().map(|request| request.from).collect();
    assert_eq!(from, asked);
}

fn run(server: &Arc<Server>, problems: &[&str], mut between: impl FnMut(&Server)) {
    let World { clock, life, serving, .. } = World::new();
    let (desired, twin) = watch::channel(None);
    let (reports, mut reported) = watch::channel(Value::Null);
    let mut limits = DownloadLimits::new(100_000);
    limits.max_silence = Duration::from_secs(10);
    let driver = Driver::new(life, Arc::clone(server) as _, twin, reports).with_limits(limits);
    let document = json!({
        "model": "m", "version": "1", "sha256": Sha256::of(SCRIPT).to_string(), "url": "http://server/m",
        "policy": { "probation": { "samples": 0, "seconds": 0 } }
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let watching = async {
            desired.send_replace(Some(document));
            let mut seen: Vec<String> = Vec::new();
            loop {
                // The next try comes after a while, which need not be waited for.
                let Ok(changed) = tokio::time::timeout(Duration::from_secs(60), reported.changed()).await
                else {
                    clock.advance(Duration::from_secs(7200));
                    continue;
                };
                changed.unwrap();
                let report = reported.borrow_and_update().clone();
                if let Some(problem) = report["problem"].as_str()
                    && seen.last().is_none_or(|last| last != problem)
                {
                    seen.push(problem.to_owned());
                    between(server);
                }
                if report["current"]["version"] == "1" {
                    break;
                }
            }
            assert_eq!(seen.len(), problems.len(), "{seen:?}");
            for (seen, expected) in seen.iter().zip(problems) {
                assert!(seen.contains(expected), "{seen}, not {expected}");
            }
            drop(desired);
        };
        tokio::join!(driver.run(), watching);
    });
    let inputs = super::row(2.0);
    let answer = serving.run("d", &[inputs.view()]).unwrap();
    assert_eq!(answer.outputs[0].values::<f32>(), Some(&[4.25, 4.25][..]));
}

const ALL: usize = usize::MAX;

#[test]
fn a_file_comes_at_once() {
    check([], &[0], &[]);
}

#[test]
fn a_torn_download_is_gone_on_with() {
    check([Act::Send { most: 10 }, Act::Send { most: 9 }], &[0, 10, 19], &["the connection ended"]);
}

#[test]
fn a_server_may_take_no_notice_of_ranges() {
    check([Act::Send { most: 10 }, Act::Whole], &[0, 10], &["the connection ended"]);
}

#[test]
fn a_wrong_part_is_not_taken() {
    let acts = [Act::Send { most: 10 }, Act::WrongPart];
    check(acts, &[0, 10, 0], &["the connection ended", "another part of the file"]);
    check([Act::WrongPart], &[0, 0], &["no part was asked for"]);
    check([Act::Send { most: 10 }, Act::NoSuchPart], &[0, 10, 0], &["the connection ended", "has changed"]);
}

#[test]
fn lengths_that_are_lies_are_found_out() {
    check([Act::Announce(5)], &[0, 4], &["announced 5 bytes and sent more"]);
    check([Act::Announce(500), Act::Whole], &[0, SCRIPT.len() as u64], &["sent 34 of 500 bytes"]);
    check([Act::Announce(u64::MAX)], &[0, 0], &["longer than 100000 bytes"]);
}

#[test]
fn a_file_that_never_ends_is_left() {
    check([Act::Endless, Act::Whole], &[0, 98304], &["longer than 100000 bytes"]);
}

#[test]
fn a_server_that_falls_silent_is_left() {
    check([Act::Silent], &[0, 0], &["nothing came for 10 s"]);
    check([Act::Status(503)], &[0, 0], &["status 503"]);
}

#[test]
fn a_file_that_changes_under_way_is_fetched_anew() {
    let server = Arc::new(Server {
        content: Mutex::new((b"2.5 another file, which is longer than that".to_vec(), "\"old\"")),
        acts: Mutex::new(vec![Act::Send { most: ALL }, Act::Send { most: 10 }]),
        asked: Mutex::default(),
    });
    run(&server, &["the connection ended"], |server| {
        *server.content.lock().unwrap() = (SCRIPT.to_vec(), "\"new\"");
    });
    assert_eq!(server.asked.lock().unwrap()[1].validator.as_deref(), Some("\"old\""));
}

#[test]
fn another_file_is_refused_and_asked_for_again() {
    let server = Arc::new(Server {
        content: Mutex::new((b"2.5 another file".to_vec(), "\"old\"")),
        acts: Mutex::default(),
        asked: Mutex::default(),
    });
    run(&server, &["its SHA-256 is"], |server| {
        *server.content.lock().unwrap() = (SCRIPT.to_vec(), "\"new\"");
    });
}
