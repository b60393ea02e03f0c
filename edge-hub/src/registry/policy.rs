//! Named keys, and what they allow.

use std::fmt;

use edge_core::service::{AccessRequest, Permission, Permissions, ServiceError};
use edge_core::{Identity, Timestamp};
use edge_transport::iothub::{SasKey, SasToken};

use super::Registry;

/// A policy: keys with a name, and what a token that they sign allows. `Debug` does not show the keys.
///
/// # Examples
/// ```
/// use edge_core::service::{Permission, Permissions};
/// use edge_hub::Policy;
///
/// let owner = Policy::built_in("iothubowner", vec!["c2VjcmV0".parse()?]).ok_or("no such policy")?;
/// assert!(owner.permissions().allow(Permission::RegistryWrite));
/// let gauge = Policy::new("gauge", Permissions::of(&[Permission::RegistryRead]), vec!["c2VjcmV0".parse()?]);
/// assert_eq!(gauge.name(), "gauge");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Control access to IoT Hub with shared access signatures".
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    name: String,
    permissions: Permissions,
    keys: Vec<SasKey>,
}

impl Policy {
    /// Returns a policy.
    #[must_use]
    pub fn new(name: impl Into<String>, permissions: Permissions, keys: Vec<SasKey>) -> Self {
        Self { name: name.into(), permissions, keys }
    }

    /// Returns a policy with the name and the permissions of one that every hub has: `iothubowner`, `service`, `device`,
    /// `registryRead`, `registryReadWrite`; `None` for another name.
    #[must_use]
    pub fn built_in(name: &str, keys: Vec<SasKey>) -> Option<Self> {
        Permissions::of_policy(name).map(|permissions| Self::new(name, permissions, keys))
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it allows.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// Whether what is asked for is the resource that a token is for, or below it; both are paths below the hub's name.
fn covers(resource: &str, path: &str) -> bool {
    let segments = |text| str::split(text, '/').filter(|segment: &&str| !segment.is_empty());
    let mut path = segments(path);
    segments(resource).all(|wanted| path.next().is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
}

impl Registry {
    /// Decides whether a token allows what is asked at the time `now`: the registry's part of
    /// [`Service::authorize`](edge_core::service::Service::authorize). Returns until when it does.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`] when it does not.
    pub fn authorize(&self, request: AccessRequest<'_>, now: Timestamp) -> Result<Timestamp, ServiceError> {
        let refused = |reason| ServiceError::Unauthorized { reason };
        let token = SasToken::parse(request.token).map_err(|error| refused(error.to_string()))?;
        self.judge_policy(&token, request.needed, request.path, now).map_err(refused)
    }

    /// Returns until when a policy's token is good.
    fn judge_policy(
        &self,
        token: &SasToken<'_>,
        needed: Permission,
        path: &str,
        now: Timestamp,
    ) -> Result<Timestamp, String> {
        let name = token.policy().ok_or("the token names no policy")?;
        let policy = self.policies.iter().find(|policy| policy.name == name);
        let policy = policy.ok_or_else(|| format!("there is no policy {name:?}"))?;
        // Every key is tried, so that the time taken does not tell which one matched.
        if !policy.keys.iter().fold(false, |found, key| token.is_signed_by(key) | found) {
            return Err(format!("the token is not signed with a key of the policy {name:?}"));
        }
        if !policy.permissions.allow(needed) {
            return Err(format!("the policy {name:?} does not allow {needed:?}"));
        }
        let resource = token.resource().map_err(|error| error.to_string())?;
        let (host, part) = resource.split_once('/').unwrap_or((&resource, ""));
        self.check_host(host)?;
        if !covers(part, path) {
            return Err(format!("the token is for {resource:?}, and not for {path:?}"));
        }
        self.check_expiry(token, now)
    }

    /// Decides whether a policy's token lets `claimed` in; `None` when the token names no policy of the registry.
    pub(super) fn judge_device_policy(
        &self,
        claimed: &Identity,
        token: &str,
        now: Timestamp,
    ) -> Option<Result<Timestamp, String>> {
        let token = SasToken::parse(token).ok()?;
        let name = token.policy()?;
        self.policies.iter().find(|policy| policy.name == name)?;
        let module = claimed.module().map(|module| format!("/modules/{module}")).unwrap_or_default();
        let path = format!("/devices/{}{module}", claimed.device());
        Some(self.judge_policy(&token, Permission::DeviceConnect, &path, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_hub_covers_what_is_below_it() {
        for (resource, path, yes) in [
            ("", "/devices/d", true),
            ("devices", "/devices/d", true),
            ("devices/d", "/devices/d/modules/m", true),
            ("devices/d/", "/devices/d", true),
            ("devices/d", "/devices/dd", false),
            ("devices/d", "/devices", false),
            ("devices/d", "/twins/d", false),
        ] {
            assert_eq!(covers(resource, path), yes, "{resource} {path}");
        }
    }
}
