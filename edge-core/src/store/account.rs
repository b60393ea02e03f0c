//! What becomes of entries, counted: accounts and causes.

use crate::{QueueId, RouteName};

/// Why a copy of a message is gone without being delivered.
///
/// # Examples
/// ```
/// use edge_core::DropCause;
///
/// assert_eq!(DropCause::from_code(DropCause::Expired.code()), Some(DropCause::Expired));
/// assert_eq!(DropCause::ALL.len(), DropCause::COUNT);
/// ```
///
/// # Source
/// The names of the first two are those of Azure IoT Edge's metrics; the others are our choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum DropCause {
    /// No route wanted the message.
    NoRoute = 0,
    /// Its time to live ran out.
    Expired = 1,
    /// Its endpoint refused it for good.
    Refused = 2,
    /// It was lost to damage of the store.
    Damaged = 3,
    /// Its queue was removed.
    Removed = 4,
    /// It was the oldest when there was no more room, see [`Overflow::DropOldest`](super::Overflow::DropOldest).
    OverflowOldest = 5,
    /// It came when there was no more room, see [`Overflow::DropNewest`](super::Overflow::DropNewest).
    OverflowNewest = 6,
    /// It made room for a message of a higher class.
    OverflowLowestPriority = 7,
    /// A later one with the same key has taken its place, see
    /// [`Overflow::KeepLatestPerKey`](super::Overflow::KeepLatestPerKey).
    Superseded = 8,
}

impl DropCause {
    /// All causes, by rising code.
    pub const ALL: &'static [Self] = &[
        Self::NoRoute,
        Self::Expired,
        Self::Refused,
        Self::Damaged,
        Self::Removed,
        Self::OverflowOldest,
        Self::OverflowNewest,
        Self::OverflowLowestPriority,
        Self::Superseded,
    ];

    /// How many causes there are; codes are below it.
    pub const COUNT: usize = Self::ALL.len();

    /// Returns the cause's name, as metrics label it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::Expired => "ttl_expiry",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Removed => "removed",
            Self::OverflowOldest => "overflow_oldest",
            Self::OverflowNewest => "overflow_newest",
            Self::OverflowLowestPriority => "overflow_lowest_priority",
            Self::Superseded => "superseded",
        }
    }

    /// Returns the cause's number, as it stands on disks: it never changes.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the cause with this number; `None` when a later version has written it.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// How many copies were dropped, by cause.
///
/// # Examples
/// ```
/// use edge_core::{DropCause, Drops};
///
/// let mut drops = Drops::default();
/// drops.add(DropCause::Expired, 3);
/// assert_eq!((drops.count(DropCause::Expired), drops.total()), (3, 3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Drops([u64; DropCause::COUNT]);

impl Drops {
    /// Counts `copies` more.
    pub fn add(&mut self, cause: DropCause, copies: u64) {
        if let Some(count) = self.0.get_mut(usize::from(cause.code())) {
            *count = count.saturating_add(copies);
        }
    }

    /// Returns how many copies were dropped for one cause.
    #[must_use]
    pub fn count(&self, cause: DropCause) -> u64 {
        self.0.get(usize::from(cause.code())).copied().unwrap_or_default()
    }

    /// Returns how many copies were dropped for any cause.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Returns the causes that have a count, by rising code.
    pub fn iter(&self) -> impl Iterator<Item = (DropCause, u64)> + '_ {
        DropCause::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}

/// What became of all entries that one route has ever sent to one queue.
///
/// # Examples
/// ```
/// use edge_core::{Account, DropCause, EndpointId, Priority, QueueId};
///
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// let mut account = Account::new(queue, "telemetry".parse()?);
/// (account.accepted, account.delivered, account.stored) = (6, 3, 1);
/// account.dropped.add(DropCause::Expired, 2);
/// assert_eq!(account.residual(), 0);
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The queue.
    pub queue: QueueId,
    /// The route.
    pub route: RouteName,
    /// Entries that were taken, those that were dropped before they were stored included.
    pub accepted: u64,
    /// Entries that were settled as delivered.
    pub delivered: u64,
    /// Entries that wait.
    pub stored: u64,
    /// Entries that were dropped, by cause.
    pub dropped: Drops,
}

impl Account {
    /// Returns an account on which nothing is counted yet.
    #[must_use]
    pub fn new(queue: QueueId, route: RouteName) -> Self {
        Self { queue, route, accepted: 0, delivered: 0, stored: 0, dropped: Drops::default() }
    }

    /// Returns accepted − delivered − stored − dropped: zero, or the store has a fault.
    #[must_use]
    pub fn residual(&self) -> i128 {
        i128::from(self.accepted)
            - i128::from(self.delivered)
            - i128::from(self.stored)
            - i128::from(self.dropped.total())
    }
}

/// Entries of one queue and route that were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gone {
    /// The queue.
    pub queue: QueueId,
    /// The route.
    pub route: RouteName,
    /// How many entries.
    pub entries: u64,
    /// Why.
    pub cause: DropCause,
}

impl Gone {
    /// Returns a count of entries that are gone.
    #[must_use]
    pub fn new(queue: QueueId, route: RouteName, entries: u64, cause: DropCause) -> Self {
        Self { queue, route, entries, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_places() {
        for (code, &cause) in (0..).zip(DropCause::ALL) {
            assert_eq!((cause.code(), DropCause::from_code(code)), (code, Some(cause)));
        }
        assert_eq!(DropCause::from_code(9), None);
    }
}
