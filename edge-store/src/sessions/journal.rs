//! The format of the session file.
//!
//! Version 1, all numbers little-endian. The file begins with 8 bytes, `EDGESES` and the version 1; records follow:
//!
//! ```text
//! offset  bytes  field
//!      0      4  CRC-32 (IEEE) of the rest of the record
//!      4      2  length of the identity
//!      6      1  subscriptions, bit n for the feed with number n; 0 removes the client
//!      7      1  reserved = 0
//!      8      …  identity, UTF-8: `device` or `device/module`
//! ```
//!
//! The last record of an identity counts. An end that is no record was being written when the process or the power
//! went; it is cut. Bytes before the end that are no record are damage, and what follows them still counts.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use edge_core::{FeedSet, Identity};

use crate::fs::{Fs, read_full};

const MAGIC: [u8; 8] = *b"EDGESES\x01";
const RECORD_HEADER_BYTES: usize = 8;

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) feeds: BTreeMap<Identity, FeedSet>,
    pub(super) damaged_bytes: u64,
}

/// Reads a journal; one that is not there is empty.
pub(super) fn load(fs: &dyn Fs, path: &Path) -> io::Result<Found> {
    let file = match fs.open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    let read = read_full(file.as_ref(), &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(parse(&bytes))
}

/// Starts a journal.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
}

/// Adds a record.
pub(super) fn put(out: &mut Vec<u8>, identity: &Identity, feeds: FeedSet) {
    let text = identity.to_string();
    let [l0, l1] = u16::try_from(text.len()).expect("an identity has at most 257 bytes").to_le_bytes();
    let fields = [l0, l1, feeds.bits(), 0];
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&fields);
    hasher.update(text.as_bytes());
    out.extend_from_slice(&hasher.finalize().to_le_bytes());
    out.extend_from_slice(&fields);
    out.extend_from_slice(text.as_bytes());
}

fn parse(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut rest = bytes.strip_prefix(&MAGIC).unwrap_or(bytes);
    let mut doubtful = 0;
    while !rest.is_empty() {
        if let Some((identity, feeds, len)) = record(rest) {
            found.damaged_bytes += std::mem::take(&mut doubtful);
            if feeds.is_empty() {
                found.feeds.remove(&identity);
            } else {
                found.feeds.insert(identity, feeds);
            }
            rest = rest.get(len..).unwrap_or_default();
        } else {
            doubtful += 1;
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    found
}

/// Returns the record that the bytes begin with, and its length.
fn record(bytes: &[u8]) -> Option<(Identity, FeedSet, usize)> {
    let &[c0, c1, c2, c3, l0, l1, bits, _] = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
    let len = RECORD_HEADER_BYTES + usize::from(u16::from_le_bytes([l0, l1]));
    let record = bytes.get(..len)?;
    if crc32fast::hash(record.get(4..)?) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return None;
    }
    let identity = std::str::from_utf8(record.get(RECORD_HEADER_BYTES..)?).ok()?.parse().ok()?;
    Some((identity, FeedSet::from_bits(bits), len))
}

#[cfg(test)]
mod tests {
    use edge_core::Feed;

    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        begin(&mut bytes);
        put(&mut bytes, &"d/m".parse().unwrap(), Feed::Inputs.into());
        put(&mut bytes, &"d".parse().unwrap(), FeedSet::from(Feed::Methods).with(Feed::Desired));
        bytes
    }

    fn check(bytes: &[u8], expected: &[&str], damaged_bytes: u64) {
        let found = parse(bytes);
        let names: Vec<_> = found.feeds.keys().map(ToString::to_string).collect();
        assert_eq!(
            (names.iter().map(String::as_str).collect::<Vec<_>>(), found.damaged_bytes),
            (expected.to_vec(), damaged_bytes)
        );
    }

    #[test]
    fn the_format_does_not_change() {
        let golden = b"EDGESES\x01\x27\xaa\x25\xff\x03\0\x01\0d/m\x88\x82\x87\xb8\x01\0\x0c\0d";
        assert_eq!(sample(), golden);
    }

    #[test]
    fn the_last_record_counts() {
        let mut bytes = sample();
        put(&mut bytes, &"d/m".parse().unwrap(), FeedSet::EMPTY);
        check(&bytes, &["d"], 0);
    }

    #[test]
    fn an_unfinished_end_is_no_damage() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]).damaged_bytes, 0, "{end}");
        }
        check(&bytes[..19], &["d/m"], 0);
    }

    #[test]
    fn what_follows_damage_counts() {
        let mut bytes = sample();
        bytes[17] ^= 1;
        check(&bytes, &["d"], 11);
        bytes[0] ^= 1;
        check(&bytes, &["d"], 19);
    }
}
