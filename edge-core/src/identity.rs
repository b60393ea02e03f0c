//! Who is connected: a device, or a module of a device.

use std::fmt;
use std::str::FromStr;

use crate::{DeviceId, IdError, ModuleId};

/// Who a client is: a device, or a module on a device.
///
/// # Examples
/// ```
/// use edge_core::Identity;
///
/// let filter: Identity = "edge1/filter".parse()?;
/// assert_eq!(filter.device().as_str(), "edge1");
/// assert_eq!(filter.module().map(|m| m.as_str()), Some("filter"));
/// assert_eq!(filter.to_string(), "edge1/filter");
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Azure IoT Hub: the MQTT client id is `{device}` or `{device}/{module}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    device: DeviceId,
    module: Option<ModuleId>,
}

impl Identity {
    /// Returns the identity of a device.
    #[must_use]
    pub fn of_device(device: DeviceId) -> Self {
        Self { device, module: None }
    }

    /// Returns the identity of a module on a device.
    #[must_use]
    pub fn of_module(device: DeviceId, module: ModuleId) -> Self {
        Self { device, module: Some(module) }
    }

    /// Returns the device's id; for a module, that of the device it runs on.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Returns the module's id, or `None` for a device.
    #[must_use]
    pub fn module(&self) -> Option<&ModuleId> {
        self.module.as_ref()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => self.device.fmt(f),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Identity {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('/') {
            Some((device, module)) => Ok(Self::of_module(device.parse()?, module.parse()?)),
            None => Ok(Self::of_device(text.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_parse_agree() {
        for text in ["d", "d/m", "edge1/$edgeHub"] {
            assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
        }
        assert!("d/m/x".parse::<Identity>().is_err());
        assert!("/m".parse::<Identity>().is_err());
        assert!("d/".parse::<Identity>().is_err());
    }
}
