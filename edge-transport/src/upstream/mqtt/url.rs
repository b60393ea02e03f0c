//! Where a broker is: `mqtt://host:port`, or `mqtts://host:port` for TLS.

use std::fmt;
use std::str::FromStr;

/// The address of an MQTT broker, and whether to speak TLS with it.
///
/// The port is 1883, or 8883 for TLS, unless it is stated.
///
/// # Examples
/// ```
/// use edge_transport::upstream::BrokerUrl;
///
/// let url: BrokerUrl = "mqtts://broker.example".parse()?;
/// assert_eq!((url.host(), url.port(), url.is_tls()), ("broker.example", 8883, true));
/// let error = "http://broker.example".parse::<BrokerUrl>().unwrap_err();
/// assert_eq!(error.to_string(), r#""http" is not a scheme of a broker: write mqtt://host:port, or mqtts://host:port for TLS"#);
/// # Ok::<(), edge_transport::upstream::BrokerUrlError>(())
/// ```
///
/// # Source
/// IANA service names: `mqtt` 1883, `secure-mqtt` 8883. The schemes are those of the common clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    tls: bool,
}

/// Why a text is not the address of a broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerUrlError {
    /// There is no scheme.
    #[error("{text:?} has no scheme: write mqtt://{text}, or mqtts://{text} for TLS")]
    NoScheme {
        /// The refused text.
        text: String,
    },
    /// The scheme is not that of a broker.
    #[error("{found:?} is not a scheme of a broker: write mqtt://host:port, or mqtts://host:port for TLS")]
    Scheme {
        /// The scheme found.
        found: String,
    },
    /// There is no host.
    #[error("the address has no host: write mqtt://host:port")]
    NoHost,
    /// The host holds a character that no host name has.
    #[error("the host holds {found:?}: write a host name, an IPv4 address, or an IPv6 address in [brackets]")]
    Host {
        /// The offending character.
        found: char,
    },
    /// The port is not a number from 1 to 65535.
    #[error("{found:?} is not a port: write a number from 1 to 65535")]
    Port {
        /// The port found.
        found: String,
    },
    /// The address holds a user name.
    #[error("the address holds a user name: state user name and password apart from it")]
    Login,
    /// Something follows the port.
    #[error("{found:?} follows the port: write mqtt://host:port and nothing more")]
    Rest {
        /// What follows.
        found: String,
    },
}

impl BrokerUrl {
    /// Returns the host: a name or an address, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether to speak TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(text: &str) -> Result<Self, BrokerUrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(BrokerUrlError::NoScheme { text: text.into() });
        };
        let (tls, default_port) = match scheme {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            _ => return Err(BrokerUrlError::Scheme { found: scheme.into() }),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(at) = rest.find(['/', '?']) {
            return Err(BrokerUrlError::Rest { found: rest.get(at..).unwrap_or_default().into() });
        }
        if rest.contains('@') {
            return Err(BrokerUrlError::Login);
        }
        let (host, port) = split(rest)?;
        if host.is_empty() {
            return Err(BrokerUrlError::NoHost);
        }
        let port = match port {
            None => default_port,
            Some(digits) => match digits.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(BrokerUrlError::Port { found: digits.into() }),
            },
        };
        Ok(Self { host: host.into(), port, tls })
    }
}

/// Splits host and port, and checks the characters of the host.
fn split(authority: &str) -> Result<(&str, Option<&str>), BrokerUrlError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((host, rest)) = bracketed.split_once(']') else {
            return Err(BrokerUrlError::Host { found: '[' });
        };
        if let Some(found) = host.chars().find(|c| !c.is_ascii_hexdigit() && !":.%".contains(*c)) {
            return Err(BrokerUrlError::Host { found });
        }
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err(BrokerUrlError::Rest { found: rest.into() }),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    match host.chars().find(|c| !c.is_alphanumeric() && !"-._".contains(*c)) {
        Some(found) => Err(BrokerUrlError::Host { found }),
        None => Ok((host, port)),
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match text.parse::<BrokerUrl>() {
            Ok(url) => url.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{text}: {found}");
    }

    #[test]
    fn addresses_are_read() {
        check("mqtt://127.0.0.1:1884", "mqtt://127.0.0.1:1884");
        check("mqtt://broker/", "mqtt://broker:1883");
        check("mqtts://broker.example", "mqtts://broker.example:8883");
        check("mqtt://[::1]:9", "mqtt://[::1]:9");
        check("mqtt://[fe80::1]", "mqtt://[fe80::1]:1883");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        check("broker:1883", "write mqtt://broker:1883");
        check("tcp://broker", "write mqtt://host:port");
        check("mqtt://", "no host");
        check("mqtt://:1883", "no host");
        check("mqtt://broker:0", "from 1 to 65535");
        check("mqtt://broker:x", "from 1 to 65535");
        check("mqtt://broker:99999", "from 1 to 65535");
        check("mqtt://me:pw@broker", "apart from it");
        check("mqtt://broker/path", "\"/path\" follows");
        check("mqtt://bro ker", "host name");
        check("mqtt://::1", "no host");
        check("mqtt://[::1", "brackets");
        check("mqtt://[::1]x", "follows the port");
    }
}
