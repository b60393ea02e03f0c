//! Keys of twins: ordered like identities.

use edge_core::Identity;

/// Returns the key of an identity.
pub(super) fn of(identity: &Identity) -> Vec<u8> {
    let module = identity.module().map_or("", |module| module.as_str());
    let device = identity.device().as_str();
    let mut key = Vec::with_capacity(device.len() + 1 + module.len());
    key.extend_from_slice(device.as_bytes());
    key.push(0);
    key.extend_from_slice(module.as_bytes());
    key
}

/// Returns the identity of a key.
pub(super) fn read(key: &[u8]) -> Option<Identity> {
    let (device, module) = std::str::from_utf8(key).ok()?.split_once('\0')?;
    let device = device.parse().ok()?;
    Some(match module {
        "" => Identity::of_device(device),
        module => Identity::of_module(device, module.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_ordered_like_identities() {
        let names = ["a", "a/$edgeHub", "a/m", "a!", "a!/m", "a-1", "b"];
        let mut identities: Vec<Identity> = names.iter().map(|name| name.parse().unwrap()).collect();
        identities.sort();
        let keys: Vec<_> = identities.iter().map(of).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(keys.iter().map(|key| read(key).unwrap()).eq(identities));
        for bad in [&b""[..], b"a", b"\0", b"a\0m\0", b"\xff\0"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
