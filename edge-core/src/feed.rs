//! What a client can be subscribed to.

use std::fmt;

/// One thing that a client can be subscribed to.
///
/// # Source
/// Azure IoT Edge keeps the same five subscriptions for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Feed {
    /// Messages for a module's inputs.
    Inputs = 0,
    /// Cloud-to-device messages.
    CloudToDevice = 1,
    /// Changes of the desired properties.
    Desired = 2,
    /// Direct methods.
    Methods = 3,
    /// Answers to twin requests.
    TwinResponses = 4,
}

impl Feed {
    /// All feeds.
    pub const ALL: &'static [Self] =
        &[Self::Inputs, Self::CloudToDevice, Self::Desired, Self::Methods, Self::TwinResponses];
}

/// A set of feeds.
///
/// # Examples
/// ```
/// use edge_core::{Feed, FeedSet};
///
/// let feeds = FeedSet::from(Feed::Inputs).with(Feed::Methods);
/// assert!(feeds.contains(Feed::Methods));
/// assert!(!feeds.without(Feed::Methods.into()).contains(Feed::Methods));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FeedSet(u8);

impl FeedSet {
    /// No feeds.
    pub const EMPTY: Self = Self(0);

    /// Returns the set with one more feed.
    #[must_use]
    pub const fn with(self, feed: Feed) -> Self {
        Self(self.0 | 1 << feed as u8)
    }

    /// Returns the feeds of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the feeds of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether the set holds `feed`.
    #[must_use]
    pub const fn contains(self, feed: Feed) -> bool {
        self.0 & 1 << feed as u8 != 0
    }

    /// Returns whether the set holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the set as one byte, as it is stored; bit n is the feed with number n.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns the set that one byte stands for; bits without a feed are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1_1111)
    }
}

impl From<Feed> for FeedSet {
    fn from(feed: Feed) -> Self {
        Self::EMPTY.with(feed)
    }
}

impl fmt::Debug for FeedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Feed::ALL.iter().filter(|&&feed| self.contains(feed))).finish()
    }
}
