//! Identifiers: parsed once, then trusted.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest device id, module id or port name, in bytes.
///
/// # Source
/// Azure IoT Hub, "Identity registry": ids are up to 128 ASCII characters.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("{what} is empty")]
    Empty {
        /// Which identifier was wanted, for instance `device id`.
        what: &'static str,
    },
    /// The text is longer than the identifier may be.
    #[error("{what} has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// Which identifier was wanted.
        what: &'static str,
        /// Length of the text, in bytes.
        len: usize,
        /// The most bytes allowed.
        max: usize,
    },
    /// The text holds a character that the identifier may not hold.
    #[error("{what} holds {found:?} at byte {at}, which is not allowed there")]
    Character {
        /// Which identifier was wanted.
        what: &'static str,
        /// The offending character.
        found: char,
        /// Where it stands, in bytes from the start.
        at: usize,
    },
}

/// Whether a device or module id may hold `c`.
fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.+%_#*?!(),:=@$'".contains(c)
}

/// Whether an input or output name may hold `c`: it stands as one level of a topic and one segment of a path.
fn is_port_char(c: char) -> bool {
    !c.is_control() && !matches!(c, '/' | '#' | '+')
}

/// Whether an endpoint or route name may hold `c`.
fn is_name_char(c: char) -> bool {
    !c.is_control()
}

fn check(what: &'static str, text: &str, max: usize, allowed: fn(char) -> bool) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > max {
        return Err(IdError::TooLong { what, len: text.len(), max });
    }
    match text.char_indices().find(|&(_, c)| !allowed(c)) {
        Some((at, found)) => Err(IdError::Character { what, found, at }),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                check($what, text, $max, $allowed)?;
                Ok(Self(Arc::from(text)))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// The id of a device: 1 to 128 ASCII letters, digits and `- . + % _ # * ? ! ( ) , : = @ $ '`, case-sensitive.
    ///
    /// # Examples
    /// ```
    /// use edge_core::DeviceId;
    ///
    /// let id: DeviceId = "press-7".parse()?;
    /// assert_eq!(id.as_str(), "press-7");
    /// assert!("line 1/press".parse::<DeviceId>().is_err());
    /// # Ok::<(), edge_core::IdError>(())
    /// ```
    ///
    /// # Source
    /// Azure IoT Hub, "Identity registry", device identity properties.
    DeviceId, "device id", MAX_ID_BYTES, is_id_char
}

text_id! {
    /// The id of a module on a device: the same characters and length as a [`DeviceId`].
    ///
    /// # Examples
    /// ```
    /// use edge_core::ModuleId;
    ///
    /// let id: ModuleId = "$edgeHub".parse()?;
    /// assert_eq!(id.to_string(), "$edgeHub");
    /// # Ok::<(), edge_core::IdError>(())
    /// ```
    ///
    /// # Source
    /// Azure IoT Hub, "Identity registry", module identity properties.
    ModuleId, "module id", MAX_ID_BYTES, is_id_char
}

text_id! {
    /// The name of a module's input or output: 1 to 128 bytes without `/`, `#`, `+` or control characters.
    ///
    /// # Examples
    /// ```
    /// use edge_core::PortName;
    ///
    /// assert!("alarms".parse::<PortName>().is_ok());
    /// assert!("a/b".parse::<PortName>().is_err());
    /// ```
    ///
    /// # Source
    /// Our choice, because the name stands as one level of an MQTT topic, where `/`, `#` and `+` mean something else.
    PortName, "input or output name", MAX_ID_BYTES, is_port_char
}

text_id! {
    /// The id of an endpoint: where messages leave the gateway, for instance `$upstream` or `edge1/filter/hot`.
    ///
    /// # Examples
    /// ```
    /// use edge_core::EndpointId;
    ///
    /// let id: EndpointId = "edge1/filter/hot".parse()?;
    /// assert_eq!(id.as_str(), "edge1/filter/hot");
    /// # Ok::<(), edge_core::IdError>(())
    /// ```
    EndpointId, "endpoint id", 3 * MAX_ID_BYTES + 2, is_name_char
}

text_id! {
    /// The name of a route, as it stands in the route file.
    ///
    /// # Examples
    /// ```
    /// use edge_core::RouteName;
    ///
    /// let name: RouteName = "telemetry".parse()?;
    /// assert_eq!(name.as_str(), "telemetry");
    /// # Ok::<(), edge_core::IdError>(())
    /// ```
    RouteName, "route name", 1024, is_name_char
}

impl EndpointId {
    /// Returns the endpoint `$upstream`: the cloud, a parent gateway, a broker or a file.
    #[must_use]
    pub fn upstream() -> Self {
        Self(Arc::from("$upstream"))
    }

    /// Returns the endpoint of a module's input, `<device>/<module>/<input>`.
    ///
    /// # Source
    /// Azure IoT Edge names its module endpoints this way, and its metrics show the name.
    #[must_use]
    pub fn module_input(device: &DeviceId, module: &ModuleId, input: &PortName) -> Self {
        Self(Arc::from(format!("{device}/{module}/{input}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_device(text: &str, ok: bool) {
        assert_eq!(text.parse::<DeviceId>().is_ok(), ok, "{text:?}");
    }

    #[test]
    fn device_ids_take_the_documented_characters() {
        check_device("a", true);
        check_device("-.+%_#*?!(),:=@$'", true);
        check_device("", false);
        check_device("a b", false);
        check_device("a/b", false);
        check_device("ä", false);
        check_device("a\"b", false);
    }

    #[test]
    fn length_is_limited_to_128_bytes() {
        check_device(&"x".repeat(128), true);
        check_device(&"x".repeat(129), false);
    }

    #[test]
    fn the_error_says_where() {
        let error = "ab/c".parse::<ModuleId>().unwrap_err();
        assert_eq!(error, IdError::Character { what: "module id", found: '/', at: 2 });
        assert_eq!(error.to_string(), "module id holds '/' at byte 2, which is not allowed there");
    }
}
