//! What a message came to, and how that is counted.

use std::collections::BTreeMap;

use edge_core::{Message, MessageBuilder, Outcome, Report};

/// What happens to a message that the model has no result for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// It is rejected: the gateway sets it aside, with the reason.
    #[default]
    DeadLetter,
    /// It leaves by the output as it came, with the reason in the property `inferenceError`.
    PassThrough,
    /// It is dropped, and counted by [`EndpointStats::dropped`].
    Drop,
}

/// What became of the messages of an endpoint, each counted once: when its outcome is told to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Messages with a result.
    pub results: u64,
    /// Messages that only filled windows.
    pub without_result: u64,
    /// Messages that the model had no result for, and that were rejected.
    pub rejected: u64,
    /// Messages that the model had no result for, and that left as they came.
    pub passed: u64,
    /// Messages that the model had no result for, and that were dropped.
    pub dropped: u64,
    /// Messages that came again after their result had been taken; it was not sent again.
    pub repeated: u64,
    /// Why there was no result: `mapping`, `result`, and the names of [`RunError::cause`](crate::RunError::cause).
    pub errors: BTreeMap<&'static str, u64>,
}

/// What a message came to.
#[derive(Debug)]
pub(super) enum Made {
    /// A result to send.
    Result(MessageBuilder),
    /// Nothing, and the message is done with.
    Silent,
    /// Nothing; it comes again.
    Later,
    /// Its result was taken earlier.
    Repeated,
    /// No result, for this cause.
    Failed { cause: &'static str, then: Then },
}

/// What is done with a message that there is no result for.
#[derive(Debug)]
pub(super) enum Then {
    Reject { reason: String },
    Pass(MessageBuilder),
    Drop,
}

impl Made {
    /// Returns what becomes of a message that there is no result for.
    pub(super) fn failed(
        on_error: OnError,
        message: &Message,
        cause: &'static str,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        let reason = Report(error).to_string();
        let then = match on_error {
            OnError::DeadLetter => Then::Reject { reason },
            OnError::Drop => Then::Drop,
            OnError::PassThrough => {
                let mut builder = message.to_builder();
                builder.set_property("inferenceError", Some(&reason));
                Then::Pass(builder)
            }
        };
        Self::Failed { cause, then }
    }

    /// Returns the message to send, if there is one.
    pub(super) fn take_message(&mut self) -> Option<MessageBuilder> {
        match self {
            Self::Result(builder) | Self::Failed { then: Then::Pass(builder), .. } => {
                Some(std::mem::take(builder))
            }
            _ => None,
        }
    }

    /// Counts it, and returns what the gateway is told.
    pub(super) fn settle(self, stats: &mut EndpointStats) -> Outcome {
        match self {
            Self::Result(_) => stats.results += 1,
            Self::Silent => stats.without_result += 1,
            Self::Repeated => stats.repeated += 1,
            Self::Later => return Outcome::Released,
            Self::Failed { cause, then } => {
                *stats.errors.entry(cause).or_default() += 1;
                match then {
                    Then::Pass(_) => stats.passed += 1,
                    Then::Drop => stats.dropped += 1,
                    Then::Reject { reason } => {
                        stats.rejected += 1;
                        return Outcome::Rejected { reason };
                    }
                }
            }
        }
        Outcome::Accepted
    }
}
