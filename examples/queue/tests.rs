//! The commands, run on stores made for it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    DropCause, Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, ReadLimit, Source,
    SystemKey, Target, Timestamp,
};
use edge_store::{SegmentStore, StoreOptions};
use edge_transport::upstream::ndjson::Record;
use serde_json::Value;
use tempfile::TempDir;

use crate::replay::{REASON, Replayed, replay};
use crate::{End, run};

const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn queue(endpoint: &str) -> QueueId {
    QueueId::new(endpoint.parse::<EndpointId>().unwrap(), Priority::new(3).unwrap())
}

fn entry(queues: &[&str], body: &str, reason: Option<&str>) -> Enqueue {
    let targets: Arc<[Target]> = queues
        .iter()
        .map(|name| Target::new(queue(name), "telemetry".parse().unwrap(), Some(WEEK)))
        .collect();
    let mut message = Message::builder(&Source::telemetry())
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .property("line", "7")
        .null_property("spare")
        .body(body.as_bytes());
    if let Some(reason) = reason {
        message = message.property(REASON, reason);
    }
    Enqueue::new(message.build(), targets, NOW)
}

fn opened(dir: &Path) -> SegmentStore {
    SegmentStore::open(dir, StoreOptions::default()).unwrap().0
}

/// A store with 3 messages for `$upstream`, 2 of them for `local` too, and 2 dead letters of `$upstream`.
async fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path());
    let entries = vec![
        entry(&["$upstream"], "{\"n\":0}", None),
        entry(&["$upstream", "local"], "{\"n\":1}", None),
        entry(&["$upstream", "local"], "{\"n\":2}", None),
        entry(&["$dead-letter/$upstream"], "{\"n\":3}", Some("too \x1b large")),
        entry(&["$dead-letter/$upstream"], "{\"n\":4}", Some("too large")),
    ];
    store.append(entries, Durability::Synced).await.unwrap();
    store.close().await.unwrap();
    dir
}

fn ran_at(now: Timestamp, words: &[&str]) -> Result<(End, String), String> {
    let mut out = Vec::new();
    let end = run(words.iter().map(|&word| word.to_owned()), now, &mut out)?;
    Ok((end, String::from_utf8(out).unwrap()))
}

fn ran(words: &[&str]) -> (End, String) {
    ran_at(NOW, words).unwrap()
}

fn refused(words: &[&str]) -> String {
    ran_at(NOW, words).expect_err("the command cannot be carried out")
}

