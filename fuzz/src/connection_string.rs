//! Connection strings.

use edge_transport::iothub::ConnectionString;

/// Reads a connection string, and checks that it is written and read again as the same, and that `Debug` hides the key.
///
/// # Panics
/// Panics when something does not hold.
pub fn connection_string(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parsed) = text.parse::<ConnectionString>() else { return };
    let written = parsed.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&parsed), "{written:?}");
    if let Some(key) = &parsed.key {
        let key = key.to_base64();
        let elsewhere = [parsed.host.as_str(), parsed.gateway_host.as_deref().unwrap_or_default()];
        let elsewhere = elsewhere.iter().any(|text| text.contains(&key));
        let in_id = parsed.identity.to_string().contains(&key);
        // A short key can stand in the names of the fields.
        assert!(key.len() < 24 || elsewhere || in_id || !format!("{parsed:?}").contains(&key));
    }
}
