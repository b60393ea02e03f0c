//! Values of a configuration that are texts with a meaning.

use std::fmt;
use std::str::FromStr;

/// Why a text is not the value it should be.
#[derive(Debug)]
pub(crate) struct ValueError(&'static str);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A number of bytes, as `1GiB`, `500MB` or `1048576`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl FromStr for Bytes {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const WRONG: ValueError =
            ValueError("write a number of bytes with a unit: \"512MiB\", \"1GiB\", \"500MB\"");
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let number: u64 = digits.parse().map_err(|_| WRONG)?;
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(WRONG),
        };
        number.checked_mul(factor).map(Self).ok_or(WRONG)
    }
}

/// A limit of a queue: a number of bytes that has room for messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) u64);

/// A queue that is smaller holds next to nothing, and is a slip of the unit.
const MIN_QUEUE_BYTES: u64 = 4096;

impl FromStr for Limit {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Bytes(bytes) = text.parse()?;
        let wide = bytes >= MIN_QUEUE_BYTES;
        wide.then_some(Self(bytes))
            .ok_or(ValueError("write at least \"4KiB\": less has no room for messages"))
    }
}

/// Returns whether a text is an address and a port to listen on.
pub(crate) fn is_listen_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
