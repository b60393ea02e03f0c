//! Sound implementations with everything that the kits can ask for; the saboteurs wrap them.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "shared by several test files")]

pub mod far;
pub mod identities;
pub mod journal;
pub mod judge;
pub mod sessions;
pub mod tasks;
pub mod uploads;
