//! The stored form of a whole twin.
//!
//! ```text
//!  0  1  1: the version of this format
//!  1  8  version of the twin
//!  9  8  etag
//! 17     for tags, desired and reported: version u64, length u32
//! 53  4  CRC-32 (IEEE) of everything else
//! 57     the three sections, each an object in its stored form
//! ```

use bytes::Bytes;

use crate::stored::saturate;
use crate::{Etag, Section, Twin};

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 53;
const CRC_BYTES: usize = 4;

/// Why stored bytes are no twin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A later release has written them.
    #[error("twin is stored in format {found}, this release reads format 1")]
    Format {
        /// The format they are in.
        found: u8,
    },
    /// They are damaged.
    #[error("stored twin is damaged")]
    Damaged,
}

impl Twin {
    /// Returns the twin in its stored form.
    ///
    /// # Examples
    /// ```
    /// use edge_core::Timestamp;
    /// use edge_twin::Twin;
    ///
    /// let twin = Twin::new(Timestamp::from_unix_ms(0));
    /// assert_eq!(Twin::decode(twin.encode())?, twin);
    /// # Ok::<(), edge_twin::DecodeError>(())
    /// ```
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let sections = [self.tags(), self.desired(), self.reported()];
        let len: usize = sections.iter().map(|section| section.stored().len()).sum();
        let mut out = Vec::with_capacity(HEADER_BYTES + CRC_BYTES + len);
        out.push(FORMAT);
        out.extend_from_slice(&self.version().to_le_bytes());
        out.extend_from_slice(&self.etag().bits().to_le_bytes());
        for section in sections {
            let len = saturate(section.stored().len());
            out.extend_from_slice(&section.version().to_le_bytes());
            out.extend_from_slice(&len.to_le_bytes());
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&out);
        for section in sections {
            crc.update(section.stored());
        }
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        for section in sections {
            out.extend_from_slice(section.stored());
        }
        out.into()
    }

    /// Returns the version of a stored twin without looking at the rest; `None` when the bytes are none.
    #[must_use]
    pub fn stored_version(stored: &[u8]) -> Option<u64> {
        let mut header = stored.strip_prefix(&[FORMAT])?;
        number(&mut header)
    }

    /// Reads a twin from its stored form; its sections share the bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are damaged, which their checksum tells, or of a later format.
    pub fn decode(stored: Bytes) -> Result<Self, DecodeError> {
        match stored.first() {
            Some(&FORMAT) => {}
            Some(&found) if found > FORMAT => return Err(DecodeError::Format { found }),
            _ => return Err(DecodeError::Damaged),
        }
        parse(&stored).ok_or(DecodeError::Damaged)
    }
}

fn parse(stored: &Bytes) -> Option<Twin> {
    let mut header = stored.get(1..HEADER_BYTES)?;
    let version = number(&mut header)?;
    let etag = Etag::from_bits(number(&mut header)?);
    let (crc, sections) = stored.get(HEADER_BYTES..)?.split_first_chunk::<CRC_BYTES>()?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(stored.get(..HEADER_BYTES)?);
    hasher.update(sections);
    if hasher.finalize() != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut at = HEADER_BYTES + CRC_BYTES;
    let mut section = || {
        let version = number(&mut header)?;
        let (len, rest) = header.split_first_chunk()?;
        header = rest;
        let end = at.checked_add(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
        stored.get(at..end)?;
        let section = Some(Section::from_checked(version, stored.slice(at..end)));
        at = end;
        section
    };
    let sections = [section()?, section()?, section()?];
    (at == stored.len()).then(|| Twin::from_parts(version, etag, sections))
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}
