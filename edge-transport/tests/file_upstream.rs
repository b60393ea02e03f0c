//! The file upstream, and the files that it leaves.

mod upstream;

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use edge_core::testing::endpoint::EndpointHarness;
use edge_core::{Endpoint, EndpointError, EndpointId, Outcome, Report, SystemKey};
use edge_transport::upstream::ndjson::Record;
use edge_transport::upstream::{FileUpstream, FileUpstreamError, FileUpstreamOptions};
use tempfile::TempDir;
use upstream::{batch, message, stored};

fn open(options: FileUpstreamOptions) -> FileUpstream {
    FileUpstream::open(EndpointId::upstream(), options).unwrap()
}

/// Returns the numbers of the full files beside `path`, rising.
fn full_files(path: &Path) -> Vec<u64> {
    let mut numbers: Vec<u64> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_prefix("out.ndjson.")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Returns the bodies of all recorded messages, from the oldest file to the youngest.
fn recorded(path: &Path) -> Vec<Bytes> {
    let old = full_files(path).into_iter().map(|number| path.with_extension(format!("ndjson.{number}")));
    let all = old.chain([path.to_owned()]).map(|path| fs::read_to_string(path).unwrap());
    let all: Vec<_> = all.collect();
    all.iter()
        .flat_map(|text| text.lines())
        .map(|line| line.parse::<Record>().unwrap().message.body_bytes())
        .collect()
}

/// Runs the kit of endpoints; the far side is gone while the directory is.
struct Kit {
    dir: TempDir,
    max_file_bytes: u64,
}

impl Kit {
    fn new(max_file_bytes: u64) -> Self {
        let kit = Self { dir: tempfile::tempdir().unwrap(), max_file_bytes };
        fs::create_dir(kit.data()).unwrap();
        kit
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn path(&self) -> PathBuf {
        self.data().join("out.ndjson")
    }
}

#[async_trait]
impl EndpointHarness for Kit {
    type Endpoint = FileUpstream;

    async fn open(&self) -> FileUpstream {
        open(
            FileUpstreamOptions::new(self.path())
                .max_file_bytes(NonZeroU64::new(self.max_file_bytes).unwrap()),
        )
    }

    async fn taken(&self) -> Vec<Bytes> {
        recorded(&self.path())
    }

    async fn cut(&self) -> bool {
        fs::rename(self.data(), self.dir.path().join("away")).unwrap();
        true
    }

    async fn restore(&self) {
        fs::rename(self.dir.path().join("away"), self.data()).unwrap();
    }
}

mod kit {
    edge_core::endpoint_conformance!(super::Kit::new(64 << 20));
}

mod kit_with_small_files {
    edge_core::endpoint_conformance!(super::Kit::new(300));
}

#[tokio::test]
async fn files_rotate_by_size_and_old_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let options = FileUpstreamOptions::new(&path).max_file_bytes(NonZeroU64::new(1000).unwrap());
    let upstream = open(options.keep_files(NonZeroU32::new(2).unwrap()));
    for number in 0..60 {
        assert_eq!(upstream.send(&batch([number])).await.unwrap(), [Outcome::Accepted]);
        assert!(fs::metadata(&path).unwrap().len() <= 1000);
        assert!(full_files(&path).len() <= 2);
    }
    let last = full_files(&path);
    assert!(last[1] > 2 && last[1] - last[0] == 1, "numbers rise: {last:?}");
    let kept = recorded(&path);
    let expected: Vec<_> = (60 - kept.len()..60).map(|number| number.to_string()).collect();
    assert_eq!(kept, expected, "what is left is the youngest, without a gap");
    let large = stored(60, message(60).to_builder().body(&[b'x'; 5000]).build());
    assert_eq!(upstream.send(&[large]).await.unwrap(), [Outcome::Accepted], "alone in a file of its own");
    assert_eq!(recorded(&path).last().map(Bytes::len), Some(5000));
}

#[tokio::test]
async fn a_torn_line_is_cut_when_the_file_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    open(FileUpstreamOptions::new(&path)).send(&batch(0..3)).await.unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let upstream = open(FileUpstreamOptions::new(&path));
    assert_eq!(recorded(&path), ["0", "1"]);
    upstream.send(&batch(2..4)).await.unwrap();
    assert_eq!(recorded(&path), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn a_file_that_is_taken_away_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let upstream = open(FileUpstreamOptions::new(&path));
    upstream.send(&batch(0..1)).await.unwrap();
    fs::rename(&path, dir.path().join("taken-by-logrotate")).unwrap();
    upstream.send(&batch(1..2)).await.unwrap();
    assert_eq!(recorded(&path), ["1"]);
    fs::remove_file(&path).unwrap();
    upstream.send(&batch(2..3)).await.unwrap();
    assert_eq!(recorded(&path), ["2"]);
}

#[tokio::test]
async fn the_next_upstream_of_a_file_waits_for_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let before = open(FileUpstreamOptions::new(&path));
    let next = FileUpstream::deferred(EndpointId::upstream(), FileUpstreamOptions::new(&path));
    before.send(&batch(0..1)).await.unwrap();
    let error = next.send(&batch(1..2)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("in use by another gateway"), "{}", Report(&error));
    before.close().await;
    next.send(&batch(1..2)).await.unwrap();
    assert_eq!(recorded(&path), ["0", "1"]);
}

