//! Keeping a twin in step with a parent: a machine without input and output.
//!
//! The parent decides the desired properties, this side the reported ones. [`TwinSync`] is told what happens and the
//! time, and asked what to do.
//!
//! # How it stays right
//! - After each connect, each gap and each answer that did not come, it reads the parent's whole twin. What differs is
//!   what changed meanwhile, deletions included, on either side: no list of missed changes is needed, so absence may
//!   last for ever.
//! - A desired change is taken when its version is the next one. An older one is ignored, a later one means a gap.
//! - Reported properties are compared with what the parent is known to have; the difference goes out when changes have
//!   gathered for [`SyncOptions::gather`]. One request is on its way at a time, and says over which version it is meant.
//! - Whoever comes back without a memory of its own takes over what the parent has, and then makes its own changes.
//!
//! # Local edits of desired properties
//! Somebody at the edge may edit desired properties. An edit is kept for each path with its author's policy, see
//! [`EditPolicy`], and laid over what the parent says.

mod edits;
mod machine;
mod snapshot;

use std::time::{Duration, Instant};

use edge_core::{Clock, Timestamp};

use crate::{Limits, Map, Patch};

pub use machine::TwinSync;

/// The two times that the machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Now {
    /// For deadlines.
    pub instant: Instant,
    /// For stamps.
    pub wall: Timestamp,
}

impl Now {
    /// Returns the given times.
    #[must_use]
    pub fn new(instant: Instant, wall: Timestamp) -> Self {
        Self { instant, wall }
    }

    /// Returns what a clock shows.
    #[must_use]
    pub fn of(clock: &dyn Clock) -> Self {
        Self { instant: clock.now(), wall: clock.wall() }
    }
}

/// How patient the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncOptions {
    /// How long reported changes gather before they are sent: 1 s.
    pub gather: Duration,
    /// How long an answer may take before the request counts as lost: 30 s.
    pub answer_within: Duration,
    /// How long to wait after a refusal that is not for good: 10 s.
    pub retry_after: Duration,
    /// How often the parent's twin is read although nothing hints at a change: every 10 min. A notification that got
    /// lost is made up for after that time.
    pub refresh_after: Duration,
    /// The limits of reported properties; a patch that is larger is sent in parts.
    pub limits: Limits,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            gather: Duration::from_secs(1),
            answer_within: Duration::from_secs(30),
            retry_after: Duration::from_secs(10),
            refresh_after: Duration::from_secs(600),
            limits: Limits::default(),
        }
    }
}

/// Who wins when both sides change the same desired property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditPolicy {
    /// The edit holds until the parent changes the property.
    #[default]
    ParentWins,
    /// The edit holds until it is taken back.
    LocalWins,
    /// The edit holds until the parent makes a change that is not older than the edit. A change counts from the time
    /// when it is heard of.
    LastWriter,
}

/// Where a desired property comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provenance {
    /// From the parent.
    Parent {
        /// The version of the parent's desired properties that changed it last, as far as it was seen.
        version: u64,
    },
    /// From an edit on this side.
    Local {
        /// When it was made.
        at: Timestamp,
        /// Who wins.
        policy: EditPolicy,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SyncOutput {
    /// Ask the parent for the whole twin, and bring the answer with this number.
    Read {
        /// The number of the request.
        request: u64,
    },
    /// Send the parent a patch of the reported properties, and bring the answer with this number.
    Report {
        /// The number of the request.
        request: u64,
        /// The patch.
        patch: Patch,
        /// The version of the parent's reported properties that it is meant for; a parent that can refuses others.
        over: u64,
    },
    /// Tell the device of a change of desired properties.
    Desired {
        /// What has changed.
        patch: Patch,
        /// The version to tell: it rises with each change, and is the parent's where nobody edited anything here.
        version: u64,
    },
    /// The parent refuses the reported properties for good, until they change.
    Refused,
}

/// What the parent answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SyncAnswer {
    /// The whole twin.
    Twin {
        /// The desired properties.
        desired: Map,
        /// Their version.
        desired_version: u64,
        /// The reported properties.
        reported: Map,
        /// Their version.
        reported_version: u64,
    },
    /// The reported properties have been taken.
    Reported {
        /// Their version now.
        version: u64,
    },
    /// The parent has another version of the reported properties.
    Conflict,
    /// The parent cannot now.
    Unavailable,
    /// The parent never will.
    Refused,
}
