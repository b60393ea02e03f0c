//! Shared access signatures.

use edge_core::{Identity, Timestamp};
use edge_transport::iothub::{SasKey, SasToken};

/// Reads a token, and makes one for whoever the input names, which must be valid for that identity and no other.
///
/// # Panics
/// Panics when something does not hold.
pub fn sas_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key: SasKey = "a2V5IG9mIHRoZSBmdXp6ZXI=".parse().expect("it is base64");
    let stranger: Identity = "somebody-else/entirely".parse().expect("it is an identity");
    if let Ok(token) = SasToken::parse(text) {
        // Nobody can guess the signature: a valid one in an input would be a way around it.
        assert!(!token.is_signed_by(&key), "{text:?} passes for signed");
        let _either_way = (token.expires(), token.policy(), format!("{token:?}"));
        if let Ok(audience) = token.audience() {
            let module = audience.module.as_deref().map_or_else(String::new, |module| format!("/{module}"));
            if let Ok(identity) = format!("{}{module}", audience.device).parse::<Identity>() {
                assert!(audience.is_of(&identity));
            }
            assert!(audience.is_at(&audience.host));
        }
    }
    let (host, rest) = text.split_once('\n').unwrap_or(("hub.local", text));
    let Ok(identity) = rest.parse::<Identity>() else { return };
    let host = if host.is_empty() || host.contains('/') { "hub.local" } else { host };
    let expires = Timestamp::from_unix_ms(data.len() as u64 * 1_000_000_000);
    let signed = SasToken::sign(host, &identity, &key, expires);
    let Ok(token) = SasToken::parse(&signed) else {
        assert!(signed.len() > 8192, "only a long name makes a token too long: {signed:?}");
        return;
    };
    assert!(token.is_signed_by(&key));
    assert_eq!(token.expires(), expires);
    let audience = token.audience().expect("a signed token has an audience");
    assert!(audience.is_of(&identity), "{signed:?}");
    assert!(audience.is_at(host), "{signed:?}");
    assert!(identity == stranger || !audience.is_of(&stranger));
}
