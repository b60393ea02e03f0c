//! What a caller of the service API may do.

use std::fmt;

/// One thing that a policy may allow.
///
/// # Source
/// Azure IoT Hub, "Control access to IoT Hub with shared access signatures", permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Permission {
    /// Twins, methods and messages of any device, from the service side.
    ServiceConnect = 1,
    /// Connecting as any device.
    DeviceConnect = 2,
    /// Reading identities, with their keys.
    RegistryRead = 4,
    /// Making, changing and deleting identities.
    RegistryWrite = 8,
}

impl Permission {
    /// All permissions.
    pub const ALL: &'static [Self] =
        &[Self::ServiceConnect, Self::DeviceConnect, Self::RegistryRead, Self::RegistryWrite];
}

/// What a policy allows: a set of permissions.
///
/// # Examples
/// ```
/// use edge_core::service::{Permission, Permissions};
///
/// let service = Permissions::of_policy("service").ok_or("no such policy")?;
/// assert!(service.allow(Permission::ServiceConnect));
/// assert!(!service.allow(Permission::RegistryRead));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(1 | 2 | 4 | 8);

    /// Returns the set of these permissions.
    #[must_use]
    pub const fn of(permissions: &[Permission]) -> Self {
        let (mut bits, mut rest) = (0, permissions);
        while let [first, others @ ..] = rest {
            bits |= *first as u8;
            rest = others;
        }
        Self(bits)
    }

    /// Returns what the policy of this name allows on every hub; `None` when it is not one of the five built-in ones.
    ///
    /// # Source
    /// Azure IoT Hub, "Control access to IoT Hub with shared access signatures", built-in policies.
    #[must_use]
    pub fn of_policy(name: &str) -> Option<Self> {
        match name {
            "iothubowner" => Some(Self::ALL),
            "service" => Some(Self::of(&[Permission::ServiceConnect])),
            "device" => Some(Self::of(&[Permission::DeviceConnect])),
            "registryRead" => Some(Self::of(&[Permission::RegistryRead])),
            "registryReadWrite" => Some(Self::of(&[Permission::RegistryRead, Permission::RegistryWrite])),
            _ => None,
        }
    }

    /// Returns whether `permission` is in the set.
    #[must_use]
    pub const fn allow(self, permission: Permission) -> bool {
        self.0 & permission as u8 != 0
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Permission::ALL.iter().filter(|&&permission| self.allow(permission))).finish()
    }
}

/// What somebody shows who asks something of the service API, and what it takes.
///
/// `Debug` does not show the token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// The shared access signature, as the caller sent it.
    pub token: &'a str,
    /// What the policy that signed it must allow.
    pub needed: Permission,
    /// What is asked for, as a path below the hub's name, decoded: `/devices/press-7`. A token that is signed for a part
    /// of the hub opens what is below that part, and nothing else.
    pub path: &'a str,
}

impl<'a> AccessRequest<'a> {
    /// Returns a request.
    #[must_use]
    pub fn new(token: &'a str, needed: Permission, path: &'a str) -> Self {
        Self { token, needed, path }
    }
}

impl fmt::Debug for AccessRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessRequest")
            .field("needed", &self.needed)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_allow_what_their_names_say() {
        let allowed = |policy: &str| format!("{:?}", Permissions::of_policy(policy).unwrap());
        assert_eq!(allowed("iothubowner"), "{ServiceConnect, DeviceConnect, RegistryRead, RegistryWrite}");
        assert_eq!(allowed("service"), "{ServiceConnect}");
        assert_eq!(allowed("device"), "{DeviceConnect}");
        assert_eq!(allowed("registryRead"), "{RegistryRead}");
        assert_eq!(allowed("registryReadWrite"), "{RegistryRead, RegistryWrite}");
        assert_eq!(Permissions::of_policy("other"), None);
        assert_eq!(Permissions::of(Permission::ALL), Permissions::ALL);
    }
}