async fn bodies(store: &SegmentStore, name: &str) -> Vec<String> {
    let limit = ReadLimit::new(100.try_into().unwrap(), usize::MAX);
    let head = store.queue(&queue(name)).unwrap().head;
    let batch = store.read(&queue(name), head, limit).await.unwrap();
    batch.entries.iter().map(|stored| String::from_utf8(stored.message.body().to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn ls_shows_what_waits_where() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let (end, text) = ran(&["ls", path]);
    assert_eq!(end, End::Fine);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["$dead-letter/$upstream@3", "2", "0", "2", "telemetry", "2"]);
    assert_eq!(lines[2], ["$upstream@3", "3", "0", "3", "telemetry", "3"]);
    assert_eq!(lines[3], ["local@3", "2", "0", "2", "telemetry", "2"]);
    assert_eq!(lines[4][..2], ["7", "entries"]);
    let (_, text) = ran(&["ls", path, "--json"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&value["queues"][1]["waiting"], &value["queues"][1]["routes"]["telemetry"]),
        (&3.into(), &3.into())
    );
    assert_eq!(
        (&value["queues"][1]["endpoint"], &value["queues"][1]["priority"]),
        (&"$upstream".into(), &3.into())
    );
}

#[tokio::test]
async fn ls_tells_what_was_dropped_and_why() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let store = opened(dir.path());
    store.settle(&queue("local"), 0..1, &[(0, DropCause::Refused)]).unwrap();
    store.close().await.unwrap();
    let (_, text) = ran(&["ls", path]);
    assert!(text.contains("dropped so far of local@3 by telemetry: 1 refused\n"), "{text}");
    let (_, text) = ran(&["ls", path, "--json"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    let accounts = value["accounts"].as_array().unwrap();
    let local = accounts.iter().find(|account| account["queue"] == "local@3").unwrap();
    assert_eq!((&local["accepted"], &local["dropped"]["refused"]), (&2.into(), &1.into()));
}

#[test]
fn nothing_to_replay_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    drop(opened(dir.path()));
    for words in [&["replay-dead-letters", path][..], &["replay-dead-letters", "--dry-run", path]] {
        assert_eq!(ran(words), (End::Fine, "there are no dead letters\n".into()));
    }
}

#[tokio::test]
async fn peek_shows_messages_and_reasons() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let (_, text) = ran(&["peek", path, "$upstream", "--from", "1", "--count", "1"]);
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with("1  2026-01-01T00:00:00.000Z  until 2026-01-08T"), "{text}");
    assert!(text.ends_with("{\"n\":1}\n"), "{text}");
    let (_, text) = ran(&["peek", path, "$dead-letter/$upstream@3"]);
    assert!(text.lines().next().unwrap().ends_with("{\"n\":3}  refused: too \\u{1b} large"), "{text}");
    let (_, text) = ran_at(NOW + WEEK, &["peek", path, "local"]).unwrap();
    assert!(text.lines().all(|line| line.contains("  expired  ")), "{text}");
    let (_, text) = ran(&["peek", "--json", path, "$upstream"]);
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["offset"], &first["route"]), (&0.into(), &"telemetry".into()));
    assert_eq!(first["message"]["body"]["n"], 0);
}

#[tokio::test]
async fn what_is_exported_is_read_back_as_records() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let (_, text) = ran(&["export", path, "local"]);
    let records: Vec<Record> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].enqueued, records[0].message.body()), (NOW, &b"{\"n\":1}"[..]));
    assert_eq!(records[0].message.properties().value("spare"), Some(None));
    assert_eq!(ran(&["export", path]).1.lines().count(), 7);
}

#[tokio::test]
async fn looking_works_beside_a_gateway_and_replaying_does_not() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let store = opened(dir.path());
    store.append(vec![entry(&["$upstream"], "{\"n\":5}", None)], Durability::Written).await.unwrap();
    assert_eq!(ran(&["export", path, "$upstream"]).1.lines().count(), 4);
    assert_eq!(ran(&["verify", path]).0, End::Fine);
    assert_eq!(
        ran(&["replay-dead-letters", "--dry-run", path]).1,
        "$upstream@3: 2 dead letters would be given back\n"
    );
    let problem = refused(&["replay-dead-letters", path, "$upstream"]);
    assert!(problem.contains("stop the gateway"), "{problem}");
    assert_eq!(bodies(&store, "$dead-letter/$upstream").await.len(), 2, "nothing was changed");
}

#[tokio::test]
async fn dead_letters_go_back_behind_what_waits() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap().to_owned();
    let words = ["replay-dead-letters".to_owned(), path.clone()];
    let text = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        run(words.into_iter(), NOW, &mut out).map(|end| (end, String::from_utf8(out).unwrap()))
    });
    assert_eq!(text.await.unwrap().unwrap(), (End::Fine, "$upstream@3: 2 dead letters given back\n".into()));
    let store = opened(dir.path());
    let limit = ReadLimit::new(100.try_into().unwrap(), usize::MAX);
    let batch = store.read(&queue("$upstream"), 0, limit).await.unwrap();
    let expected = entry(&[], "{\"n\":3}", None).message;
    assert_eq!(batch.entries.len(), 5);
    assert_eq!(batch.entries[3].message, expected, "the reason is gone, all else is there");
    assert_eq!((batch.entries[3].expires, batch.entries[3].route.as_str()), (Some(NOW + WEEK), "telemetry"));
    assert!(bodies(&store, "$dead-letter/$upstream").await.is_empty());
}

