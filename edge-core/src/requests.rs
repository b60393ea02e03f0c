//! What a client and the gateway ask of each other besides messages: twins and direct methods.

use bytes::Bytes;

/// What a client asks of its twin.
///
/// # Source
/// Azure IoT Hub, "Understand and use device twins": a client reads its whole twin, and patches its reported properties.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TwinRequest {
    /// The whole twin, as a device sees it: desired and reported properties with their versions.
    Read,
    /// A change of the reported properties.
    Report(
        /// A JSON merge patch (RFC 7396), as the client sent it.
        Bytes,
    ),
}

/// The answer to a [`TwinRequest`].
///
/// # Examples
/// ```
/// use edge_core::TwinAnswer;
///
/// let done = TwinAnswer::new(204, "").with_version(7);
/// assert!(done.is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TwinAnswer {
    /// The status: 200 with the twin, 204 for a change that was made, 400 and above for a refusal.
    pub status: u16,
    /// The twin, nothing, or `{"errorCode":…,"message":…}`, in JSON.
    pub body: Bytes,
    /// The version of the reported properties after a change.
    pub version: Option<u64>,
}

impl TwinAnswer {
    /// Returns an answer without a version.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), version: None }
    }

    /// Sets the version of the reported properties.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Returns whether the request was granted.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status < 300
    }
}

/// A direct method that the gateway calls on a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodCall {
    /// The number by which the answer finds its caller; not used for another call while this one waits.
    pub id: u64,
    /// The method's name, at most 100 characters.
    pub name: String,
    /// The payload in JSON; `null` stands for none.
    pub payload: Bytes,
}

impl MethodCall {
    /// Returns a call.
    #[must_use]
    pub fn new(id: u64, name: String, payload: Bytes) -> Self {
        Self { id, name, payload }
    }
}

/// A client's answer to a [`MethodCall`].
///
/// # Examples
/// ```
/// use edge_core::MethodAnswer;
///
/// let done = MethodAnswer::new(200, r#"{"rebooted":true}"#);
/// assert_eq!(done.status, 200);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodAnswer {
    /// The status, which is the method's own: any integer.
    pub status: i32,
    /// The payload in JSON; empty stands for none.
    pub payload: Bytes,
    malformed: bool,
}

impl MethodAnswer {
    /// Returns an answer.
    #[must_use]
    pub fn new(status: i32, payload: impl Into<Bytes>) -> Self {
        Self { status, payload: payload.into(), malformed: false }
    }

    /// Returns an answer whose status is missing or no number: whoever called hears of it at once, as of a bad request,
    /// and need not wait until the time for answers is over.
    ///
    /// # Examples
    /// ```
    /// use edge_core::MethodAnswer;
    ///
    /// assert!(MethodAnswer::malformed().is_malformed());
    /// assert!(!MethodAnswer::new(0, "").is_malformed());
    /// ```
    ///
    /// # Source
    /// Azure IoT Edge's hub: HTTP 400.
    #[must_use]
    pub fn malformed() -> Self {
        Self { status: 400, payload: Bytes::new(), malformed: true }
    }

    /// Returns whether the client's status was missing or no number.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.malformed
    }
}
