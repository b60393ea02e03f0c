//! What the service API asks of twins, methods and queues.

use std::time::Duration;

use bytes::Bytes;

/// How a twin is to be changed.
///
/// # Source
/// Azure IoT Hub, REST reference, "Devices - Update Twin" and "Devices - Replace Twin".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TwinChange {
    /// Merged with what is there.
    Patch(
        /// `{"tags":…,"properties":{"desired":…}}` in JSON, as the caller sent it: merge patches (RFC 7396).
        Bytes,
    ),
    /// In the place of what is there.
    Replace(
        /// `{"tags":…,"properties":{"desired":…}}` in JSON, as the caller sent it.
        Bytes,
    ),
}

/// A direct method to call.
///
/// # Examples
/// ```
/// use edge_core::service::MethodRequest;
///
/// let reboot = MethodRequest::new("reboot", r#"{"delay": 5}"#);
/// assert_eq!(reboot.response_timeout.as_secs(), 30);
/// ```
///
/// # Source
/// Azure IoT Edge, direct methods, for the default times.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodRequest {
    /// The method's name.
    pub name: String,
    /// The payload in JSON; empty stands for `null`.
    pub payload: Bytes,
    /// How long to wait for the answer.
    pub response_timeout: Duration,
    /// How long to wait for a client that is not connected.
    pub connect_timeout: Duration,
}

impl MethodRequest {
    /// Returns a call that waits 30 s for its answer, and not at all for the client to connect.
    #[must_use]
    pub fn new(name: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        let (response_timeout, connect_timeout) = (Duration::from_secs(30), Duration::ZERO);
        Self { name: name.into(), payload: payload.into(), response_timeout, connect_timeout }
    }
}

/// What becomes of a message that is locked.
///
/// # Source
/// Azure IoT Hub, "Send cloud-to-device messages", the life cycle of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockOutcome {
    /// It is done with, and taken off the queue.
    Complete,
    /// It goes back to where it was in the queue.
    Abandon,
    /// It is refused for good.
    Reject,
}
