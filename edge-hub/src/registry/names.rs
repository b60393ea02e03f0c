//! Numbers that nobody has had before: generations, entity tags, keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::service::{Secret, ServiceError};
use edge_transport::iothub::SasKey;

fn random() -> Result<u64, ServiceError> {
    getrandom::u64()
        .map_err(|error| ServiceError::Unavailable { source: Box::new(std::io::Error::from(error)) })
}

/// Returns an entity tag: 8 random bytes in base64.
pub(super) fn etag() -> Result<Box<str>, ServiceError> {
    Ok(STANDARD.encode(random()?.to_le_bytes()).into())
}

/// Returns the number of a registration: 18 decimal digits.
pub(super) fn generation() -> Result<Box<str>, ServiceError> {
    const RANGE: u64 = 900_000_000_000_000_000;
    Ok((100_000_000_000_000_000 + random()? % RANGE).to_string().into())
}

/// Returns a new key.
pub(super) fn key() -> Result<Secret, ServiceError> {
    let key = SasKey::generate().map_err(|error| ServiceError::Unavailable { source: Box::new(error) })?;
    Ok(Secret::new(key.to_base64()))
}
