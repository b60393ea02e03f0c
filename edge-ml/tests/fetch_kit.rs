//! Every case of the fetch kit has teeth: a broken way to a server fails it, and the table in the docs says which.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use edge_ml::fetch::{Fetch, FetchBody, FetchError, FetchHead, FetchRequest};
use edge_ml::testing::fetch::{self, FetchHarness, Site, content};

macro_rules! flaws {
    ($($flaw:ident => $case:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Flaw {
            None,
            $($flaw,)*
        }

        /// Every flaw, with the case that must catch it.
        const FLAWS: &[(Flaw, &str)] = &[$((Flaw::$flaw, $case)),*];
    };
}

flaws! {
    DropsAByte => "a_whole_file_comes",
    HidesTheTag => "the_head_is_as_sent",
    IgnoresTheRange => "a_part_is_asked_for",
    IgnoresTheTag => "another_tag_brings_the_whole",
    EndsQuietly => "a_torn_body_is_an_error",
    GathersAll => "pieces_are_bounded",
    RefusesStatus => "a_missing_file_is_told",
    InventsAnAnswer => "a_silent_server_is_an_error",
}

/// A server and the way to it in memory, sound but for one flaw.
#[derive(Debug)]
struct InMemory(Site, Flaw);

struct Pieces {
    rest: Vec<Bytes>,
    torn: bool,
}

#[async_trait]
impl FetchBody for Pieces {
    async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        match self.rest.pop() {
            Some(piece) => Ok(Some(piece)),
            None if self.torn => Err(FetchError::new("reading the file", "the connection ended")),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Fetch for InMemory {
    async fn fetch(&self, request: &FetchRequest) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError> {
        let Self(site, flaw) = *self;
        if site == Site::Silent && flaw != Flaw::InventsAnAnswer {
            return Err(FetchError::new("connecting", "nobody listens"));
        }
        if site == Site::Missing && flaw == Flaw::RefusesStatus {
            return Err(FetchError::new("asking for the file", "404"));
        }
        let whole = content();
        let tagged = request.validator.as_deref() == Some("\"v1\"") || flaw == Flaw::IgnoresTheTag;
        let from = if tagged && flaw != Flaw::IgnoresTheRange { request.from as usize } else { 0 };
        let mut sent = whole[from..].to_vec();
        let head = FetchHead {
            status: if site == Site::Missing {
                404
            } else if from > 0 {
                206
            } else {
                200
            },
            content_length: Some(sent.len() as u64),
            content_range: (from > 0).then(|| format!("bytes {from}-{}/{}", whole.len() - 1, whole.len())),
            etag: (flaw != Flaw::HidesTheTag).then(|| "\"v1\"".to_owned()),
        };
        let torn = site == Site::Torn;
        if torn {
            sent.truncate(whole.len() / 2);
        }
        if flaw == Flaw::DropsAByte {
            sent.remove(7);
        }
        let piece = if flaw == Flaw::GathersAll { usize::MAX } else { 64 * 1024 };
        let rest = sent.chunks(piece).rev().map(Bytes::copy_from_slice).collect();
        Ok((head, Box::new(Pieces { rest, torn: torn && flaw != Flaw::EndsQuietly })))
    }
}

struct Harness(Flaw);

#[async_trait]
impl FetchHarness for Harness {
    async fn serve(&self, site: Site) -> (Arc<dyn Fetch>, String) {
        (Arc::new(InMemory(site, self.0)), "http://in.memory/m".to_owned())
    }
}

/// Returns case and saboteur of a row ``| contract | [`case`] | `Saboteur` |``.
fn table_row(line: &str) -> Option<(String, String)> {
    let (rest, saboteur) = line.strip_prefix("//! |")?.strip_suffix("` |")?.rsplit_once("| `")?;
    let (_, case) = rest.trim().strip_suffix("`]")?.rsplit_once("[`")?;
    Some((case.into(), saboteur.into()))
}

#[test]
fn every_saboteur_is_caught() {
    let listed: BTreeSet<_> = fetch::CASES.iter().copied().collect();
    assert_eq!(
        listed,
        FLAWS.iter().map(|(_, case)| *case).collect(),
        "the cases, and those that have a saboteur"
    );
    let rows: BTreeSet<_> = include_str!("../src/testing/fetch.rs").lines().filter_map(table_row).collect();
    let pairs = FLAWS.iter().map(|(flaw, case)| ((*case).to_owned(), format!("{flaw:?}"))).collect();
    assert_eq!(rows, pairs, "the table in the kit's docs, and the saboteurs");
    for &(flaw, case) in FLAWS {
        let caught = std::panic::catch_unwind(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(fetch::run(case, &Harness(flaw)));
        });
        assert!(caught.is_err(), "{case} does not catch {flaw:?}");
    }
}

mod sound {
    use super::{Flaw, Harness};

    edge_ml::fetch_conformance!(Harness(Flaw::None));
}
