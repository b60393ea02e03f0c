//! Entity tags: which state of a twin a change is meant for.

use std::fmt;
use std::str::FromStr;

use edge_core::Timestamp;

/// Names a state of a twin's tags and desired properties: eight bytes in base64.
///
/// # Examples
/// ```
/// use edge_twin::Etag;
///
/// let etag: Etag = "AAAAAAAAAAE=".parse()?;
/// assert_eq!(etag.to_string(), "AAAAAAAAAAE=");
/// # Ok::<(), edge_twin::EtagError>(())
/// ```
///
/// # Source
/// Azure IoT Hub shows etags of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Etag(u64);

/// Why a text is no [`Etag`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no etag of a twin: those have 11 letters of base64 and an equals sign")]
#[non_exhaustive]
pub struct EtagError;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Etag {
    /// Returns the etag of a twin that is made now. It is made of the time, so that a twin that is made again under the
    /// same name does not have an etag of the one before.
    pub(crate) fn first(now: Timestamp) -> Self {
        Self(now.as_unix_ms().max(1))
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 64 bits and two zero bits are eleven letters.
        let bits = u128::from(self.0) << 2;
        for at in (0..11).rev() {
            let letter = LETTERS.get((bits >> (6 * at)) as usize & 63).copied().unwrap_or(b'A');
            write!(f, "{}", char::from(letter))?;
        }
        f.write_str("=")
    }
}

impl FromStr for Etag {
    type Err = EtagError;

    fn from_str(text: &str) -> Result<Self, EtagError> {
        let letters = text.strip_suffix('=').filter(|letters| letters.len() == 11).ok_or(EtagError)?;
        let mut bits = 0_u128;
        for letter in letters.bytes() {
            let value = LETTERS.iter().position(|&known| known == letter).ok_or(EtagError)?;
            bits = bits << 6 | value as u128;
        }
        if bits & 3 != 0 {
            return Err(EtagError);
        }
        u64::try_from(bits >> 2).map(Self).map_err(|_| EtagError)
    }
}

/// Which state a change is meant for.
///
/// # Examples
/// ```
/// use edge_twin::Expect;
///
/// assert_eq!(Expect::if_match(None), Expect::Anything);
/// assert_eq!(Expect::if_match(Some("\"*\"")), Expect::Anything);
/// assert_eq!(Expect::if_match(Some("\"AAAAAAAAAAE=\"")), Expect::Etag("AAAAAAAAAAE=".parse()?));
/// assert_eq!(Expect::if_match(Some("something else")), Expect::Unknown);
/// # Ok::<(), edge_twin::EtagError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// Any state.
    #[default]
    Anything,
    /// The state with this etag.
    Etag(Etag),
    /// The section's state with this `$version`.
    Version(u64),
    /// A state that no twin has ever had.
    Unknown,
}

impl Expect {
    /// Reads the header `If-Match`: an etag with or without quotes, or a star.
    #[must_use]
    pub fn if_match(header: Option<&str>) -> Self {
        match header.map(|text| text.trim().trim_matches('"')) {
            None | Some("*" | "") => Self::Anything,
            Some(text) => text.parse().map_or(Self::Unknown, Self::Etag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_read_as_they_are_written() {
        for bits in [0, 1, 63, 64, 1_767_225_600_000, u64::MAX - 1, u64::MAX] {
            let text = Etag(bits).to_string();
            assert_eq!((text.len(), text.parse()), (12, Ok(Etag(bits))), "{text}");
        }
        for text in ["", "=", "AAAAAAAAAAE", "AAAAAAAAAAF=", "AAAAAAAAAA!=", "AAAAAAAAAAAE="] {
            assert_eq!(text.parse::<Etag>(), Err(EtagError), "{text}");
        }
    }
}
