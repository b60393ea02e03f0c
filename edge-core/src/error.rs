//! Errors: what to do about one, and how to print one.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// An error of some other crate, kept as the source of ours.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// What to do after an error: the one question that the gateway asks of it.
///
/// # Examples
/// ```
/// use edge_core::{Disposition, EndpointError};
///
/// let error = EndpointError::TimedOut { after: std::time::Duration::from_secs(30) };
/// assert_eq!(error.disposition(), Disposition::Retry);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposition {
    /// Try again, after a backoff.
    Retry,
    /// Try again, not before this time has passed.
    RetryAfter(Duration),
    /// Do not try this message again: it will never be taken.
    Reject,
    /// Do not try anything again: somebody has to look.
    Fatal,
}

/// Prints an error and everything that caused it, each once, separated by `: `.
///
/// # Examples
/// ```
/// use edge_core::Report;
///
/// let error = "x/y".parse::<edge_core::DeviceId>().unwrap_err();
/// assert_eq!(Report(&error).to_string(), error.to_string());
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper with one public field, and nothing more to come")]
pub struct Report<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