#[tokio::test]
async fn foreign_files_and_other_gateways_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let _first = open(FileUpstreamOptions::new(&path));
    let notes = dir.path().join("notes.txt");
    fs::write(&notes, "my notes").unwrap();
    let refused =
        |path: &Path| FileUpstream::open(EndpointId::upstream(), FileUpstreamOptions::new(path)).unwrap_err();
    assert!(matches!(refused(&path), FileUpstreamError::InUse { .. }));
    assert!(matches!(refused(&notes), FileUpstreamError::NotRecorded { .. }));
    assert_eq!(fs::read_to_string(&notes).unwrap(), "my notes");
    assert!(matches!(refused(&dir.path().join("none/out.ndjson")), FileUpstreamError::NoFile { .. }));
    assert!(matches!(refused(dir.path()), FileUpstreamError::NoFile { .. }));
}

#[tokio::test]
async fn closing_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let upstream = open(FileUpstreamOptions::new(&path));
    upstream.send(&batch(0..1)).await.unwrap();
    upstream.close().await;
    assert!(matches!(upstream.send(&batch(1..2)).await, Err(EndpointError::Closed)));
    assert_eq!(recorded(&path), ["0"]);
}

#[tokio::test]
async fn lines_have_exactly_the_documented_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.ndjson");
    let upstream = open(FileUpstreamOptions::new(&path));
    let json = message(0)
        .to_builder()
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::ContentEncoding, "utf-8")
        .property("line", "7")
        .null_property("spare")
        .body(b"{\"t\": 21.50,\n \"u\": \"\\u00b0C\"}")
        .build();
    upstream
        .send(&[stored(0, json), stored(1, message(1).to_builder().body(b"\xff").build())])
        .await
        .unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        concat!(
            r#"{"source":"/messages/","enqueuedTime":"2026-01-01T00:00:00.000Z","#,
            r#""systemProperties":{"contentType":"application/json","contentEncoding":"utf-8","#,
            r#""connectionDeviceId":"s1"},"properties":{"line":"7","spare":null},"#,
            r#""body":{"t": 21.50, "u": "\u00b0C"}}"#,
            "\n",
            r#"{"source":"/messages/","enqueuedTime":"2026-01-01T00:00:00.001Z","#,
            r#""systemProperties":{"connectionDeviceId":"s1"},"properties":{},"bodyBase64":"/w=="}"#,
            "\n",
        )
    );
}
