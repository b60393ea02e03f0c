//! Deliberately broken implementations: sound ones with one flaw each.
#![allow(unreachable_pub, reason = "used by the test file beside it")]

pub mod clock;
pub mod endpoint;
pub mod identities;
pub mod judge;
pub mod sessions;
pub mod store;
mod store_harness;
pub mod uploads;

/// Makes an enum of flaws, with the case of the kit that each must fail.
macro_rules! flaws {
    ($name:ident { $($(#[$doc:meta])* $flaw:ident => $case:literal,)* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $flaw,)*
        }

        impl $name {
            /// Every flaw, with the case that must catch it.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$flaw, $case)),*];
        }
    };
}
use flaws;
