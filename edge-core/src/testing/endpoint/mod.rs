//! Conformance kit for [`Endpoint`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | `send` MUST return one outcome for each message | [`one_outcome_for_each_message`] | `MissesOne` |
//! | … in the order of the batch | [`outcomes_keep_the_order_of_the_batch`] | `ReversesOutcomes` |
//! | [`Outcome::Accepted`] MUST mean that the far side is responsible now | [`what_is_accepted_has_arrived`] | `SendsNothing` |
//! | … never report it before that | [`an_unanswered_message_is_not_accepted`] | `AcceptsEarly` |
//! | `Err` MUST mean that no message is *known* to be accepted | [`nothing_is_accepted_without_the_far_side`] | `AcceptsAnyway` |
//! | The messages MUST reach the far side in the order of the batch | [`messages_arrive_in_order`] | `SendsBackwards` |
//! | The hub never calls `send` again before the call before has resolved | the hub's promise: nothing to check | |
//! | After `Err` … the hub sends again | [`all_arrive_after_an_error`] | `GivesUpForGood` |
//! | After … a dropped future the hub sends again | [`all_arrive_after_a_dropped_future`] | `RemembersTheDropped` |
//!
//! [`Outcome::Accepted`]: crate::Outcome::Accepted

mod cases;

use async_trait::async_trait;
use bytes::Bytes;

pub use cases::{
    all_arrive_after_a_dropped_future, all_arrive_after_an_error, an_unanswered_message_is_not_accepted,
    messages_arrive_in_order, nothing_is_accepted_without_the_far_side, one_outcome_for_each_message,
    outcomes_keep_the_order_of_the_batch, what_is_accepted_has_arrived,
};

use crate::Endpoint;

/// How the kit gets at an endpoint and at its far side.
///
/// What a far side cannot do stays at its default; the cases that need it then check nothing and say so.
#[async_trait]
pub trait EndpointHarness: Send + Sync {
    /// The endpoint under test.
    type Endpoint: Endpoint;

    /// Returns an endpoint whose far side takes everything.
    async fn open(&self) -> Self::Endpoint;

    /// Returns the bodies of all messages that the far side is responsible for, in the order of their arrival,
    /// duplicates included.
    async fn taken(&self) -> Vec<Bytes>;

    /// Makes the far side refuse every message with this body for good; returns whether it can.
    async fn refuse(&self, _body: &[u8]) -> bool {
        false
    }

    /// Makes the far side unreachable until [`EndpointHarness::restore`]; returns whether it can.
    ///
    /// An endpoint that never gives up by itself MUST be given a timeout by the harness.
    async fn cut(&self) -> bool {
        false
    }

    /// Ends what [`EndpointHarness::cut`] began.
    async fn restore(&self) {}

    /// Makes the far side take messages in without answering, until [`EndpointHarness::answer`]; returns whether it
    /// can.
    async fn withhold(&self) -> bool {
        false
    }

    /// Resolves when the far side holds a message that it has not answered.
    async fn withheld(&self) {
        std::future::pending().await
    }

    /// Lets the far side answer what it held back, and from now on everything at once.
    async fn answer(&self) {}
}

/// Makes one test of each case of the [endpoint kit](crate::testing::endpoint); the argument makes a harness.
#[macro_export]
macro_rules! endpoint_conformance {
    ($harness:expr) => {
        $crate::__endpoint_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __endpoint_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args endpoint:
            one_outcome_for_each_message,
            outcomes_keep_the_order_of_the_batch,
            what_is_accepted_has_arrived,
            an_unanswered_message_is_not_accepted,
            nothing_is_accepted_without_the_far_side,
            messages_arrive_in_order,
            all_arrive_after_an_error,
            all_arrive_after_a_dropped_future,
        }
    };
}

__endpoint_cases! { __kit_index! [EndpointHarness] }
