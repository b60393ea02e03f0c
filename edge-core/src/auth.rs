//! Who may connect.

use std::fmt;

use async_trait::async_trait;

use crate::{BoxError, Disposition, Identity, Timestamp};

/// What a client shows to prove who it is. `Debug` shows the kind, never the secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// Nothing.
    None,
    /// A shared access signature, as the client sent it.
    SasToken(String),
    /// The certificate chain of a TLS client, leaf first, each in DER. The handshake has proved that the client holds
    /// the leaf's private key, and nothing else.
    X509(Vec<Vec<u8>>),
}

impl Credentials {
    /// Returns the kind of credentials, as the log shows it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SasToken(_) => "sas",
            Self::X509(_) => "x509",
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials::{}", self.kind())
    }
}

/// What an authenticator found out about a client that it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// Who the client is.
    pub identity: Identity,
    /// How it was found out, for the `connectionAuthMethod` of its messages: `sas`, `x509Thumbprint` or `x509Certificate`.
    pub method: &'static str,
    /// When the credentials run out and the connection must end; `None` is never.
    pub expires: Option<Timestamp>,
}

impl Authenticated {
    /// Returns what was found out.
    #[must_use]
    pub fn new(identity: Identity, method: &'static str, expires: Option<Timestamp>) -> Self {
        Self { identity, method, expires }
    }
}

/// Why a client is not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Nobody of this name is known.
    #[error("{identity} is not known here")]
    Unknown {
        /// Who the client claims to be.
        identity: Identity,
    },
    /// The identity is known and disabled.
    #[error("{identity} is disabled")]
    Disabled {
        /// Who the client claims to be.
        identity: Identity,
    },
    /// The credentials are of a kind that the identity does not use.
    #[error("{identity} shows {shown}, and must show {wanted}")]
    Kind {
        /// Who the client claims to be.
        identity: Identity,
        /// What it shows.
        shown: &'static str,
        /// What it must show.
        wanted: &'static str,
    },
    /// The credentials are wrong.
    #[error("{identity} is refused: {reason}")]
    Denied {
        /// Who the client claims to be.
        identity: Identity,
        /// What is wrong with the credentials, for the gateway's log; never told to the client.
        reason: String,
    },
    /// Nobody could say; the client may try again.
    #[error("nobody could say whether {identity} may connect")]
    Unavailable {
        /// Who the client claims to be.
        identity: Identity,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
}

impl AuthError {
    /// Returns what the client may do: try again when nobody could say, and else nothing.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } => Disposition::Retry,
            _ => Disposition::Reject,
        }
    }
}

/// Decides who may connect.
///
/// # Contract
/// - An identity MUST NOT be let in by credentials of another one.
/// - Secrets MUST be compared in constant time: a comparison that stops early tells an attacker how far it got.
/// - [`AuthError::Unavailable`] MUST be used when the answer is not known, and only then: a client takes any other
///   refusal as final.
/// - `Ok` MUST name the identity that was claimed.
/// - Expired credentials MUST be refused, and [`Authenticated::expires`] MUST say when valid ones run out.
///
/// The conformance kit is `edge_core::testing::authenticator`, behind the feature `testing`.
///
/// # Examples
/// ```
/// use async_trait::async_trait;
/// use edge_core::{AuthError, Authenticated, Authenticator, Credentials, Identity, Timestamp};
///
/// /// Lets nobody in.
/// #[derive(Debug)]
/// struct Closed;
///
/// #[async_trait]
/// impl Authenticator for Closed {
///     async fn authenticate(
///         &self,
///         claimed: &Identity,
///         _credentials: &Credentials,
///         _now: Timestamp,
///     ) -> Result<Authenticated, AuthError> {
///         Err(AuthError::Unknown { identity: claimed.clone() })
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Decides whether a client that claims to be `claimed` may connect at the time `now`.
    ///
    /// # Errors
    /// [`AuthError`] when it may not, or when nobody could say.
    ///
    /// # Cancel safety
    /// Cancel-safe: a decision that nobody waits for changes nothing.
    async fn authenticate(
        &self,
        claimed: &Identity,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError>;
}

const _: Option<&dyn Authenticator> = None;
