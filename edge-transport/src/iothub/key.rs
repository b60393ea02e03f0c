//! Shared access keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// The most bytes that a key may have.
const MAX_KEY_BYTES: usize = 1024;

/// A symmetric key that signs tokens. `Debug` does not show it.
///
/// # Examples
/// ```
/// use edge_transport::iothub::SasKey;
///
/// let key: SasKey = "c2VjcmV0".parse()?;
/// assert_eq!(key.to_base64(), "c2VjcmV0");
/// assert!("not base64!".parse::<SasKey>().is_err());
/// # Ok::<(), edge_transport::iothub::SasKeyError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Control access to IoT Hub with shared access signatures": keys are base64, tokens are signed with
/// HMAC-SHA256.
#[derive(Clone, PartialEq, Eq)]
pub struct SasKey(Vec<u8>);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SasKeyError {
    /// It is not base64.
    #[error("the shared access key is not base64")]
    Base64,
    /// It is empty.
    #[error("the shared access key is empty")]
    Empty,
    /// It is too long.
    #[error("the shared access key has {bytes} bytes, at most {MAX_KEY_BYTES} are allowed")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl SasKey {
    /// Returns a new random key of 32 bytes.
    ///
    /// # Errors
    /// [`SasKeyError::Random`] when the system gives no random numbers.
    pub fn generate() -> Result<Self, SasKeyError> {
        let mut bytes = vec![0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SasKeyError::Random)?;
        Ok(Self(bytes))
    }

    /// Returns the key as text; whoever has it can sign.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    pub(super) fn sign(&self, text: &str) -> String {
        STANDARD.encode(hmac::sign(&self.hmac(), text.as_bytes()))
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, parts: [&str; 3], signature: &[u8]) -> bool {
        hmac::verify(&self.hmac(), parts.concat().as_bytes(), signature).is_ok()
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl std::str::FromStr for SasKey {
    type Err = SasKeyError;

    fn from_str(text: &str) -> Result<Self, SasKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SasKeyError::Base64)?;
        match bytes.len() {
            0 => Err(SasKeyError::Empty),
            1..=MAX_KEY_BYTES => Ok(Self(bytes)),
            bytes => Err(SasKeyError::TooLong { bytes }),
        }
    }
}

impl fmt::Debug for SasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SasKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_differ_and_are_read_back() {
        let (a, b) = (SasKey::generate().unwrap(), SasKey::generate().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.to_base64().parse(), Ok(a));
    }

    #[test]
    fn wrong_keys_are_refused() {
        assert_eq!("".parse::<SasKey>(), Err(SasKeyError::Empty));
        assert_eq!("a".parse::<SasKey>(), Err(SasKeyError::Base64));
        let long = STANDARD.encode([0; 1025]);
        assert_eq!(long.parse::<SasKey>(), Err(SasKeyError::TooLong { bytes: 1025 }));
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert_eq!(format!("{:?}", SasKey(vec![1])), "SasKey(..)");
    }
}