#[tokio::test]
async fn dead_letters_expire_and_may_be_given_more_time() {
    let dir = filled().await;
    let store = opened(dir.path());
    let (grave, home, later) = (queue("$dead-letter/$upstream"), queue("$upstream"), NOW + WEEK);
    store.append(vec![entry(&["$dead-letter/$upstream"], "{}", None)], Durability::Synced).await.unwrap();
    let done = replay(&store, &grave, &home, None, later).await.unwrap();
    assert_eq!(done, Replayed { expired: 3, ..Replayed::default() });
    store.append(vec![entry(&["$dead-letter/$upstream"], "{}", None)], Durability::Synced).await.unwrap();
    let done = replay(&store, &grave, &home, Some(WEEK), NOW).await.unwrap();
    assert_eq!(done, Replayed { moved: 1, ..Replayed::default() });
    let again = replay(&store, &grave, &home, None, NOW).await.unwrap();
    assert_eq!(again, Replayed::default(), "what is settled is not replayed twice");
    let account = store.accounts().into_iter().find(|account| account.queue == grave).unwrap();
    assert_eq!((account.delivered, account.dropped.count(DropCause::Expired)), (1, 3), "{account:?}");
}

#[tokio::test]
async fn damage_is_found_and_read_past() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let segment = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|e| e == "seg")).min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(7).position(|window| window == b"{\"n\":1}").unwrap();
    bytes[at + 5] = b'9';
    fs::write(&segment, &bytes).unwrap();
    let (end, text) = ran(&["verify", path]);
    assert_eq!(end, End::Found);
    assert!(text.contains(&format!("of {}\n", segment.display())), "{text}");
    let (end, text) = ran(&["export", path, "$upstream"]);
    assert_eq!((end, text.lines().count()), (End::Found, 2));
    let (end, text) = ran(&["verify", "--json", path]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((end, value["damage"].as_array().unwrap().len()), (End::Found, 1));
    assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing was repaired");
}

#[tokio::test]
async fn mistakes_are_told() {
    let dir = filled().await;
    let path = dir.path().to_str().unwrap();
    let known = "there are $dead-letter/$upstream@3, $upstream@3, local@3";
    assert_eq!(refused(&["peek", path, "upstream"]), format!("there is no queue 'upstream'; {known}"));
    assert_eq!(
        refused(&["replay-dead-letters", "--dry-run", path, "local"]),
        "there is no endpoint with dead letters 'local'; there are $upstream"
    );
    let missing = dir.path().join("missing");
    assert!(refused(&["ls", missing.to_str().unwrap()]).contains("missing: "));
    assert!(refused(&["replay-dead-letters", missing.to_str().unwrap()]).contains("missing: "));
    assert!(!missing.exists(), "a mistyped folder is not made");
    let empty = tempfile::tempdir().unwrap();
    let name = empty.path().to_str().unwrap();
    assert!(refused(&["verify", name]).contains("holds no store"));
    assert!(refused(&["replay-dead-letters", name]).contains("holds no store"));
    fs::create_dir(empty.path().join("store")).unwrap();
    fs::write(empty.path().join("store/0000000000000001.seg"), "").unwrap();
    assert!(refused(&["ls", name]).contains("did you mean"));
    let file = empty.path().join("store/0000000000000001.seg");
    assert!(refused(&["ls", file.to_str().unwrap()]).contains("is a file"));
    assert!(refused(&["peek", path, "$upstream", "--count", "many"]).contains("not 'many'"));
    assert!(refused(&["ls", "--all", path]).contains("--all is not known"));
    assert!(refused(&["lss"]).contains("usage:"));
    assert_eq!(ran(&["help"]).0, End::Fine);
}

/// A pipe that nobody reads.
struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_closed_pipe_is_no_problem() {
    let dir = filled().await;
    let words = ["export", dir.path().to_str().unwrap()].map(str::to_owned);
    assert_eq!(run(words.into_iter(), NOW, &mut Closed), Err(String::new()));
}
