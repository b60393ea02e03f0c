//! Connection strings: what a client needs to connect, in one line.

use std::fmt;

use edge_core::{DeviceId, IdError, Identity, ModuleId};

use super::{SasKey, SasKeyError};

/// What a connection string says. `Debug` does not show the key, `Display` does.
///
/// # Examples
/// ```
/// use edge_transport::iothub::ConnectionString;
///
/// let text = "HostName=hub.local;DeviceId=press-7;SharedAccessKey=c2VjcmV0;GatewayHostName=localhost";
/// let parsed: ConnectionString = text.parse()?;
/// assert_eq!(parsed.identity.to_string(), "press-7");
/// assert_eq!(parsed.gateway_host.as_deref(), Some("localhost"));
/// assert_eq!(parsed.to_string(), text);
/// # Ok::<(), edge_transport::iothub::ConnectionStringError>(())
/// ```
///
/// # Source
/// Azure IoT Hub device SDKs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are those of the text")]
pub struct ConnectionString {
    /// The hub's name, which tokens are signed for.
    pub host: String,
    /// Who the client is.
    pub identity: Identity,
    /// What it signs its tokens with; `None` when it shows a certificate.
    pub key: Option<SasKey>,
    /// What it connects to instead of the hub.
    pub gateway_host: Option<String>,
}

/// Why a text is not a connection string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionStringError {
    /// A part is not `name=value`.
    #[error("part {number} of the connection string is not <name>=<value>")]
    Part {
        /// Which part, from 1.
        number: usize,
    },
    /// A part has a name that means nothing.
    #[error("the connection string has a part {name:?}, which means nothing")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A part is there twice.
    #[error("the connection string has {name} twice")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// A part begins or ends in blanks, which nobody would see.
    #[error("the connection string has a {name} that begins or ends in blanks")]
    Blank {
        /// Its name.
        name: &'static str,
    },
    /// A part is missing.
    #[error("the connection string has no {name}")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// An id is wrong.
    #[error("the connection string holds a wrong id")]
    Id(
        /// What is wrong with it.
        #[from]
        IdError,
    ),
    /// The key is wrong.
    #[error("the connection string holds a wrong key")]
    Key(
        /// What is wrong with it.
        #[from]
        SasKeyError,
    ),
}

impl std::str::FromStr for ConnectionString {
    type Err = ConnectionStringError;

    fn from_str(text: &str) -> Result<Self, ConnectionStringError> {
        const NAMES: [&str; 6] =
            ["HostName", "DeviceId", "ModuleId", "SharedAccessKey", "GatewayHostName", "x509"];
        let mut values: [Option<&str>; 6] = [None; 6];
        let parts = text.trim().split(';').enumerate().filter(|(_, part)| !part.is_empty());
        for (index, part) in parts {
            // Keys end in `=`, so only the first one separates.
            let (name, value) =
                part.split_once('=').ok_or(ConnectionStringError::Part { number: index + 1 })?;
            let known = NAMES.iter().zip(&mut values).find(|(known, _)| **known == name);
            let Some((name, slot)) = known else {
                return Err(ConnectionStringError::Unknown { name: name.to_owned() });
            };
            if slot.replace(value).is_some() {
                return Err(ConnectionStringError::Twice { name });
            }
            if value.trim() != value {
                return Err(ConnectionStringError::Blank { name });
            }
        }
        let [host, device, module, key, gateway_host, x509] = values;
        let missing = |name| ConnectionStringError::Missing { name };
        let device: DeviceId = device.ok_or_else(|| missing("DeviceId"))?.parse()?;
        let key = match key {
            Some(key) => Some(key.parse()?),
            None if x509.is_some_and(|value| value.eq_ignore_ascii_case("true")) => None,
            None => return Err(missing("SharedAccessKey")),
        };
        Ok(Self {
            host: host.filter(|host| !host.is_empty()).ok_or_else(|| missing("HostName"))?.to_owned(),
            identity: match module {
                Some(module) => Identity::of_module(device, module.parse::<ModuleId>()?),
                None => Identity::of_device(device),
            },
            key,
            gateway_host: gateway_host.map(str::to_owned),
        })
    }
}

impl fmt::Display for ConnectionString {
    /// Writes the whole connection string, with the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostName={};DeviceId={}", self.host, self.identity.device())?;
        if let Some(module) = self.identity.module() {
            write!(f, ";ModuleId={module}")?;
        }
        match &self.key {
            Some(key) => write!(f, ";SharedAccessKey={}", key.to_base64())?,
            None => f.write_str(";x509=true")?,
        }
        match &self.gateway_host {
            Some(host) => write!(f, ";GatewayHostName={host}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_same(text: &str) {
        assert_eq!(text.parse::<ConnectionString>().unwrap().to_string(), text);
    }

    #[test]
    fn forms() {
        check_same("HostName=h;DeviceId=d;SharedAccessKey=YQ==");
        check_same("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=YQ==;GatewayHostName=g");
        check_same("HostName=h;DeviceId=d;x509=true");
        check_same("HostName=h;DeviceId=a=b;x509=true");
    }

    #[test]
    fn blanks_around_the_whole_are_nobodys() {
        let text = "HostName=h;DeviceId=d;x509=true;GatewayHostName=g";
        assert_eq!(format!(" {text}\r\n").parse::<ConnectionString>().unwrap().to_string(), text);
    }

    fn check_refused(text: &str, error: ConnectionStringError) {
        assert_eq!(text.parse::<ConnectionString>(), Err(error), "{text}");
    }

    #[test]
    fn what_is_no_connection_string() {
        use ConnectionStringError as E;
        check_refused("", E::Missing { name: "DeviceId" });
        check_refused("DeviceId=d;x509=true", E::Missing { name: "HostName" });
        check_refused("HostName=h;DeviceId=d", E::Missing { name: "SharedAccessKey" });
        check_refused("HostName=h;DeviceId=d;x509=false", E::Missing { name: "SharedAccessKey" });
        check_refused("HostName=h;oops", E::Part { number: 2 });
        check_refused("HostName=h;Device=d", E::Unknown { name: "Device".to_owned() });
        check_refused("HostName=h;HostName=h", E::Twice { name: "HostName" });
        check_refused(
            "HostName=h;DeviceId=d;GatewayHostName=g ;x509=true",
            E::Blank { name: "GatewayHostName" },
        );
        check_refused("HostName= h;DeviceId=d;x509=true", E::Blank { name: "HostName" });
        check_refused("HostName=h;DeviceId=d;SharedAccessKey=YQ==\n;", E::Blank { name: "SharedAccessKey" });
        check_refused("HostName=h;DeviceId=d;SharedAccessKey=!", E::Key(SasKeyError::Base64));
        check_refused("HostName=h;DeviceId=;x509=true", E::Id(IdError::Empty { what: "device id" }));
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let parsed: ConnectionString = "HostName=h;DeviceId=d;SharedAccessKey=YWJjZGVm".parse().unwrap();
        assert!(!format!("{parsed:?}").contains("YWJj"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(HostName=h;)?\\PC{0,80}") {
            let _either_way = text.parse::<ConnectionString>();
        }
    }
}
