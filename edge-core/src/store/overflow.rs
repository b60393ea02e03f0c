//! What happens to a message that finds no room.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Message, SystemKey};

/// What happens when an entry would take its queue, its class or the store beyond its byte limit.
///
/// | name | the message | the entries that wait |
/// |---|---|---|
/// | `refuse` | its batch is refused | stay, also when others need room |
/// | `drop-oldest` | is stored | the oldest leave: of its queue when that is full; when its class is, of other queues of the class, its own queue last; when the store is, of lower classes before that |
/// | `drop-newest` | is not stored in this queue, and its sender is acknowledged | stay |
/// | `drop-lowest-priority` | is stored, or its batch is refused | the oldest of lower classes leave, and no others |
/// | `keep-latest-per-key:…` | is stored, or its batch is refused | those leave that have the key of a later one in the same queue |
///
/// Lower classes make no room in a class that is full: `drop-lowest-priority` refuses then.
///
/// Only entries of `drop-oldest` and `drop-lowest-priority` leave for a message of another queue. What a route asked last
/// holds for all its entries in a queue. The classes are the priorities: 0 is the highest, the default the lowest.
///
/// A message that is larger than its queue or its class may ever be is refused for good, except with `drop-newest`.
///
/// # Examples
/// ```
/// use edge_core::{Overflow, OverflowKey};
///
/// assert_eq!("drop-oldest".parse(), Ok(Overflow::DropOldest));
/// let latest: Overflow = "keep-latest-per-key:property=sensor".parse()?;
/// assert_eq!(latest, Overflow::KeepLatestPerKey(OverflowKey::Property("sensor".into())));
/// assert_eq!(latest.to_string(), "keep-latest-per-key:property=sensor");
/// # Ok::<(), edge_core::OverflowError>(())
/// ```
///
/// # Source
/// Our choice: refusing is the default, because then nobody is told that a message is safe which is then dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The batch is refused, and its sender not acknowledged.
    #[default]
    Refuse,
    /// Older entries make room.
    DropOldest,
    /// The message itself is dropped.
    DropNewest,
    /// Entries of lower classes make room.
    DropLowestPriority,
    /// Entries that a later one with the same key supersedes make room.
    KeepLatestPerKey(OverflowKey),
}

/// What makes two messages the same to [`Overflow::KeepLatestPerKey`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OverflowKey {
    /// The device that sent the message.
    Device,
    /// The value of an application property; messages without it are all different.
    Property(Arc<str>),
}

impl OverflowKey {
    /// Returns the key of a message; one that has none supersedes nothing, and nothing supersedes it.
    #[must_use]
    pub fn of<'m>(&self, message: &'m Message) -> Option<&'m str> {
        match self {
            Self::Device => message.system().value(SystemKey::ConnectionDeviceId),
            Self::Property(name) => message.properties().value(name).flatten(),
        }
    }
}

impl Overflow {
    /// Returns whether entries may leave to make room for a message of another queue.
    #[must_use]
    pub const fn is_evictable(&self) -> bool {
        matches!(self, Self::DropOldest | Self::DropLowestPriority)
    }
}

/// Why a text is not an overflow policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not what to do at overflow: write refuse, drop-oldest, drop-newest, drop-lowest-priority, \
     keep-latest-per-key:device or keep-latest-per-key:property=NAME"
)]
#[non_exhaustive]
pub struct OverflowError {
    /// The refused text.
    pub text: String,
}

const PER_DEVICE: &str = "keep-latest-per-key:device";
const PER_PROPERTY: &str = "keep-latest-per-key:property=";

impl FromStr for Overflow {
    type Err = OverflowError;

    fn from_str(text: &str) -> Result<Self, OverflowError> {
        Ok(match text {
            "refuse" => Self::Refuse,
            "drop-oldest" => Self::DropOldest,
            "drop-newest" => Self::DropNewest,
            "drop-lowest-priority" => Self::DropLowestPriority,
            PER_DEVICE => Self::KeepLatestPerKey(OverflowKey::Device),
            _ => {
                let name = text.strip_prefix(PER_PROPERTY).filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| OverflowError { text: text.into() })?;
                Self::KeepLatestPerKey(OverflowKey::Property(name.into()))
            }
        })
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::DropOldest => f.write_str("drop-oldest"),
            Self::DropNewest => f.write_str("drop-newest"),
            Self::DropLowestPriority => f.write_str("drop-lowest-priority"),
            Self::KeepLatestPerKey(OverflowKey::Device) => f.write_str(PER_DEVICE),
            Self::KeepLatestPerKey(OverflowKey::Property(name)) => write!(f, "{PER_PROPERTY}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for text in [
            "refuse",
            "drop-oldest",
            "drop-newest",
            "drop-lowest-priority",
            "keep-latest-per-key:device",
            "keep-latest-per-key:property=a=b",
        ] {
            assert_eq!(text.parse::<Overflow>().unwrap().to_string(), text);
        }
        for text in ["", "drop", "keep-latest-per-key", "keep-latest-per-key:property=", "Refuse"] {
            assert!(text.parse::<Overflow>().is_err(), "{text:?}");
        }
    }
}
