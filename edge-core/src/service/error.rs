//! Why the service API does not do what it is asked.

use std::time::Duration;

use crate::{BoxError, Disposition, Identity};

/// Why the gateway does not do what the service API asks of it.
///
/// # Examples
/// ```
/// use edge_core::service::ServiceError;
///
/// let error = ServiceError::NotFound { identity: "press-7".parse()? };
/// assert_eq!((error.status(), error.code()), (404, "DeviceNotFound"));
/// assert_eq!(error.to_string(), "press-7 is not registered");
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "IoT Hub error codes", for [`ServiceError::code`] and [`ServiceError::status`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The caller shows no credentials, wrong ones, or ones that do not allow this.
    #[error("the credentials do not allow this")]
    Unauthorized {
        /// What is wrong with them, for the gateway's log; never told to the caller.
        reason: String,
    },
    /// The device or module is not registered.
    #[error("{identity} is not registered")]
    NotFound {
        /// Who was asked for.
        identity: Identity,
    },
    /// The device or module is registered already.
    #[error("{identity} is registered already")]
    AlreadyExists {
        /// Who was to be made.
        identity: Identity,
    },
    /// The entity tag that the caller names is not the present one.
    #[error("{identity} has changed: its present etag is another one")]
    PreconditionFailed {
        /// Whose.
        identity: Identity,
    },
    /// The lock of a message has run out, or never was.
    #[error("the lock of the message is not held any more")]
    LockLost,
    /// The device or module is not connected, or takes no methods.
    #[error("{identity} is not connected, or takes no methods")]
    NotOnline {
        /// Who was called.
        identity: Identity,
    },
    /// The device or module did not answer in time.
    #[error("{identity} did not answer within {} s", after.as_secs())]
    TimedOut {
        /// Who was called.
        identity: Identity,
        /// How long was waited.
        after: Duration,
    },
    /// What the device or module answered is no answer.
    #[error("the answer of {identity} cannot be used: {reason}")]
    BadAnswer {
        /// Who answered.
        identity: Identity,
        /// What is wrong with it.
        reason: String,
    },
    /// The request is not one that could be carried out.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The request, or a document in it, is too large.
    #[error("{what} has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is; at least, when it was not read to its end.
        bytes: usize,
        /// The most bytes allowed.
        max: usize,
    },
    /// As many devices are registered as may be.
    #[error("{limit} identities are registered, and no more are allowed")]
    TooManyDevices {
        /// The most.
        limit: usize,
    },
    /// As many modules are registered on the device as may be.
    #[error("{limit} modules are registered on {identity}, and no more are allowed")]
    TooManyModules {
        /// The device.
        identity: Identity,
        /// The most.
        limit: usize,
    },
    /// As many messages wait for the device or module as may wait.
    #[error("{limit} messages wait for {identity}, and no more are allowed")]
    QueueFull {
        /// Who they wait for.
        identity: Identity,
        /// The most.
        limit: usize,
    },
    /// More is asked than is answered at a time.
    #[error("too much is asked at a time: {reason}")]
    Throttled {
        /// Which limit was met.
        reason: String,
    },
    /// The gateway does not have what was asked for: an interface that does not exist, or not here.
    #[error("{what} is not available here")]
    NotImplemented {
        /// What was asked for.
        what: String,
    },
    /// The gateway cannot do it now, and it is not the caller's fault; the caller may try again.
    #[error("the gateway cannot do this now")]
    Unavailable {
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl ServiceError {
    /// Returns an [`ServiceError::Invalid`] for this reason.
    #[must_use]
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    /// Returns the name of the error in the service API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "IotHubUnauthorizedAccess",
            Self::NotFound { identity } if identity.module().is_some() => "ModuleNotFound",
            Self::NotFound { .. } => "DeviceNotFound",
            Self::AlreadyExists { identity } if identity.module().is_some() => "ModuleAlreadyExistsOnDevice",
            Self::AlreadyExists { .. } => "DeviceAlreadyExists",
            Self::PreconditionFailed { .. } => "PreconditionFailed",
            Self::LockLost => "DeviceMessageLockLost",
            Self::NotOnline { .. } => "DeviceNotOnline",
            Self::TimedOut { .. } => "GatewayTimeout",
            Self::BadAnswer { .. } => "BadDeviceResponse",
            Self::Invalid { .. } => "ArgumentInvalid",
            Self::TooLarge { .. } => "MessageTooLarge",
            Self::TooManyDevices { .. } => "TooManyDevices",
            Self::TooManyModules { .. } => "TooManyModulesOnDevice",
            Self::QueueFull { .. } => "DeviceMaximumQueueDepthExceeded",
            Self::Throttled { .. } => "ThrottlingException",
            Self::NotImplemented { .. } => "InvalidOperation",
            Self::Unavailable { .. } => "ServiceUnavailable",
        }
    }

    /// Returns the HTTP status of the error in the service API.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 400,
            Self::Unauthorized { .. } => 401,
            Self::TooManyDevices { .. } | Self::QueueFull { .. } => 403,
            Self::NotFound { .. } | Self::NotOnline { .. } => 404,
            Self::AlreadyExists { .. } | Self::TooManyModules { .. } => 409,
            Self::PreconditionFailed { .. } | Self::LockLost => 412,
            Self::TooLarge { .. } => 413,
            Self::Throttled { .. } => 429,
            Self::NotImplemented { .. } => 501,
            Self::BadAnswer { .. } => 502,
            Self::Unavailable { .. } => 503,
            Self::TimedOut { .. } => 504,
        }
    }

    /// Returns what the caller may do: try again when the gateway cannot do it now, and else nothing.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. }
            | Self::Throttled { .. }
            | Self::TimedOut { .. }
            | Self::QueueFull { .. } => Disposition::Retry,
            _ => Disposition::Reject,
        }
    }
}
