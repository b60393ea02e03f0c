//! Conformance kit for [`Fetch`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | the bytes that the server sent, all and in order | [`a_whole_file_comes`] | `DropsAByte` |
//! | MUST return the status and headers | [`the_head_is_as_sent`] | `HidesTheTag` |
//! | MUST ask for the range | [`a_part_is_asked_for`] | `IgnoresTheRange` |
//! | and under the entity tag | [`another_tag_brings_the_whole`] | `IgnoresTheTag` |
//! | MUST end with an error | [`a_torn_body_is_an_error`] | `EndsQuietly` |
//! | a piece MUST be at most 1 MiB | [`pieces_are_bounded`] | `GathersAll` |
//! | a status that tells of a failure MUST NOT be an error | [`a_missing_file_is_told`] | `RefusesStatus` |
//! | a server that cannot be reached MUST be one | [`a_silent_server_is_an_error`] | `InventsAnAnswer` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::sync::Arc;

use async_trait::async_trait;

use crate::fetch::{Fetch, FetchBody, FetchError, FetchHead, FetchRequest};

/// What a server of a harness has: for each path one file and one way to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Site {
    /// A server that sends [`content`] under the tag `"v1"`, whole or from an asked byte on when `If-Range` is its tag.
    Sound,
    /// One that announces all of [`content`], and closes the connection after half of it.
    Torn,
    /// One that answers 404.
    Missing,
    /// An address at which nobody listens.
    Silent,
}

/// Returns the content of the file that servers of a harness have: 3 MiB that do not repeat soon.
#[must_use]
pub fn content() -> Vec<u8> {
    (0..3u32 * 1024 * 1024).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// How the kit gets at what fetches.
#[async_trait]
pub trait FetchHarness: Send + Sync {
    /// Returns what fetches, and the address of the file on such a server.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a server may stay behind.
    async fn serve(&self, site: Site) -> (Arc<dyn Fetch>, String);
}

/// Makes one test of each case of the [fetch kit](crate::testing::fetch); the argument makes a harness.
#[macro_export]
macro_rules! fetch_conformance {
    ($harness:expr) => {
        $crate::__fetch_cases! { __fetch_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __fetch_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args
            a_whole_file_comes,
            the_head_is_as_sent,
            a_part_is_asked_for,
            another_tag_brings_the_whole,
            a_torn_body_is_an_error,
            pieces_are_bounded,
            a_missing_file_is_told,
            a_silent_server_is_an_error,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __fetch_tests {
    ([$harness:expr] $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::testing::fetch::$case(&$harness).await;
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __fetch_index {
    ([] $($case:ident,)*) => {
        /// The names of all cases of the kit.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Runs the case with this name.
        ///
        /// # Cancel safety
        /// Not cancel-safe: a case dropped half way has checked nothing.
        ///
        /// # Panics
        /// Panics when the contract is broken, and when there is no such case.
        pub async fn run(case: &str, harness: &impl FetchHarness) {
            match case {
                $(stringify!($case) => $case(harness).await,)*
                _ => panic!("there is no case {case:?} in this kit"),
            }
        }
    };
}

__fetch_cases! { __fetch_index! [] }

async fn ask(
    harness: &impl FetchHarness,
    site: Site,
    request: impl FnOnce(FetchRequest) -> FetchRequest,
) -> Result<(FetchHead, Box<dyn FetchBody>), FetchError> {
    let (fetch, url) = harness.serve(site).await;
    fetch.fetch(&request(FetchRequest::whole(url))).await
}

async fn all(body: &mut dyn FetchBody) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.chunk().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

const FROM: u64 = 1_000_003;

/// > The body MUST give the bytes that the server sent, all and in order, and nothing else.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_whole_file_comes(harness: &impl FetchHarness) {
    let (_, mut body) = ask(harness, Site::Sound, |request| request).await.expect("there is an answer");
    let bytes = all(&mut *body).await.expect("the body ends well");
    assert!(bytes == content(), "{} bytes came, not those that were sent", bytes.len());
}

/// > MUST return the status and headers as the server sent them.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn the_head_is_as_sent(harness: &impl FetchHarness) {
    let (head, _) = ask(harness, Site::Sound, |request| request).await.expect("there is an answer");
    let expected = FetchHead {
        status: 200,
        content_length: Some(content().len() as u64),
        content_range: None,
        etag: Some("\"v1\"".into()),
    };
    assert_eq!(head, expected);
}

/// > `fetch` MUST ask for the range of the request.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_part_is_asked_for(harness: &impl FetchHarness) {
    let answer = ask(harness, Site::Sound, |request| request.from(FROM, "\"v1\"")).await;
    let (head, mut body) = answer.expect("there is an answer");
    let length = content().len();
    assert_eq!(
        (head.status, head.content_range),
        (206, Some(format!("bytes {FROM}-{}/{length}", length - 1)))
    );
    let bytes = all(&mut *body).await.expect("the body ends well");
    assert!(bytes == content()[FROM as usize..], "{} bytes came, not those asked for", bytes.len());
}

/// > and under the entity tag of the request.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn another_tag_brings_the_whole(harness: &impl FetchHarness) {
    let answer = ask(harness, Site::Sound, |request| request.from(FROM, "\"v0\"")).await;
    assert_eq!(answer.expect("there is an answer").0.status, 200, "the file has changed since");
}

/// > The body MUST end with an error, not with `None`, when the connection ended before the server's last byte.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_torn_body_is_an_error(harness: &impl FetchHarness) {
    let (_, mut body) = ask(harness, Site::Torn, |request| request).await.expect("there is an answer");
    let bytes = all(&mut *body).await;
    assert!(bytes.is_err(), "{:?} bytes came, and no error", bytes.map(|bytes| bytes.len()));
}

/// > A piece of a body MUST be at most 1 MiB.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn pieces_are_bounded(harness: &impl FetchHarness) {
    let (_, mut body) = ask(harness, Site::Sound, |request| request).await.expect("there is an answer");
    while let Some(piece) = body.chunk().await.expect("the body ends well") {
        assert!(piece.len() <= 1024 * 1024, "a piece of {} bytes", piece.len());
    }
}

/// > A status that tells of a failure MUST NOT be an error.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_missing_file_is_told(harness: &impl FetchHarness) {
    let answer = ask(harness, Site::Missing, |request| request).await;
    assert_eq!(answer.expect("there is an answer").0.status, 404);
}

/// > a server that cannot be reached MUST be one.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_silent_server_is_an_error(harness: &impl FetchHarness) {
    let answer = ask(harness, Site::Silent, |request| request).await;
    assert!(answer.is_err(), "nobody can have answered");
}
